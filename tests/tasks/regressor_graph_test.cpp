// Graphs of regressors of several series, and of distributions: the outputs equal the model's forecasts in data units,
// and the metadata describe the inputs.
#include <cmath>

#include "longhand/tasks/model_graph.h"
#include "tests/graph/graphs.h"
#include "tests/tasks/series_models.h"

namespace longhand::tasks {
namespace {

using testing::TemporaryFolder;

// Writes the inputs of a plan from windows of a table. Uses only the names of ports and columns in the metadata.
class PortWriter {
 public:
  PortWriter(const std::string& ports, const Regressor& model, const data::Table& table,
             const std::vector<data::Window>& windows)
      : model_(model), table_(table), windows_(windows) {
    for (const nlohmann::json& port : nlohmann::json::parse(ports)) ports_[port["name"]] = port;
  }

  void write(graph::Plan& plan) const {
    for (const graph::Plan::View& view : plan.inputs()) {
      ASSERT_TRUE(ports_.contains(view.name)) << view.name;
      const nlohmann::json& port = ports_.at(view.name);
      const auto C = static_cast<int64_t>(port["columns"].size());
      const int64_t rows = view.dims.size() == 3 ? view.dims[1] : 1;
      for (int64_t i = 0; i < graph::count(view.dims); ++i) {
        const std::string column = port["columns"][static_cast<size_t>(i % C)];
        const data::Window& window = windows_[static_cast<size_t>(i / C / rows)];
        const int64_t row = i / C % rows;
        if (view.type == graph::ElementType::kInt) {
          view.ints[i] = text_index(port["values"], column, window);
        } else {
          view.floats[i] = static_cast<float>(value(view.name, column, window, row));
        }
      }
    }
  }

 private:
  size_t series(const data::Window& window) const { return static_cast<size_t>(table_.sequence_of(window.begin)); }

  static const std::vector<double>& column_of(const std::vector<std::string>& names,
                                              const std::vector<std::vector<double>>& columns,
                                              const std::string& name) {
    return columns[static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin())];
  }
  const data::StaticColumn& static_column(const std::string& name) const {
    return *std::find_if(table_.statics.begin(), table_.statics.end(),
                         [&](const data::StaticColumn& each) { return each.name == name; });
  }

  int64_t text_index(const nlohmann::json& values, const std::string& column, const data::Window& window) const {
    const std::string& text = static_column(column).texts[series(window)];
    for (size_t i = 1; i < values.size(); ++i) {
      if (values[i] == text) return static_cast<int64_t>(i);
    }
    return 0;
  }

  double value(const std::string& port, const std::string& column, const data::Window& window, int64_t row) const {
    const auto at = static_cast<size_t>(window.begin + row);
    if (port == "inputs") return column_of(table_.inputs, table_.input, column)[at];
    if (port == "targets") return column_of(table_.targets, table_.target, column)[at];
    if (port == "known") return column_of(table_.known_names, table_.known, column)[at];
    if (port == "known_ahead") {
      return column_of(table_.known_names, table_.known, column)[static_cast<size_t>(window.target + row)];
    }
    if (port == "static_numbers") return static_column(column).numbers[series(window)];
    const auto o = std::find(table_.targets.begin(), table_.targets.end(), column) - table_.targets.begin();
    const data::Scale& scale = model_.scales_of(table_, window)[o];
    return port == "series_mean" ? scale.mean : scale.deviation;
  }

  const Regressor& model_;
  const data::Table& table_;
  const std::vector<data::Window>& windows_;
  std::map<std::string, nlohmann::json> ports_;
};

// Compares a file's graph with the model on all windows of three series. The last series is new to the model.
void expect_series_graph(const ModelFile& file, const SeriesModel& made, const std::string& what) {
  const std::unique_ptr<Regressor> model = Regressor::load(file);
  SeriesBatch batch;
  model->get(made.table, made.windows, false, batch);
  kernels::Context context(1);
  Regressor::Workspace workspace(*model, nn::Engine::kFused, context);
  const std::span<const float> expected = model->read(batch, workspace);
  const std::map<std::string, std::string> texts = model_texts(file);
  const auto B = static_cast<int64_t>(made.windows.size()), n = model->ahead() * model->targets();
  graph::Plan plan(std::make_shared<const graph::Network>(model_graph(file), what), {.batch = B, .steps = 5});
  PortWriter(texts.at("ports"), *model, made.table, made.windows).write(plan);
  ASSERT_TRUE(plan.run()) << what << plan.fault();

  const ForecastDistribution& of = model->distribution();
  const int64_t P = of.size();
  const bool quantiles = of.kind() == DistributionKind::kQuantiles;
  ASSERT_EQ(plan.outputs().size(), of.is_point() ? 1U : 2U) << what;
  EXPECT_EQ(plan.outputs()[0].dims, (graph::Dims{B, n})) << what;
  if (quantiles) {
    EXPECT_EQ(plan.outputs()[1].dims, (graph::Dims{B, n, P})) << what;
  }
  double largest = 0.0;
  const auto compare = [&](float found, double wanted, const data::Scale& scale) {
    const double unit = std::max(std::abs(wanted), scale.deviation);
    largest = std::max(largest, std::abs(static_cast<double>(found) - wanted) / unit);
  };
  for (int64_t k = 0; k < B * n; ++k) {
    const data::Scale& scale =
        model->scales_of(made.table, made.windows[static_cast<size_t>(k / n)])[k % n % model->targets()];
    const float* p = expected.data() + k * P;
    compare(plan.outputs()[0].floats[k], scale.undo(of.centre(p)), scale);
    if (of.kind() == DistributionKind::kGaussian) {
      compare(plan.outputs()[1].floats[k], scale.deviation * static_cast<double>(p[1]), {0.0, 1e-3 * scale.deviation});
    }
    if (of.is_counts()) compare(plan.outputs()[1].floats[k], static_cast<double>(p[1]), {0.0, 1e-3});
    for (int64_t q = 0; quantiles && q < P; ++q) {
      compare(plan.outputs()[1].floats[k * P + q], scale.undo(static_cast<double>(p[q])), scale);
    }
  }
  EXPECT_LT(largest, 1e-5) << what;
  // The metadata names each number of each output.
  const nlohmann::json ports = nlohmann::json::parse(texts.at("ports"));
  EXPECT_EQ(ports.size(), plan.inputs().size() + plan.outputs().size()) << what;
  const nlohmann::json& last = ports[ports.size() - 1];
  EXPECT_EQ(last["name"], plan.outputs().back().name);
  EXPECT_EQ(static_cast<int64_t>(last["columns"].size()), graph::count(plan.outputs().back().dims) / B) << what;
}

std::string text_of(const SeriesKind& kind) {
  std::ostringstream out;
  out << kind;
  return out.str();
}

TEST(RegressorGraphs, GiveWhatTheModelsOfManySeriesGive) {
  const TemporaryFolder folder;
  for (const SeriesKind& kind : series_kinds()) {
    const SeriesModel made = series_model(series_options(kind));
    ASSERT_EQ(made.windows.size(), 15U);
    expect_series_graph(written(*made.model, folder / "model"), made, text_of(kind));
  }
}

TEST(RegressorGraphs, EnsemblesGiveTheMeanOfEachParameter) {
  const TemporaryFolder folder;
  for (const SeriesKind& kind : {SeriesKind{.output = "quantiles", .known = "price"}, SeriesKind{.output = "gaussian"},
                                 SeriesKind{.output = "negative-binomial", .inputs = "a"}}) {
    const SeriesModel made = series_model(series_options(kind)), other = series_model(series_options(kind), 6);
    const std::vector<ModelFile> files = {written(*made.model, folder / "0"), written(*other.model, folder / "1")};
    combine<Regressor>(files, folder / "all");
    expect_series_graph(ModelFile::read(folder / "all"), made, text_of(kind));
  }
}

// One series, with no columns other than inputs and targets.
TEST(RegressorGraphs, DistributionsOfOneSeriesCarryTheirState) {
  const TemporaryFolder folder;
  for (const char* output : {"quantiles", "gaussian", "negative-binomial"}) {
    RegressorOptions options = series_options({.output = output, .statics = ""});
    options.series.series_column = "";
    options.calibrate = std::string(output) == "quantiles";
    SeriesModel made;
    made.table = data::read_table(series_text(20, "a"), options.series, "t.csv");
    const std::vector<RowRange> rows = {{0, 16}};
    made.model = std::make_unique<Regressor>(
        options, columns_of(made.table, rows, options.used_series_scale(), options.distribution().is_counts()));
    made.model->initialise(3);
    perturb(*made.model, 3);
    made.windows = data::windows(made.table, options.series, 0, made.table.rows);
    const ModelFile file = written(*made.model, folder / "model");
    expect_series_graph(file, made, output);
    graph::Plan plan(std::make_shared<const graph::Network>(model_graph(file), output), {});
    EXPECT_EQ(plan.state_size(), 14) << output;
    EXPECT_EQ(plan.why_whole(), "") << output;
  }
}

// A name collision: a text column called "numbers" beside columns of numbers.
TEST(RegressorGraphs, InputsHaveNamesOfTheirOwn) {
  const TemporaryFolder folder;
  const SeriesModel made = series_model(series_options({}));
  Columns columns = made.model->columns();
  columns.statics[1].name = "numbers";
  RegressorOptions options = made.model->options();
  options.series.statics = "size,numbers,level";
  Regressor model(options, columns);
  model.initialise(1);
  const graph::Graph graph = model_graph(written(model, folder / "model"));
  std::vector<std::string> names;
  for (const graph::Port& port : graph.inputs) names.push_back(port.name);
  EXPECT_EQ(names, (std::vector<std::string>{"inputs", "static_numbers", "static_numbers_text", "series_mean",
                                             "series_scale"}));
}

}  // namespace
}  // namespace longhand::tasks
