// A graph made ready to run: all shapes known, all memory taken, weights packed, and a list of steps.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/executor.h"
#include "longhand/graph/graph.h"

namespace longhand::graph {

/// A graph that was checked, and the packed weights that its plans share. Constant; for any number of threads.
class Network {
 public:
  /// Throws as `check` does. `where` begins the errors of its plans, too: the name of a file, for example.
  Network(Graph graph, std::string where);

  const Graph& graph() const { return graph_; }
  const std::string& where() const { return where_; }

  /// For nodes: what was made before under this key, or make() -> std::shared_ptr<const T>.
  template <class T, class Make>
  std::shared_ptr<const T> shared(const std::string& key, const Make& make) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<const void>& kept = shared_[key];
    if (kept == nullptr) kept = make();
    return std::static_pointer_cast<const T>(kept);
  }

 private:
  Graph graph_;
  std::string where_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::shared_ptr<const void>> shared_;
};

struct PlanOptions {
  int64_t batch = 1;                   ///< extent of every port's batch axis
  int64_t steps = 1;                   ///< extent of every port's time axis
  std::map<std::string, Dims> dims{};  ///< of inputs whose other extents the graph leaves open
  Threads threads = 1;
  int64_t most_elements = int64_t{1} << 31;  ///< in all values together; more is an error
};

/// The shapes of one run, its memory, and the states of `batch` sequences. For one thread at a time.
class Plan {
 public:
  /// Throws an input error, naming the node, where shapes do not fit one another.
  Plan(std::shared_ptr<const Network> network, const PlanOptions& options);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  struct View {
    std::string name;
    ElementType type = ElementType::kFloat;
    Dims dims;
    float* floats = nullptr;  ///< of kFloat
    int64_t* ints = nullptr;  ///< of kInt
  };
  /// To be written before a run.
  const std::vector<View>& inputs() const;
  /// To be read after it, and before the next.
  const std::vector<View>& outputs() const;

  /// Computes the outputs and updates the states. Returns false if an input contains an index or a length that is out
  /// of range; then outputs and states are undefined, and fault() returns the reason. Allocates nothing after the first
  /// run. Takes no lock, except in the thread pool if there are several threads.
  bool run() noexcept;
  std::string fault() const;

  /// The reason why a sequence cannot be split into several runs, as a sentence; empty if it can.
  const std::string& why_whole() const;

  /// Back to the beginning of sequences.
  void reset() noexcept;
  /// Numbers of the states of one sequence; whatever the number of steps, the same.
  int64_t state_size() const;
  /// Of sequence `row` of the batch.
  void get_state(int64_t row, float* to) const noexcept;
  void set_state(int64_t row, const float* from) noexcept;
  /// Names and extents of what a state is made of, in order.
  std::vector<std::pair<std::string, int64_t>> state_parts() const;

  /// What a node made, by the names of its outputs; null where it has no such value.
  const View* find(const std::string& value) const;

  struct Parts;

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand::graph
