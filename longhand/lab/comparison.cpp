#include "longhand/lab/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "longhand/io/csv.h"
#include "longhand/lab/comparison_table.h"

namespace longhand::lab {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

std::optional<double> perplexity(const std::optional<double>& nats) {
  return nats ? std::optional<double>(std::exp(*nats)) : std::nullopt;
}

// A message of another program may hold bytes that JSON cannot.
Json text(const std::string& bytes) {
  return Json::parse(Json(bytes).dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json options_json(const std::vector<std::pair<std::string, std::string>>& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options) out[text(name).get<std::string>()] = text(value);
  return out;
}

Json spread_json(const Spread& s) {
  return {{"median", number(s.median)}, {"low", number(s.low)}, {"high", number(s.high)}};
}

Json loss_json(const std::vector<double>& losses, bool as_perplexity) {
  if (losses.empty()) return nullptr;
  Spread s = spread(losses);
  if (as_perplexity) s = {std::exp(s.median), std::exp(s.low), std::exp(s.high)};
  return spread_json(s);
}

Json summary(const ComparedVariant& variant, const RunComparison& comparison) {
  if (finished(variant).empty()) return nullptr;
  const std::vector<double> train = figures(variant, &ComparedRun::train_loss), valid = valid_losses(variant);
  Json out = {{"train_loss", loss_json(train, false)}, {"valid_loss", loss_json(valid, false)}};
  if (comparison.has_perplexity) {
    out["train_perplexity"] = loss_json(train, true);
    out["valid_perplexity"] = loss_json(valid, true);
  } else if (const Measure measure = measure_of(comparison); measure.name != "loss") {
    out["valid_" + measure.name] = loss_json(valid_measures(variant), false);
  }
  out.update(Json{{"tokens_per_second", spread_json(spread(figures(variant, &ComparedRun::tokens_per_second)))},
                  {"seconds", spread_json(spread(figures(variant, &ComparedRun::seconds)))},
                  {"memory_mib", spread_json(spread(figures(variant, &ComparedRun::memory_mib)))}});
  return out;
}

Json rungs_json(const ComparedVariant& variant) {
  Json out = Json::array();
  for (const ComparedRung& rung : variant.rungs) {
    out.push_back({{"epochs", rung.epochs}, {"rank", rung.rank}, {"of", rung.of}});
  }
  return out;
}

Json search_json(const SearchSummary& search) {
  Json out = {{"method", search.method}, {"trials", search.trials}, {"seed", search.seed}};
  if (search.factor > 0) {
    out["factor"] = search.factor;
    out["rung_epochs"] = search.rung_epochs;
  }
  return out;
}

// Of a run that did not fail.
const char* status_of(const ComparedVariant& variant) { return variant.stopped_after > 0 ? "stopped" : "done"; }

Json run_json(const ComparedVariant& variant, const ComparedRun& run, bool perplexities) {
  if (!run.failure.empty()) return {{"seed", run.seed}, {"status", "failed"}, {"failure", text(run.failure)}};
  Json curve = Json::array();
  for (const CurvePoint& point : run.curve) {
    curve.push_back({{"epoch", number(point.epoch)},
                     {"seconds", number(point.seconds)},
                     {"train_loss", number(point.train_loss)},
                     {"valid_loss", number(point.valid_loss)}});
  }
  Json out = {{"seed", run.seed},
              {"status", status_of(variant)},
              {"train_loss", number(run.train_loss)},
              {"valid_loss", number(run.valid_loss)}};
  if (perplexities) {
    out["train_perplexity"] = number(std::exp(run.train_loss));
    out["valid_perplexity"] = number(perplexity(run.valid_loss));
  } else if (run.valid_measure && run.measure.name != "loss") {
    out["valid_" + run.measure.name] = number(*run.valid_measure);
  }
  out.update(Json{{"best_epoch", run.valid_loss ? Json(run.best_epoch) : Json(nullptr)},
                  {"epochs", run.epochs},
                  {"tokens_per_second", number(run.tokens_per_second)},
                  {"seconds", number(run.seconds)},
                  {"memory_mib", number(run.memory_mib)},
                  {"parameters", run.parameters},
                  {"curve", std::move(curve)}});
  return out;
}

std::string csv_number(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : ""; }

std::string csv_line(const ComparedVariant& variant, const ComparedRun& run, bool perplexities) {
  const std::string start = fmt::format("{},{},", io::csv_field(variant.name), run.seed);
  if (!run.failure.empty()) {
    return start + "failed" + std::string(perplexities ? 11 : 10, ',') + io::csv_field(run.failure) + "\n";
  }
  const std::string measures =
      perplexities ? fmt::format("{},{},{},{}", run.train_loss, std::exp(run.train_loss), csv_number(run.valid_loss),
                                 csv_number(perplexity(run.valid_loss)))
                   : fmt::format("{},{},{}", run.train_loss, csv_number(run.valid_loss), csv_number(run.valid_measure));
  return start + fmt::format("{},{},{},{},{},{},{},{},\n", status_of(variant), measures,
                             run.valid_loss ? fmt::format("{}", run.best_epoch) : "", run.epochs, run.tokens_per_second,
                             run.seconds, run.memory_mib, run.parameters);
}

}  // namespace

Spread spread(std::vector<double> values) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (values.empty()) return {kNan, kNan, kNan};
  std::sort(values.begin(), values.end(),
            [](double a, double b) { return !std::isnan(a) && (std::isnan(b) || a < b); });
  const size_t n = values.size();
  return {0.5 * values[(n - 1) / 2] + 0.5 * values[n / 2], values.front(), values.back()};
}

nlohmann::ordered_json to_json(const RunComparison& comparison) {
  Json published = Json::array(), variants = Json::array();
  for (const PublishedRow& row : comparison.published) {
    published.push_back({{"name", text(row.name)},
                         {"tokens_per_second", number(row.tokens_per_second)},
                         {"perplexity", number(row.perplexity)}});
  }
  for (const ComparedVariant& variant : comparison.variants) {
    Json runs = Json::array();
    for (const ComparedRun& run : variant.runs) runs.push_back(run_json(variant, run, comparison.has_perplexity));
    variants.push_back({{"name", text(variant.name)},
                        {"options", options_json(variant.options)},
                        {"note", text(variant.note)},
                        {"summary", summary(variant, comparison)},
                        {"runs", std::move(runs)}});
    if (variant.rungs.empty()) continue;
    variants.back()["rungs"] = rungs_json(variant);
    variants.back()["stopped_after"] = variant.stopped_after > 0 ? Json(variant.stopped_after) : Json(nullptr);
  }
  Json baselines = Json::array();
  for (const ComparedBaseline& baseline : comparison.baselines) {
    Json names = Json::array();
    for (const std::string& name : baseline.variants) names.push_back(text(name));
    Json row = {
        {"name", text(baseline.name)}, {"variants", std::move(names)}, {"valid_loss", number(baseline.valid_loss)}};
    if (comparison.has_perplexity) row["valid_perplexity"] = number(perplexity(baseline.valid_loss));
    if (const Measure measure = measure_of(comparison); measure.name != "loss") {
      row["valid_" + measure.name] = number(baseline.valid_measure);
    }
    baselines.push_back(std::move(row));
  }
  Json out = {{"title", text(comparison.title)},     {"command", text(comparison.command)},
              {"machine", text(comparison.machine)}, {"common", options_json(comparison.common)},
              {"published", std::move(published)},   {"variants", std::move(variants)},
              {"baselines", std::move(baselines)}};
  if (comparison.search) out["search"] = search_json(*comparison.search);
  return out;
}

std::string to_csv(const RunComparison& comparison) {
  const bool perplexities = comparison.has_perplexity;
  std::string out = fmt::format(
      "variant,seed,status,train_loss,{},best_epoch,epochs,tokens_per_second,seconds,"
      "memory_mib,parameters,failure\n",
      perplexities ? "train_perplexity,valid_loss,valid_perplexity"
                   : "valid_loss,valid_" + measure_of(comparison).name);
  for (const ComparedVariant& variant : comparison.variants) {
    for (const ComparedRun& run : variant.runs) out += csv_line(variant, run, perplexities);
  }
  return out;
}

}  // namespace longhand::lab
