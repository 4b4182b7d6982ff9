#include "longhand/graph/rows_trial.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"

namespace longhand::graph {
namespace {

std::optional<Plan> planned(const std::shared_ptr<const Network>& network, RowsOf of, int64_t rows) {
  PlanOptions options;
  (of == RowsOf::kTime ? options.steps : options.batch) = rows;
  options.most_elements = int64_t{1} << 27;
  try {
    return Plan(network, options);
  } catch (const Error&) {  // of shapes that do not fit
    return std::nullopt;
  }
}

void draw(const Plan::View& input, float scale, uint32_t number) {
  const CounterRng rng(1, 0, RngPlace::kSample, number);
  for (int64_t i = 0; i < count(input.dims); ++i) {
    const float u = 2.0F * rng.uniform(static_cast<uint64_t>(i));
    if (input.type == ElementType::kFloat) {
      input.floats[i] = scale * (u - 1.0F);
    } else {
      input.ints[i] = static_cast<int64_t>(u);
    }
  }
}

// One row of `from` as the only one of `to`.
void copy_row(const Plan::View& from, const Plan::View& to, int64_t row) {
  const AxisParts at = parts_of(from.dims, changed_axis(to.dims, from.dims));
  for (int64_t o = 0; o < at.outer; ++o) {
    const int64_t begin = (o * at.extent + row) * at.inner;
    if (from.type == ElementType::kFloat) {
      std::copy_n(from.floats + begin, at.inner, to.floats + o * at.inner);
    } else {
      std::copy_n(from.ints + begin, at.inner, to.ints + o * at.inner);
    }
  }
}

// By how much the numbers of an output differ among themselves; infinite: it has none, or integers.
float spread_of(const Plan::View& view) {
  float least = INFINITY, most = -INFINITY;
  for (int64_t i = 0; view.type == ElementType::kFloat && i < count(view.dims); ++i) {
    least = std::min(least, view.floats[i]);
    most = std::max(most, view.floats[i]);
  }
  return least > most ? INFINITY : most - least;
}

// The kernels give the same bits whatever the number of rows, so that even what hardly shows is noticed.
bool is_same_row(const Plan::View& whole, int axis, const Plan::View& one, int64_t row, float spread) {
  const AxisParts at = parts_of(whole.dims, axis);
  for (int64_t o = 0; o < at.outer; ++o) {
    for (int64_t k = 0; k < at.inner; ++k) {
      const int64_t place = (o * at.extent + (axis < 0 ? 0 : row)) * at.inner + k, own = o * at.inner + k;
      if (whole.type != ElementType::kFloat) {
        if (whole.ints[place] != one.ints[own]) return false;
        continue;
      }
      const float a = whole.floats[place], b = one.floats[own];
      if (std::isfinite(a) && !(std::abs(a - b) <= 1e-5F * spread + 1e-7F * std::abs(a))) return false;
    }
  }
  return true;
}

class Trial {
 public:
  Trial(Plan& whole, Plan& single, RowsOf of, int64_t rows) : whole_(whole), single_(single), of_(of), rows_(rows) {}

  RowsTrial run() {
    for (size_t i = 0; i < whole_.inputs().size(); ++i) {
      if (!has_rows(single_.inputs()[i].dims, whole_.inputs()[i].dims)) return {};
    }
    for (size_t i = 0; i < whole_.outputs().size(); ++i) {
      const Plan::View &one = single_.outputs()[i], &all = whole_.outputs()[i];
      if (one.dims != all.dims && !has_rows(one.dims, all.dims)) {
        return {.ran = true, .different = all.name, .other_rows = true};
      }
      found_.axes.push_back(changed_axis(one.dims, all.dims));
    }
    for (const float scale : {1.0F, 1000.0F}) {  // networks may be made for numbers of any size
      if (!run_at(scale)) return {};
      if (!found_.different.empty()) break;
    }
    found_.ran = true;
    return found_;
  }

 private:
  bool has_rows(const Dims& one, const Dims& all) const {
    const int axis = changed_axis(one, all);
    return axis >= 0 && one[static_cast<size_t>(axis)] == 1 && all[static_cast<size_t>(axis)] == rows_;
  }

  bool run_at(float scale) {
    whole_.reset();
    single_.reset();
    for (size_t i = 0; i < whole_.inputs().size(); ++i) draw(whole_.inputs()[i], scale, static_cast<uint32_t>(i));
    if (!whole_.run()) return false;
    std::vector<float> spreads;
    for (const Plan::View& output : whole_.outputs()) {
      spreads.push_back(spread_of(output));
      found_.shows = found_.shows || spreads.back() != 0.0F;
    }
    for (int64_t row = 0; row < rows_ && found_.different.empty(); ++row) {
      if (of_ == RowsOf::kBatch) single_.reset();
      for (size_t i = 0; i < whole_.inputs().size(); ++i) copy_row(whole_.inputs()[i], single_.inputs()[i], row);
      if (!single_.run()) return false;
      for (size_t i = 0; i < whole_.outputs().size() && found_.different.empty(); ++i) {
        const Plan::View& all = whole_.outputs()[i];
        const bool to_compare = found_.axes[i] >= 0 || row + 1 == rows_;
        if (to_compare && !is_same_row(all, found_.axes[i], single_.outputs()[i], row, spreads[i])) {
          found_.different = all.name;
        }
      }
    }
    return true;
  }

  Plan& whole_;
  Plan& single_;
  RowsOf of_;
  int64_t rows_;
  RowsTrial found_;
};

}  // namespace

RowsTrial try_rows(const std::shared_ptr<const Network>& network, RowsOf of, int64_t rows) {
  std::optional<Plan> whole = planned(network, of, rows), single = planned(network, of, 1);
  if (!whole || !single) return {};
  return Trial(*whole, *single, of, rows).run();
}

}  // namespace longhand::graph
