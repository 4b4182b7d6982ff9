#include "longhand/exporters/torch_recurrent.h"

#include <fmt/core.h>

#include <algorithm>

namespace longhand::exporters {
namespace {

TorchLayers read_layers(const TorchNode& node) {
  TorchLayers l{.cell = node.node().type};
  const graph::Array &w = node.weight("weight_ih_l0"), &r = node.weight("weight_hh_l0");
  l.directions = node.integer("bidirectional", 0) != 0 ? 2 : 1;
  l.layers = node.integer("layers", 1);
  l.inputs = w.dims[1];
  l.units = r.dims[0] / l.gates();
  l.projection = node.has_weight("weight_hr_l0") ? r.dims[1] : 0;
  l.bias = node.has_weight("bias_ih_l0") || node.has_weight("bias_hh_l0");
  l.normalised = node.has_weight("gain_ih_l0");
  l.peepholes = node.has_weight("weight_peephole_l0");
  l.residual = node.integer("residual", 0) != 0 && l.layers > 1;
  l.coupled = node.integer("input_forget", 0) != 0;
  l.gate_clip = node.number("clip", 0.0);
  l.cell_clip = node.number("cell_clip", 0.0);
  l.zoneout = node.number("zoneout", 0.0);
  l.zoneout_cell = node.number("zoneout_cell", 0.0);
  l.reset_after = node.integer("reset_after", 1) != 0;
  read_torch_functions(node, l);
  return l;
}

// Adds the module's tensors. If the node has only one of the two biases, the other is zero.
void add_tensors(TorchNode& node, const TorchLayers& l) {
  for (const std::string& suffix : torch_suffixes(l.layers, l.directions)) {
    for (const char* role : {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_peephole", "gain_ih",
                             "gain_hh", "gain_c", "bias_c"}) {
      if (node.has_weight(role + suffix)) node.tensor(role + suffix, role + suffix);
    }
  }
}

// Adds a submodule with the trained initial states. Returns its expression; empty: no trained states.
std::string add_start(TorchNode& node, const TorchLayers& l) {
  const std::vector<std::string> suffixes = torch_suffixes(l.layers, l.directions);
  if (!node.has_weight("h_0_l0") && !node.has_weight("c_0_l0")) return "";
  const std::string name = node.program().attribute(node.module() + "_start");
  const auto n = static_cast<int64_t>(suffixes.size());
  node.program().init(fmt::format("self.{} = {}({}, {}{})", name, node.program().helper("InitialState"), n, l.outputs(),
                                  l.is_lstm() ? fmt::format(", {}", l.units) : ""));
  for (const char* which : {"h", "c"}) {
    if (*which == 'c' && !l.is_lstm()) continue;
    const int64_t width = *which == 'h' ? l.outputs() : l.units;
    const std::string tensor = fmt::format("{}.{}", name, which);
    std::vector<float> values;
    for (size_t i = 0; i < suffixes.size(); ++i) {
      const std::string role = fmt::format("{}_0{}", which, suffixes[i]);
      if (!node.has_weight(role)) {
        values.resize(values.size() + static_cast<size_t>(width), 0.0F);
        continue;
      }
      const graph::Array& row = node.weight(role);
      values.insert(values.end(), row.floats.begin(), row.floats.end());
      node.program().source(node.node().weights.at(role),
                            {.how = "row", .tensors = {tensor}, .index = static_cast<int64_t>(i)});
    }
    node.program().tensor(tensor, graph::array({n, 1, width}, std::move(values)));
  }
  return fmt::format("self.{}", name);
}

// Returns the expression of the node's state inputs [B, D R], reshaped to the module's [D, B, R].
std::string given_start(TorchNode& node, const TorchLayers& l) {
  if (l.layers > 1) node.refuse("it has several layers with states as inputs");
  const auto part = [&](size_t input, int64_t width) {
    if (!node.has(input)) {
      return fmt::format("{}.new_zeros({}, {}.shape[0], {})", node.in(0), l.directions, node.in(0), width);
    }
    if (l.directions == 1) return node.in(input) + ".unsqueeze(0)";
    return fmt::format("{}.unflatten(1, (2, -1)).transpose(0, 1).contiguous()", node.in(input));
  };
  const std::string h = part(2, l.outputs());
  return l.is_lstm() ? fmt::format("({}, {})", h, part(3, l.units)) : h;
}

std::string merged(const TorchNode& node, const std::string& y) {
  const std::string merge = node.text("merge", "concat");
  if (merge == "concat") return y;
  const std::string parts = y + ".unflatten(-1, (2, -1))";
  return fmt::format("{}.{}(-2)", parts, merge == "sum" ? "sum" : merge == "mul" ? "prod" : "mean");
}

void add_state_outputs(TorchNode& node, const TorchLayers& l, const std::string& after) {
  for (const size_t port : {size_t{1}, size_t{2}}) {
    if (!node.wants(port)) continue;
    const std::string state = l.is_lstm() ? fmt::format("{}[{}]", after, port - 1) : after;
    const std::string name = node.out(port);
    node.line(l.directions == 1 ? fmt::format("{} = {}[0]", name, state)
                                : fmt::format("{} = {}.transpose(0, 1).flatten(1)", name, state));
  }
}

// How a node's layers run: order and mask of the time steps, and form of the outputs.
struct TorchFrame {
  bool backwards, last, fresh, masked, frames, lengths;
};

TorchFrame read_torch_frame(const TorchNode& node, const TorchLayers& l) {
  TorchFrame f{};
  f.backwards = node.integer("go_backwards", 0) != 0;
  f.last = node.text("return", "sequences") == "last";
  f.frames = node.rank() == 4;
  f.masked = node.has(1);
  f.fresh = f.frames || l.directions == 2 || f.backwards || node.integer("carry", 1) == 0 || node.has(2);
  f.lengths = node.program().has_lengths() && !f.frames;
  if (f.backwards && f.masked) node.refuse("it reads masked steps from the end of sequences");
  return f;
}

// Returns the call that computes outputs and states.
std::string call_text(TorchNode& node, const TorchFrame& f, const std::string& x, const std::string& before) {
  const std::string module = fmt::format("self.{}", node.module());
  TorchProgram& program = node.program();
  if (f.masked) {
    const bool zeros = node.text("masked_outputs", "before") == "zeros";
    std::string options;
    if (zeros && !f.last) options += ", zeros=True";
    if (f.last) options += ", last=True";
    if (!f.fresh) options += ", carried=True";
    return fmt::format("{}({}, {}, {}, {}{})", program.helper("run_masked"), module, x, before,
                       node.in(1) + (f.frames ? ".flatten(0, 1)" : ""), options);
  }
  if (f.lengths) return fmt::format("{}({}, {}, {}, lengths)", program.helper("run_ragged"), module, x, before);
  return before == "None" ? fmt::format("{}({})", module, x) : fmt::format("{}({}, {})", module, x, before);
}

// Writes the selection of the last output from y; in two directions, the last of each direction.
void write_last(TorchNode& node, const TorchLayers& l, const TorchFrame& f, const std::string& y) {
  const char* given = f.lengths ? ", lengths" : "";
  if (l.directions == 2) {
    node.line(fmt::format("{} = {}({}{})", y, node.program().helper("last_of_directions"), y, given));
  } else {
    node.line(f.lengths ? fmt::format("{} = {}({}, lengths)", y, node.program().helper("last_row"), y)
                        : fmt::format("{} = {}[:, -1]", y, y));
  }
}

// Writes a recurrent node: outputs y of all time steps, and the state after the last.
void write_recurrent(TorchNode& node) {
  TorchProgram& program = node.program();
  const TorchLayers l = read_layers(node);
  node.init(torch_layers_module(program, l, true));
  add_tensors(node, l);
  const std::string start = add_start(node, l);
  const TorchFrame f = read_torch_frame(node, l);
  std::string x = node.in(0);
  std::string outer;
  if (f.frames) {
    outer = program.variable("frames");
    node.line(fmt::format("{} = {}.shape[:2]", outer, x));
    x += ".flatten(0, 1)";
  }
  std::string before = node.has(2) ? given_start(node, l) : f.fresh ? "None" : program.state_in(node.module());
  if (!start.empty()) before = fmt::format("{}({}, {})", start, x, before);
  if (f.backwards) x = f.lengths ? fmt::format("{}({}, lengths)", program.helper("flip_rows"), x) : x + ".flip(1)";
  const std::string call = call_text(node, f, x, before);
  const std::string y = node.out();
  const bool wants_states = node.wants(1) || node.wants(2);
  const std::string after = !f.fresh       ? program.state_out(node.module())
                            : wants_states ? program.variable(node.module() + "_state")
                                           : "_";
  node.line(fmt::format("{}, {} = {}", y, after, call));
  if (f.last && !f.masked) write_last(node, l, f, y);
  if (merged(node, y) != y) node.line(fmt::format("{} = {}", y, merged(node, y)));
  if (f.frames) {
    node.line(fmt::format("{} = {}.unflatten(0, {})", y, y, outer));
    program.give_back(outer);
  }
  add_state_outputs(node, l, after);
}

}  // namespace

// The functions of each direction, with their constants, must be the same in both directions.
void read_torch_functions(const TorchNode& node, TorchLayers& l) {
  std::vector<std::string> names = node.texts("activations");
  const size_t each = l.is_lstm() ? 3 : l.cell == "gru" ? 2 : 1;
  const std::string one = node.text("activation", "");
  if (names.empty() && !one.empty()) names.assign(static_cast<size_t>(l.directions), one);
  if (names.empty()) return;
  const std::vector<double> alphas = node.numbers("activation_alpha"), betas = node.numbers("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<TorchLayers::Function> all;
  for (const std::string& name : names) {
    TorchLayers::Function& f = all.emplace_back();
    for (const char c : name) f.name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (torch_function(name, {}, "x").empty()) node.refuse(fmt::format("its cell has the function '{}'", name));
    f.constants.has_alpha = torch_function_has_alpha(name) && alpha < alphas.size();
    f.constants.has_beta = torch_function_has_beta(name) && beta < betas.size();
    if (f.constants.has_alpha) f.constants.alpha = alphas[alpha++];
    if (f.constants.has_beta) f.constants.beta = betas[beta++];
  }
  const auto same = [](const TorchLayers::Function& a, const TorchLayers::Function& b) {
    return a.name == b.name && a.constants.alpha == b.constants.alpha && a.constants.beta == b.constants.beta;
  };
  if (all.size() == 2 * each && !std::equal(all.begin(), all.begin() + static_cast<int64_t>(each),
                                            all.begin() + static_cast<int64_t>(each), same)) {
    node.refuse("its two directions have different activations");
  }
  all.resize(std::min(each, all.size()));
  static const char* const kUsual[] = {"sigmoid", "tanh", "tanh"};
  bool usual = true;
  for (size_t i = 0; i < all.size(); ++i) usual = usual && all[i].name == kUsual[each == 1 ? 1 : i];
  if (!usual) l.functions = std::move(all);
}

std::vector<TorchNodeType> torch_recurrent_types() {
  std::vector<TorchNodeType> out = torch_onnx_recurrent_types();
  for (const char* name : {"lstm", "gru", "rnn"}) out.push_back({name, write_recurrent});
  return out;
}

}  // namespace longhand::exporters
