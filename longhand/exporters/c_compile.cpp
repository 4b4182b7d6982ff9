#include "longhand/exporters/c_compile.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/exporters/c_site.h"
#include "longhand/exporters/c_steps.h"
#include "longhand/graph/stepper.h"

namespace longhand::exporters {
namespace {

using graph::ElementType;
using graph::Node;
using graph::Plan;

class CCompiler {
 public:
  CCompiler(const graph::Graph& graph, const std::string& where, const CCompileOptions& options)
      : where_(where),
        made_(c_steps(graph, where, options.steps)),
        network_(std::make_shared<const graph::Network>(made_.graph, where)),
        out_{.program = CProgram(options.int8), .inputs = {}, .outputs = {}, .layers = {}} {}

  CCompiled compile() {
    out_.steps = made_.steps;
    out_.anew = made_.anew;
    out_.has_length = !made_.mask.empty();
    const Plan plan(network_, {.steps = out_.steps});
    CMemory memory(out_.program);
    CNetwork of{network_->graph(), plan, where_, out_.program, memory, made_.running};
    for (const graph::State& state : of.graph.states) of.kept[state.output] = state.input;
    of.read_values();
    add_inputs(of);
    add_states(of);
    write_nodes(of.graph.nodes, of);
    add_outputs(of);
    add_state_updates(of);
    out_.program.arrange();
    out_.has_result = out_.program.has_late();
    for (const COperation& operation : out_.program.operations()) {
      if (!operation.comment.empty()) out_.layers.push_back(operation.comment);
    }
    return std::move(out_);
  }

 private:
  // Float inputs share one array. If there are integer inputs beside others, each input is a parameter of its own.
  void add_inputs(CNetwork& of) {
    std::vector<const graph::Port*> ports;
    for (const graph::Port& port : of.graph.inputs) {
      if (port.name != made_.mask) ports.push_back(&port);
    }
    const bool ints = std::any_of(ports.begin(), ports.end(),
                                  [](const graph::Port* port) { return port->type == ElementType::kInt; });
    CNames names({"state", "out", "length", "result"});
    const int length = out_.has_length ? add_length(of) : -1;
    int64_t at = 0;
    for (const graph::Port* port : ports) {
      const CView& view = *of.find(port->name);
      CPort in{port->name, graph::count(view.dims), view.dims, port->type == ElementType::kInt};
      if (in.ints) in.below = graph::symbols_of(of.graph, port->name);
      if (in.below == std::numeric_limits<int32_t>::max()) in.below = 0;
      in.parameter = ports.size() > 1 && ints ? names.take(port->name) : in.ints && in.size == 1 ? "symbol" : "in";
      const int given = of.program.add_buffer({.kind = CBuffer::Kind::kInput,
                                               .size = in.size,
                                               .ints = in.ints,
                                               .name = in.parameter,
                                               .offset = ints ? 0 : at});
      const bool to_length = length >= 0 && port->time_axis >= 0;
      of.memory.set(view, to_length ? add_rows(of, given, length, in.size / out_.steps) : given);
      at += in.size;
      out_.inputs.push_back(std::move(in));
    }
  }

  // Adds the parameter `length`, and an operation that computes the mask from it: 1 for steps before `length`.
  int add_length(CNetwork& of) {
    const int length =
        of.program.add_buffer({.kind = CBuffer::Kind::kInput, .size = 1, .ints = true, .name = "length"});
    const CView& mask = *of.find(made_.mask);
    of.program.add({.name = of.program.name("mask"),
                    .comment = "",
                    .body = fmt::format("for (int t = 0; t < {}; ++t) y[t] = t < length[0];\n", out_.steps),
                    .arguments = {{"length", length, false}, {"y", of.memory.of(mask), true}}});
    return length;
  }

  // Adds a copy of an input, padded with zeros from `length` to the maximum number of steps. The caller's array may end
  // at `length`.
  int add_rows(CNetwork& of, int given, int length, int64_t width) {
    const CBuffer from = of.program.buffer(given);
    const int to = of.program.scratch(from.size, from.ints);
    of.program.add({.name = of.program.name("rows"),
                    .comment = "",
                    .body = c_fill("for (int i = 0; i < $n; ++i) y[i] = i < length[0] * $w ? x[i] : $zero;\n",
                                   {{"n", from.size}, {"w", width}, {"zero", from.ints ? "0" : "0.0f"}}),
                    .arguments = {{"x", given, false}, {"length", length, false}, {"y", to, true}}});
    return to;
  }

  void add_states(CNetwork& of) {
    for (const graph::State& state : of.graph.states) {
      const CView& view = *of.find(state.input);
      std::vector<float> initial;
      if (!state.initial.empty()) initial = of.graph.arrays.at(state.initial).floats;
      of.memory.set(view, of.program.state(state.input, graph::count(view.dims), initial));
    }
  }

  void write_nodes(const std::vector<Node>& nodes, CNetwork& of) {
    for (const Node& node : nodes) write_node(node, of);
  }

  void write_node(const Node& node, CNetwork& of) {
    const CSite site(node, of);
    if (node.type == "If") {
      const CView& condition = site.in(0);
      return write_nodes(node.branches[condition.constant && condition.ints[0] != 0 ? 0 : 1], of);
    }
    // Known values and reshaped inputs need no operation.
    bool done = true;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!site.wants(i)) continue;
      const CView& view = site.out(i);
      done = done && (view.constant || graph::count(view.dims) == 0 || is_input(site, view));
    }
    if (done) return;
    const CNodeType* type = find_c_type(node.type);
    if (type == nullptr) site.fail("has no form in C");
    type->write(site);
  }

  static bool is_input(const CSite& site, const CView& view) {
    for (size_t i = 0; i < site.node.inputs.size(); ++i) {
      if (site.has(i) && CMemory::place(site.in(i)) == CMemory::place(view)) return true;
    }
    return false;
  }

  // Returns the index after the last operation that reads an input of the caller.
  size_t last_reader_of_inputs() const {
    size_t last = 0;
    const auto& operations = out_.program.operations();
    for (size_t i = 0; i < operations.size(); ++i) {
      for (const COperation::Argument& a : operations[i].arguments) {
        if (out_.program.buffers()[static_cast<size_t>(a.buffer)].kind == CBuffer::Kind::kInput) last = i + 1;
      }
    }
    return last;
  }
  size_t first_writer(int buffer) const {
    const auto& operations = out_.program.operations();
    size_t i = 0;
    for (; i < operations.size(); ++i) {
      for (const COperation::Argument& a : operations[i].arguments) {
        if (a.buffer == buffer && a.written) return i;
      }
    }
    return i;
  }

  // Writes a value straight into the caller's output array if no later operation reads the caller's input, since input
  // and output may be the same array. Otherwise adds a copy.
  void add_outputs(CNetwork& of) {
    const size_t inputs_read = last_reader_of_inputs();
    const bool any_late = of.program.has_late();
    int64_t at = 0;
    for (const graph::Port& port : of.graph.outputs) {
      const CView& view = *of.find(port.name);
      const int64_t n = graph::count(view.dims);
      if (view.type != ElementType::kFloat) {
        throw input_error(
            fmt::format("{}: output '{}': expected numbers, found whole numbers", where_, visible(port.name)),
            "export a network whose outputs are floats");
      }
      const int from = of.memory.of(view);
      CBuffer& buffer = of.program.buffer(from);
      const bool fits = any_late ? of.program.is_late(from) : first_writer(from) >= inputs_read;
      if (buffer.kind == CBuffer::Kind::kScratch && fits) {
        buffer.kind = CBuffer::Kind::kOutput;
        buffer.offset = at;
      } else {
        const int to = of.program.add_buffer({.kind = CBuffer::Kind::kOutput, .size = n, .offset = at});
        if (any_late) of.program.make_late(to);
        of.program.add_copy(from, to, "");
      }
      out_.outputs.push_back({port.name, n, view.dims});
      at += n;
    }
  }

  // Copies the next values to the states. States that are the next value of another state are copied to scratch memory
  // first.
  void add_state_updates(CNetwork& of) {
    std::vector<std::pair<int, int>> moves;  // from, to
    for (const graph::State& state : of.graph.states) {
      int from = of.memory.of(*of.find(state.output));
      const int to = of.memory.of(*of.find(state.input));
      if (from == to) continue;
      if (of.program.buffer(from).kind == CBuffer::Kind::kState) {
        const int copy = of.program.scratch(of.program.buffer(from).size);
        of.program.add_copy(from, copy, "");
        from = copy;
      }
      moves.emplace_back(from, to);
    }
    for (const auto& [from, to] : moves) of.program.add_copy(from, to, "");
  }

  const std::string where_;
  CSteps made_;
  std::shared_ptr<const graph::Network> network_;
  CCompiled out_;
};

}  // namespace

bool CCompiled::has_ints() const {
  return std::any_of(inputs.begin(), inputs.end(), [](const CPort& port) { return port.ints; });
}

CCompiled compile_c(const graph::Graph& graph, const std::string& where, const CCompileOptions& options) {
  return CCompiler(graph, where, options).compile();
}

}  // namespace longhand::exporters
