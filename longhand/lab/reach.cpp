#include "longhand/lab/reach.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/lab/small_model.h"

namespace longhand::lab {
namespace {

constexpr double kThousandth = 1e-3;
// Parts of a gradient as small as this cancel one another by chance.
constexpr double kNegligible = 1e-12;
// What is left of a gradient further back teaches nothing.
constexpr double kEndOfFit = 1e-4;
// At which distances the roads are shown, and how many steps of a way have their spectral radius computed.
constexpr int64_t kShown[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
constexpr int64_t kRadii = 24;

// One sequence and the gradient of its loss by the state before each step.
struct Way {
  std::vector<LayerStep> steps;
  std::vector<LayerState> gradients;  // element k: by the state k steps before the last
};

Way go_back(const SmallModel& model, const Recurrence& layer, const SequenceBatch& batch, int64_t row) {
  Way way;
  LayerState state = layer.zero_state();
  for (int64_t t = 0; t < batch.steps; ++t) {
    const auto at = static_cast<size_t>(t * batch.rows + row);
    Vector u;
    if (batch.symbols.empty()) {
      const auto inputs = static_cast<size_t>(layer.weights().inputs);
      const float* x = batch.numbers.data() + at * static_cast<size_t>(padded(layer.weights().inputs));
      u = layer.input_part(Vector(x, x + inputs));
    } else {
      u = layer.input_part(batch.symbols[at]);
    }
    way.steps.push_back(layer.forward(state, u));
    state = way.steps.back().after;
  }
  LayerState gradient = layer.zero_state();
  gradient.h = model.output_gradient(state.h, batch, static_cast<size_t>(row));
  way.gradients.push_back(gradient);
  for (size_t t = way.steps.size(); t-- > 0;) {
    gradient = layer.back(way.steps[t], gradient);
    way.gradients.push_back(gradient);
  }
  return way;
}

// Divides the gradients of a way into roads, and adds each one's shares to `parts`.
void add_roads(const Recurrence& layer, const Way& way, std::vector<RoadParts>& parts) {
  const size_t gates = gate_names(layer.weights().cell).size();
  std::vector<LayerState> roads(gates + 1, layer.zero_state());
  roads[0] = way.gradients[0];
  size_t next = 0;
  for (size_t k = 1; k < way.gradients.size() && next < parts.size(); ++k) {
    const LayerStep& step = way.steps[way.steps.size() - k];
    for (size_t gate = 0; gate < gates; ++gate) {
      roads[gate + 1] = layer.back(step, roads[gate + 1]);
      add_to(roads[gate + 1], layer.back(step, roads[0], Roads::through(static_cast<int>(gate))));
    }
    roads[0] = layer.back(step, roads[0], Roads::along_state());
    if (static_cast<int64_t>(k) != parts[next].k) continue;
    RoadParts& here = parts[next++];
    const LayerState& whole = way.gradients[k];
    const double square = dot(whole, whole);
    if (square <= kNegligible * kNegligible * dot(way.gradients[0], way.gradients[0])) continue;
    ++here.sequences;
    LayerState sum = layer.zero_state();
    for (const LayerState& road : roads) add_to(sum, road);
    for (size_t r = 0; r < roads.size(); ++r) here.shares[r] += dot(roads[r], whole) / square;
    for (size_t j = 0; j < sum.h.size(); ++j) sum.h[j] -= whole.h[j];
    for (size_t j = 0; j < sum.c.size(); ++j) sum.c[j] -= whole.c[j];
    here.unexplained = std::max(here.unexplained, norm(sum) / std::sqrt(square));
  }
}

// What the Jacobians say of one way.
void follow_jacobians(const Recurrence& layer, const Way& way, const std::function<bool()>& go_on, Reach& reach) {
  const int64_t n = layer.state_size(), count = static_cast<int64_t>(way.steps.size());
  const double start = norm(way.gradients[0]);
  double log_radius = 0.0, log_singular = 0.0, radii = 0.0;
  for (int64_t k = 0; k <= count; ++k) {
    reach.measured.push_back(norm(way.gradients[static_cast<size_t>(k)]) / start);
    reach.bound.push_back(std::exp(log_singular));
    if (k == count || !go_on()) break;
    const Vector jacobian = layer.jacobian(way.steps[static_cast<size_t>(count - 1 - k)]);
    log_singular += std::log(largest_singular_value(jacobian, n));
    if (k % std::max<int64_t>(1, count / kRadii) != 0) continue;
    log_radius += std::log(spectral_radius(jacobian, n));
    radii += 1.0;
  }
  reach.radius = std::exp(log_radius / radii);
  reach.singular = std::exp(log_singular / static_cast<double>(count));
}

int64_t first_below(const std::vector<Spread10>& by_k, size_t from) {
  for (size_t k = from; k < by_k.size(); ++k) {
    if (by_k[k].median < kThousandth) return static_cast<int64_t>(k);
  }
  return Reach::kBeyond;
}

}  // namespace

double factor_per_step(const std::vector<double>& medians) {
  double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
  for (size_t k = 1; k < medians.size() && medians[k] >= kEndOfFit; ++k) {
    const auto at = static_cast<double>(k);
    const double value = std::log(medians[k]);
    n += 1.0;
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  return n < 2.0 ? NAN : std::exp((n * xy - x * y) / (n * xx - x * x));
}

Spread10 spread10(std::vector<double> values) {
  if (values.empty()) return {NAN, NAN, NAN};
  std::sort(values.begin(), values.end());
  const auto at = [&values](double part) {
    const double place = part * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    const double share = place - static_cast<double>(below);
    return share == 0.0 ? values[below] : (1.0 - share) * values[below] + share * values[above];  // also infinite ones
  };
  return {at(0.5), at(0.1), at(0.9)};
}

Reach measure_reach(const SmallModel& model, const ReachOptions& options, const std::function<bool()>& go_on) {
  LONGHAND_CHECK(model.options().lstm.layers == 1 && options.steps > 0 && options.sequences > 0);
  const Recurrence layer = model.layer();
  const SequenceBatch batch =
      model.task().draw_ends(options.sequences, options.steps, CounterRng(0, 0, RngPlace::kHeldOut));
  Reach reach;
  const std::vector<std::string> gates = gate_names(layer.weights().cell);
  if (gates.size() > 1) {
    reach.roads = {layer.weights().has_cell() ? "cell state" : "state"};
    reach.roads.insert(reach.roads.end(), gates.begin(), gates.end());
    for (const int64_t k : kShown) {
      if (k <= options.steps) reach.parts.push_back({k, std::vector<double>(reach.roads.size())});
    }
  }
  const auto distances = static_cast<size_t>(options.steps) + 1;
  std::vector<std::vector<double>> h(distances), c(distances), both(distances);
  for (int64_t row = 0; row < options.sequences && go_on(); ++row) {
    const Way way = go_back(model, layer, batch, row);
    const double start = norm(way.gradients[0]);
    if (start == 0.0) continue;
    for (size_t k = 0; k < distances; ++k) {
      h[k].push_back(norm(way.gradients[k].h) / start);
      c[k].push_back(norm(way.gradients[k].c) / start);
      both[k].push_back(norm(way.gradients[k]) / start);
    }
    if (!reach.parts.empty()) add_roads(layer, way, reach.parts);
    if (reach.measured.empty()) follow_jacobians(layer, way, go_on, reach);
  }
  for (RoadParts& parts : reach.parts) {
    for (double& share : parts.shares) share /= static_cast<double>(parts.sequences);
  }
  std::erase_if(reach.parts, [](const RoadParts& parts) { return parts.sequences == 0; });
  if (h[0].empty()) return reach;
  std::vector<double> medians;
  for (size_t k = 0; k < distances; ++k) {
    reach.h.push_back(spread10(h[k]));
    if (layer.weights().has_cell()) reach.c.push_back(spread10(c[k]));
    medians.push_back(spread10(both[k]).median);
  }
  reach.steps_h = first_below(reach.h, 0);
  // c has no part of the gradient by the last state, from which all is counted.
  if (layer.weights().has_cell()) reach.steps_c = first_below(reach.c, 1);
  reach.factor = factor_per_step(medians);
  return reach;
}

}  // namespace longhand::lab
