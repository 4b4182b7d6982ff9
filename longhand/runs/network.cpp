// The run of the task `network`: reads the data, trains a network of layers and measures it.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/graph/description.h"
#include "longhand/io/file.h"
#include "longhand/runs/network_evaluation.h"
#include "longhand/runs/network_settings.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/sequence_findings.h"
#include "longhand/tasks/filter_baseline.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/network_task.h"

namespace longhand::runs {
namespace {

// The layers that a run starts with, and the scales if they come from a trained model.
struct StartingNetwork {
  graph::Graph graph;
  std::string where;
  tasks::NetworkScaling scaling;
  bool is_new = false;
};

// Throws a usage error for an input or layer that no output depends on: training would not change its weights.
void expect_used(const graph::Graph& graph, const std::string& where) {
  std::set<std::string> wanted;
  for (const graph::Port& output : graph.outputs) wanted.insert(output.name);
  const auto refuse = [&](const std::string& what, const std::string& name) {
    throw usage_error(fmt::format("{}: {} '{}' leads to no output", where, what, visible(name)),
                      "remove it, or name it in `from` of a later layer");
  };
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const graph::Node& node = graph.nodes[i];
    if (!wanted.contains(node.name)) refuse(node.type, node.name);
    wanted.insert(node.inputs.begin(), node.inputs.end());
  }
  for (const graph::Port& input : graph.inputs) {
    if (!wanted.contains(input.name)) refuse("input", input.name);
  }
}

StartingNetwork starting_network(const NetworkSettings& settings) {
  StartingNetwork out;
  const std::string own = settings.resumed.empty() ? "" : train::RunFiles(settings.resumed).model;
  const bool resumed = !own.empty() && io::exists(own);
  if (resumed || !settings.from.empty()) {
    const tasks::ModelFile file = tasks::ModelFile::read(resumed ? own : settings.from);
    if (file.task() != tasks::kNetworkTask) {
      throw input_error(fmt::format("{}: expected a network of layers, found a {}", file.path(), visible(file.task())),
                        "networks come from `longhand train network` or `longhand import`");
    }
    out.graph = tasks::read_network(file);
    out.where = file.path();
    out.scaling = tasks::take_scaling(out.graph);
    out.is_new = resumed && settings.from.empty();  // its scales are computed from the data again
    return out;
  }
  NetworkSettings copy = settings;
  OptionTable table;
  copy.add_to(table);
  std::set<std::string> options;
  for (const Option& option : table.options()) options.insert(option.name);
  out.where = settings.network;
  out.graph =
      graph::with_drawn_weights(graph::read_description(io::read_file(settings.network), settings.network, options),
                                settings.seed_number(), settings.network);
  expect_used(out.graph, settings.network);
  out.is_new = true;
  return out;
}

class NetworkRun : public Run {
 public:
  NetworkRun(const NetworkSettings& settings, Sources& sources);
  std::optional<BaselineFindings> measure_baseline(const std::string& path) override;
  std::string baseline_key() override;

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  std::string baseline_advice(const BaselineFindings& /*baseline*/) const override {
    return "more `epochs`, another `lr`, a longer `bptt` or `burn-in`, or more `units`";
  }
  // Whether there are test data. The finished model is measured on them, otherwise on the held-out data.
  bool tests() const { return !test_set_.list.empty(); }
  const data::RecordingSet& measured_set() const {
    return tests() ? test_set_ : settings_.valid.empty() ? set_ : valid_set_;
  }
  std::vector<data::Stretch> measured() const;
  void count_after_burn_in(std::vector<data::Stretch>& stretches, const std::string& source, const char* noun);

  data::RecordingSet read(const std::string& source, const std::string& sound_target, Sources& sources);
  void choose_cuts(const std::vector<data::Stretch>& train);
  void fit_scales(const StartingNetwork& start, const std::vector<data::Stretch>& train);
  std::string described(int64_t train, int64_t valid) const;

  NetworkSettings settings_;
  data::CutOptions cut_;
  int64_t bptt_ = 0;
  std::unique_ptr<tasks::TrainedNetwork> model_;
  data::RecordingSet set_, valid_set_, test_set_;
  std::vector<data::Stretch> train_, valid_, test_;  // before they are cut
  std::unique_ptr<tasks::NetworkTask> task_;
};

data::RecordingSet NetworkRun::read(const std::string& source, const std::string& sound_target, Sources& sources) {
  SequenceFileOptions files = settings_.files;
  if (format_of(source) == SequenceFormat::kSound) files.target = sound_target;
  return read_recordings(source, files, model_->network(), model_->classifies(), sources);
}

// Chooses segment, bptt and burn-in where the settings are `auto`. Long recordings are cut into segments, so that a
// batch has several sequences.
void NetworkRun::choose_cuts(const std::vector<data::Stretch>& train) {
  constexpr int64_t kLong = 2000, kPiece = 512, kLongestSegment = 4096;
  const graph::TrainableNetwork& network = model_->network();
  const bool streams = network.why_whole().empty() && !network.answers_once();
  int64_t longest = 0, shortest = INT64_MAX, all = 0;
  for (const data::Stretch& each : train) {
    longest = std::max(longest, each.length());
    shortest = std::min(shortest, each.length());
    all += each.length();
  }
  const bool automatic = settings_.segment == NetworkSettings::kAuto;
  const bool cuts = automatic ? streams && longest > kLong : settings_.segment > 0;
  cut_.segment = !automatic ? settings_.segment
                 : cuts     ? std::clamp(all / (4 * std::max<int64_t>(settings_.batch, 1)), kPiece, kLongestSegment)
                            : 0;
  const auto chosen = [&](int64_t given) {
    return given != NetworkSettings::kAuto ? given : cuts && streams ? kPiece : 0;
  };
  bptt_ = settings_.batch == 0 ? 0 : chosen(settings_.bptt);
  // The automatic burn-in must not leave out any sequence.
  const int64_t own = cuts && shortest >= 4 * kPiece ? kPiece : 0;
  cut_.warm_up = settings_.warm_up != NetworkSettings::kAuto ? settings_.warm_up : own;
  const auto refuse = [&](const char* option, const std::string& why) {
    throw usage_error(fmt::format("`{}`: expected a network that is read step by step, found one that {}", option, why),
                      fmt::format("give `{}` 0, or change the network (`longhand info` says more)", option));
  };
  if (network.answers_once()) {
    const char* given = cut_.segment > 0 ? "segment" : bptt_ > 0 ? "bptt" : cut_.warm_up > 0 ? "burn-in" : nullptr;
    if (given != nullptr) refuse(given, "has one answer for a whole sequence");
  } else if (!network.why_whole().empty() && bptt_ > 0) {
    refuse("bptt", network.why_whole());
  }
}

void NetworkRun::fit_scales(const StartingNetwork& start, const std::vector<data::Stretch>& train) {
  const bool sound = format_of(settings_.data) == SequenceFormat::kSound;
  const bool standardise = settings_.scale == "standardise" || (settings_.scale == "auto" && start.is_new && !sound);
  if (settings_.scale == "standardise" && !start.is_new) {
    throw usage_error("`scale` standardise: cannot be combined with `from`",
                      "the model keeps the scales that it was trained with; leave it out");
  }
  tasks::NetworkScaling scaling = start.is_new ? tasks::NetworkScaling{} : start.scaling;
  std::vector<double> spread;
  if (!model_->classifies()) {
    const std::vector<data::Scale> targets = data::target_scales(set_, train);
    for (const data::Scale& each : targets) spread.push_back(each.deviation);
    if (standardise) scaling.targets = targets;
  }
  scaling.inputs.resize(set_.widths.size());
  for (size_t k = 0; standardise && k < set_.widths.size(); ++k) {
    if (model_->network().symbols(k) == 0) scaling.inputs[k] = data::input_scales(set_, train, k);
  }
  const int64_t rate = set_.sample_rate != 0 ? set_.sample_rate : model_->network().graph().sample_rate;
  model_->set_data(std::move(scaling), std::move(spread), rate);
}

std::string NetworkRun::described(int64_t train, int64_t valid) const {
  const auto steps = [](int64_t n) { return n == 0 ? std::string("whole") : format_count(n, "step"); };
  return fmt::format("{}; {} of {} (burn-in {}), updates of {}, {} held out; {}, {} parameters",
                     describe_recordings(settings_.data, set_), format_count(train, "training segment"),
                     steps(cut_.segment), format_count(cut_.warm_up, "step"), steps(bptt_), format_count(valid, "step"),
                     model_->scaling().any() ? "standardised" : "not scaled",
                     format_count(static_cast<double>(model_->network().parameters().count())));
}

NetworkRun::NetworkRun(const NetworkSettings& settings, Sources& sources) : Run(settings), settings_(settings) {
  settings_.check();
  StartingNetwork start = starting_network(settings_);
  tasks::NetworkPurpose purpose{.loss = settings_.loss, .ahead = settings_.files.ahead};
  purpose.group = settings_.files.group;
  purpose.decimal = settings_.files.decimal;
  purpose.inputs = data::split_names(settings_.files.input);
  if (format_of(settings_.data) != SequenceFormat::kSound) purpose.targets = data::split_names(settings_.files.target);
  model_ = std::make_unique<tasks::TrainedNetwork>(start.graph, start.where, start.scaling, purpose);
  set_ = read(settings_.data, settings_.files.target, sources);
  choose_cuts(data::whole_recordings(set_));
  data::SplitStretches split = data::split_recordings(set_, settings_.valid_fraction, cut_.warm_up);
  const std::vector<data::Stretch> train = data::cut_stretches(split.train, cut_);
  if (train.empty()) {
    throw input_error(
        fmt::format(
            "{}: too short to train on: no sequence has more steps than the {} of `burn-in` and what is held out",
            shown_name(settings_.data), cut_.warm_up),
        "give longer sequences, or a smaller `burn-in` or `valid-fraction`");
  }
  const auto left_out = std::count_if(split.train.begin(), split.train.end(),
                                      [&](const data::Stretch& each) { return each.length() <= cut_.warm_up; });
  if (left_out > 0) {
    describe(fmt::format("{}: {} of {} are no longer than `burn-in` and are left out", shown_name(settings_.data),
                         left_out, format_count(static_cast<int64_t>(split.train.size()), "sequence")));
  }
  if (const auto all = static_cast<int64_t>(set_.list.size()); !split.by_sequence) {
    const int64_t held_out = all - static_cast<int64_t>(split.train.size());
    if (held_out > 0) {
      describe(fmt::format("{}: {} of {} are too short to divide, and are held out as a whole",
                           shown_name(settings_.data), held_out, format_count(all, "sequence")));
    }
  }
  fit_scales(start, split.train);
  const auto add = [&](const std::string& source, const std::string& target, data::RecordingSet& to) {
    if (source.empty()) return;
    to = read(source, target, sources);
    if (to.sample_rate != set_.sample_rate) {
      throw input_error(fmt::format("{}: expected {} frames a second, as in the training data, found {}",
                                    shown_name(source), set_.sample_rate, to.sample_rate),
                        "convert the sound to one sample rate");
    }
    model_->scale(to);
  };
  add(settings_.valid, settings_.valid_target, valid_set_);
  add(settings_.test, settings_.test_target, test_set_);
  model_->scale(set_);
  train_ = split.train;
  valid_ = settings_.valid.empty() ? split.valid : data::whole_recordings(valid_set_);
  count_after_burn_in(valid_, settings_.valid.empty() && split.by_sequence ? settings_.data : settings_.valid,
                      settings_.valid.empty() ? "held-out sequence" : "sequence");
  test_ = data::whole_recordings(test_set_);
  count_after_burn_in(test_, settings_.test, "sequence");
  int64_t held_out = 0;
  for (const data::Stretch& each : valid_) held_out += set_.one_target ? 1 : each.counted();
  describe(described(static_cast<int64_t>(train.size()), held_out));
  task_ = std::make_unique<tasks::NetworkTask>(
      *model_, set_, train, settings_.valid.empty() ? set_ : valid_set_, valid_,
      tasks::NetworkTaskOptions{.groups = settings_.groups(), .bptt = bptt_, .engine = settings_.used_engine()},
      context_);
  settings_.training.check(*task_);
}

// Starts to measure after the burn-in, and removes sequences that are no longer than it. `source` names the data in
// messages; empty, for the ends of the training recordings: no message.
void NetworkRun::count_after_burn_in(std::vector<data::Stretch>& stretches, const std::string& source,
                                     const char* noun) {
  const size_t all = stretches.size();
  for (data::Stretch& each : stretches) each.count = std::min(each.end, std::max(each.count, each.read + cut_.warm_up));
  std::erase_if(stretches, [](const data::Stretch& each) { return each.counted() == 0; });
  const size_t left_out = all - stretches.size();
  if (left_out == 0 || source.empty()) return;
  if (stretches.empty()) {
    throw input_error(fmt::format("{}: too short to measure on: no {} has more than the {} steps of `burn-in`",
                                  shown_name(source), noun, cut_.warm_up),
                      "give longer sequences, or a smaller `burn-in`");
  }
  describe(fmt::format("{}: {} of {} are no longer than `burn-in` and are left out", shown_name(source), left_out,
                       format_count(static_cast<int64_t>(all), noun)));
}

std::vector<data::Stretch> NetworkRun::measured() const { return tests() ? test_ : valid_; }

void NetworkRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  const std::vector<data::Stretch> stretches = measured();
  if (stretches.empty()) return;
  const tasks::ModelFile file = tasks::ModelFile::read(folder);
  graph::Graph graph = tasks::read_network(file);
  tasks::take_scaling(graph);
  tasks::TrainedNetwork kept(std::move(graph), file.path(), model_->scaling(), model_->purpose());
  graph::TrainingPass<float> pass(kept.network(), settings_.used_engine(), context_);
  pass.set_values(kept.network().parameters().values().data());
  findings.examined = tests() ? "test data" : "held-out data";
  SequenceExaminer examiner(measured_set());
  const tasks::SequenceScore score =
      tasks::evaluate(kept, measured_set(), stretches, pass,
                      {.on_step = [&](const auto&... step) { examiner.add(step...); }, .on_done = on_done});
  if (!kept.classifies()) findings.sequences = examiner.findings();
  if (tests()) findings.test = score.metrics();
}

std::optional<BaselineFindings> NetworkRun::measure_baseline(const std::string& /*path*/) {
  const std::vector<data::Stretch> stretches = measured();
  if (stretches.empty()) return std::nullopt;
  const std::optional<tasks::FilterBaseline> filter = tasks::FilterBaseline::fit(*model_, set_, train_);
  if (!filter) return std::nullopt;
  return BaselineFindings{.name = filter->name(),
                          .note = {},
                          .measured = tests() ? "test data" : "held-out data",
                          .metrics = filter->measure(*model_, measured_set(), stretches).metrics(),
                          .verdict = {}};
}

std::string NetworkRun::baseline_key() {
  if (measured().empty()) return "";
  tasks::TextHash hash;
  hash.add(task_->fingerprint());
  for (const data::Recording& recording : measured_set().list) {
    hash.add({reinterpret_cast<const char*>(recording.targets.floats.data()),
              recording.targets.floats.size() * sizeof(float)});
  }
  return fmt::format("{:016x}", hash.value());
}

Summary summary_of_network(const tasks::ModelFile& file) {
  const graph::Graph graph = tasks::read_network(file);
  Summary out{.options = {}, .options_json = "{}", .parameters = graph.parameters()};
  for (const graph::Node& node : graph.nodes) out.options.emplace_back(node.name, node.type);
  return out;
}

[[noreturn]] void refuse_combining(std::span<const tasks::ModelFile> /*files*/, const std::string& path) {
  throw input_error(path + ": networks of layers cannot be combined",
                    "`longhand combine` is for language models, taggers, classifiers and regressors");
}

}  // namespace

TaskRow network_row() {
  return {.verb = "network",
          .task = tasks::kNetworkTask,
          .name = "network",
          .help = "Train a network of layers on sequences",
          .noun = "step",
          .example = "give `data` FILE (CSV, .npz or WAV), and `network` FILE.toml with the layers",
          .settings = new_settings<NetworkSettings>,
          .read = &Sources::sequences,
          .run = new_run<NetworkRun, NetworkSettings>,
          .evaluate = evaluate_network,
          .summary = summary_of_network,
          .combine = refuse_combining};
}

}  // namespace longhand::runs
