#include "longhand/runs/evaluation.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/tasks/language_model.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::runs {

void EvaluateOptions::add_to(OptionTable& table) {
  table.add("data", data, "evaluation data: file, - for standard input, or name from `longhand data list`");
  table.add("threads", threads, "number of threads; 0: one per processor", between(0, 1024));
  table.begin_group("Language models");
  table.add("unknown", unknown, "treatment of symbols that the model does not know", one_of({"error", "skip", "unk"}));
  table.add(
      "batch", batch,
      "number of rows that a text is divided into; 1 is exact; more is faster, but each row starts without context",
      between(1, 1 << 20));
  table.add("context", context,
            "number of preceding symbols that each prediction uses, with a cost in proportion; 0: all",
            between(0, 1 << 20));
  table.begin_group("Networks");
  table.add("input", input, "columns or array that the network reads; by default as in its training");
  table.add("group", group, "column that identifies the sequence of each row; by default as in its training");
  table.add("target", target,
            "columns or array that it should make, by default as in its training; or WAV files that go with those of "
            "`data`, with commas between");
  table.begin_group("Forecasts");
  table.add("backtest", backtest,
            "number of forecasts of each series, with origins from its end backwards; 0: every row",
            between(0, 1 << 30));
  table.add("stride", stride, "number of rows between the origins of `backtest`; 0: the horizon", between(0, 1 << 30));
  OptionCheck probability{.min = 0.0, .max = 1.0, .open = true};
  probability.also = 0.0;
  table.add("interval", interval, "probability of the central prediction interval to measure; 0: the model's",
            probability);
  table.add("recalibrate", recalibrate,
            "number of the latest known values of each series on which the interval of each forecast is calibrated "
            "again; 0: the model's calibration",
            tasks::recalibration_check());
  table.begin_group("Tags");
  table.add("strict", strict,
            "refuse tags that violate their scheme, instead of repairing them as conlleval reads them");
}

void add_baseline(BaselineFindings baseline, nlohmann::ordered_json& json, Evaluation& evaluation) {
  json["baseline"] = to_json(baseline);
  if (!baseline.verdict.empty()) evaluation.note += (evaluation.note.empty() ? "" : "\n      ") + baseline.verdict;
  evaluation.findings.baseline = std::move(baseline);
}

void with_baseline(const std::string& model_path, Evaluation& evaluation,
                   const std::function<void(const std::string& path)>& read) {
  const std::string path = baseline_beside(model_path);
  if (path.empty()) return;
  try {
    read(path);
  } catch (const Error& e) {
    evaluation.note += (evaluation.note.empty() ? "" : "\n      ") + std::string("no baseline is shown: ") + e.what();
  }
}

std::string format_nats(double loss) { return std::isfinite(loss) ? fmt::format("{:.6f}", loss) : "none"; }

std::string describe_cold(const std::vector<tasks::Metric>& metrics) {
  std::string out;
  for (const auto& [first, last] : tasks::ColdScore::kBands) {
    const tasks::Metric* metric = tasks::find_metric(metrics, fmt::format("cold_nats_{}_{}", first, last));
    if (metric == nullptr) continue;
    out += out.empty() ? fmt::format("{:.4f} nats per symbol after {} to {} symbols", metric->value, first, last)
                       : fmt::format(", {:.4f} after {} to {}", metric->value, first, last);
  }
  return out;
}

std::string cold_note(const std::vector<tasks::Metric>& metrics, double warm_nats) {
  constexpr double kMuchWorse = 0.25;  // nats; memorised texts aside, a text's further past is worth some hundredths
  const tasks::Metric* far = tasks::find_metric(metrics, "cold_nats_21_100");
  if (far == nullptr || far->value < warm_nats + kMuchWorse) return "";
  return fmt::format(
      "this model predicts poorly after a cold start: 21 to 100 symbols after it, the loss is {:.2f} nats per symbol\n"
      "      above that within a text, so text generated from a prompt will be poor; train with `row-starts` moving\n"
      "      and a larger `reset-state`, or give `generate` a long `context`",
      far->value - warm_nats);
}

}  // namespace longhand::runs
