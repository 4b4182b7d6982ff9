// Sequences as arrays: what the arrays of a file are for a network's inputs, and what it answers, as arrays again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/base/executor.h"
#include "longhand/convert/npz.h"
#include "longhand/graph/plan.h"
#include "longhand/graph/stepper.h"

namespace longhand::convert {

/// One sequence, with an array for each input of the network: [steps, numbers of a step...] where the input is read
/// over time, [numbers...] where it is read once.
struct Sequence {
  std::string name;  ///< empty where the file has no names of sequences
  int64_t steps = 0;
  std::vector<graph::Array> inputs;
};

/// Sequences of a file.
struct Sequences {
  std::vector<Sequence> list;
  bool batch = false;              ///< one array had all of them: one array of outputs has, too
  std::vector<int64_t> lengths{};  ///< as the file gave them; empty: it did not, or they are not of a batch
};

/// Finds a network's sequences in arrays by name. `where` stands for the file in errors. The arrays are
///
/// - one for each input, under its name (an only array stands for an only input, whatever its name): one sequence
///   [steps, numbers...], or several, with an axis more where the network has that of the batch; beside them `lengths`
///   [sequences], whole numbers from 1 on, where shorter ones are padded;
/// - or, where no array has the name of an input, one for each sequence; of several inputs, SEQUENCE/INPUT.
///
/// An array of one axis is numbers one by one: they fill steps, the last one up with zeros. A network without a time
/// axis reads a step in each run. Throws an input error for arrays that do not fit the network or one another, numbers
/// that are not finite, and fractions where symbols are read.
Sequences find_sequences(const graph::Graph& graph, const NamedArrays& arrays, const std::string& where);

/// Selects the arrays of a file, such as a training file, that find_sequences reads. If the network has one input, its
/// array is the first that exists of `trained_name` (unless empty), the input's name, and `input`; it is renamed to the
/// input's name. If every input has an array, all other arrays except `lengths` (targets, times) are removed, and their
/// names are added to `others`. Throws an input error that begins with `where` if the file has an array `target`, as
/// training files have, but lacks an input.
NamedArrays input_arrays(const graph::Graph& graph, NamedArrays arrays, const std::string& trained_name,
                         const std::string& where, std::vector<std::string>& others);

/// The extents of a step of an input: its axes without those of batch and time. Throws an input error where one is not
/// known.
graph::Dims step_dims(const graph::Graph& graph, const graph::Port& port, const std::string& where);

/// Whether an input has a time axis; otherwise a run is a step.
bool is_over_time(const graph::Graph& graph);
/// Whether an input has no time axis while another one has.
bool is_read_once(const graph::Graph& graph, const graph::Port& port);

/// Runs whole sequences, one after the other. A network that reads nothing but what came before is run in blocks, so
/// that the memory beside inputs and outputs does not grow with the sequence. For one thread at a time.
class SequenceRunner {
 public:
  /// Throws an input error where no number of steps can be planned.
  explicit SequenceRunner(std::shared_ptr<const graph::Network> network, Threads threads = 1);

  /// An array for each output, without the axis of the batch: [steps, numbers...] over time, [numbers...] of the
  /// sequence as a whole. Begins with `state_in` (null: the network's initial state) and writes the state at the end
  /// to `state_out` (unless null); both [state_size()], and null where there are no states. Throws an input error for
  /// symbols that the network lacks.
  std::vector<graph::Array> run(const Sequence& sequence, const float* state_in = nullptr, float* state_out = nullptr);

  /// The axis of the sequences where the network itself reads several at once, of output `i`.
  int64_t batch_axis(size_t i) const;
  /// Rows of an output of a sequence: one for each step, or for each of its first extent; otherwise 1.
  int64_t rows_of(size_t i, const graph::Array& output, int64_t steps) const;
  /// Whether every output is one of the sequence as a whole, and could be had after each step, too.
  bool answers_once() const;
  /// Why there are no states to carry from one sequence to the next, as a sentence; empty where there are.
  const std::string& why_no_states() const { return shape_.why_no_steps; }
  int64_t state_size() const;
  std::vector<std::pair<std::string, int64_t>> state_parts() const;

 private:
  void check_symbols(const Sequence& sequence) const;
  std::vector<graph::Array> run_steps(const Sequence& sequence, const float* state_in, float* state_out);
  std::vector<graph::Array> run_plan(const Sequence& sequence);

  std::shared_ptr<const graph::Network> network_;
  Threads threads_;
  graph::StepShape shape_;
  std::optional<graph::Stepper> stepper_;  // where it is read in blocks
  std::vector<int> batch_axes_;            // the axis of the sequences in each output; -1: none
  std::vector<graph::Dims> output_dims_;   // of a step of each output
  std::vector<bool> over_time_;            // whether each output has a row for each step
  std::optional<graph::Plan> plan_;        // otherwise
  std::vector<int> time_axes_;             // of its outputs; -1: none
  int64_t planned_ = -1;                   // steps of the plan
};

/// Puts the outputs of sequences together, with the sequences as axis `axis`. Those with fewer rows are filled up with
/// zeros. Throws an input error, which begins with `where`, where they differ in more than their first extent.
graph::Array stacked(const std::vector<graph::Array>& arrays, int64_t axis, const std::string& where);

/// For files.
io::Array to_io_array(const graph::Array& array);

}  // namespace longhand::convert
