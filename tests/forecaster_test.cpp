// Forecasts of many series through the public interface: what the model gives when it reads the same from a table.
#include <cmath>

#include "longhand/predict.h"
#include "longhand/tasks/regressor.h"
#include "tests/testing.h"

namespace longhand {
namespace {

using testing::error_of;

constexpr const char* kTable =
    "id,size,kind,price,y\n"
    "a,1.5,shop,1,10\na,1.5,shop,2,12\na,1.5,shop,3,11\na,1.5,shop,2,14\na,1.5,shop,1,13\na,1.5,shop,4,\n"
    "b,2,mall,1,110\nb,2,mall,2,100\nb,2,mall,3,120\nb,2,mall,2,130\nb,2,mall,1,100\nb,2,mall,4,\n";

TEST(Forecaster, ReadsAllThatAModelOfManySeriesReads) {
  for (const std::string output : {"point", "gaussian", "quantiles", "negative-binomial"}) {
    tasks::RegressorOptions options;
    options.series = {
        .target = "y", .window = 4, .horizon = 1, .series_column = "id", .statics = "size,kind", .known = "price"};
    options.output = output;
    options.lstm.hidden = 5;
    data::Table table = data::read_table(kTable, options.series, "t");
    const std::vector<tasks::RowRange> rows = {{0, 5}, {6, 11}};
    tasks::Regressor model(
        options, tasks::columns_of(table, rows, options.used_series_scale(), options.distribution().is_counts()));
    model.initialise(3);
    tasks::prepare(model.columns(), options.series, table);
    const std::vector<data::Window> windows = {{1, 4, 5}, {7, 4, 11}};
    tasks::SeriesBatch batch;
    model.get(table, windows, false, batch);
    kernels::Context context(1);
    tasks::Regressor::Workspace workspace(model, nn::Engine::kFused, context);
    const std::span<const float> expected = model.read(batch, workspace);

    const testing::TemporaryFolder folder;
    model.save(folder / "m.safetensors", model.parameters().values());
    const Forecaster forecaster(Model::load(folder / "m.safetensors", Task::kRegressor));
    EXPECT_EQ(forecaster.known_names(), std::vector<std::string>{"price"});
    EXPECT_EQ(forecaster.static_names(), (std::vector<std::string>{"size", "kind"}));
    EXPECT_EQ(forecaster.has_quantiles(), output != "point");
    const std::vector<ForecastInput> inputs = {
        {.rows = {12, 11, 14, 13}, .known = {2, 3, 2, 1, 4}, .series = "a", .statics = {"1.5", "shop"}},
        {.rows = {100, 120, 130, 100}, .known = {2, 3, 2, 1, 4}, .series = "b", .statics = {"2", "mall"}}};
    const std::vector<double> levels = output == "point" ? std::vector<double>() : std::vector<double>{0.1, 0.5, 0.9};
    const std::vector<Forecast> found = forecaster.predict(inputs, levels);
    const auto P = static_cast<size_t>(model.distribution().size());
    for (size_t i = 0; i < 2; ++i) {
      const data::Scale& scale = *model.scales_of(table, windows[i]);
      const float* p = expected.data() + i * P;
      EXPECT_EQ(found[i].values.at(0), scale.undo(model.distribution().centre(p))) << output;
      ASSERT_EQ(found[i].quantiles.size(), levels.size());
      for (size_t k = 0; k < levels.size(); ++k) {
        EXPECT_EQ(found[i].quantiles[k].at(0),
                  scale.undo(model.distribution().quantile(p, levels[k], scale.deviation)));
      }
    }
    // A series that the model does not know has the scale of its rows; a text that it does not know is none.
    ForecastInput unknown = inputs[0];
    unknown.series = "c";
    unknown.statics[1] = "kiosk";
    EXPECT_TRUE(std::isfinite(forecaster.predict({&unknown, 1}).at(0).values.at(0)));

    const auto refused = [&](const std::function<void(ForecastInput&)>& change) {
      ForecastInput input = inputs[0];
      change(input);
      return error_of([&] { forecaster.predict({&input, 1}); });
    };
    EXPECT_NE(refused([](ForecastInput& i) { i.rows.clear(); }), "");
    EXPECT_NE(refused([](ForecastInput& i) { i.rows[0] = std::nan(""); }), "");
    EXPECT_NE(refused([](ForecastInput& i) { i.known.pop_back(); }).find("known ahead"), std::string::npos);
    EXPECT_NE(refused([](ForecastInput& i) { i.statics.pop_back(); }).find("static"), std::string::npos);
    EXPECT_NE(refused([](ForecastInput& i) { i.statics[0] = "large"; }).find("'size': expected a number"),
              std::string::npos);
    EXPECT_NE(error_of([&] {
                forecaster.forecast(std::vector<double>{1, 2, 3, 4});
              }).find("columns known ahead"),
              std::string::npos);
    const std::vector<double> wrong = {output == "quantiles" ? 0.01 : 1.5};
    EXPECT_NE(error_of([&] { forecaster.predict(inputs, wrong); }), "");
    EXPECT_NE(forecaster.predict(inputs)[0].values, forecaster.predict({&unknown, 1})[0].values);
  }
}

}  // namespace
}  // namespace longhand
