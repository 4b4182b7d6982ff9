// The training loop: epochs, updates, evaluations, early stopping, and the run's folder with its checkpoint.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "longhand/io/tensorboard.h"
#include "longhand/tasks/task.h"
#include "longhand/train/data_parallel.h"
#include "longhand/train/layer_groups.h"
#include "longhand/train/optimizer.h"
#include "longhand/train/schedule.h"

namespace longhand::train {

struct TrainOptions {
  int64_t epochs = 20;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  LayerOptions layers{};
  int64_t patience = 0;
  double checkpoint_seconds = 30.0;
  bool tensorboard = false;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that this task does not support.
  void check(tasks::Task& task) const;
};

/// A training whose numbers are no longer finite.
class Divergence : public Error {
 public:
  using Error::Error;
};

/// Files of a run's folder.
struct RunFiles {
  explicit RunFiles(const std::string& folder)
      : model(folder + "/model.safetensors"),
        checkpoint(folder + "/checkpoint.safetensors"),
        config(folder + "/config.toml"),
        metrics(folder + "/metrics.jsonl"),
        events(folder + "/events.out.tfevents.0.longhand"),
        report(folder + "/report.html"),
        baseline(folder + "/baseline.safetensors") {}
  std::string model, checkpoint, config, metrics, events, report, baseline;
};

/// Removes the files of a run that is replaced, so that none stays beside the new ones.
void remove_run(const std::string& folder);

/// State of a run. Everything but the times is the same for the same options, on any number of threads, and however
/// often the run was stopped.
struct Progress {
  int64_t epoch = 0;   ///< epochs begun, from 1
  int64_t epochs = 0;  ///< asked for
  int64_t step = 0;    ///< updates made
  int64_t index = 0;   ///< steps made in this epoch
  int64_t steps_in_epoch = 0;
  double loss_sum = 0.0;            ///< nats over this epoch so far
  int64_t count = 0;                ///< symbols in this epoch so far
  int64_t batch = 0;                ///< sequences side by side in an update of this epoch
  double learning_rate = 0.0;       ///< of the last update
  double norm_sum = 0.0;            ///< of the gradients' norms before clipping, this epoch so far
  int64_t total_count = 0;          ///< symbols since the run began
  double seconds = 0.0;             ///< spent on training steps since the run began
  double tokens_per_second = 0.0;   ///< in this epoch so far
  bool has_perplexity = false;      ///< the exponential of the loss is one
  int ranks = 1;                    ///< processes that train together
  double exchange_seconds = 0.0;    ///< in which these sent and received, in this process's life
  double waited_seconds = 0.0;      ///< of them, those in which nothing was computed
  double exchanged_bytes = 0.0;     ///< sent by this process
  double exchanging_seconds = 0.0;  ///< of the steps that these are of, from begin to end
  int64_t exchanges = 0;            ///< and their number

  double first_loss = 0.0;  ///< of the first step, per symbol

  /// Whether the loss has grown above that of the first step by an order of magnitude.
  bool has_grown() const { return loss() > 10.0 * std::max(first_loss, 1.0); }
  double mean_norm() const { return index > 0 ? norm_sum / static_cast<double>(index) : 0.0; }
  double loss() const { return count > 0 ? loss_sum / static_cast<double>(count) : 0.0; }
};

/// One line of metrics.jsonl.
struct Evaluation {
  Progress progress;
  std::vector<tasks::Metric> valid;  ///< empty without held-out data
  std::vector<tasks::Metric> train;  ///< empty with held-out data, and where a task has none of these
  bool best = false;
};

/// Callbacks during a run.
struct Observer {
  std::function<void(const Progress&)> on_step;
  std::function<void(const Evaluation&)> on_evaluation;
  std::function<bool()> should_stop;
};

enum class Outcome { kFinished, kOutOfPatience, kInterrupted, kPaused };

struct TrainResult {
  Outcome outcome = Outcome::kFinished;
  Progress progress;                 ///< of the last epoch
  std::vector<tasks::Metric> valid;  ///< of the best model; empty without held-out data
  int64_t best_epoch = 0;
};

/// Names and values of the options that may not change when a run is resumed.
using FixedOptions = std::map<std::string, std::string>;

/// Throws an input error that names an option whose value is another than when the folder's checkpoint was written.
/// Takes no memory of the size that the options say.
void check_fixed_options(const std::string& folder, const FixedOptions& options);

/// Where the descriptions of two trainings begin to differ.
std::string first_difference(const std::string& expected, const std::string& found);

class Trainer {
 public:
  /// `folder` receives model, checkpoint and metrics; it must exist. `fixed` goes into the checkpoint. Throws what
  /// TrainOptions::check throws. Of several ranks, all make the same calls; the first alone writes and measures, and
  /// calls the observer, but each may want to stop.
  Trainer(tasks::Task& task, const TrainOptions& options, const std::string& folder, kernels::Context& context,
          Observer observer, FixedOptions fixed = {}, const Division& division = {});

  /// Continues from the folder's checkpoint. Throws an input error where it is damaged, or belongs to other data or
  /// other options.
  void resume();
  /// Whether all epochs asked for are done already.
  bool complete() const { return progress_.epoch >= options_.epochs && progress_.index == progress_.steps_in_epoch; }

  /// Trains until the epochs are done, patience is out or the observer says stop; in each case the model and the
  /// checkpoint are on disk. The model is the best by the task's first metric, else the last; where weights are
  /// averaged, it is their average that is measured and kept. A loss or gradient that is not finite throws a Divergence
  /// before it can touch a weight, and leaves the last checkpoint as it was. Pauses at the end of epoch `until_epoch`,
  /// if that is above 0 and below the epochs asked for: a resumed run goes on from there.
  TrainResult run(int64_t until_epoch = 0);

 private:
  /// While it lives, the parameters are the averaged ones, if there are any.
  class Averaged {
   public:
    explicit Averaged(Trainer& trainer);
    ~Averaged() { swap(); }
    Averaged(const Averaged&) = delete;
    Averaged& operator=(const Averaged&) = delete;

   private:
    void swap();
    Trainer& trainer_;
  };
  void check_alike();
  void forget_moments_of_others();
  void begin_epoch();
  void step();
  void update(const AgreedStep& agreed);
  bool wants_to_stop() const { return observer_.should_stop && observer_.should_stop(); }
  bool wants_to_save() const;
  std::vector<tasks::Metric> measure();
  void keep_best();
  void end_epoch();
  void write_events(const Evaluation& evaluation);
  void write_checkpoint();
  void write_files();
  void read_state(const io::Safetensors& file);
  void read_arrays(const io::Safetensors& file);
  Divergence diverged(const std::string& what) const;
  std::string metrics_line(const Evaluation& evaluation) const;

  tasks::Task& task_;
  TrainOptions options_;
  RunFiles files_;
  kernels::Context& context_;
  Observer observer_;
  FixedOptions fixed_;
  std::string fingerprint_;  // of the task: all its data is hashed, so once
  DataParallel parallel_;
  Optimizer optimizer_;
  Schedule schedule_;
  LayerGroups layers_;
  std::unique_ptr<io::LineWriter> metrics_;
  std::unique_ptr<io::EventWriter> events_;

  Progress progress_;
  double epoch_seconds_ = 0.0;
  std::optional<double> best_score_;  // less is better
  std::vector<tasks::Metric> best_valid_;
  int64_t best_epoch_ = 0;
  int64_t evaluations_since_best_ = 0;
  std::vector<double> losses_;  // held-out, for the optimizer's trigger
  int64_t metrics_bytes_ = 0;   // of the file, as the checkpoint has it
  int64_t events_bytes_ = 0;
  Buffer<float> best_values_;
  bool best_unsaved_ = false;
  bool resumed_ = false;
  bool stop_ = false, save_ = false;  // as all ranks have agreed
  std::chrono::steady_clock::time_point saved_at_;
};

}  // namespace longhand::train
