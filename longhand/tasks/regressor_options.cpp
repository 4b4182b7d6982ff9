// The options of regressors.
#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/tasks/regressor.h"

namespace longhand::tasks {

RegressorOptions::RegressorOptions() { lstm.hidden = 64; }

void RegressorOptions::add_to(OptionTable& table) {
  series.add_to(table);
  table.add("difference", difference, "predict the difference from the last value in the window");
  table.add("residual-of", residual_of,
            "forecast whose error the network learns: a ridge regression of the window, the last value, or the value "
            "one season before",
            one_of({"none", "linear", "naive", "seasonal"}));
  table.add(
      "shrink", shrink,
      "multiply what the network adds to `residual-of` by the number from 0 to 1 with the smallest held-out error");
  table.add("normalise", normalise,
            "mean and deviation that standardise the inputs: of the training data or each window",
            one_of({"training", "window"}));
  table.add("season", season, "period of the seasonal-naive baseline, in rows; 0: no such baseline",
            between(0, 1 << 20));
  lstm.add_to(table);
  init.add_to(table);
  table.add(
      "output", output,
      "what is forecast of each value: a point, quantiles, a Gaussian, or a negative binomial distribution of counts",
      one_of({"point", "quantiles", "gaussian", "negative-binomial"}));
  table.add("quantiles", quantiles,
            "levels of the quantiles that `output` quantiles forecasts, rising, separated by commas");
  table.add("calibrate", calibrate,
            "widen or narrow the quantiles or the Gaussian so that held-out values lie in them as often as they say");
  table.add("interval", interval, "probability of the central prediction interval that is calibrated and measured",
            OptionCheck{.min = 0.0, .max = 1.0, .open = true});
  table.add(
      "series-scale", series_scale,
      "scale of the targets of each series in `series-column`: mean and standard deviation, mean absolute value, or "
      "none of its own; auto: mean-absolute with `output` negative-binomial, else standard",
      one_of({"auto", "standard", "mean-absolute", "none"}));
}

std::string RegressorOptions::used_series_scale() const {
  if (series_scale != "auto") return series_scale;
  return output == "negative-binomial" ? "mean-absolute" : "standard";
}

namespace {

void check_distribution(const RegressorOptions& options) {
  parse_levels(options.quantiles, "quantiles");
  if (options.output != "negative-binomial") return;
  const char* base = options.difference ? "difference" : options.of_each_window() ? "normalise` window" : "residual-of";
  if (options.difference || options.of_each_window() || options.residual_of != "none") {
    throw usage_error(fmt::format("`output` negative-binomial: cannot be combined with `{}{}", base,
                                  options.of_each_window() ? "" : "`"),
                      "a sum with a simpler forecast is no mean of counts; leave it out, or choose another `output`");
  }
  if (options.series_scale == "standard") {
    throw usage_error("`output` negative-binomial: cannot be combined with `series-scale` standard",
                      "counts are scaled without centring: give `series-scale` mean-absolute");
  }
}

}  // namespace

void RegressorOptions::check() const {
  lstm.check();
  series.check();
  check_distribution(*this);
  if (difference && series.horizon == 0) {
    throw usage_error("`difference`: expected `horizon` of at least 1, found 0",
                      "with `horizon` 0 the window's last value is the target itself; leave one of them out");
  }
  if (difference && residual_of != "none" && residual_of != "naive") {
    throw usage_error("`difference`: cannot be combined with `residual-of` " + residual_of,
                      "leave `difference` out, which is `residual-of` naive");
  }
  if (series.horizon == 0 && (residual_of == "naive" || is_seasonal() || of_each_window())) {
    throw usage_error(fmt::format("`{}`: expected `horizon` of at least 1, found 0",
                                  of_each_window() ? "normalise` window" : "residual-of` " + residual_of),
                      "with `horizon` 0 the targets' past is not read; leave one of them out");
  }
  if (is_linear() && series.window == 0) {
    throw usage_error("`residual-of` linear: expected `window` of at least 1, found 0",
                      "a linear forecast reads windows of one length; leave it out, or set `window`");
  }
  if (is_seasonal() && (season == 0 || season > series.window)) {
    throw usage_error(fmt::format("`residual-of` seasonal: expected `season` from 1 to `window`, found {} and {}",
                                  season, series.window),
                      "set `season`, and a `window` that is as long");
  }
  if (season > 0 && series.horizon == 0) {
    throw usage_error("`season`: expected `horizon` of at least 1, found 0",
                      "give `horizon` 1 or more, or leave `season` out");
  }
}

std::vector<std::string> RegressorOptions::shared() {
  RegressorOptions options;
  OptionTable table;
  options.series.add_to(table);
  std::vector<std::string> out = names_of(table);
  for (const char* name : {"residual-of", "output", "quantiles", "series-scale"}) out.emplace_back(name);
  return out;
}

}  // namespace longhand::tasks
