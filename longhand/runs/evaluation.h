// A model measured on data, in the words and the JSON of `longhand eval`.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/data/chunks.h"
#include "longhand/nn/engine.h"
#include "longhand/runs/findings.h"
#include "longhand/runs/sources.h"
#include "longhand/tasks/task.h"

namespace longhand::runs {

struct EvaluateOptions {
  std::string data;
  std::string input;   ///< of networks: as in their training; empty: as the model has it
  std::string group;   ///< of tables: the column that tells sequences apart
  std::string target;  ///< likewise; of sound, the WAV files that go with those of `data`
  int64_t threads = 0;
  nn::Engine engine = nn::Engine::kFused;
  std::string unknown = "unk";  ///< of language models: error, skip or unk
  int64_t batch = 1;            ///< of language models: rows that the text is divided into
  int64_t context = 0;          ///< of language models: preceding symbols of each prediction; 0: all
  bool strict = false;          ///< of taggers: refuse tags that violate their scheme
  int64_t backtest = 0;         ///< of regressors: forecasts of each series, from its end backwards; 0: all
  int64_t stride = 0;           ///< of regressors: rows from one of these to the next; 0: the horizon
  double interval = 0.0;        ///< of regressors: probability of the interval that is measured; 0: the model's
  bool examine = false;         ///< gather what a report shows, too
  tasks::OnDone on_done{};      ///< progress, in what the task's losses are the means over
  /// Receives what was recognised in the data, before the model reads them.
  std::function<void(const std::string&)> on_found = [](const std::string&) {};
  /// Of regressors: number of latest known values on which each interval is calibrated; 0: the model's calibration.
  int64_t recalibrate = 0;

  void add_to(OptionTable& table);
};

struct Evaluation {
  std::string text;     ///< the figures, in lines
  std::string json;     ///< the same as one JSON object
  std::string note{};   ///< a remark on the figures, or empty
  Findings findings{};  ///< with `examine`; its `test` has the figures
};

/// Predictions of any program with their gold tags, a file as data::score_predictions reads it, as conlleval counts
/// them.
Evaluation evaluate_predictions(std::string_view text, const std::string& source);

/// Adds a baseline to an evaluation: to its JSON, its findings and, where the model is not better, its note.
void add_baseline(BaselineFindings baseline, nlohmann::ordered_json& json, Evaluation& evaluation);
/// Calls `read` with the file of the baseline beside a model, where there is one. A file that cannot be used is noted:
/// the evaluation does not need it.
void with_baseline(const std::string& model_path, Evaluation& evaluation,
                   const std::function<void(const std::string& path)>& read);

/// A mean loss; "none" where nothing was measured.
std::string format_nats(double loss);
/// What is said of the losses after a cold start: "2.41 nats per symbol after 1 to 5 symbols, ..."; empty where
/// `metrics` have none.
std::string describe_cold(const std::vector<tasks::Metric>& metrics);
/// That a model predicts much worse after a cold start than within a text, and what to do; empty where it does not.
std::string cold_note(const std::vector<tasks::Metric>& metrics, double warm_nats);

}  // namespace longhand::runs
