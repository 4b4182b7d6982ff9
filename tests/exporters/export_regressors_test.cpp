// Exports of regressors of several series, and of distributions, to C, ONNX and PyTorch.
#include <bit>
#include <nlohmann/json.hpp>

#include "longhand/exporters/export_torch.h"
#include "longhand/tasks/model_graph.h"
#include "tests/exporters/c_programs.h"
#include "tests/exporters/exported.h"
#include "tests/exporters/round_trip.h"
#include "tests/tasks/series_models.h"

namespace longhand::exporters {
namespace {

constexpr int64_t kWindow = 5;

ExportModel exported_series(const tasks::SeriesKind& kind, const std::string& name) {
  const TemporaryFolder folder;
  const tasks::ModelFile file =
      tasks::written(*tasks::series_model(tasks::series_options(kind)).model, folder / "model");
  return {.graph = tasks::model_graph(file), .name = name, .texts = tasks::model_texts(file)};
}

std::string shown_kind(const tasks::SeriesKind& kind) {
  std::ostringstream out;
  out << kind;
  return out.str();
}

// Fills the inputs: numbers of at least 3, scales of at least 2, integers 0 (unknown text) to 2.
void fill_window(const graph::Plan& plan, uint32_t seed) {
  for (const graph::Plan::View& view : plan.inputs()) {
    const std::vector<float> x = testing::random_vector<float>(graph::count(view.dims), 1.0, seed);
    for (int64_t i = 0; i < graph::count(view.dims); ++i) {
      if (view.type == graph::ElementType::kInt) {
        view.ints[i] = (seed + i) % 3;
      } else {
        view.floats[i] = (view.name == "series_scale" ? 2.0F : 3.0F) + std::abs(x[static_cast<size_t>(i)]);
      }
    }
  }
}

// Appends the arguments of a call.
void add_arguments(const graph::Plan& plan, std::vector<float>& to) {
  for (const graph::Plan::View& view : plan.inputs()) {
    for (int64_t i = 0; i < graph::count(view.dims); ++i) {
      to.push_back(view.type == graph::ElementType::kInt ? std::bit_cast<float>(static_cast<int32_t>(view.ints[i]))
                                                         : view.floats[i]);
    }
  }
}

TEST(ExportRegressors, InC) {
  const std::vector<tasks::SeriesKind> kinds = tasks::series_kinds();
  CPrograms programs;
  std::vector<ExportModel> models;
  std::vector<bool> has_length;
  for (size_t i = 0; i < kinds.size(); ++i) {
    models.push_back(exported_series(kinds[i], fmt::format("series_{}", i)));
    programs.add(models[i].name, models[i], {.steps = kWindow});
    const std::string header = export_c(models[i], {.steps = kWindow}).files[0].second;
    has_length.push_back(header.find("int length,") != std::string::npos);
  }
  ASSERT_TRUE(programs.compile(std::string(LONGHAND_C_COMPILER) + " " + kStrictC + " -O1"));
  for (size_t i = 0; i < kinds.size(); ++i) {
    const std::string what = shown_kind(kinds[i]);
    graph::Plan plan(network_of(models[i].graph), {.steps = kWindow});
    std::vector<float> given, expected;
    for (uint32_t window = 0; window < 3; ++window) {
      fill_window(plan, window);
      if (has_length[i]) given.push_back(std::bit_cast<float>(static_cast<int32_t>(kWindow)));
      add_arguments(plan, given);
      ASSERT_TRUE(plan.run()) << what;
      for (const graph::Plan::View& view : plan.outputs()) {
        const std::vector<float> y = values(view);
        expected.insert(expected.end(), y.begin(), y.end());
      }
    }
    const std::vector<float> found = programs.run(models[i].name, given);
    ASSERT_EQ(found.size(), expected.size()) << what;
    for (size_t k = 0; k < found.size(); ++k) {
      EXPECT_NEAR(found[k], expected[k], 1e-5F * std::max(1.0F, std::abs(expected[k]))) << what << ", number " << k;
    }
  }
}

TEST(ExportRegressors, TheHeaderSaysWhatItsNumbersAre) {
  const ExportModel model = exported_series({.output = "quantiles", .known = "price", .quantiles = "0.1,0.5"}, "shop");
  const std::string text = export_c(model, {.steps = kWindow}).files[0].second;
  for (const char* part :
       {"'known_ahead' [1, 3, 1]", "columns known ahead, in the steps to forecast: price",
        "static column: the index of its text in `values`, 0 for another text: kind (values: <unk>, even, odd)",
        "from 6 on: 'quantiles' [1, 6, 2]", "  \"z+3 at 0.1\",\n  \"z+3 at 0.5\",\n", "shop_labels[18]",
        "shop_series[2] = {\n  \"a\",\n  \"b\",\n}", "static const float shop_series_means[2][2]",
        "static const float shop_series_scales[2][2]"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text.substr(0, 5000);
  }
}

// The step to forecast is part of the sequence, so a call reads a whole window.
TEST(ExportRegressors, ColumnsKnownAheadNeedWholeWindowsInC) {
  const ExportModel model = exported_series({.known = "price"}, "shop");
  try {
    export_c(model, {});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("step by step"), std::string::npos) << e.what();
    EXPECT_NE(e.advice().find("--steps"), std::string::npos) << e.advice();
  }
  EXPECT_NO_THROW(export_c(exported_series({.output = "gaussian", .statics = "size"}, "shop"), {}));
}

TEST(ExportRegressors, ComeBackFromOnnx) {
  for (const tasks::SeriesKind& kind : tasks::series_kinds()) {
    const ExportModel model = exported_series(kind, "series");
    expect_round_trip(shown_kind(kind), model.graph, 1e-5, {{1, kWindow}, {3, 9}}, model.texts);
  }
}

TEST(ExportRegressors, ComeBackFromPyTorch) {
  for (const tasks::SeriesKind& kind : tasks::series_kinds()) {
    const ExportModel model = exported_series(kind, "series");
    const Exported out = export_torch(model, {});
    const std::string& text = file_of(out, ".py");
    for (const graph::Port& port : model.graph.inputs) {
      EXPECT_NE(text.find(fmt::format("{}: Tensor", port.name)), std::string::npos) << shown_kind(kind);
    }
    EXPECT_NE(text.find("rows of the window, the latest row last: "), std::string::npos);
    const std::vector<float> expected = answers(model.graph);
    const std::vector<float> found = answers(imported_from(file_of(out, ".safetensors"), "m.safetensors").graph);
    ASSERT_EQ(found.size(), expected.size());
    EXPECT_EQ(std::memcmp(found.data(), expected.data(), 4 * found.size()), 0) << shown_kind(kind);  // NaN, too
  }
}

}  // namespace
}  // namespace longhand::exporters
