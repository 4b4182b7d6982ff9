#include "longhand/graph/moves.h"

#include <algorithm>

namespace longhand::graph {
namespace {

struct Run {
  int64_t from;  // -1: the fill
  int64_t n;
};

template <class T>
void copy_runs(const std::vector<Run>& runs, const T* x, T fill, T* y) {
  for (const Run& run : runs) {
    if (run.from < 0) {
      std::fill_n(y, run.n, fill);
    } else if (run.n == 1) {  // where axes change places, nearly all are
      *y = x[run.from];
    } else {
      std::copy_n(x + run.from, run.n, y);
    }
    y += run.n;
  }
}

}  // namespace

int64_t offset_of(const Dims& dims, const Dims& at) {
  int64_t out = 0;
  for (size_t axis = 0; axis < dims.size(); ++axis) out = out * dims[axis] + at[axis];
  return out;
}

Value& move_elements(NodeBuild& node, size_t output, const Value& x, const Dims& dims,
                     const std::function<int64_t(const Dims& at)>& source, double fill) {
  Value& y = node.out(output, x.type, dims);
  std::vector<Run>& runs = node.make<std::vector<Run>>();
  Dims at(dims.size(), 0);
  for (int64_t i = 0; i < y.size; ++i) {
    const int64_t from = source(at);
    LONGHAND_CHECK(from >= -1 && from < x.size);
    const bool goes_on =
        !runs.empty() &&
        (from < 0 ? runs.back().from < 0 : runs.back().from >= 0 && from == runs.back().from + runs.back().n);
    if (goes_on) {
      ++runs.back().n;
    } else {
      runs.push_back({from, 1});
    }
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++at[axis] < dims[axis]) break;
      at[axis] = 0;
    }
  }
  runs.shrink_to_fit();
  node.step([&runs, &x, &y, fill] {
    if (x.type == ElementType::kFloat) {
      copy_runs(runs, x.floats, static_cast<float>(fill), y.floats);
    } else {
      copy_runs(runs, x.ints, static_cast<int64_t>(fill), y.ints);
    }
  });
  return y;
}

}  // namespace longhand::graph
