// The report of `longhand lab gradients`.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/lab/gradients.h"

namespace longhand::lab {
namespace {

constexpr double kFloor = 1e-12;  // of plots: what is smaller is left out

std::string after(int64_t updates) {
  return updates == 0 ? "at initialisation" : fmt::format("after {} updates", updates);
}

std::string steps_text(int64_t steps, int64_t reach) {
  if (steps == Reach::kNoGradient) return "-";
  return steps == Reach::kBeyond ? fmt::format("> {}", reach) : fmt::format("{}", steps);
}

io::Curve curve_of(const std::string& label, int colour, const std::vector<Spread10>& by_k, size_t first) {
  io::Curve curve{.label = label, .colour = colour};
  for (size_t k = first; k < by_k.size() && by_k[k].median >= kFloor; ++k) {
    const auto x = static_cast<double>(k);
    curve.points.push_back({x, by_k[k].median});
    curve.band.push_back({x, std::max(by_k[k].low, kFloor), by_k[k].high});
  }
  return curve;
}

int colour_in(const std::vector<LabCell>& cells, const std::string& name) {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const LabCell& cell) { return cell.name == name; });
  return static_cast<int>(found - cells.begin());
}

// One plot for each number of updates: all cells.
LabSection through_time(const GradientsResult& result, const GradientsOptions& options) {
  LabSection out{
      .heading = "Through time",
      .words = {fmt::format(
                    "Norm of the gradient of the loss at step t by the state k steps before, relative to that by "
                    "h at step t itself. Lines are medians over {} sequences, areas go from the 10th to the 90th "
                    "percentile. Only values above 1e-12 are drawn.",
                    options.reach.sequences),
                "Of the LSTM, c is the cell state that the next step reads, by every road from there to the loss: (30) "
                "in docs/derivatives.md."},
      .table = {.columns = {"cell", "updates", "held-out loss", "steps to 1/1000, by h", "by c", "factor per step",
                            "spectral radius", "largest singular value"}}};
  for (const int64_t updates : options.updates) {
    io::Chart by_h{.title = "Gradient by h, " + after(updates),
                   .x_title = "k: steps back",
                   .y_title = "|dL/dh(t-k)| relative to |dL/dh(t)|",
                   .log_beyond = 1.0};
    io::Chart by_c = by_h;
    by_c.title = "Gradient by c, " + after(updates);
    by_c.y_title = "|dL/dc(t-k)| relative to |dL/dh(t)|";
    for (const MeasuredCell& cell : result.cells) {
      if (cell.updates != updates) continue;
      const int colour = colour_in(options.cells, cell.cell.name);
      by_h.curves.push_back(curve_of(cell.cell.label, colour, cell.reach.h, 0));
      if (!cell.reach.c.empty()) by_c.curves.push_back(curve_of(cell.cell.label, colour, cell.reach.c, 1));
    }
    out.charts.push_back(by_h);
    if (!by_c.curves.empty()) out.charts.push_back(by_c);
  }
  for (const MeasuredCell& cell : result.cells) {
    const Reach& reach = cell.reach;
    out.table.rows.push_back({cell.cell.label, fmt::format("{}", cell.updates), shown(cell.loss),
                              steps_text(reach.steps_h, options.reach.steps),
                              reach.c.empty() ? "" : steps_text(reach.steps_c, options.reach.steps),
                              shown(reach.factor), shown(reach.radius), shown(reach.singular)});
  }
  return out;
}

// Measured, predicted and allowed, for each cell at first and at last.
LabSection predictions(const GradientsResult& result, const GradientsOptions& options) {
  LabSection out{
      .heading = "What the Jacobians predict",
      .words = {"J is the Jacobian of one step: the derivative of the whole state (h, and c of an LSTM) by the "
                "state before. Along one sequence: the measured norm; the prediction, the k-th power of the "
                "geometric mean of J's spectral radii; and the bound, the product of J's largest singular "
                "values, which nothing can exceed."}};
  for (const MeasuredCell& cell : result.cells) {
    if (cell.updates != options.updates.front() && cell.updates != options.updates.back()) continue;
    const bool shown_here = cell.cell.name == "rnn" || cell.cell.name == "lstm-1" || cell.cell.name == "gru";
    if (!shown_here) continue;
    io::Chart chart{.title = fmt::format("{}, {}: measured, predicted, allowed", cell.cell.label, after(cell.updates)),
                    .x_title = "k: steps back",
                    .y_title = "norm of the gradient by the whole state, relative to k = 0",
                    .log_beyond = 1.0};
    io::Curve measured{.label = "measured", .colour = 0},
        predicted{.label = "predicted by the spectral radius", .colour = 1},
        bound{.label = "bound by the singular values", .colour = 4};
    for (size_t k = 0; k < cell.reach.measured.size(); ++k) {
      const auto x = static_cast<double>(k);
      const double prediction = std::pow(cell.reach.radius, x);
      if (cell.reach.measured[k] >= kFloor) measured.points.push_back({x, cell.reach.measured[k]});
      if (prediction >= kFloor) predicted.points.push_back({x, prediction});
      if (cell.reach.bound[k] >= kFloor && cell.reach.bound[k] < 1e12) bound.points.push_back({x, cell.reach.bound[k]});
    }
    chart.curves = {measured, predicted, bound};
    out.charts.push_back(chart);
  }
  return out;
}

// By which roads the gradient came.
LabSection roads(const GradientsResult& result, const GradientsOptions& options) {
  LabSection out{
      .heading = "By which roads",
      .words = {"The gradient by the state k steps back is a sum of parts: one that stayed in the state all "
                "the way (the product of forget gates (31), or of a GRU's update gates), and one for each "
                "gate by which the others first left it, (22) to (25) and (20). A part's share is its "
                "component along the whole, so that the shares add up to 1; a negative one works against the "
                "others. Means over the sequences."},
      .table = {.columns = {"cell", "updates", "k"}},
      .on_page_alone = true};
  for (const MeasuredCell& cell : result.cells) {
    if (cell.reach.parts.empty()) continue;
    io::Chart chart{.title = fmt::format("{}, {}: by which roads", cell.cell.label, after(cell.updates)),
                    .x_title = "k: steps back",
                    .y_title = "share of the gradient",
                    .log_x = true};
    const bool is_lstm = cell.cell.cell == "lstm";
    for (size_t road = 0; road < cell.reach.roads.size(); ++road) {
      io::Curve curve{.label = cell.reach.roads[road], .colour = static_cast<int>(road)};
      for (const RoadParts& parts : cell.reach.parts)
        curve.points.push_back({static_cast<double>(parts.k), parts.shares[road]});
      chart.curves.push_back(curve);
    }
    if (cell.cell.name == "lstm-1" || cell.cell.name == "gru") out.charts.push_back(chart);
    if (!is_lstm) continue;
    if (out.table.columns.size() == 3) {
      out.table.columns.insert(out.table.columns.end(), cell.reach.roads.begin(), cell.reach.roads.end());
    }
    for (const RoadParts& parts : cell.reach.parts) {
      if (parts.k != 1 && parts.k != 10 && parts.k != 50 && parts.k != options.reach.steps) continue;
      std::vector<std::string> row = {cell.cell.label, fmt::format("{}", cell.updates), fmt::format("{}", parts.k)};
      for (const double share : parts.shares) row.push_back(fmt::format("{:.3f}", share));
      out.table.rows.push_back(row);
    }
  }
  return out;
}

LabSection through_layers(const GradientsResult& result) {
  LabSection out{
      .heading = "Through layers",
      .words = {"Norm of the gradient of each layer's bias in a stack, relative to the top layer's: the sum over "
                "time of the gradients by the layer's pre-activations (29)."},
      .table = {.columns = {"stack", "updates", "held-out loss", "bottom layer / top layer"}}};
  std::vector<std::pair<int64_t, int64_t>> charts;  // layers and updates
  for (const MeasuredStack& stack : result.stacks) {
    const std::pair<int64_t, int64_t> key{stack.layers, stack.updates};
    if (std::find(charts.begin(), charts.end(), key) == charts.end()) charts.push_back(key);
  }
  for (const auto& [layers, updates] : charts) {
    io::Chart chart{.title = fmt::format("{} layers, {}", layers, after(updates)),
                    .x_title = "layer",
                    .y_title = "norm of the gradient, relative to the top layer",
                    .whole_x = true,
                    .log_beyond = 10.0};
    for (const MeasuredStack& stack : result.stacks) {
      if (stack.layers != layers || stack.updates != updates) continue;
      io::Curve curve{.label = stack.cell.label + (stack.residual ? ", residual" : ""),
                      .colour = static_cast<int>(chart.curves.size())};
      for (size_t l = 0; l < stack.norms.size(); ++l) {
        if (stack.norms[l] > 0.0)
          curve.points.push_back({static_cast<double>(l + 1), stack.norms[l] / stack.norms.back()});
      }
      chart.curves.push_back(curve);
    }
    out.charts.push_back(chart);
  }
  for (const MeasuredStack& stack : result.stacks) {
    out.table.rows.push_back(
        {fmt::format("{} layers of {}{}", stack.layers, stack.cell.label, stack.residual ? ", residual" : ""),
         fmt::format("{}", stack.updates), shown(stack.loss), shown(stack.norms.front() / stack.norms.back())});
  }
  return out;
}

nlohmann::ordered_json json_of(const std::vector<Spread10>& by_k) {
  nlohmann::ordered_json out = {
      {"median", nlohmann::json::array()}, {"low", nlohmann::json::array()}, {"high", nlohmann::json::array()}};
  for (const Spread10& s : by_k) {
    out["median"].push_back(s.median);
    out["low"].push_back(s.low);
    out["high"].push_back(s.high);
  }
  return out;
}

void add_data(const GradientsResult& result, LabReport& report) {
  report.csv.columns = {"cell", "updates", "k", "by", "median", "low", "high"};
  for (const MeasuredCell& cell : result.cells) {
    const Reach& reach = cell.reach;
    nlohmann::ordered_json json = {{"cell", cell.cell.name},
                                   {"updates", cell.updates},
                                   {"loss", cell.loss},
                                   {"steps_to_thousandth_h", reach.steps_h},
                                   {"steps_to_thousandth_c", reach.steps_c},
                                   {"factor", reach.factor},
                                   {"spectral_radius", reach.radius},
                                   {"largest_singular_value", reach.singular},
                                   {"h", json_of(reach.h)},
                                   {"c", json_of(reach.c)},
                                   {"measured", reach.measured},
                                   {"bound", reach.bound},
                                   {"roads", reach.roads}};
    for (const RoadParts& parts : reach.parts) json["shares"].push_back({{"k", parts.k}, {"shares", parts.shares}});
    report.data["cells"].push_back(json);
    for (const char* by : {"h", "c"}) {
      const std::vector<Spread10>& by_k = by[0] == 'h' ? reach.h : reach.c;
      for (size_t k = 0; k < by_k.size(); ++k) {
        report.csv.rows.push_back({cell.cell.name, fmt::format("{}", cell.updates), fmt::format("{}", k), by,
                                   fmt::format("{}", by_k[k].median), fmt::format("{}", by_k[k].low),
                                   fmt::format("{}", by_k[k].high)});
      }
    }
  }
  for (const MeasuredStack& stack : result.stacks) {
    report.data["stacks"].push_back({{"cell", stack.cell.name},
                                     {"layers", stack.layers},
                                     {"residual", stack.residual},
                                     {"updates", stack.updates},
                                     {"loss", stack.loss},
                                     {"norms", stack.norms}});
  }
}

std::string measured_beside_predicted(const MeasuredCell& cell) {
  return fmt::format("{}, {}: each step back multiplies the gradient by {}; the spectral radius predicts {}.",
                     cell.cell.label, after(cell.updates), shown(cell.reach.factor), shown(cell.reach.radius));
}

// Furthest first: by c of an LSTM where that is further.
int64_t steps_of(const MeasuredCell& cell, int64_t reach) {
  const auto steps = [reach](int64_t n) { return n == Reach::kBeyond ? reach + 1 : n; };
  return std::max(steps(cell.reach.steps_h), steps(cell.reach.steps_c));
}

std::vector<std::string> found(const GradientsResult& result, const GradientsOptions& options) {
  std::vector<std::string> out;
  for (const MeasuredCell& cell : result.cells) {
    const bool shown_here = cell.cell.name == "rnn" || cell.cell.name == "lstm-1";
    if (shown_here && !std::isnan(cell.reach.factor)) out.push_back(measured_beside_predicted(cell));
  }
  for (const int64_t updates : options.updates) {
    const MeasuredCell* furthest = nullptr;
    for (const MeasuredCell& cell : result.cells) {
      const int64_t steps = steps_of(cell, options.reach.steps);
      if (cell.updates != updates || steps < 0) continue;
      if (furthest == nullptr || steps > steps_of(*furthest, options.reach.steps)) furthest = &cell;
    }
    if (furthest == nullptr) continue;
    const int64_t steps = steps_of(*furthest, options.reach.steps);
    out.push_back(fmt::format(
        "{} a thousandth of the gradient is left furthest back in {}: {} steps.",
        updates == 0 ? "At initialisation" : fmt::format("After {} updates", updates), furthest->cell.label,
        steps > options.reach.steps ? fmt::format("over {}", options.reach.steps) : fmt::format("{}", steps)));
  }
  return out;
}

}  // namespace

LabReport gradients_report(const GradientsResult& result, const GradientsOptions& options, const std::string& source) {
  LabReport report{.name = "gradients",
                   .title = fmt::format("How far back gradients reach: {}, {} hidden units", source, options.hidden),
                   .summary = found(result, options)};
  report.sections.push_back(through_time(result, options));
  report.sections.push_back(predictions(result, options));
  report.sections.push_back(roads(result, options));
  if (!result.stacks.empty()) report.sections.push_back(through_layers(result));
  add_data(result, report);
  return report;
}

}  // namespace longhand::lab
