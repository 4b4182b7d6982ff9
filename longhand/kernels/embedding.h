// Rows of a table by index, and the gradient back into the table.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

template <class T>
struct EmbeddingGather {
  int64_t n = 0;
  int64_t width = 0;                 ///< E
  const T* table = nullptr;          ///< [V, E] read
  const int32_t* symbols = nullptr;  ///< [n] each 0 .. V-1
  T* y = nullptr;                    ///< [n, E] written
  int64_t y_stride = 0;
};

template <class T>
struct EmbeddingScatter {
  int64_t n = 0;
  int64_t width = 0;
  const int32_t* symbols = nullptr;  ///< [n]
  const T* dy = nullptr;             ///< [n, E] read
  int64_t dy_stride = 0;
  T* dtable = nullptr;  ///< [V, E] added to, in the order of n
};

void embedding_gather(const EmbeddingGather<float>& args, Context& context);
void embedding_scatter(const EmbeddingScatter<float>& args, Context& context);

}  // namespace longhand::kernels
