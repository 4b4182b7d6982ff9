// A network of layers and its recordings, as the trainer drives them.
//
// An epoch reads segments of the recordings in an order of its own, a batch of them side by side. The segments of a
// batch are read from their beginning to their end, `bptt` steps at a time, an update each: the state is carried on,
// and gradients end there (truncated back-propagation through time).
#pragma once

#include <deque>
#include <vector>

#include "longhand/data/buckets.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

struct NetworkTaskOptions {
  data::GroupOptions groups;  ///< how many segments make a batch, and the seed
  int64_t bptt = 0;           ///< steps of an update; 0: those of a whole segment
  nn::Engine engine = nn::Engine::kFused;
};

class NetworkTask final : public Task {
 public:
  /// The sets are scaled. `train` are segments, all with the same warm-up; `valid` may be empty. `mark` is a text that
  /// is the same for the same data.
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
  // What segments carry from update to update.
  struct Carried {
    graph::NetworkState<float> state;
    Buffer<float> before;  // of esr, [B, O]
  };
  // A place in the epoch: which batch, and which of its pieces.
  struct Place {
    int64_t update = 0, piece = 0;
  };
  // What a loss is divided by.
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
  std::vector<int64_t> firsts_;  // steps before each batch of the epoch, and all
  TargetEnergy mean_energy_;     // of a step of the training data
  SequenceRows rows_;
  std::vector<Range> counted_;
  std::vector<LossSums> sums_;
  std::deque<Carried> carried_;  // by part and shard
};

}  // namespace longhand::tasks
