// Training, as a program does it: with the settings of `longhand train`, under the same names, into a folder from which
// Model::load reads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "longhand/base/executor.h"
#include "longhand/model.h"

namespace longhand {

/// A figure of a model on held-out or test data: "loss", "perplexity", "accuracy", "f1" (per cent), "mse", ... A loss
/// is in nats; a regressor's is the mean squared error of standardised values.
struct Measure {
  std::string name;
  double value = 0.0;
  bool more_is_better = false;
};

struct TrainingProgress {
  int64_t epoch = 0;      ///< epochs begun, from 1
  int64_t epochs = 0;     ///< asked for
  int64_t step = 0;       ///< updates made
  double loss = 0.0;      ///< of this epoch so far: nats a symbol, word or text; of a regressor see Measure
  double seconds = 0.0;   ///< spent on training
  double per_second = 0;  ///< symbols, words, texts or windows
};

/// Called by the thread that trains. An exception ends the training, and passes through it.
struct TrainingObserver {
  std::function<void(const TrainingProgress&)> on_step;
  /// After each epoch, with the figures on the held-out data. By the first the best model is chosen; where nothing is
  /// held out, there are none.
  std::function<void(const TrainingProgress&, const std::vector<Measure>&)> on_epoch;
  /// Asked after each step; true ends the training, from where it can be resumed.
  std::function<bool()> should_stop;
};

struct TrainingResult {
  bool interrupted = false;
  TrainingProgress progress;   ///< at its end
  int64_t best_epoch = 0;      ///< whose model was kept: the last, where nothing is held out
  std::vector<Measure> valid;  ///< of that model
  std::vector<Measure> test;   ///< where test data were given
  /// Of the simple model that is fitted where `baseline` is set to true, on the test data, or else on the held-out
  /// data.
  std::vector<Measure> baseline;
};

class LONGHAND_API Training {
 public:
  explicit Training(Task task);
  ~Training();
  Training(Training&&) noexcept;
  Training& operator=(Training&&) noexcept;

  /// Sets one of the settings, which docs/options.md lists. Throws a usage error for a name that none has, and for a
  /// value that it refuses.
  void set(const std::string& name, const std::string& value);
  void set(const std::string& name, const char* value) { set(name, std::string(value)); }
  template <class Number>
  requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, char>) void set(const std::string& name,
                                                                                   Number value) {
    if constexpr (std::is_same_v<Number, bool>) {
      set(name, value ? "true" : "false");
    } else if constexpr (std::is_integral_v<Number>) {
      set(name, std::to_string(value));
    } else {
      set_number(name, value);
    }
  }
  /// Sets those in a TOML file.
  void read(const std::string& path);
  /// All settings with their values and what they mean, as TOML.
  std::string settings() const;

  /// Data from memory, instead of a file: `name` is then what `data`, `valid` or `test` can be set to.
  void add_data(const std::string& name, std::string contents);
  /// Works on the host's threads, which must outlive this object, and not on as many of its own as `threads` says.
  void use(Executor& host);

  /// Reads the data, makes the model, and trains it into `folder`, which is created. Throws a usage error for settings
  /// that do not go together, and an input error for faults of the data, before anything is written; and an input error
  /// where the loss is no longer finite. A folder that holds a run or a comparison is refused (a usage error). It can
  /// be called again, with another folder.
  TrainingResult run(const std::string& folder, const TrainingObserver& observer = {});
  /// Continues the run in a folder with its settings, to the same bits as if it had not been interrupted. Of what was
  /// set by name, `epochs`, `patience`, `threads`, `checkpoint-seconds`, `tensorboard`, `baseline` and the names of the
  /// data replace these settings. Throws a usage error where something else was set, and an input error for a folder
  /// without a run of this task, or with other data.
  TrainingResult resume(const std::string& folder, const TrainingObserver& observer = {});

 private:
  void set_number(const std::string& name, double value);
  void set_number(const std::string& name, float value);

  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand
