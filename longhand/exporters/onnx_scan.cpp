// Recurrent layers that ONNX's operators cannot hold, as a Scan over the time steps. The equations are those of
// kernels/lstm.h and kernels/recurrent.h.
#include <limits>

#include "longhand/convert/gate_order.h"
#include "longhand/exporters/onnx_recurrent.h"
#include "longhand/kernels/lstm.h"

namespace longhand::exporters {
namespace {

// Writes one direction of a layer.
class ScanDirection {
 public:
  ScanDirection(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input, int64_t direction)
      : site_(site), make_(site.make), layer_(layer), input_(input), d_(direction) {}

  // h of all steps [T, B, R], the last h [B, R] and the last c [B, H] ("" without cell state).
  struct Result {
    std::string y, h, c;
  };
  Result write() {
    const std::string pre = inputs_of_steps();
    convert::OnnxGraph step;
    step.name = make_.fresh("step");
    const std::string h = add_input(step, "h"), c = layer_.has_cell() ? add_input(step, "c") : "";
    const std::string a = add_input(step, "a"), m = input_.mask.empty() ? "" : add_input(step, "m");
    make_.begin_body();
    State after = layer_.cell == "lstm" ? lstm_step(a, h, c) : layer_.cell == "gru" ? gru_step(a, h) : plain_step(a, h);
    std::string y = after.h;
    if (!m.empty()) {
      after = {kept(m, h, after.h), after.c.empty() ? "" : kept(m, c, after.c)};
      y = input_.masked_zeros ? times(after.h, m) : after.h;
    }
    add_output(step, after.h);
    if (layer_.has_cell()) add_output(step, after.c);
    add_output(step, y);
    step.nodes = make_.end_body();
    return add_scan(std::move(step), pre);
  }

 private:
  struct State {
    std::string h, c;
  };

  std::string times(const std::string& a, const std::string& b) { return make_.op("Mul", {a, b}); }
  std::string plus(const std::string& a, const std::string& b) { return make_.op("Add", {a, b}); }
  std::string role(const char* name) const { return layer_.role(name, d_); }
  bool has(const char* name) const { return site_.has_weight(role(name)); }
  std::string row(const char* name) {
    const graph::Array& values = site_.weight(role(name));
    return make_.array(name_of(name), graph::array({static_cast<int64_t>(values.floats.size())}, values.floats));
  }
  std::string name_of(const std::string& what) const { return site_.node().name + "." + layer_.role(what, d_); }
  std::string turned(const char* name) {
    return make_.array(name_of(std::string(name) + ".transposed"), convert::transposed(site_.weight(role(name))));
  }
  const OnnxActivation& function(size_t which) const { return layer_.function(d_, which); }
  std::string activate(size_t which, const std::string& x) { return add_activation(make_, function(which), x); }

  std::string add_input(convert::OnnxGraph& step, const char* what) {
    const std::string name = make_.fresh(what);
    make_.set_type(name, io::DType::kF32);
    convert::OnnxValue value = onnx_value(name, io::DType::kF32, {});
    value.has_shape = false;
    step.inputs.push_back(value);
    return name;
  }
  // Adds an output of the body. An Identity node gives it a name of its own, since a value cannot be two outputs.
  void add_output(convert::OnnxGraph& step, const std::string& from) {
    convert::OnnxValue value = onnx_value(make_.op("Identity", {from}), io::DType::kF32, {});
    value.has_shape = false;
    step.outputs.push_back(value);
  }

  // m now + (1 - m) before
  std::string kept(const std::string& m, const std::string& before, const std::string& now) {
    return plus(before, times(m, make_.op("Sub", {now, before})));
  }
  std::string clipped(const std::string& x, double bound) {
    if (bound <= 0.0) return x;
    return make_.op("Clip", {x, make_.number(-bound), make_.number(bound)});
  }

  // Returns the input's part of the pre-activations, [T, B, G H]: the normalised product W_ih x, and all biases except
  // a bias_hh that the reset gate multiplies.
  std::string inputs_of_steps() {
    std::string pre = make_.op("MatMul", {input_.x, turned("weight_ih")});
    if (has("gain_ih")) pre = times(make_.normalised(pre, kernels::kNormEpsilon), row("gain_ih"));
    if (has("bias_ih")) pre = plus(pre, row("bias_ih"));
    if (has("bias_hh") && !bias_is_reset()) pre = plus(pre, row("bias_hh"));
    return pre;
  }
  // Whether the reset gate multiplies bias_hh of the candidate.
  bool bias_is_reset() const { return layer_.cell == "gru" && layer_.reset_after; }

  std::vector<std::string> split(const std::string& x, size_t parts) {
    std::vector<std::string> out;
    for (size_t i = 0; i < parts; ++i) out.push_back(make_.fresh("part"));
    make_.add("Split", {x}, out, {onnx::whole("axis", -1)});
    return out;
  }

  State lstm_step(const std::string& a_of_input, const std::string& h, const std::string& c) {
    std::string recurrent = make_.op("MatMul", {h, turned("weight_hh")});
    if (has("gain_hh")) recurrent = times(make_.normalised(recurrent, kernels::kNormEpsilon), row("gain_hh"));
    std::vector<std::string> a = split(plus(a_of_input, recurrent), 4);
    std::vector<std::string> p;  // i f o
    if (has("weight_peephole")) {
      const graph::Array& all = site_.weight(role("weight_peephole"));
      for (int64_t k = 0; k < 3; ++k) {
        graph::Array one = convert::rows_of(all, k, k + 1);
        one.dims = {layer_.hidden};
        p.push_back(make_.array(make_.unique(name_of("peephole")), one));
      }
      a[0] = plus(a[0], times(c, p[0]));
      a[1] = plus(a[1], times(c, p[1]));
    }
    const auto gate = [&](const std::string& x, size_t which) { return activate(which, clipped(x, layer_.gate_clip)); };
    const std::string i = gate(a[0], 0);
    const std::string f = layer_.coupled ? make_.op("Sub", {make_.number(1.0), i}) : gate(a[1], 0);
    const std::string c_new = clipped(plus(times(f, c), times(i, gate(a[2], 1))), layer_.cell_clip);
    if (!p.empty()) a[3] = plus(a[3], times(c_new, p[2]));
    const std::string o = gate(a[3], 0);
    std::string s = c_new;
    if (has("gain_c")) s = plus(times(make_.normalised(s, kernels::kNormEpsilon), row("gain_c")), row("bias_c"));
    std::string h_new = times(o, activate(2, s));
    if (has("weight_hr")) h_new = make_.op("MatMul", {h_new, turned("weight_hr")});
    return {blended(h, h_new, layer_.zone_h), blended(c, c_new, layer_.zone_c)};
  }

  // Expected value of zoneout, equations (36) and (37).
  std::string blended(const std::string& before, const std::string& now, double share) {
    if (share == 0.0) return now;
    return plus(times(before, make_.number(share)), times(now, make_.number(1.0 - share)));
  }

  State gru_step(const std::string& a, const std::string& h) {
    const std::vector<std::string> u = split(a, 3);  // r z n
    if (!layer_.reset_after) {
      const graph::Array all = site_.weight(role("weight_hh"));
      const auto part = [&](const char* name, int64_t begin, int64_t end) {
        return make_.array(name_of(name),
                           convert::transposed(convert::rows_of(all, begin * layer_.hidden, end * layer_.hidden)));
      };
      const std::vector<std::string> v = split(make_.op("MatMul", {h, part("weight_rz", 0, 2)}), 2);
      const std::string r = activate(0, plus(u[0], v[0])), z = activate(0, plus(u[1], v[1]));
      const std::string product = make_.op("MatMul", {times(r, h), part("weight_n", 2, 3)});
      return {updated(z, h, activate(1, plus(u[2], product))), ""};
    }
    std::string product = make_.op("MatMul", {h, turned("weight_hh")});
    if (has("bias_hh")) product = plus(product, row("bias_hh"));
    const std::vector<std::string> v = split(product, 3);
    const std::string r = activate(0, plus(u[0], v[0])), z = activate(0, plus(u[1], v[1]));
    return {updated(z, h, activate(1, plus(u[2], times(r, v[2])))), ""};
  }
  // (1 - z) n + z h
  std::string updated(const std::string& z, const std::string& h, const std::string& n) {
    return plus(n, times(z, make_.op("Sub", {h, n})));
  }

  State plain_step(const std::string& a, const std::string& h) {
    return {activate(0, plus(a, make_.op("MatMul", {h, turned("weight_hh")}))), ""};
  }

  // Returns the initial state [B, width] of this direction; zeros if `states` is empty.
  std::string initial(const std::string& states, int64_t width) {
    if (!states.empty() && layer_.directions == 1) return make_.squeeze(states, {0});
    if (!states.empty()) return make_.squeeze(make_.slice(states, 0, d_, d_ + 1), {0});
    const std::string shape = make_.concat({make_.extents(input_.x, 1, 2), make_.ints({width})}, 0);
    return make_.op("ConstantOfShape", {shape}, {onnx::tensor("value", graph::array({1}, {0.0F}))});
  }

  Result add_scan(convert::OnnxGraph step, const std::string& pre) {
    std::vector<std::string> inputs{initial(input_.h_0, layer_.state)};
    if (layer_.has_cell()) inputs.push_back(initial(input_.c_0, layer_.hidden));
    inputs.push_back(pre);
    if (!input_.mask.empty()) inputs.push_back(input_.mask);
    Result out{
        .y = make_.fresh("Scan"), .h = make_.fresh("Scan_h"), .c = layer_.has_cell() ? make_.fresh("Scan_c") : ""};
    std::vector<std::string> outputs{out.h};
    if (layer_.has_cell()) outputs.push_back(out.c);
    outputs.push_back(out.y);
    const int64_t scanned = input_.mask.empty() ? 1 : 2;
    std::vector<convert::OnnxAttribute> attributes{onnx::whole("num_scan_inputs", scanned)};
    if (d_ == 1) {
      attributes.push_back(
          onnx::wholes("scan_input_directions", std::vector<int64_t>(static_cast<size_t>(scanned), 1)));
      attributes.push_back(onnx::wholes("scan_output_directions", {1}));
    }
    attributes.push_back(onnx::body("body", std::move(step)));
    make_.add("Scan", inputs, outputs, attributes);
    return out;
  }

  OnnxSite& site_;
  OnnxMaker& make_;
  const OnnxLayer& layer_;
  const OnnxLayerInput& input_;
  int64_t d_;
};

}  // namespace

OnnxLayerOutput write_scan(OnnxSite& site, const OnnxLayer& layer, const OnnxLayerInput& input) {
  OnnxMaker& make = site.make;
  std::vector<std::string> y, h, c;
  for (int64_t d = 0; d < layer.directions; ++d) {
    const auto result = ScanDirection(site, layer, input, d).write();
    y.push_back(result.y);
    h.push_back(make.unsqueeze(result.h, {0}));
    if (layer.has_cell()) c.push_back(make.unsqueeze(result.c, {0}));
  }
  if (layer.directions == 1) return {y.front(), h.front(), c.empty() ? "" : c.front()};
  return {make.concat(y, -1), make.concat(h, 0), c.empty() ? "" : make.concat(c, 0)};
}

}  // namespace longhand::exporters
