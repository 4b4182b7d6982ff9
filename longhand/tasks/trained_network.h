// A network of layers as a model for training and evaluation: its layers, the scales of its data, its loss and columns.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "longhand/data/recordings.h"
#include "longhand/graph/trainable.h"
#include "longhand/graph/training_pass.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/network_scaling.h"
#include "longhand/tasks/sequence_loss.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

/// Facts about a network's training that its model file contains.
struct NetworkPurpose {
  SequenceLossOptions loss;
  std::vector<std::string> inputs{}, targets{};  ///< names of columns or arrays; empty: unknown
  std::string group{};                           ///< tables: column that identifies the sequence; empty: a file is one
  std::string decimal = "auto";                  ///< tables: the decimal separator
  int64_t ahead = 0;                             ///< steps from an input to its target
  std::vector<double> spread{};                  ///< standard deviations of the training targets, in their units

  nlohmann::json to_json() const;
  /// Throws an input error, which begins with `path`, for unknown or invalid members.
  static NetworkPurpose from_json(const nlohmann::json& json, const std::string& path);
};

class TrainedNetwork {
 public:
  /// `graph` must not contain the layers of network_scaling.h. Throws the errors of TrainableNetwork.
  TrainedNetwork(graph::Graph graph, const std::string& where, NetworkScaling scaling, NetworkPurpose purpose);

  graph::TrainableNetwork& network() { return network_; }
  const graph::TrainableNetwork& network() const { return network_; }
  const NetworkScaling& scaling() const { return scaling_; }
  const NetworkPurpose& purpose() const { return purpose_; }
  bool classifies() const { return purpose_.loss.kind() == SequenceLoss::kCrossEntropy; }
  /// Scales of the targets [O]; identities if the targets are not scaled.
  const std::vector<data::Scale>& target_scales() const { return target_scales_; }

  /// Sets the values that are computed from the data. `sample_rate` in Hz; 0: unknown.
  void set_data(NetworkScaling scaling, std::vector<double> spread, int64_t sample_rate);
  /// Scales the inputs and targets of a set.
  void scale(data::RecordingSet& set) const;
  /// Writes a model file of the task `network`.
  void save(const std::string& path, std::span<const float> values) const;

 private:
  graph::TrainableNetwork network_;
  NetworkScaling scaling_;
  NetworkPurpose purpose_;
  std::vector<data::Scale> target_scales_;
  int64_t sample_rate_ = 0;
};

/// Scores of a network, in the units of the data.
struct SequenceScore {
  int64_t steps = 0;  ///< measured steps
  double loss = 0.0;
  double mse = 0.0, mae = 0.0;
  double esr = 0.0;  ///< sum of squared errors / sum of squared targets, without pre-emphasis
  double nse = 0.0;  ///< 1 - sum of squared errors / sum of squared distances from the mean: Nash and Sutcliffe 1970
  double accuracy = 0.0;  ///< of classes, per cent
  bool of_classes = false;

  /// Returns loss, mse, mae, esr, nse; of classes: loss, accuracy.
  std::vector<Metric> metrics() const;
};

/// Callbacks of an evaluation.
struct SequenceObserver {
  /// Called for each measured step, in order within a recording: prediction and target [O] in the units of the data;
  /// for classes: logits and class.
  std::function<void(const data::Stretch& stretch, int64_t step, std::span<const double> predicted,
                     std::span<const double> actual)>
      on_step{};
  OnDone on_done{};  ///< counts steps
};

/// Evaluates a model on stretches of a scaled set, in batches. Each stretch starts from the initial state.
SequenceScore evaluate(const TrainedNetwork& model, const data::RecordingSet& set,
                       const std::vector<data::Stretch>& stretches, graph::TrainingPass<float>& pass,
                       const SequenceObserver& observer = {});

/// A batch of stretches in the layout that a network reads.
class SequenceRows {
 public:
  SequenceRows(const TrainedNetwork& model, const data::RecordingSet& set) : model_(model), set_(set) {}

  /// Fills the batch with steps first .. first + steps - 1 of each stretch, counted from its `read`; zeros after its
  /// end.
  void fill(std::span<const data::Stretch> rows, int64_t first, int64_t steps);

  const graph::TrainInput<float>& input() const { return input_; }
  const float* targets() const { return targets_.data(); }
  const int32_t* classes() const { return classes_.data(); }
  const std::vector<int32_t>& lengths() const { return lengths_; }

 private:
  const TrainedNetwork& model_;
  const data::RecordingSet& set_;
  graph::TrainInput<float> input_;
  std::vector<Buffer<float>> floats_;
  std::vector<Buffer<int32_t>> symbols_;
  Buffer<float> targets_;
  Buffer<int32_t> classes_;
  std::vector<int32_t> lengths_;

  friend class NetworkTask;
};

}  // namespace longhand::tasks
