// What the tests of batches share.
#pragma once

#include <cstdint>
#include <vector>

#include "longhand/data/batches.h"

namespace longhand::data {

/// The symbols 0 to n - 1 as one stream.
inline Corpus stream(int64_t n) {
  Corpus c;
  for (int64_t i = 0; i < n; ++i) c.symbols.push_back(static_cast<int32_t>(i));
  c.starts = {0, n};
  return c;
}

/// What row b of a batch reads and predicts.
inline std::vector<int32_t> row_of(const Batch& batch, int64_t b) {
  std::vector<int32_t> out;
  for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(b)]; ++t) {
    const auto at = static_cast<size_t>(t * batch.rows + b);
    out.push_back(batch.inputs[at]);
    out.push_back(batch.targets[at]);
  }
  return out;
}

}  // namespace longhand::data
