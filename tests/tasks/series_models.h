// Regressors of several series with all kinds of columns and forecasts, random parameters and widening factors.
#pragma once

#include <cmath>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "longhand/tasks/regressor_baselines.h"
#include "tests/tasks/model_graph_models.h"

namespace longhand::tasks {

/// Options that differ between models; `series_options` sets the others.
struct SeriesKind {
  const char* output = "point";
  const char* residual_of = "none";
  const char* normalise = "training";
  const char* known = "";
  const char* statics = "size,kind,level";
  const char* scale = "auto";
  const char* inputs = "a,y";
  bool bidirectional = false;
  const char* quantiles = "0.05,0.2,0.45,0.7,0.8,0.95";
};
inline std::ostream& operator<<(std::ostream& out, const SeriesKind& k) {
  for (const char* each : {k.output, k.residual_of, k.normalise, k.known, k.statics, k.scale, k.inputs}) {
    out << each << "; ";
  }
  return out << (k.bidirectional ? "both directions" : "");
}

/// Kinds that together use every part of the graph, in many combinations.
inline std::vector<SeriesKind> series_kinds() {
  return {{},
          {.known = "price,day"},
          {.residual_of = "linear", .known = "price", .inputs = "a,y,z"},
          {.residual_of = "naive", .statics = "kind", .inputs = "a"},
          {.output = "gaussian", .scale = "mean-absolute"},
          {.output = "gaussian", .residual_of = "linear", .normalise = "window", .known = "price"},
          {.output = "gaussian", .residual_of = "naive", .normalise = "window", .statics = ""},
          {.output = "gaussian", .statics = "size", .scale = "none", .inputs = "y,z", .bidirectional = true},
          {.output = "quantiles", .residual_of = "seasonal", .inputs = "y,z"},
          {.output = "quantiles", .known = "price,day", .bidirectional = true, .quantiles = "0.3"},
          {.output = "quantiles", .residual_of = "linear", .scale = "mean-absolute", .inputs = "a"},
          {.output = "quantiles", .normalise = "window", .inputs = "z", .quantiles = "0.6,0.7,0.8,0.9"},
          {.output = "negative-binomial", .known = "price"},
          {.output = "negative-binomial", .statics = "", .scale = "none", .inputs = "y"}};
}

inline RegressorOptions series_options(const SeriesKind& kind) {
  RegressorOptions options;
  options.series = {.inputs = kind.inputs,
                    .target = "y,z",
                    .window = 5,
                    .horizon = 3,
                    .series_column = "id",
                    .statics = kind.statics,
                    .known = kind.known};
  options.output = kind.output;
  options.quantiles = kind.quantiles;
  options.residual_of = kind.residual_of;
  options.normalise = kind.normalise;
  options.series_scale = kind.scale;
  options.season = 4;
  options.lstm.hidden = 7;
  options.lstm.bidirectional = kind.bidirectional;
  return options;
}

/// Three series of different scales, with interleaved rows. The third series has a `kind` of its own.
inline std::string series_text(int64_t rows, const std::string& ids = "abc") {
  const CounterRng rng(9, 0, RngPlace::kSample);
  std::ostringstream text;
  text << "id,size,kind,level,price,day,a,y,z\n";
  for (int64_t i = 0; i < rows; ++i) {
    for (size_t s = 0; s < ids.size(); ++s) {
      const auto at = static_cast<uint64_t>(3 * (static_cast<size_t>(i) * 8 + s));
      const double price = 1.0 + std::sin(0.7 * static_cast<double>(i + static_cast<int64_t>(s)));
      const double level = std::pow(10.0, static_cast<double>(s));
      const char* kinds[] = {"even", "odd", "other"};
      text << ids[s] << ',' << 1.5 * static_cast<double>(s) << ',' << kinds[s % 3] << ',' << level << ',' << price
           << ',' << i % 7 << ',' << rng.normal(at) << ','
           << std::round(level * (5.0 + price + std::abs(rng.normal(at + 1)))) << ','
           << std::round(level * (1.0 + std::abs(rng.normal(at + 2)))) << '\n';
    }
  }
  return text.str();
}

struct SeriesModel {
  data::Table table;
  std::unique_ptr<Regressor> model;
  std::vector<data::Window> windows;
};

/// A model of the first two series. The last one is new to the model.
inline SeriesModel series_model(const RegressorOptions& options, uint64_t seed = 5) {
  data::Table known = data::read_table(series_text(30, "ab"), options.series, "t.csv");
  std::vector<RowRange> rows;
  for (int64_t s = 0; s < known.sequences(); ++s) {
    rows.emplace_back(known.starts[static_cast<size_t>(s)], data::row_at(known, s, 0.8));
  }
  const Columns columns = columns_of(known, rows, options.used_series_scale(), options.distribution().is_counts());
  prepare(columns, options.series, known);
  SeriesModel out;
  out.model = std::make_unique<Regressor>(options, columns);
  out.model->initialise(seed);
  perturb(*out.model, seed);
  const std::vector<data::Window> all = data::windows(known, options.series, 0, known.rows);
  fit_residual(*out.model, {out.model->columns(), options.series, known, all, known, {}});
  if (out.model->has_gain()) out.model->set_gain(0.75F);
  if (out.model->has_widening()) {  // these factors would make some quantiles cross
    std::span<float> widening = out.model->widening();
    for (size_t i = 0; i < widening.size(); ++i) widening[i] = 0.6F + 0.5F * static_cast<float>((7 * i + seed) % 4);
  }
  out.table = data::read_table(series_text(12), options.series, "t.csv");
  prepare(columns, options.series, out.table);
  out.windows = data::windows(out.table, options.series, 0, out.table.rows);
  return out;
}

}  // namespace longhand::tasks
