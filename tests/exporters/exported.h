// Networks to export, and exported files to import again, for the tests of exporters.
#pragma once

#include <string>

#include "longhand/base/error.h"
#include "longhand/convert/import_file.h"
#include "longhand/exporters/exported.h"
#include "longhand/graph/description.h"
#include "tests/convert/imported.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back

/// A network with random weights from the text of a description.
inline graph::Graph drawn(const std::string& toml, uint64_t seed = 1) {
  return graph::with_drawn_weights(graph::read_description(toml, "net.toml"), seed, "net.toml");
}

/// The contents of the file whose name ends so.
inline const std::string& file_of(const Exported& exported, const std::string& ending) {
  for (const auto& [name, contents] : exported.files) {
    if (name == ending) return contents;
  }
  ADD_FAILURE() << "no file " << ending;
  return exported.files.front().second;
}

/// What a file with these contents is imported as.
inline Imported imported_from(const std::string& contents, const std::string& name, const ImportOptions& options = {}) {
  const testing::TemporaryFolder folder;
  io::write_file(folder / name, contents);
  return import_file(folder / name, options);
}

/// A network's outputs of 2 sequences of 12 steps, all outputs one after the other; inputs of numbers and symbols.
inline std::vector<float> answers(const graph::Graph& graph, int64_t batch = 2, int64_t steps = 12) {
  graph::Plan plan(std::make_shared<const graph::Network>(graph, "test"), {.batch = batch, .steps = steps});
  for (const graph::Plan::View& view : plan.inputs()) {
    std::vector<float> x;
    for (int64_t i = 0; i < graph::count(view.dims); ++i) {
      const double wave = std::sin(0.7 * static_cast<double>(i) + 0.3);
      x.push_back(view.type == graph::ElementType::kFloat ? static_cast<float>(wave)
                                                          : std::floor(static_cast<float>(1.0 + 0.9 * wave) * 1.5F));
    }
    fill(view, x.data());
  }
  EXPECT_TRUE(plan.run()) << plan.fault();
  std::vector<float> out;
  for (const graph::Plan::View& view : plan.outputs()) {
    const std::vector<float> y = values(view);
    out.insert(out.end(), y.begin(), y.end());
  }
  return out;
}

template <class Export>
void expect_export_refused(const Export& write, const graph::Graph& graph, const std::string& what) {
  try {
    write({.graph = graph}, {});
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    EXPECT_FALSE(e.advice().empty());
  }
}

}  // namespace longhand::exporters
