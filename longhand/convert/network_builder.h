// Makes a network over sequences layer by layer, from arrays as other programs keep them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/gate_order.h"
#include "longhand/convert/imported.h"

namespace longhand::convert {

class NetworkBuilder {
 public:
  /// `file` begins the errors.
  explicit NetworkBuilder(std::string file);

  const std::string& file() const { return file_; }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const;
  void note(std::string line) { out_.notes.push_back(std::move(line)); }

  /// [B, T, size] numbers, or [B, T, ...]; T is `steps` where the model fixes it, otherwise -1.
  std::string input(const std::string& name, int64_t size, int64_t steps = -1);
  std::string input(const std::string& name, const graph::Dims& of_step, int64_t steps);
  /// [B, size] numbers: one row for a whole sequence.
  std::string rows(const std::string& name, int64_t size);
  /// [B, T] symbols; T as above.
  std::string symbols(const std::string& name, int64_t steps = -1);

  using Attributes = std::map<std::string, graph::Attribute>;
  /// By role, as the node type has them.
  using Weights = std::map<std::string, graph::Array>;
  /// Adds a node; returns its output. A name that is taken gets a number.
  std::string add(const std::string& type, const std::string& name, std::vector<std::string> inputs,
                  Attributes attributes = {}, Weights weights = {});
  /// Gives the node that was added last another output beside its first; returns it.
  std::string add_output(size_t output, const std::string& name);
  /// Nodes and arrays that are added from now on are of this layer: what it has already is taken again, where a name of
  /// it comes again. Empty: of none.
  void set_owner(const std::string& layer) {
    owner_ = layer;
    seen_.clear();
  }
  /// Makes the inputs' steps as many as the model fixes, where it does. Runs are then whole sequences, each of which
  /// begins anew, except in stateful layers.
  void fix_steps();
  /// The node that was added last keeps its state from run to run, whatever the steps.
  void keep_state() { stateful_.insert(out_.graph.nodes.back().name); }
  /// Adds a function of each number, called as Keras and others call it; "", "linear" and "identity" add nothing.
  std::string activation(const std::string& function, const std::string& name, const std::string& input);

  /// An array that nodes name as an input.
  std::string array(const std::string& name, graph::Array array);
  /// One that the file does not have, floats [rows, columns] by make(row, column); the same one for the same name and
  /// shape. Throws an input error where such arrays become large.
  template <class Make>
  std::string made_array(const std::string& name, int64_t rows, int64_t columns, const Make& make) {
    std::string& known = made_[name + " " + graph::shown({rows, columns})];
    if (!known.empty()) return known;
    spend(rows, columns);
    std::vector<float> values;
    for (int64_t i = 0; i < rows * columns; ++i) values.push_back(make(i / columns, i % columns));
    known = unique(name);
    out_.graph.arrays[known] = graph::array({rows, columns}, std::move(values));
    return known;
  }

  /// Checks the network.
  Imported finish(const std::vector<std::string>& outputs);

 private:
  std::string unique(const std::string& name);

  std::string file_;
  Imported out_;
  std::map<std::string, int> names_;
  std::string store(const std::string& name, graph::Array array);
  void begin_runs_anew();

  std::map<std::string, int64_t> steps_;  // of inputs
  bool fixed_ = false;
  std::set<std::string> stateful_;  // nodes
  void leave_out_unused();
  void spend(int64_t rows, int64_t columns);

  std::map<std::string, std::string> made_;
  int64_t made_numbers_ = 0;
  std::string owner_;
  std::map<std::string, int> seen_;                                   // names of arrays in this call of the owner
  std::map<std::pair<std::string, std::string>, std::string> owned_;  // by layer and name: arrays
};

/// Puts a one-hot layer of these symbols before a network that reads rows of as many numbers; or names the symbols of
/// one that reads symbols. Throws a usage error where their number is another.
void read_symbols(Imported& imported, const std::vector<std::string>& symbols);

/// One direction of a Keras LSTM: kernel [I, 4H], recurrent kernel [H, 4H], bias [4H], gates i f c o; or of GRU and
/// SimpleRNN. `suffix` is "_l0" or "_l0_reverse". Adds the roles of a node. A bias of [8H] or [2, 3H] (CuDNN) is two.
struct KerasCell {
  GateOrder order = GateOrder::kKerasLstm;
  graph::Array kernel, recurrent, bias;  ///< bias: without elements where there is none
};
/// Throws an input error naming `layer` where the shapes do not belong together.
void add_keras_cell(const NetworkBuilder& builder, const std::string& layer, const KerasCell& cell,
                    const std::string& suffix, NetworkBuilder::Weights& weights);

}  // namespace longhand::convert
