#include "longhand/graph/steps_trial.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/base/utf8.h"

namespace longhand::graph {
namespace {

// An array [outer, T, inner]; of one without a time axis, T is 1.
struct ByTime {
  int64_t outer = 1, steps = 1, inner = 1;
};

std::optional<ByTime> by_time(const Dims& single, const Dims& many, int64_t steps) {
  if (single == many) return ByTime{.inner = count(many)};
  if (single.size() != many.size()) return std::nullopt;
  std::optional<ByTime> out;
  for (size_t axis = 0; axis < many.size(); ++axis) {
    if (single[axis] == many[axis]) continue;
    if (out || single[axis] != 1 || many[axis] != steps) return std::nullopt;
    out = ByTime{count(many, 0, axis), steps, count(many, axis + 1, many.size())};
  }
  return out;
}

std::optional<Plan> planned(const std::shared_ptr<const Network>& network, int64_t steps) {
  try {
    return Plan(network, {.steps = steps, .most_elements = int64_t{1} << 27});
  } catch (const Error&) {
    return std::nullopt;
  }
}

class Trial {
 public:
  Trial(Plan& whole, Plan& single, int64_t steps) : whole_(whole), single_(single), steps_(steps) {}

  std::string run(int64_t symbols) {
    for (size_t i = 0; i < whole_.inputs().size(); ++i) {
      const std::optional<ByTime> at = by_time(single_.inputs()[i].dims, whole_.inputs()[i].dims, steps_);
      if (!at || at->steps != steps_) return "";
      draw(whole_.inputs()[i], symbols, static_cast<uint32_t>(i));
    }
    if (!whole_.run()) return "";
    for (int64_t t = 0; t < steps_; ++t) {
      for (size_t i = 0; i < whole_.inputs().size(); ++i) copy_step(whole_.inputs()[i], single_.inputs()[i], t);
      if (!single_.run()) return "";
      for (size_t i = 0; i < whole_.outputs().size(); ++i) {
        const std::string differs = difference(whole_.outputs()[i], single_.outputs()[i], t);
        if (!differs.empty()) return differs;
      }
    }
    return "";
  }

 private:
  static void draw(const Plan::View& input, int64_t symbols, uint32_t number) {
    const CounterRng rng(1, 0, RngPlace::kSample, number);
    for (int64_t i = 0; i < count(input.dims); ++i) {
      const float u = rng.uniform(static_cast<uint64_t>(i));
      if (input.type == ElementType::kFloat) {
        input.floats[i] = 2.0F * u - 1.0F;
      } else {
        input.ints[i] = static_cast<int64_t>(u * static_cast<float>(std::min<int64_t>(symbols, 2)));
      }
    }
  }

  void copy_step(const Plan::View& from, const Plan::View& to, int64_t t) const {
    const ByTime at = *by_time(to.dims, from.dims, steps_);
    for (int64_t o = 0; o < at.outer; ++o) {
      const int64_t begin = (o * at.steps + t) * at.inner;
      if (from.type == ElementType::kFloat) {
        std::copy_n(from.floats + begin, at.inner, to.floats + o * at.inner);
      } else {
        std::copy_n(from.ints + begin, at.inner, to.ints + o * at.inner);
      }
    }
  }

  // Of step t; an output without a time axis is that of the last step.
  std::string difference(const Plan::View& whole, const Plan::View& single, int64_t t) const {
    const std::optional<ByTime> at = by_time(single.dims, whole.dims, steps_);
    if (!at) return fmt::format("its output '{}' is not one row for each time step", visible(whole.name));
    if (whole.type != ElementType::kFloat || (at->steps == 1 && t + 1 < steps_)) return "";
    float least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < count(whole.dims); ++i) {
      least = std::min(least, whole.floats[i]);
      most = std::max(most, whole.floats[i]);
    }
    for (int64_t o = 0; o < at->outer; ++o) {
      for (int64_t k = 0; k < at->inner; ++k) {
        const float a = whole.floats[(o * at->steps + (at->steps == 1 ? 0 : t)) * at->inner + k];
        const float b = single.floats[o * at->inner + k];
        if (std::isnan(a) && std::isnan(b)) continue;
        if (a != b && !(std::abs(a - b) <= 1e-3F * (most - least) + 1e-6F * std::abs(a))) {
          return fmt::format("step by step, its output '{}' is another than that of a whole sequence",
                             visible(whole.name));
        }
      }
    }
    return "";
  }

  Plan& whole_;
  Plan& single_;
  int64_t steps_;
};

}  // namespace

std::string why_steps_differ(const std::shared_ptr<const Network>& network, int64_t symbols) {
  const std::vector<Port>& inputs = network->graph().inputs;
  const bool over_time = !inputs.empty() && std::all_of(inputs.begin(), inputs.end(),
                                                        [](const Port& port) { return port.time_axis >= 0; });
  if (!over_time) return "";
  std::optional<Plan> single = planned(network, 1);
  for (const int64_t steps : {6, 4, 2}) {
    std::optional<Plan> whole = single ? planned(network, steps) : std::nullopt;
    if (whole) return Trial(*whole, *single, steps).run(symbols);
  }
  return "";
}

}  // namespace longhand::graph
