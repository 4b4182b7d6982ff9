// Generates Python classes for cells that nn.LSTM, nn.GRU and nn.RNN do not support. They compute one time step after
// the other.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/torch_recurrent.h"

namespace longhand::exporters {
namespace {

class TorchCellText {
 public:
  explicit TorchCellText(const TorchLayers& layers) : l_(layers) {}

  std::string run() {
    text_ = "class NAME(SteppedLayers):\n";
    add(1, fmt::format("\"\"\"{}\"\"\"", summary()));
    add(0, "");
    if (!l_.is_lstm()) add(1, "has_cell = False");
    if (l_.residual) add(1, "residual = True  # from the second layer on, a layer's input is added to its output");
    if (!l_.is_lstm() || l_.residual) add(0, "");
    shapes();
    inputs();
    step();
    return text_;
  }

 private:
  void add(int depth, const std::string& line) {
    if (!line.empty()) text_.append(static_cast<size_t>(4 * depth), ' ');
    text_ += line + "\n";
  }

  void assign(const char* name, const std::string& value) { add(2, fmt::format("{} = {}", name, value)); }

  std::string summary() const {
    std::vector<std::string> parts;
    if (l_.normalised) parts.emplace_back("layer normalisation");
    if (l_.peepholes) parts.emplace_back("peepholes");
    if (l_.coupled) parts.emplace_back("coupled gates");
    if (l_.gate_clip > 0.0 || l_.cell_clip > 0.0) parts.emplace_back("bounds");
    if (!l_.functions.empty()) parts.emplace_back("activations of its own");
    if (!l_.reset_after) parts.emplace_back("the reset gate before the product");
    if (l_.zoneout > 0.0 || l_.zoneout_cell > 0.0) parts.emplace_back("the expectation of zoneout");
    if (l_.residual) parts.emplace_back("residual connections");
    std::string out = l_.is_lstm() ? "LSTM" : l_.cell == "gru" ? "GRU" : "Plain recurrent layers";
    for (size_t i = 0; i < parts.size(); ++i) {
      out += (i == 0 ? " with " : i + 1 == parts.size() ? " and " : ", ") + parts[i];
    }
    return out + ".";
  }

  void shapes() {
    const int64_t G = l_.gates();
    const std::string rows = G == 1 ? "H" : fmt::format("{} * H", G);
    add(1, "def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:");
    add(2, "H, R = self.units, self.outputs");
    std::string out = fmt::format(R"("weight_ih": ({}, inputs), "weight_hh": ({}, R))", rows, rows);
    if (l_.bias) out += fmt::format(R"(, "bias_ih": ({},), "bias_hh": ({},))", rows, rows);
    add(2, fmt::format("out = {{{}}}", out));
    if (l_.projection > 0) add(2, R"(out["weight_hr"] = (R, H))");
    if (l_.peepholes) add(2, R"(out["weight_peephole"] = (3, H)  # of the input, forget and output gate)");
    if (l_.normalised) {
      add(2, R"(out |= {"gain_ih": (4 * H,), "gain_hh": (4 * H,), "gain_c": (H,), "bias_c": (H,)})");
    }
    add(2, "return out");
    add(0, "");
  }

  void inputs() {
    const bool apart = l_.cell == "gru" && l_.reset_after;  // the second bias is added to the recurrent product
    add(1, "def inputs(self, x: Tensor, p: dict[str, Tensor]) -> Tensor:");
    const std::string bias = !l_.bias ? "" : apart ? R"(p["bias_ih"])" : R"(p["bias_ih"] + p["bias_hh"])";
    if (l_.normalised) {
      add(2, R"(a = F.layer_norm(F.linear(x, p["weight_ih"]), (4 * self.units,)))");
      add(2, fmt::format(R"(return p["gain_ih"] * a{})", bias.empty() ? "" : fmt::format(" + {}", bias)));
    } else {
      add(2, fmt::format(R"(return F.linear(x, p["weight_ih"]{}))", bias.empty() ? "" : fmt::format(", {}", bias)));
    }
    add(0, "");
  }

  std::string function(size_t which, const std::string& x) const {
    static const char* const kUsual[] = {"sigmoid", "tanh", "tanh"};
    if (l_.functions.empty()) return torch_function(kUsual[which], {}, x);
    const TorchLayers::Function& f = l_.functions[std::min(which, l_.functions.size() - 1)];
    return torch_function(f.name, f.constants, x);
  }
  std::string clipped(const std::string& x) const {
    if (!(l_.gate_clip > 0.0)) return x;
    return fmt::format("({}).clamp({}, {})", x, -l_.gate_clip, l_.gate_clip);
  }

  void step() {
    add(1, "def step(self, a: Tensor, h: Tensor, c: Tensor, p: dict[str, Tensor]) -> tuple[Tensor, Tensor]:");
    if (l_.is_lstm()) {
      lstm_step();
    } else if (l_.cell == "gru") {
      gru_step();
    } else {
      assign("h", function(0, R"(a + F.linear(h, p["weight_hh"]))"));
      add(2, "return h, c");
    }
  }

  void lstm_step() {
    if (l_.normalised) {
      add(2, R"(a = a + p["gain_hh"] * F.layer_norm(F.linear(h, p["weight_hh"]), (4 * self.units,)))");
    } else {
      add(2, R"(a = a + F.linear(h, p["weight_hh"]))");
    }
    const bool zones = l_.zoneout > 0.0 || l_.zoneout_cell > 0.0;
    if (zones) add(2, "h_before, c_before = h, c");
    add(2, "i, f, g, o = a.chunk(4, dim=1)");
    if (l_.peepholes) add(2, R"(to_i, to_f, to_o = p["weight_peephole"])");
    const auto gate = [&](const char* name, const char* cell) {
      const std::string x = l_.peepholes ? fmt::format("{} + to_{} * {}", name, name, cell) : std::string(name);
      add(2, fmt::format("{} = {}", name, function(0, clipped(x))));
    };
    gate("i", "c");
    if (l_.coupled) {
      add(2, "f = 1.0 - i");
    } else {
      gate("f", "c");
    }
    assign("g", function(1, clipped("g")));
    const std::string cell = "f * c + i * g";
    add(2, l_.cell_clip > 0.0 ? fmt::format("c = ({}).clamp({}, {})", cell, -l_.cell_clip, l_.cell_clip)
                              : fmt::format("c = {}", cell));
    gate("o", "c");
    if (l_.normalised) add(2, R"(s = F.layer_norm(c, (self.units,), p["gain_c"], p["bias_c"]))");
    assign("h", fmt::format("o * {}", wrapped(function(2, l_.normalised ? "s" : "c"))));
    if (l_.projection > 0) add(2, R"(h = F.linear(h, p["weight_hr"]))");
    zone("h", l_.zoneout);
    zone("c", l_.zoneout_cell);
    add(2, "return h, c");
  }

  void zone(const char* name, double share) {
    if (share > 0.0) assign(name, fmt::format("{} * {}_before + (1.0 - {}) * {}", share, name, share, name));
  }

  static std::string wrapped(const std::string& x) {
    return x.starts_with("torch.") || x.starts_with("F.") ? x : fmt::format("({})", x);
  }

  void gru_step() {
    add(2, "r, z, n = a.chunk(3, dim=1)");
    if (l_.reset_after) {
      add(2, fmt::format(R"(h_r, h_z, h_n = F.linear(h, p["weight_hh"]{}).chunk(3, dim=1))",
                         l_.bias ? R"(, p["bias_hh"])" : ""));
      assign("r", function(0, "r + h_r"));
      assign("z", function(0, "z + h_z"));
      assign("n", function(1, "n + r * h_n"));
    } else {
      add(2, R"(w_r, w_z, w_n = p["weight_hh"].chunk(3, dim=0))");
      assign("r", function(0, "r + F.linear(h, w_r)"));
      assign("z", function(0, "z + F.linear(h, w_z)"));
      assign("n", function(1, "n + F.linear(r * h, w_n)"));
    }
    add(2, "return (1.0 - z) * n + z * h, c");
  }

  const TorchLayers& l_;
  std::string text_;
};

}  // namespace

bool TorchLayers::is_plain() const {
  const bool usual = functions.empty() || (cell == "rnn" && functions.front().name == "relu");
  return usual && reset_after && !coupled && !peepholes && !normalised && !residual && gate_clip == 0.0 &&
         cell_clip == 0.0 && zoneout == 0.0 && zoneout_cell == 0.0;
}

std::vector<std::string> torch_suffixes(int64_t layers, int64_t directions) {
  std::vector<std::string> out;
  for (int64_t l = 0; l < layers; ++l) {
    for (int64_t d = 0; d < directions; ++d) out.push_back(fmt::format("_l{}{}", l, d == 1 ? "_reverse" : ""));
  }
  return out;
}

std::string torch_layers_module(TorchProgram& program, const TorchLayers& layers, bool batch_first) {
  if (!layers.is_plain()) {
    program.helper("SteppedLayers");
    const std::string name = program.own_class(layers.is_lstm()       ? "LstmVariant"
                                               : layers.cell == "gru" ? "GruVariant"
                                                                      : "PlainVariant",
                                               TorchCellText(layers).run());
    std::string out = fmt::format("{}({}, {}", name, layers.inputs, layers.units);
    if (layers.layers > 1) out += fmt::format(", layers={}", layers.layers);
    if (layers.directions > 1) out += fmt::format(", directions={}", layers.directions);
    if (layers.projection > 0) out += fmt::format(", outputs={}", layers.projection);
    if (!batch_first) out += ", batch_first=False";
    return out + ")";
  }
  std::string out = fmt::format("nn.{}({}, {}",
                                layers.is_lstm()       ? "LSTM"
                                : layers.cell == "gru" ? "GRU"
                                                       : "RNN",
                                layers.inputs, layers.units);
  if (layers.layers > 1) out += fmt::format(", num_layers={}", layers.layers);
  if (layers.cell == "rnn" && !layers.functions.empty()) out += ", nonlinearity=\"relu\"";
  if (!layers.bias) out += ", bias=False";
  if (batch_first) out += ", batch_first=True";
  if (layers.directions > 1) out += ", bidirectional=True";
  if (layers.projection > 0) out += fmt::format(", proj_size={}", layers.projection);
  return out + ")";
}

}  // namespace longhand::exporters
