// ONNX LSTM, GRU and RNN nodes as PyTorch layers: W [D, G H, I], R [D, G H, H], B [D, 2 G H], P [D, 3 H].
#include <fmt/core.h>

#include "longhand/convert/torch_onnx.h"
#include "longhand/exporters/torch_recurrent.h"

namespace longhand::exporters {
namespace {

class OnnxLayers {
 public:
  explicit OnnxLayers(TorchNode& node) : node_(node), type_(node.node().type) {
    const graph::Array& w = array(1);
    l_.cell = type_ == "LSTM" ? "lstm" : type_ == "GRU" ? "gru" : "rnn";
    l_.directions = w.dims[0];
    l_.inputs = w.dims[2];
    l_.units = array(2).dims[2];
    l_.bias = node.has(3);
    l_.peepholes = node.has(7);
    l_.gate_clip = node.number("clip", 0.0);
    l_.coupled = node.integer("input_forget", 0) != 0;
    l_.reset_after = type_ != "GRU" || node.integer("linear_before_reset", 0) != 0;
    read_torch_functions(node, l_);
  }

  void write() {
    // Batch first if the node says so (layout 1), or has lengths.
    const bool ragged = node_.has(4), given = node_.integer("layout", 0) != 0, batch_first = given || ragged;
    const bool turns = ragged && !given;
    TorchProgram& program = node_.program();
    std::string x = node_.in(0);
    std::string before = start(given);
    const bool keeps = node_.integer("keep_state", 0) != 0;
    const std::string lengths = ragged ? node_.in(4) : "";
    node_.init(torch_layers_module(program, l_, batch_first));
    add_tensors();
    if (keeps) before = program.state_in(node_.module());
    if (turns) x += ".transpose(0, 1)";
    const bool reverse = node_.text("direction", "forward") == "reverse";
    const std::string flipped = ragged ? fmt::format("{}({{}}, {})", program.helper("flip_rows"), lengths)
                                       : fmt::format("{{}}.flip({})", batch_first ? 1 : 0);
    if (reverse) x = fmt::format(fmt::runtime(flipped), x);
    const bool wants_states = node_.wants(1) || node_.wants(2);
    const std::string y = node_.wants(0) ? node_.out(0) : program.variable(node_.module());
    const std::string after = keeps          ? program.state_out(node_.module())
                              : wants_states ? program.variable(node_.module() + "_state")
                                             : "_";
    node_.line(fmt::format("{}, {} = {}", y, after, call(x, before, lengths)));
    if (reverse) node_.line(fmt::format("{} = {}", y, fmt::format(fmt::runtime(flipped), y)));
    if (turns) node_.line(fmt::format("{} = {}.transpose(0, 1)", y, y));
    // [T, B, D H] -> [T, D, B, H], or [B, T, D H] -> [B, T, D, H]
    if (node_.wants(0)) {
      const std::string parts = l_.directions == 1 ? fmt::format("unsqueeze({})", given ? 2 : 1)
                                : given            ? "unflatten(2, (2, -1))"
                                                   : "unflatten(2, (2, -1)).transpose(1, 2)";
      node_.line(fmt::format("{} = {}.{}", y, y, parts));
    } else {
      program.give_back(y);
    }
    add_states(after, given);
    if (!keeps && wants_states) program.give_back(after);
  }

 private:
  const graph::Array& array(size_t input) const {
    const auto& arrays = node_.program().graph().arrays;
    const auto found = arrays.find(node_.node().inputs.at(input));
    if (found == arrays.end()) node_.refuse(fmt::format("its input {} is computed as the model runs", input + 1));
    if (node_.program().total_uses(found->first) != 1) {
      node_.refuse(fmt::format("another node reads its weights, input {}, too", input + 1));
    }
    return found->second;
  }

  std::string call(const std::string& x, const std::string& before, const std::string& lengths) {
    const std::string module = fmt::format("self.{}", node_.module());
    if (!lengths.empty()) {
      return fmt::format("{}({}, {}, {}, {})", node_.program().helper("run_ragged"), module, x,
                         before.empty() ? "None" : before, lengths);
    }
    return before.empty() ? fmt::format("{}({})", module, x) : fmt::format("{}({}, {})", module, x, before);
  }

  // Returns the initial states: inputs [D, B, H], or [B, D, H] if batch first.
  std::string start(bool batch_first) {
    const auto part = [&](size_t input) {
      return node_.in(input) + (batch_first ? ".transpose(0, 1).contiguous()" : "");
    };
    if (!node_.has(5) && !node_.has(6)) return "";
    if (type_ != "LSTM") return part(5);
    if (node_.has(5) && node_.has(6)) return fmt::format("({}, {})", part(5), part(6));
    const std::string one = part(node_.has(5) ? 5 : 6), zeros = fmt::format("torch.zeros_like({})", one);
    return node_.has(5) ? fmt::format("({}, {})", one, zeros) : fmt::format("({}, {})", zeros, one);
  }

  void add_states(const std::string& after, bool batch_first) {
    for (const size_t port : {size_t{1}, size_t{2}}) {
      if (!node_.wants(port)) continue;
      const std::string state = type_ == "LSTM" ? fmt::format("{}[{}]", after, port - 1) : after;
      const std::string name = node_.out(port);
      node_.line(fmt::format("{} = {}{}", name, state, batch_first ? ".transpose(0, 1)" : ""));
    }
  }

  void add_tensors() {
    const std::vector<std::string> suffixes = torch_suffixes(1, l_.directions);
    for (const size_t input : {size_t{1}, size_t{2}, size_t{3}, size_t{7}}) {
      if (!node_.has(input)) continue;
      convert::TorchSource source{.how = input == 3   ? "onnx-bias"
                                         : input == 7 ? "onnx-peephole"
                                                      : "onnx",
                                  .tensors = {},
                                  .order = type_};
      const std::vector<graph::Array> parts = convert::from_onnx_blocks(source.how, type_, array(input));
      const char* const roles[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_peephole"};
      for (size_t i = 0; i < parts.size(); ++i) {
        const size_t suffix = input == 3 ? i / 2 : i;
        const char* role = input == 1 ? roles[0] : input == 2 ? roles[1] : input == 7 ? roles[4] : roles[2 + i % 2];
        source.tensors.push_back(fmt::format("{}.{}{}", node_.module(), role, suffixes.at(suffix)));
        node_.program().tensor(source.tensors.back(), parts[i]);
      }
      node_.program().source(node_.node().inputs[input], std::move(source));
    }
  }

  TorchNode& node_;
  const std::string& type_;
  TorchLayers l_;
};

void write_onnx_recurrent(TorchNode& node) { OnnxLayers(node).write(); }

}  // namespace

std::vector<TorchNodeType> torch_onnx_recurrent_types() {
  return {{"LSTM", write_onnx_recurrent}, {"GRU", write_onnx_recurrent}, {"RNN", write_onnx_recurrent}};
}

}  // namespace longhand::exporters
