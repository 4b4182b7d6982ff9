#include "longhand/tasks/network_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/tasks/fingerprint.h"

namespace longhand::tasks {
namespace {

constexpr int64_t kWarmUpSteps = 1024;  // steps read at a time
// Lower bound of a batch's target energy, as a share of the training data's mean energy: avoids division by silence.
constexpr double kQuiet = 0.01;

std::string_view bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

void hash_set(const data::RecordingSet& set, const std::vector<data::Stretch>& stretches, TextHash& hash) {
  for (const data::Recording& recording : set.list) {
    for (const data::Numbers& input : recording.inputs) hash.add(bytes_of(input.floats));
    hash.add(bytes_of(recording.targets.floats));
  }
  for (const data::Stretch& s : stretches) hash.add(fmt::format("{} {} {} {}", s.recording, s.read, s.count, s.end));
}

}  // namespace

NetworkTask::NetworkTask(TrainedNetwork& model, const data::RecordingSet& set, std::vector<data::Stretch> train,
                         const data::RecordingSet& valid_set, std::vector<data::Stretch> valid,
                         const NetworkTaskOptions& options, kernels::Context& context)
    : model_(model),
      set_(set),
      valid_set_(valid_set),
      train_(std::move(train)),
      valid_(std::move(valid)),
      options_(options),
      context_(context),
      pass_(model.network(), options.engine, context),
      buckets_(
          [&] {
            std::vector<int64_t> lengths;
            for (const data::Stretch& segment : train_) lengths.push_back(segment.length());
            return lengths;
          }(),
          options.groups),
      rows_(model, set) {
  parameters().allocate_gradients();
  parameters_changed();
  check_steps();
  if (model_.purpose().loss.kind() != SequenceLoss::kEsr) return;
  double steps = 0.0;
  for (const data::Stretch& segment : train_) {
    const std::vector<float>& targets = set_.list[static_cast<size_t>(segment.recording)].targets.floats;
    const TargetEnergy energy =
        target_energy(model_.purpose().loss, targets, model_.target_scales(), {segment.count, segment.end});
    mean_energy_.filtered += energy.filtered;
    mean_energy_.plain += energy.plain;
    steps += static_cast<double>(segment.counted());
  }
  mean_energy_.filtered /= std::max(steps, 1.0);
  mean_energy_.plain /= std::max(steps, 1.0);
}

// Throws an input error unless the network has one output row per time step. Called before a run writes files.
void NetworkTask::check_steps() {
  if (set_.one_target || train_.empty()) return;
  constexpr int64_t kTried = 4096;
  const data::Stretch& row = *std::max_element(train_.begin(), train_.end(),
                                               [](const auto& a, const auto& b) { return a.length() < b.length(); });
  const int64_t steps = std::min(kTried, row.length());
  rows_.fill({&row, 1}, 0, steps);
  graph::NetworkState<float> state = pass_.new_state();
  state.reset(1);
  const int64_t found = pass_.forward(rows_.input(), state, nn::Pass::kInference).steps;
  if (found == steps) return;
  throw input_error(
      fmt::format("{}: expected an answer for each step, found {} for {}", model_.network().where(), found, steps),
      "keep the number of steps: pad convolutions (\"causal\" or \"same\"), with a stride of 1");
}

void NetworkTask::begin_epoch(int64_t epoch) {
  buckets_.begin_epoch(epoch);
  firsts_ = {0};
  for (int64_t update = 0; update < buckets_.size(); ++update) {
    int64_t longest = 1;
    for (const int64_t i : buckets_.update(update)) {
      longest = std::max(longest, train_[static_cast<size_t>(i)].counted());
    }
    firsts_.push_back(firsts_.back() + (in_pieces() ? (longest + options_.bptt - 1) / options_.bptt : 1));
  }
}

NetworkTask::Place NetworkTask::place_of(int64_t index) const {
  const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), index);
  const auto update = static_cast<int64_t>(after - firsts_.begin()) - 1;
  return {update, index - firsts_[static_cast<size_t>(update)]};
}

// Returns the steps of the recording that a piece of a segment measures; empty after the segment's end.
Range NetworkTask::piece_of(const data::Stretch& segment, int64_t piece) const {
  if (!in_pieces()) return {segment.count, segment.end};
  const int64_t begin = std::min(segment.end, segment.count + piece * options_.bptt);
  return {begin, std::min(segment.end, begin + options_.bptt)};
}

NetworkTask::Measured NetworkTask::measure(int64_t update, int64_t piece) const {
  Measured out;
  const bool esr = model_.purpose().loss.kind() == SequenceLoss::kEsr;
  for (const int64_t i : buckets_.update(update)) {
    const data::Stretch& segment = train_[static_cast<size_t>(i)];
    const Range range = piece_of(segment, piece);
    out.steps += set_.one_target ? 1 : range.size();
    if (!esr) continue;
    const std::vector<float>& targets = set_.list[static_cast<size_t>(segment.recording)].targets.floats;
    const TargetEnergy energy = target_energy(model_.purpose().loss, targets, model_.target_scales(), range);
    out.energy.filtered += energy.filtered;
    out.energy.plain += energy.plain;
  }
  const auto quiet = [&](double mean) { return std::max(kQuiet * mean * static_cast<double>(out.steps), 1e-30); };
  out.energy.filtered = std::max(out.energy.filtered, quiet(mean_energy_.filtered));
  out.energy.plain = std::max(out.energy.plain, quiet(mean_energy_.plain));
  return out;
}

NetworkTask::Carried& NetworkTask::carried(int64_t part, data::Shard shard) {
  const auto at = static_cast<size_t>(part * shard.of + shard.index);
  while (carried_.size() <= at) carried_.push_back({pass_.new_state(), {}});
  return carried_[at];
}

LossInput<float> NetworkTask::loss_input(const graph::TrainValue<float>& y, Carried& carried) {
  return {.steps = y.steps,
          .batch = y.batch,
          .outputs = y.width,
          .y = y.data,
          .stride = y.stride(),
          .targets = rows_.targets(),
          .classes = rows_.classes(),
          .counted = counted_,
          .scales = model_.target_scales(),
          .spread = model_.purpose().spread,
          .before = in_pieces() || streams() ? carried.before.data() : nullptr};
}

// Reads the warm-up steps, which update only the states.
void NetworkTask::warm_up(std::span<const data::Stretch> rows, Carried& carried) {
  const int64_t steps = rows.front().count - rows.front().read;
  counted_.assign(rows.size(), {});
  for (int64_t first = 0; first < steps; first += kWarmUpSteps) {
    rows_.fill(rows, first, std::min(kWarmUpSteps, steps - first));
    const graph::TrainValue<float>& y = pass_.forward(rows_.input(), carried.state, nn::Pass::kInference);
    if (!model_.classifies()) {
      sequence_loss(model_.purpose().loss, loss_input(y, carried), sums_, context_.pool);
    }
  }
}

LossSums NetworkTask::train_rows(std::span<const data::Stretch> rows, int64_t piece, const Measured& measured,
                                 Carried& carried, const nn::DropoutKey& masks) {
  if (piece == 0) {
    carried.state.reset(static_cast<int64_t>(rows.size()));
    carried.before.resize(static_cast<int64_t>(rows.size()) * model_.network().outputs());
    carried.before.fill(0.0F);
    if (streams()) warm_up(rows, carried);
  }
  const int64_t warm = rows.front().count - rows.front().read;
  const int64_t first = streams() ? warm + piece * options_.bptt : 0;
  int64_t steps = 0;
  for (const data::Stretch& row : rows) steps = std::max(steps, row.length() - first);
  if (in_pieces()) steps = std::min(steps, options_.bptt);
  rows_.fill(rows, first, steps);
  counted_.clear();
  for (const data::Stretch& row : rows) {
    const Range range = piece_of(row, piece);
    const int64_t zero = row.read + first;
    counted_.push_back(set_.one_target ? Range{0, 1} : Range{range.begin - zero, range.end - zero});
  }
  graph::TrainInput<float> input = rows_.input();
  input.masks = masks;
  graph::TrainValue<float>& y = pass_.forward(input, carried.state, nn::Pass::kTraining);
  LossInput<float> loss = loss_input(y, carried);
  loss.dy = y.gradient.data();
  const SequenceLossOptions& options = model_.purpose().loss;
  const bool esr = options.kind() == SequenceLoss::kEsr;
  loss.scale = 1.0 / (esr ? measured.energy.filtered : static_cast<double>(measured.steps));
  loss.dc_scale = options.dc / measured.energy.plain;
  LossSums sums = sequence_loss(options, loss, sums_, context_.pool);
  pass_.backward(parameters().gradients().data());
  return sums;
}

StepResult NetworkTask::train_shard(int64_t index, uint64_t step, data::Shard shard) {
  const auto [update, piece] = place_of(index);
  const Measured measured = measure(update, piece);
  const nn::UpdateShard all{.seed = options_.groups.seed,
                            .step = step,
                            .count = measured.steps,
                            .steps = measured.steps,
                            .parts = buckets_.parts(update),
                            .shard = shard};
  const std::span<float> gradients = parameters().gradients();
  std::fill(gradients.begin(), gradients.end(), 0.0F);
  const SequenceLossOptions& options = model_.purpose().loss;
  const bool esr = options.kind() == SequenceLoss::kEsr;
  const auto steps = static_cast<double>(measured.steps);
  StepResult result;
  for (int64_t part = 0; part < all.parts; ++part) {
    std::vector<data::Stretch> rows;
    for (const int64_t i : buckets_.part(update, part, shard)) rows.push_back(train_[static_cast<size_t>(i)]);
    if (rows.empty()) continue;
    const nn::DropoutKey masks = nn::pass_of_part(all, part).masks;
    const LossSums sums = train_rows(rows, piece, measured, carried(in_pieces() ? part : 0, shard), masks);
    result.loss_sum +=
        esr ? steps * (sums.loss / measured.energy.filtered + options.dc * sums.dc / measured.energy.plain) : sums.loss;
    for (const data::Stretch& row : rows) result.count += set_.one_target ? 1 : piece_of(row, piece).size();
  }
  return result;
}

std::vector<Metric> NetworkTask::validate() { return evaluate(model_, valid_set_, valid_, pass_).metrics(); }

std::vector<std::pair<std::string, Buffer<float>*>> NetworkTask::carried_state(data::Shard shard) {
  std::vector<std::pair<std::string, Buffer<float>*>> out;
  if (!in_pieces()) return out;
  const std::string prefix = shard.of > 1 ? fmt::format("shard.{}.", shard.index) : "";
  for (int64_t part = 0; part < options_.groups.accumulate; ++part) {
    Carried& own = carried(part, shard);
    for (Buffer<float>* array : own.state.arrays())
      out.emplace_back(fmt::format("{}state.{}", prefix, out.size()), array);
    out.emplace_back(fmt::format("{}state.{}", prefix, out.size()), &own.before);
  }
  return out;
}

bool NetworkTask::carried_state_fits(int64_t index) {
  if (!in_pieces() || index >= steps()) return true;
  const auto [update, piece] = place_of(index);
  if (piece == 0) return true;
  for (data::Shard shard{0, options_.groups.shards}; shard.index < shard.of; ++shard.index) {
    for (int64_t part = 0; part < buckets_.parts(update); ++part) {
      const auto rows = static_cast<int64_t>(buckets_.part(update, part, shard).size());
      Carried& own = carried(part, shard);
      if (rows == 0) continue;
      if (!own.state.fits(rows) || own.before.size() != rows * model_.network().outputs()) return false;
    }
  }
  return true;
}

std::string NetworkTask::fingerprint() const {
  TextHash data, held_out, network;
  hash_set(set_, train_, data);
  hash_set(valid_set_, valid_, held_out);
  for (const Parameter& p : model_.network().parameters().parameters()) {
    network.add(p.name);
    for (const int64_t extent : p.shape) network.add(std::to_string(extent));
  }
  for (const graph::Node& node : model_.network().graph().nodes) {
    network.add(node.type);
    for (const std::string& input : node.inputs) network.add(input);
  }
  SequenceLossOptions loss = model_.purpose().loss;
  return fmt::format("{} segments ({:016x}), {} held out ({:016x}), network {:016x}, {} parameters, bptt {}{}",
                     train_.size(), data.value(), valid_.size(), held_out.value(), network.value(),
                     model_.network().parameters().count(), options_.bptt, described(options_.groups, loss));
}

}  // namespace longhand::tasks
