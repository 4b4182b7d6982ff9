// The task of the trainer for a network of layers and its recordings.
//
// An epoch shuffles the segments of the recordings and reads them in batches. A batch is read `bptt` time steps at a
// time, with one update each. The state is carried to the next `bptt` steps; gradients are not (truncated
// back-propagation through time).
#pragma once

#include <deque>
#include <vector>

#include "longhand/data/buckets.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

struct NetworkTaskOptions {
  data::GroupOptions groups;  ///< batch size in segments, and the seed
  int64_t bptt = 0;           ///< time steps per update; 0: the whole segment
  nn::Engine engine = nn::Engine::kFused;
};

class NetworkTask final : public Task {
 public:
  /// Both sets must be scaled. `train`: segments with the same number of warm-up steps. `valid` may be empty.
  NetworkTask(TrainedNetwork& model, const data::RecordingSet& set, std::vector<data::Stretch> train,
              const data::RecordingSet& valid_set, std::vector<data::Stretch> valid, const NetworkTaskOptions& options,
              kernels::Context& context);

  ParameterArena& parameters() override { return model_.network().parameters(); }
  void parameters_changed() override { pass_.set_values(parameters().values().data()); }
  void begin_epoch(int64_t epoch) override;
  int64_t steps() const override { return firsts_.empty() ? 0 : firsts_.back(); }
  int64_t batch() const override { return buckets_.rows(); }
  StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) override;
  bool has_validation() const override { return !valid_.empty(); }
  std::vector<Metric> validate() override;
  std::vector<std::pair<std::string, Buffer<float>*>> carried_state(data::Shard shard) override;
  bool carried_state_fits(int64_t index) override;
  std::string fingerprint() const override;
  void save_model(const std::string& path, std::span<const float> values) const override { model_.save(path, values); }

 private:
  // State that the segments of a batch carry from one update to the next.
  struct Carried {
    graph::NetworkState<float> state;
    Buffer<float> before;  // [B, O], error of the last step, for the loss esr
  };
  // A position in the epoch: the batch, and the piece of `bptt` steps in it.
  struct Place {
    int64_t update = 0, piece = 0;
  };
  // Divisors of a loss.
  struct Measured {
    int64_t steps = 0;
    TargetEnergy energy;
  };
  void check_steps();
  Place place_of(int64_t index) const;
  bool in_pieces() const { return options_.bptt > 0; }
  bool streams() const { return model_.network().why_whole().empty() && !model_.network().answers_once(); }
  Range piece_of(const data::Stretch& segment, int64_t piece) const;
  Measured measure(int64_t update, int64_t piece) const;
  Carried& carried(int64_t part, data::Shard shard);
  void warm_up(std::span<const data::Stretch> rows, Carried& carried);
  LossSums train_rows(std::span<const data::Stretch> rows, int64_t piece, const Measured& measured, Carried& carried,
                      const nn::DropoutKey& masks);
  LossInput<float> loss_input(const graph::TrainValue<float>& y, Carried& carried);

  TrainedNetwork& model_;
  const data::RecordingSet &set_, &valid_set_;
  std::vector<data::Stretch> train_, valid_;
  NetworkTaskOptions options_;
  kernels::Context& context_;
  graph::TrainingPass<float> pass_;
  data::Buckets buckets_;
  std::vector<int64_t> firsts_;  // updates before each batch of the epoch; last: updates of the epoch
  TargetEnergy mean_energy_;     // per step of the training data
  SequenceRows rows_;
  std::vector<Range> counted_;
  std::vector<LossSums> sums_;
  std::deque<Carried> carried_;  // [parts x shards]
};

}  // namespace longhand::tasks
