#include "longhand/tasks/sequence_score.h"

#include <algorithm>
#include <cmath>

namespace longhand::tasks {
namespace {

constexpr int64_t kSideBySide = 64;  // stretches in a batch
constexpr int64_t kStepsAtOnce = 2048;

}  // namespace

void SequenceSums::add(std::span<const double> predicted, std::span<const double> actual, bool counts, Memory& memory) {
  const size_t O = columns_.size();
  if (memory.error.empty()) memory = {std::vector<double>(O), std::vector<double>(O), std::vector<double>(O), 0.0};
  const double a = model_.purpose().loss.pre_emphasis;
  for (size_t o = 0; o < O; ++o) {
    const double e = predicted[o] - actual[o], y = actual[o];
    if (counts) {
      Column& c = columns_[o];
      if (steps_ == 0) c.first = y;
      const double scaled = e / model_.purpose().spread[o], f = e - a * memory.error[o], g = y - a * memory.actual[o];
      c.squared += e * e;
      c.absolute += std::abs(e);
      c.scaled_squared += scaled * scaled;
      c.scaled_absolute += std::abs(scaled);
      c.sum += y - c.first;
      c.squares += (y - c.first) * (y - c.first);
      c.energy += y * y;
      filtered_error_ += f * f;
      filtered_energy_ += g * g;
      memory.sum[o] += e;
    }
    memory.error[o] = e;
    memory.actual[o] = y;
  }
  if (counts) ++steps_;
  if (counts) memory.steps += 1.0;
}

void SequenceSums::end(const Memory& memory) {
  for (const double sum : memory.sum) dc_ += memory.steps > 0.0 ? sum * sum / memory.steps : 0.0;
}

void SequenceSums::add_class(const float* logits, int64_t n, int64_t target) {
  const auto largest = static_cast<double>(*std::max_element(logits, logits + n));
  double sum = 0.0;
  for (int64_t o = 0; o < n; ++o) sum += std::exp(static_cast<double>(logits[o]) - largest);
  nats_ += largest + std::log(sum) - static_cast<double>(logits[target]);
  correct_ += std::max_element(logits, logits + n) - logits == target ? 1 : 0;
  ++steps_;
}

SequenceScore SequenceSums::score() const {
  SequenceScore out{.steps = steps_, .of_classes = model_.classifies()};
  const double n = std::max<double>(1.0, static_cast<double>(steps_));
  if (out.of_classes) {
    out.loss = nats_ / n;
    out.accuracy = 100.0 * static_cast<double>(correct_) / n;
    return out;
  }
  const auto O = static_cast<double>(columns_.size());
  double energy = 0.0, squared = 0.0, scaled_squared = 0.0, scaled_absolute = 0.0;
  for (const Column& c : columns_) {
    out.mse += c.squared / (n * O);
    out.mae += c.absolute / (n * O);
    const double spread = c.squares - c.sum * c.sum / n;
    out.nse += (spread > 0.0 ? 1.0 - c.squared / spread : 0.0) / O;
    energy += c.energy;
    squared += c.squared;
    scaled_squared += c.scaled_squared / (n * O);
    scaled_absolute += c.scaled_absolute / (n * O);
  }
  const auto ratio = [](double a, double b) { return b > 0.0 ? a / b : a > 0.0 ? INFINITY : 0.0; };
  out.esr = ratio(squared, energy);
  const SequenceLossOptions& loss = model_.purpose().loss;
  switch (loss.kind()) {
    case SequenceLoss::kMae: out.loss = scaled_absolute; break;
    case SequenceLoss::kEsr: out.loss = ratio(filtered_error_, filtered_energy_) + loss.dc * ratio(dc_, energy); break;
    default: out.loss = scaled_squared;
  }
  return out;
}

std::vector<Metric> SequenceScore::metrics() const {
  if (of_classes) return {{"loss", loss}, {"accuracy", accuracy, true}};
  return {{"loss", loss}, {"mse", mse}, {"mae", mae}, {"esr", esr}, {"nse", nse, true}};
}

SequenceScore evaluate(const TrainedNetwork& model, const data::RecordingSet& set,
                       const std::vector<data::Stretch>& stretches, graph::TrainingPass<float>& pass,
                       const SequenceObserver& observer) {
  const bool streams = model.network().why_whole().empty() && !model.network().answers_once();
  const std::vector<data::Scale>& scales = model.target_scales();
  SequenceSums sums(model);
  SequenceRows reader(model, set);
  graph::NetworkState<float> state = pass.new_state();
  int64_t done = 0, total = 0;
  for (const data::Stretch& stretch : stretches) total += stretch.length();
  const size_t width = model.classifies() ? static_cast<size_t>(model.network().outputs()) : scales.size();
  std::vector<double> predicted(width), actual(model.classifies() ? 1 : width);
  for (size_t from = 0; from < stretches.size(); from += kSideBySide) {
    const auto rows = std::span(stretches).subspan(from, std::min<size_t>(kSideBySide, stretches.size() - from));
    int64_t longest = 0;
    for (const data::Stretch& row : rows) longest = std::max(longest, row.length());
    std::vector<SequenceSums::Memory> memory(rows.size());
    state.reset(static_cast<int64_t>(rows.size()));
    const int64_t at_once = streams ? kStepsAtOnce : longest;
    for (int64_t first = 0; first < longest; first += at_once) {
      reader.fill(rows, first, std::min(at_once, longest - first));
      const graph::TrainValue<float>& y = pass.forward(reader.input(), state, nn::Pass::kInference);
      for (size_t b = 0; b < rows.size(); ++b) {
        const data::Stretch& row = rows[b];
        const int64_t steps = set.one_target ? 1 : std::min<int64_t>(y.steps, reader.lengths()[b]);
        for (int64_t t = 0; t < steps; ++t) {
          const float* made = y.data + y.at(t, static_cast<int64_t>(b));
          const int64_t at = set.one_target ? row.end - 1 : row.read + first + t;
          const bool counts = set.one_target || at >= row.count;
          const int64_t place = t * y.batch + static_cast<int64_t>(b);
          if (model.classifies()) {
            if (counts) sums.add_class(made, y.width, reader.classes()[place]);
            for (size_t o = 0; o < width; ++o) predicted[o] = static_cast<double>(made[o]);
            actual[0] = reader.classes()[place];
          } else {
            for (size_t o = 0; o < width; ++o) {
              predicted[o] = scales[o].undo(static_cast<double>(made[o]));
              actual[o] =
                  scales[o].undo(static_cast<double>(reader.targets()[place * y.width + static_cast<int64_t>(o)]));
            }
            sums.add(predicted, actual, counts, memory[b]);
          }
          if (counts && observer.on_step) observer.on_step(row, at, predicted, actual);
        }
        done += reader.lengths()[b];
      }
      if (observer.on_done) observer.on_done(done, total);
    }
    for (const SequenceSums::Memory& each : memory) sums.end(each);
  }
  return sums.score();
}

}  // namespace longhand::tasks
