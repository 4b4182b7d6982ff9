#include "longhand/lab/run_result.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/train/trainer.h"

namespace longhand::lab {
namespace {

// An epoch of a run, from its line in metrics.jsonl.
struct EpochLine {
  CurvePoint point;
  double tokens_per_second = 0.0;
  std::optional<double> measure;  // the held-out one; none where it is not finite
};

std::vector<EpochLine> read_epochs(const std::string& metrics, const std::string& measure) {
  std::vector<EpochLine> out;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    const auto number = [&](const std::string& key) {
      return row.contains(key) && row[key].is_number() ? std::optional<double>(row[key].get<double>()) : std::nullopt;
    };
    if (!number("train_loss")) continue;
    out.push_back({{row.at("epoch"), row.at("seconds"), *number("train_loss"), number("valid_loss")},
                   number("tokens_per_second").value_or(0.0),
                   number("valid_" + measure)});
  }
  return out;
}

// The figures of a run at the end of `epoch`, as the trainer would have given them.
void cut_at(const std::vector<EpochLine>& epochs, int64_t epoch, ComparedRun& run) {
  run.epochs = epoch;
  run.best_epoch = 0;
  run.valid_loss = run.valid_measure = std::nullopt;
  run.curve.clear();
  double tokens = 0.0, before = 0.0, best = std::numeric_limits<double>::infinity();
  for (const EpochLine& line : epochs) {
    if (line.point.epoch > static_cast<double>(epoch)) break;
    run.curve.push_back(line.point);
    run.train_loss = line.point.train_loss;
    run.seconds = line.point.seconds;
    tokens += line.tokens_per_second * (line.point.seconds - before);
    before = line.point.seconds;
    const double score = line.measure ? (run.measure.more_is_better ? -*line.measure : *line.measure) : NAN;
    if (!(score < best)) continue;
    best = score;
    run.best_epoch = static_cast<int64_t>(line.point.epoch);
    run.valid_loss = line.point.valid_loss;
    run.valid_measure = line.measure;
  }
  run.tokens_per_second = tokens / run.seconds;
}

void read_figures(const nlohmann::json& result, ComparedOutcome& out) {
  out.run.parameters = result.at("parameters");
  out.run.best_epoch = result.at("best_epoch");
  out.run.train_loss = result.at("train_loss");
  if (!result.at("valid_loss").is_null()) out.run.valid_loss = result["valid_loss"].get<double>();
  if (result.contains("measure")) {
    const nlohmann::json& value = result.at("valid_measure");  // null: not finite
    out.run.valid_measure = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    out.run.measure = {result.at("measure"), result.at("more_is_better")};
  }
  out.run.tokens_per_second = result.at("tokens_per_second");
  out.run.seconds = result.at("seconds");
  out.units = result.at("units");
  out.distinct_units = result.at("distinct_units");
  out.baseline_key = result.value("baseline_key", "");
}

}  // namespace

std::string result_path(const std::string& folder) { return folder + "/result.json"; }

std::optional<ComparedOutcome> read_outcome(const RunOrder& order, const std::string& text,
                                            const std::string& metrics) {
  const nlohmann::json result = io::parse_json(text, result_path(order.folder));
  if (result.at("key") != order.key) {
    throw OtherRun(input_error(order.folder + ": expected the run of this variant, found one with other options",
                               "remove it, or choose another `out`"));
  }
  ComparedOutcome out;
  out.run.seed = order.seed;
  out.run.memory_mib = result.value("memory_mib", 0.0);
  const std::string failure = result.at("failure");
  const bool has_figures = result.contains("parameters");  // none where it failed in the first epoch
  const int64_t epochs = result.value("epochs", int64_t{0});
  const bool cut = order.until_epoch > 0 && has_figures && order.until_epoch <= epochs;
  if (!failure.empty() && !cut) {
    out.run.failure = failure;
    return out;
  }
  if (!cut && !result.value("complete", true)) return std::nullopt;
  read_figures(result, out);
  out.run.epochs = epochs;
  const std::vector<EpochLine> lines = read_epochs(metrics, out.run.measure.name);
  for (const EpochLine& line : lines) {  // a run that was ended while it went on has more than its result says
    if (line.point.epoch <= static_cast<double>(epochs)) out.run.curve.push_back(line.point);
  }
  if (cut && (order.until_epoch < epochs || !failure.empty())) cut_at(lines, order.until_epoch, out.run);
  return out;
}

std::optional<ComparedOutcome> find_outcome(const RunOrder& order) {
  if (!io::exists(result_path(order.folder))) return std::nullopt;
  try {
    const std::string metrics = train::RunFiles(order.folder).metrics;
    std::optional<ComparedOutcome> out = read_outcome(order, io::read_file(result_path(order.folder)),
                                                      io::exists(metrics) ? io::read_file(metrics) : "");
    if (out) out->was_done = true;
    return out;
  } catch (const OtherRun&) {
    throw;
  } catch (const std::exception&) {
    std::filesystem::remove_all(order.folder);
    return std::nullopt;
  }
}

}  // namespace longhand::lab
