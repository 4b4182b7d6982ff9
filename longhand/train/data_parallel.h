// Computes the gradients of an update shard by shard, on one or several processes, and agrees on loss and norm. With
// one process and one shard it only calls the task's step.
#pragma once

#include <memory>
#include <optional>

#include "longhand/distributed/communicator.h"
#include "longhand/tasks/task.h"
#include "longhand/train/gradient_exchange.h"
#include "longhand/train/shard_tree.h"

namespace longhand::train {

/// How a training is divided.
struct Division {
  int64_t shards = 1;                          ///< of each batch, a power of two; at least as many as ranks
  distributed::Communicator* ranks = nullptr;  ///< null: one process
};

/// What all ranks know of an update before it is made.
struct AgreedStep {
  tasks::StepResult result;
  double norm = 0.0;  ///< of the gradients
  bool stop = false;  ///< some rank wants to stop
  bool save = false;  ///< the first rank wants a checkpoint
};

class DataParallel {
 public:
  /// The task, the ranks and the context must outlive it.
  DataParallel(tasks::Task& task, const Division& division, kernels::Context& context);

  int64_t shards() const { return shards_; }
  int size() const { return ranks_.size(); }
  /// Whether this process writes the files and measures: one does.
  bool is_first() const { return ranks_.is_first(); }
  distributed::Communicator& ranks() { return ranks_; }

  /// Computes the gradients of a step. They are then in the arena, as far as this rank owns them.
  void compute(int64_t index, uint64_t step);
  /// Agrees on what was computed.
  AgreedStep agree(bool stop, bool save);
  /// The norm of the gradients, once more: where they were clipped.
  double norm();
  /// The stretches of the parameters that have gradients and that this rank updates, in order.
  std::span<const Range> own() const { return own_; }
  /// All that it owns.
  std::span<const Range> owned() const { return owned_; }
  /// Gives all ranks the new values of the parameters that had gradients.
  void share_values();
  /// Gives all ranks what the owners have of an array like the parameters.
  void share(std::span<float> array);
  /// Gathers the owners' parts of such an array on the first rank.
  void collect(std::span<float> array);
  /// Frees the memory of the parts of such an array that other ranks own. Their values are undefined afterwards.
  void forget_others(std::span<float> array) const;
  /// The carried states of all shards, as a checkpoint has them.
  std::vector<std::pair<std::string, Buffer<float>*>> carried_state();
  /// Brings them to the first rank.
  void gather_carried_state();

  /// Seconds and bytes of the exchange; none on one process.
  const GradientExchange* exchange() const { return exchange_ ? &*exchange_ : nullptr; }

 private:
  void agree_on_rows();
  std::vector<double> own_squares();
  double norm_of(const std::vector<std::vector<double>>& squares) const;
  std::vector<std::vector<double>> all_gather(const std::vector<double>& own);

  tasks::Task& task_;
  kernels::Context& context_;
  distributed::Alone alone_;
  distributed::Communicator& ranks_;
  int64_t shards_;
  Range own_shards_;
  ShardTree tree_;
  std::optional<GradientExchange> exchange_;
  std::vector<tasks::StepResult> results_;  // of this rank's shards
  std::vector<Range> own_, owned_;
};

}  // namespace longhand::train
