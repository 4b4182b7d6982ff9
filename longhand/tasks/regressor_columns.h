// The columns that a regressor reads and predicts: their names and scales, those of the series that it was trained on,
// and how the series of a table look to it.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "longhand/data/series.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// A column that does not change within a series: a number, or a text as one of the training data's.
struct StaticInput {
  std::string name;
  bool is_text = false;
  data::Scale scale;                ///< of numbers
  std::vector<std::string> values;  ///< of texts, sorted; each is an input that is 1 for its own series

  int64_t width() const { return is_text ? static_cast<int64_t>(values.size()) : 1; }
};

/// Names and scales of a model's columns.
struct Columns {
  std::vector<std::string> inputs, targets;
  std::vector<data::Scale> input_scales, target_scales;
  std::vector<std::string> known{};  ///< known ahead
  std::vector<data::Scale> known_scales{};
  std::vector<StaticInput> statics{};
  /// How the targets of a series are scaled: empty, all series together by `target_scales`; or "standard" or
  /// "mean-absolute", each by its own.
  std::string series_scale{};
  std::vector<std::string> series{};                      ///< [S] of the training data, where they have own scales
  std::vector<std::vector<data::Scale>> series_scales{};  ///< [S][O]

  int64_t static_width() const;
  /// Inputs of the network at a step: the inputs, the known columns and a mark of the steps ahead, the static ones.
  int64_t network_inputs() const;
  bool has_series_scales() const { return !series_scale.empty(); }
  /// Scales [O] of the targets in a window of a table; one of several series is prepared.
  const data::Scale* scales_of(const data::Table& table, const data::Window& window) const;
};

/// Rows begin .. end - 1.
using RowRange = std::pair<int64_t, int64_t>;

/// The columns of a table, with the scales of its training rows. `series_scale`: "standard", "mean-absolute" or "none".
/// `counts`: the targets are counts, which are scaled without centring.
Columns columns_of(const data::Table& table, std::span<const RowRange> training_rows, const std::string& series_scale,
                   bool counts);

/// Fills in what the columns make of the table's series. Throws an input error for a series of unknown scale whose past
/// is not read (`horizon` 0), and for a static column of texts where the model wants numbers.
void prepare(const Columns& columns, const data::SeriesOptions& options, data::Table& table,
             const std::string& source = "the table");

/// Throws an input error unless all targets are counts: whole numbers from 0 on.
void expect_counts(const data::Table& table, const std::string& source);

/// The scale of these values: of "mean-absolute", without centring.
data::Scale scale_of_targets(const std::vector<double>& values, bool mean_absolute);

/// What a model's file says of its columns, beside their names.
void add_to(nlohmann::json& vocabulary, const Columns& columns);
/// Throws an input error for what is damaged.
Columns read_columns(const ModelFile& file);

}  // namespace longhand::tasks
