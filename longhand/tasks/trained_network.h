// A network of layers as a model that is trained and measured: its layers, the scales of its data, and what it is
// trained for.
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

/// What a model file keeps of a network's training.
struct NetworkPurpose {
  SequenceLossOptions loss;
  std::vector<std::string> inputs{}, targets{};  ///< names of columns or arrays; empty: not known
  std::string group{};           ///< of tables: the column that tells sequences apart; empty: a file is one
  std::string decimal = "auto";  ///< of tables: the decimal separator
  int64_t ahead = 0;             ///< steps from what is read to what is predicted
  std::vector<double> spread{};  ///< deviations of the targets in training, in their units

  nlohmann::json to_json() const;
  /// Throws an input error, which begins with `path`, for what is none of these.
  static NetworkPurpose from_json(const nlohmann::json& json, const std::string& path);
};

class TrainedNetwork {
 public:
  /// `graph` is without layers of scaling. Throws what TrainableNetwork throws.
  TrainedNetwork(graph::Graph graph, const std::string& where, NetworkScaling scaling, NetworkPurpose purpose);

  graph::TrainableNetwork& network() { return network_; }
  const graph::TrainableNetwork& network() const { return network_; }
  const NetworkScaling& scaling() const { return scaling_; }
  const NetworkPurpose& purpose() const { return purpose_; }
  bool classifies() const { return purpose_.loss.kind() == SequenceLoss::kCrossEntropy; }
  /// Scales of the targets, one for each; identities where there are none.
  const std::vector<data::Scale>& target_scales() const { return target_scales_; }

  /// What follows from the data. The sample rate, of sound, is 0 where it is not known.
  void set_data(NetworkScaling scaling, std::vector<double> spread, int64_t sample_rate);
  /// Makes the numbers of a set what the network reads and is trained on.
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

/// How well a network does on data, in their units.
struct SequenceScore {
  int64_t steps = 0;  ///< measured
  double loss = 0.0;
  double mse = 0.0, mae = 0.0;
  double esr = 0.0;  ///< sum of squared errors / sum of squared targets, without pre-emphasis
  double nse = 0.0;  ///< 1 - sum of squared errors / sum of squared distances from the mean: Nash and Sutcliffe 1970
  double accuracy = 0.0;  ///< per cent, of classes
  bool of_classes = false;

  /// loss, mse, mae, esr, nse; or loss, accuracy
  std::vector<Metric> metrics() const;
};

/// Told what an evaluation finds.
struct SequenceObserver {
  /// For each step that is measured, in order within a recording: what was predicted and what came, in the data's
  /// units, [O]; of classes the logits, and the class.
  std::function<void(const data::Stretch& stretch, int64_t step, std::span<const double> predicted,
                     std::span<const double> actual)>
      on_step{};
  OnDone on_done{};  ///< in steps
};

/// Reads stretches of a scaled set, each from the beginning of a sequence on, several side by side.
SequenceScore evaluate(const TrainedNetwork& model, const data::RecordingSet& set,
                       const std::vector<data::Stretch>& stretches, graph::TrainingPass<float>& pass,
                       const SequenceObserver& observer = {});

/// Rows of several stretches as a network reads them.
class SequenceRows {
 public:
  SequenceRows(const TrainedNetwork& model, const data::RecordingSet& set) : model_(model), set_(set) {}

  /// Steps first .. first + steps - 1 of each row, counted from where it is read; zeros beyond its end.
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
