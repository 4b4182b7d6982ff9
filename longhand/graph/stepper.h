// A network on one sequence, a few time steps per call: for real-time use. A step is a row of numbers, or a symbol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/graph/plan.h"

namespace longhand::graph {

/// The plan of the fewest steps (1, 4, 16, ... 4,096) that a network can be planned for. Throws an input error, that of
/// a single step, where there are none.
struct FewestSteps {
  int64_t steps = 1;
  Plan plan;
};
FewestSteps fewest_steps(const std::shared_ptr<const Network>& network);

/// How many symbols the nodes that read an input have: rows of an embedding, classes of one-hot rows. 2^31 - 1 where
/// none of them says.
int64_t symbols_of(const Graph& graph, const std::string& port);

/// What a step of a network reads and writes. All inputs are one row, in order, and so are all outputs.
struct StepShape {
  int64_t inputs = 0;   ///< numbers; 0: a symbol
  int64_t symbols = 0;  ///< of a symbol: how many there are
  int64_t outputs = 0;
  std::string
      why_no_steps;  ///< why there are none, as a sentence; then the numbers above are 0, or those of one step alone
};
/// `most`, or fewer where a step has so many numbers that they would take much memory.
int64_t steps_at_once(const StepShape& shape, int64_t most);
/// Throws an input error where no number of steps can be planned.
StepShape step_shape(const std::shared_ptr<const Network>& network);

/// The state of one sequence, and the memory of its steps. Constructing it takes all memory. A network must be readable
/// in steps (`step_shape`).
class Stepper {
 public:
  /// Steps are computed up to `block` at a time, where the network has a time axis. The results are those of single
  /// steps.
  explicit Stepper(std::shared_ptr<const Network> network, int64_t block = 16, Threads threads = 1);

  const StepShape& shape() const { return shape_; }
  /// x [steps, inputs], y [steps, outputs]; returns how many steps were done: fewer where one has an index out of
  /// range.
  int64_t process(int64_t steps, const float* x, float* y) noexcept;
  /// Symbols [steps], each 0 to symbols - 1.
  int64_t process(int64_t steps, const int32_t* symbols, float* y) noexcept;

  void reset() noexcept;
  int64_t state_size() const { return state_size_; }
  void get_state(float* to) const noexcept;
  void set_state(const float* from) noexcept;
  std::vector<std::pair<std::string, int64_t>> state_parts() const { return single_->state_parts(); }

 private:
  bool run(Plan& plan, int64_t steps, const float* x, const int32_t* symbols, float* y) noexcept;
  template <class X>
  int64_t process_all(int64_t steps, const X* x, int64_t x_stride, float* y) noexcept;
  void use(Plan& plan) noexcept;

  StepShape shape_;
  std::optional<Plan> single_, many_;
  int64_t block_ = 1;
  Plan* current_ = nullptr;  // which holds the state
  int64_t state_size_ = 0;
  std::vector<float> moved_;  // a state on its way from one plan to the other
};

}  // namespace longhand::graph
