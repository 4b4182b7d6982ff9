// What the function of a node type works with: the node, its inputs as they are known before a run, and the plan that
// it adds its outputs and steps to.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"
#include "longhand/graph/plan.h"
#include "longhand/kernels/context.h"

namespace longhand::graph {

/// A value of a plan. Its memory stays where it is.
struct Value {
  ElementType type = ElementType::kFloat;
  Dims dims;
  int64_t size = 0;                ///< count(dims)
  float* floats = nullptr;         ///< of kFloat
  int64_t* ints = nullptr;         ///< of kInt
  bool constant = false;           ///< the elements are known before a run, and never change
  const Value* symbols = nullptr;  ///< of one-hot rows: the symbols that they stand for

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  int64_t dim(int64_t axis) const { return dims[static_cast<size_t>(axis < 0 ? axis + rank() : axis)]; }
  int64_t last() const { return dims.empty() ? 1 : dims.back(); }
  /// Rows of the last axis.
  int64_t rows() const { return last() == 0 ? 0 : size / last(); }
};

/// Part of a state, of each sequence of the batch: `width` numbers, rows `stride` apart. One that is of the batch as a
/// whole (a state of an array graph) has one row.
struct StateSlot {
  std::string name;
  float* data = nullptr;
  int64_t rows = 0;
  int64_t width = 0;
  int64_t stride = 0;
  std::vector<float> initial;  ///< [width], or [rows, width]; empty: zeros
};

class NodeBuild {
 public:
  NodeBuild(const Node& node, Plan::Parts& plan) : node_(node), plan_(plan) {}

  const Node& node() const { return node_; }
  const std::string& name() const { return node_.name; }
  const PlanOptions& options() const;

  size_t inputs() const { return node_.inputs.size(); }
  bool has(size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  /// Throws unless it is there.
  const Value& in(size_t input) const;
  const Value& floats(size_t input) const;
  const Value& ints(size_t input) const;
  /// An input that must be known before a run, as a list of numbers.
  std::vector<int64_t> constant_ints(size_t input) const;
  float constant_number(size_t input, float otherwise) const;

  bool has_weight(const std::string& role) const { return node_.weights.contains(role); }
  /// Throws unless it is there with these dims, where -1 stands for any extent.
  const Array& weight(const std::string& role, const Dims& dims) const;
  /// Whether an input is a trained array as it stands in the network, the same for all plans.
  bool is_trained(size_t input) const;
  /// The same, or null where the node does not name it.
  const float* optional_weight(const std::string& role, const Dims& dims) const;

  bool has_attribute(const std::string& name) const { return node_.attributes.contains(name); }
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name, const std::vector<int64_t>& otherwise) const;
  std::vector<double> numbers(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  /// Throws unless it is one of the choices.
  std::string choice(const std::string& name, const std::string& otherwise,
                     const std::vector<std::string>& choices) const;
  /// An axis of `rank`, counted from the end where negative.
  int64_t axis(int64_t given, int64_t rank) const;
  /// A number that must be in a range.
  int64_t in_range(const std::string& what, int64_t value, int64_t least, int64_t most) const;

  bool wants(size_t output) const { return output < node_.outputs.size() && !node_.outputs[output].empty(); }
  /// Makes an output with memory of its own. Outputs that nobody wants are made, too.
  Value& out(size_t output, ElementType type, const Dims& dims);
  Value& out(size_t output, const Dims& dims) { return out(output, ElementType::kFloat, dims); }
  /// An output that is an input in another shape, of as many elements.
  Value& alias(size_t output, const Value& of, const Dims& dims);

  /// To be done in each run, in order. It does not throw, and allocates nothing after its first call.
  void step(std::function<void()> work);
  /// For steps: ends the run as a failure.
  std::function<void(const char*)> fault();
  /// Memory that steps write.
  Buffer<float>& floats_memory(int64_t size);
  Buffer<int32_t>& ints_memory(int64_t size);
  /// Keeps something alive as long as the plan.
  template <class T>
  T& keep(std::shared_ptr<T> thing) {
    T& out = *thing;
    keep_any(std::move(thing));
    return out;
  }
  template <class T, class... Arguments>
  T& make(Arguments&&... arguments) {
    return keep(std::make_shared<T>(std::forward<Arguments>(arguments)...));
  }
  /// What all plans of the network share: see Network::shared. The key is completed by the node's name.
  template <class T, class Make>
  const T& shared(const std::string& key, const Make& make_it) {
    return keep(network().shared<T>(name() + "/" + key, make_it));
  }
  void add_state(StateSlot slot);
  /// Says why sequences cannot be read in several runs.
  void needs_whole(const std::string& why);
  /// The node keeps a state of its own within a run over time, and not from run to run.
  void forgets_between_runs();

  kernels::Context& context() const;
  const Network& network() const;
  /// Plans other nodes here, as if they stood in the node's place.
  void inline_nodes(const std::vector<Node>& nodes);
  /// Plans nodes as `inline_nodes` does, but returns their steps. A step of this node runs them, any number of times.
  std::vector<std::function<void()>> body_steps(const std::vector<Node>& nodes);
  /// Adds a value with its own buffer, which nodes of `body_steps` may read by name ("": no name). Steps of this node
  /// write it.
  const Value& define(const std::string& name, ElementType type, const Dims& dims);
  /// Returns a function that tells steps whether the run has failed.
  std::function<bool()> failed() const;
  /// A value by name; null where there is none.
  const Value* find(const std::string& value) const;

  [[noreturn]] void fail(const std::string& problem, const std::string& advice = "") const;

 private:
  void keep_any(std::shared_ptr<const void> thing);

  const Node& node_;
  Plan::Parts& plan_;
};

/// y = W x + b for many rows, by the kernel that suits their number; the bits are the same.
class Dense {
 public:
  /// `make_w` gives [outputs, inputs], `bias` [outputs] may be null. Packed once for all plans under `key`; or, where
  /// that is empty, for this one alone, since they are not the network's own.
  Dense(NodeBuild& node, const std::string& key, int64_t outputs, int64_t inputs, int64_t rows,
        const std::function<std::vector<float>()>& make_w, const float* bias);
  void run(int64_t rows, const float* x, int64_t x_stride, float* y, int64_t y_stride) const;

 private:
  struct Packed;
  const Packed* packed_;
  kernels::Context* context_;
  bool steps_;
};

}  // namespace longhand::graph
