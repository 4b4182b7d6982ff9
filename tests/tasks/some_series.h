// What the tests of regressors share.
#pragma once

#include <cstdint>
#include <string>

#include "longhand/base/rng.h"
#include "longhand/data/series.h"

namespace longhand::tasks {

/// A table with the columns a, b and c: c follows from the last three rows of a and b, and noise.
inline data::Table table(const data::SeriesOptions& series, int64_t rows) {
  const CounterRng rng(9, 0, RngPlace::kSample);
  std::string text = "a,b,c\n";
  double a = 0.0, b = 10.0, past = 0.0;
  for (int64_t i = 0; i < rows; ++i) {
    const double c = 3.0 * past - b;
    past = a;
    a = 0.5 * a + rng.normal(static_cast<uint64_t>(2 * i));
    b = 10.0 + 0.8 * (b - 10.0) + 0.1 * rng.normal(static_cast<uint64_t>(2 * i + 1));
    text += std::to_string(a) + "," + std::to_string(b) + "," + std::to_string(c) + "\n";
  }
  return data::read_table(text, series, "t.csv");
}

}  // namespace longhand::tasks
