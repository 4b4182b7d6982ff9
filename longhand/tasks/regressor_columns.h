// The columns that a regressor reads and predicts: names, scales, and scales of each training series. Also prepares the
// series of a table for a model.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "longhand/data/series.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// A static column: a number, or a text that is encoded as one-hot over the texts of the training data.
struct StaticInput {
  std::string name;
  bool is_text = false;
  data::Scale scale;                ///< of numbers
  std::vector<std::string> values;  ///< of texts, sorted; one input each

  int64_t width() const { return is_text ? static_cast<int64_t>(values.size()) : 1; }
};

/// Names and scales of a model's columns.
struct Columns {
  std::vector<std::string> inputs, targets;
  std::vector<data::Scale> input_scales, target_scales;
  std::vector<std::string> known{};  ///< known ahead
  std::vector<data::Scale> known_scales{};
  std::vector<StaticInput> statics{};
  /// Scaling of the targets: "standard" or "mean-absolute" for each series on its own; empty: `target_scales` for all.
  std::string series_scale{};
  std::vector<std::string> series{};                      ///< [S] names in the training data, if each has scales
  std::vector<std::vector<data::Scale>> series_scales{};  ///< [S][O]

  int64_t static_width() const;
  /// Network inputs at a step: input columns, known columns and the indicator of steps ahead, static inputs.
  int64_t network_inputs() const;
  bool has_series_scales() const { return !series_scale.empty(); }
  /// Target scales [O] for a window of a table. `prepare` must have been called for a table of several series.
  const data::Scale* scales_of(const data::Table& table, const data::Window& window) const;
};

/// The rows [first, second).
using RowRange = std::pair<int64_t, int64_t>;

/// The columns of a table, with the scales of its training rows. `series_scale`: "standard", "mean-absolute" or "none".
/// `counts`: the targets are counts, which are divided by their scale and not centred. A series with fewer than
/// `min_rows` training rows gets no scale: it is new to the model, and is scaled by its rows up to the end of each
/// window. target_scales.h defines the scale of a constant target.
Columns columns_of(const data::Table& table, std::span<const RowRange> training_rows, const std::string& series_scale,
                   bool counts, int64_t min_rows = 0);

/// Fills in `table.prepared`: scales and encoded static columns of each series. Throws an input error for a series new
/// to the model if `horizon` is 0 (its past targets are not read), and for a static text where the model expects a
/// number.
void prepare(const Columns& columns, const data::SeriesOptions& options, data::Table& table,
             const std::string& source = "the table");

/// Throws an input error unless all targets are counts: integers of at least 0.
void expect_counts(const data::Table& table, const std::string& source);

/// Writes scales, known, static and series columns to a model file's vocabulary.
void add_to(nlohmann::json& vocabulary, const Columns& columns);
/// Reads the columns of a model file. Throws an input error if they are damaged.
Columns read_columns(const ModelFile& file);

}  // namespace longhand::tasks
