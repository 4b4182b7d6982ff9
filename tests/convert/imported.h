// Running what was imported, and the trained models that others made, for the tests of importers.
#pragma once

#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "longhand/convert/imported.h"
#include "longhand/graph/plan.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "tests/testing.h"

namespace longhand::convert {

inline const std::string kModels = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/models/";

// Says so where a folder of ../shared is not on this machine.
inline bool is_here(const std::string& folder) {
  if (io::exists(folder)) return true;
  std::cout << "the files of other programs are not on this machine: " << folder << "\n";
  return false;
}

inline graph::Plan plan_of(const Imported& imported, const graph::PlanOptions& options = {}) {
  return graph::Plan(std::make_shared<const graph::Network>(imported.graph, "test"), options);
}

inline void fill(const graph::Plan::View& view, const float* from) {
  const int64_t n = graph::count(view.dims);
  for (int64_t i = 0; i < n; ++i) {
    if (view.type == graph::ElementType::kFloat) {
      view.floats[i] = from[i];
    } else {
      view.ints[i] = static_cast<int64_t>(from[i]);
    }
  }
}

inline std::vector<float> values(const graph::Plan::View& view) {
  return {view.floats, view.floats + graph::count(view.dims)};
}

// One sequence as a whole.
inline std::vector<float> run_whole(const Imported& imported, const std::vector<float>& x, int64_t steps) {
  graph::Plan plan = plan_of(imported, {.steps = steps});
  fill(plan.inputs().at(0), x.data());
  EXPECT_TRUE(plan.run()) << plan.fault();
  return values(plan.outputs().at(0));
}

// The same in blocks of steps.
inline std::vector<float> run_blocks(const Imported& imported, const std::vector<float>& x, int64_t steps,
                                     int64_t block) {
  graph::Plan plan = plan_of(imported, {.steps = block});
  const size_t each = x.size() / static_cast<size_t>(steps);
  std::vector<float> out;
  EXPECT_EQ(steps % block, 0);
  for (int64_t t = 0; t < steps; t += block) {
    fill(plan.inputs().at(0), x.data() + static_cast<size_t>(t) * each);
    EXPECT_TRUE(plan.run()) << plan.fault();
    const std::vector<float> y = values(plan.outputs().at(0));
    out.insert(out.end(), y.begin(), y.end());
  }
  return out;
}

inline double largest_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double out = 0.0;
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    const double d = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    out = d > out || std::isnan(d) ? d : out;
  }
  return out;
}

inline void expect_close(const char* what, const std::vector<float>& found, const std::vector<float>& expected,
                         double bound) {
  const double difference = largest_difference(found, expected);
  std::cout << what << ": largest difference " << difference << ", at most " << bound << "\n";
  EXPECT_LE(difference, bound) << what;
}

inline std::vector<float> npy(const std::string& path) { return io::floats(io::read_npy(path), path); }

inline bool notes_have(const Imported& imported, const std::string& text) {
  for (const std::string& note : imported.notes) {
    if (note.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace longhand::convert
