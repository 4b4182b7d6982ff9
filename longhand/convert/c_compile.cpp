#include "longhand/convert/c_compile.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/c_site.h"
#include "longhand/graph/stepper.h"

namespace longhand::convert {
namespace {

using graph::ElementType;
using graph::Node;
using graph::Plan;

class CCompiler {
 public:
  CCompiler(const graph::Graph& graph, const std::string& where, const CCompileOptions& options)
      : options_(options),
        where_(where),
        network_(std::make_shared<const graph::Network>(graph, where)),
        out_{.program = CProgram(options.int8), .inputs = {}, .outputs = {}, .layers = {}} {}

  CCompiled compile() {
    check_steps();
    const Plan plan(network_, {.steps = out_.steps});
    CMemory memory(out_.program);
    CNetwork of{network_->graph(), plan, where_, out_.program, memory};
    for (const graph::State& state : of.graph.states) of.kept[state.output] = state.input;
    of.read_values();
    add_inputs(of);
    add_states(of);
    write_nodes(of.graph.nodes, of);
    add_outputs(of);
    add_state_updates(of);
    out_.program.arrange();
    out_.keeps_state = !out_.program.state().empty();
    for (const COperation& operation : out_.program.operations()) {
      if (!operation.comment.empty()) out_.layers.push_back(operation.comment);
    }
    return std::move(out_);
  }

 private:
  void check_steps() {
    out_.steps = std::max<int64_t>(options_.steps, 1);
    const graph::StepShape shape = graph::step_shape(network_);
    out_.symbols = shape.symbols;
    if (options_.steps > 0 || shape.why_no_steps.empty()) return;
    throw input_error(
        fmt::format("{}: expected a network that can be read step by step: {}", where_, shape.why_no_steps),
        "give the length of the sequences that a call shall read, such as --steps 100");
  }

  void add_inputs(CNetwork& of) {
    int64_t at = 0;
    for (const graph::Port& port : of.graph.inputs) {
      const CView& input = *of.find(port.name);
      const int64_t n = graph::count(input.dims);
      const bool ints = input.type == ElementType::kInt;
      if (ints && of.graph.inputs.size() > 1) {
        throw input_error(fmt::format("{}: input '{}': expected numbers, found symbols beside other inputs", where_,
                                      visible(input.name)),
                          "export a network with one input of symbols, or with numbers alone");
      }
      of.memory.set(input,
                    out_.program.add_buffer({.kind = CBuffer::Kind::kInput, .size = n, .ints = ints, .offset = at}));
      out_.inputs.push_back({input.name, n, input.dims});
      at += n;
    }
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
    // What is known, or an input in another shape, needs nothing to be done.
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

  // The last operation that reads what the caller gives.
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

  // A value becomes the caller's memory itself, if nothing reads the caller's input once it is written: the two may
  // then be one array.
  void add_outputs(CNetwork& of) {
    const size_t inputs_read = last_reader_of_inputs();
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
      if (buffer.kind == CBuffer::Kind::kScratch && first_writer(from) >= inputs_read) {
        buffer.kind = CBuffer::Kind::kOutput;
        buffer.offset = at;
      } else {
        const int to = of.program.add_buffer({.kind = CBuffer::Kind::kOutput, .size = n, .offset = at});
        of.program.add_copy(from, to, "");
      }
      out_.outputs.push_back({port.name, n, view.dims});
      at += n;
    }
  }

  // All next values are read before one is written.
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

  const CCompileOptions options_;
  const std::string where_;
  std::shared_ptr<const graph::Network> network_;
  CCompiled out_;
};

}  // namespace

CCompiled compile_c(const graph::Graph& graph, const std::string& where, const CCompileOptions& options) {
  return CCompiler(graph, where, options).compile();
}

}  // namespace longhand::convert
