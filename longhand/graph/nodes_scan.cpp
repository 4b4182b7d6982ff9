// ONNX's Scan: runs a body of nodes for each element of an axis, and carries states from one element to the next.
#include <algorithm>
#include <cstring>

#include "longhand/graph/node_types.h"
#include "longhand/graph/plan_parts.h"

namespace longhand::graph {
namespace {

// Limit of body nodes times steps, so that a small file cannot ask for endless work.
constexpr int64_t kMostScanned = int64_t{1} << 28;

// A scanned value [outer, T, inner], and the body's value for one step [outer, inner].
struct ScanPart {
  const Value* whole = nullptr;
  const Value* part = nullptr;
  AxisParts at{};
  bool backwards = false;

  template <class T>
  void copy(T* of_whole, T* of_part, int64_t t, bool to_part) const {
    const int64_t place = backwards ? at.extent - 1 - t : t;
    for (int64_t o = 0; o < at.outer; ++o) {
      T* in_whole = of_whole + (o * at.extent + place) * at.inner;
      T* in_part = of_part + o * at.inner;
      std::copy_n(to_part ? in_whole : in_part, at.inner, to_part ? in_part : in_whole);
    }
  }
  void copy(int64_t t, bool to_part) const {
    if (whole->type == ElementType::kFloat) return copy(whole->floats, part->floats, t, to_part);
    copy(whole->ints, part->ints, t, to_part);
  }
};

void copy_value(const Value& from, const Value& to) {
  if (from.type == ElementType::kFloat) std::copy_n(from.floats, from.size, to.floats);
  if (from.type == ElementType::kInt) std::copy_n(from.ints, from.size, to.ints);
}

// A state: its initial value, the value that the body reads, the value that the body computes, a buffer for the
// computed value while the body's other states may still be read, and the node's output.
struct ScanState {
  const Value *first, *before, *after, *room, *last;
};

// Reads an attribute with one axis or direction per scanned value.
std::vector<int64_t> each_of(NodeBuild& node, const char* attribute, size_t count) {
  std::vector<int64_t> out = node.integers(attribute, std::vector<int64_t>(count, 0));
  if (out.size() != count)
    node.fail(std::string(attribute) + ": expected one for each, found " + std::to_string(out.size()));
  return out;
}

class ScanBuild {
 public:
  explicit ScanBuild(NodeBuild& node)
      : node_(node),
        inputs_(node.inputs()),
        scanned_(static_cast<size_t>(
            node.in_range("num_scan_inputs", node.integer("num_scan_inputs", 0), 1, static_cast<int64_t>(inputs_)))),
        states_(inputs_ - scanned_) {}

  void build() {
    const size_t outputs = node_.node().outputs.size();
    if (outputs < states_) node_.fail("expected an output for each state");
    add_inputs();
    std::vector<std::function<void()>> body = node_.body_steps(node_.node().branches.front());
    for (size_t i = 0; i < states_; ++i) finish_state(i);
    for (size_t i = states_; i < outputs; ++i) add_output(i, i - states_, outputs - states_);
    if (states_ > 0) node_.forgets_between_runs();
    node_.step(
        [body = std::move(body), parts = parts_, outs = outs_, all = all_states_, T = steps_, failed = node_.failed()] {
          for (const ScanState& state : all) copy_value(*state.first, *state.before);
          for (int64_t t = 0; t < T; ++t) {
            for (const ScanPart& part : parts) part.copy(t, true);
            for (const auto& work : body) {
              work();
              if (failed()) return;
            }
            for (const ScanPart& part : outs) part.copy(t, false);
            for (const ScanState& state : all) copy_value(*state.after, *state.room);
            for (const ScanState& state : all) copy_value(*state.room, *state.before);
          }
          for (const ScanState& state : all) copy_value(*state.before, *state.last);
        });
  }

 private:
  void add_inputs() {
    const std::vector<std::string> names = node_.texts("body_inputs");
    if (names.size() != inputs_) node_.fail("expected a name in the body for each input");
    const std::vector<int64_t> axes = each_of(node_, "scan_input_axes", scanned_);
    const std::vector<int64_t> directions = each_of(node_, "scan_input_directions", scanned_);
    for (size_t i = 0; i < inputs_; ++i) {
      const Value& x = node_.in(i);
      if (i < states_) {
        all_states_.push_back({.first = &x,
                               .before = &node_.define(names[i], x.type, x.dims),
                               .after = nullptr,
                               .room = &node_.define("", x.type, x.dims),
                               .last = nullptr});
        continue;
      }
      const int64_t axis = node_.axis(axes[i - states_], x.rank());
      Dims dims = x.dims;
      dims.erase(dims.begin() + axis);
      const ScanPart part{.whole = &x,
                          .part = &node_.define(names[i], x.type, dims),
                          .at = parts_of(x.dims, axis),
                          .backwards = directions[i - states_] != 0};
      if (part.backwards) node_.needs_whole("reads sequences from their end");
      if (steps_ >= 0 && steps_ != part.at.extent) node_.fail("expected as many steps in all inputs");
      steps_ = part.at.extent;
      parts_.push_back(part);
    }
    if (steps_ < 1) node_.fail("expected at least one step");
    const auto nodes = static_cast<int64_t>(node_.node().branches.front().size());
    if (steps_ > kMostScanned / std::max<int64_t>(nodes, 1)) {
      node_.fail("expected at most " + std::to_string(kMostScanned) + " nodes in all steps together, found " +
                     std::to_string(nodes) + " in each of " + std::to_string(steps_),
                 "read the sequence in parts (longhand run --block)");
    }
  }

  const Value& made(size_t output) const {
    const Value* value = node_.find(node_.node().branch_outputs.front()[output]);
    LONGHAND_CHECK(value != nullptr);
    return *value;
  }

  void finish_state(size_t i) {
    ScanState& state = all_states_[i];
    state.after = &made(i);
    if (state.after->dims != state.first->dims || state.after->type != state.first->type) {
      node_.fail("expected a state to keep its shape " + shown(state.first->dims) + ", found " +
                 shown(state.after->dims));
    }
    state.last = &node_.out(i, state.first->type, state.first->dims);
  }

  void add_output(size_t output, size_t which, size_t count) {
    const Value& part = made(output);
    const int64_t axis = node_.axis(each_of(node_, "scan_output_axes", count)[which], part.rank() + 1);
    Dims dims = part.dims;
    dims.insert(dims.begin() + axis, steps_);
    const Value& whole = node_.out(output, part.type, dims);
    outs_.push_back({.whole = &whole,
                     .part = &part,
                     .at = parts_of(dims, axis),
                     .backwards = each_of(node_, "scan_output_directions", count)[which] != 0});
  }

  NodeBuild& node_;
  size_t inputs_, scanned_, states_;
  int64_t steps_ = -1;
  std::vector<ScanPart> parts_, outs_;
  std::vector<ScanState> all_states_;
};

void build_scan(NodeBuild& node) { ScanBuild(node).build(); }

}  // namespace

std::vector<NodeType> scan_node_types() {
  return {{"Scan",
           "ONNX; `body_inputs` names what its body reads",
           1,
           NodeType::kAny,
           NodeType::kAny,
           {"num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions",
            "body_inputs"},
           {},
           build_scan}};
}

}  // namespace longhand::graph
