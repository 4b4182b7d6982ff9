#include "longhand/lab/unit_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace longhand::lab {
namespace {

// Properties may span orders of magnitude; a unit whose deviation is below this part of its size stands still.
constexpr double kStill = 1e-10;

}  // namespace

UnitLayout::UnitLayout(const nn::LstmOptions& lstm, nn::Engine engine) {
  const bool has_cell = lstm.is_lstm() && engine != nn::Engine::kAutograd;
  const auto parts = static_cast<size_t>(lstm.layers * lstm.directions());
  for (size_t part = 0; part < parts; ++part) {
    for (const char quantity : kQuantities) {
      if (quantity != 'h' && !has_cell) continue;
      const int64_t count = quantity == 'h' ? lstm.state() : lstm.hidden;
      blocks_.push_back({part, quantity, count, size_, lstm.hidden, lstm.state()});
      size_ += count;
    }
  }
  units_ = static_cast<int64_t>(parts) * (has_cell ? std::max(lstm.hidden, lstm.state()) : lstm.state());
}

const float* UnitLayout::Block::rows(const nn::StackActivations<float>& from, int64_t& stride) const {
  if (quantity == 'h') {
    stride = padded(state);
    return from.h;
  }
  if (quantity == 'c') {
    stride = padded(hidden);
    return from.c;
  }
  stride = 4 * padded(hidden);
  return from.gates + static_cast<int64_t>(std::string_view("ifgo").find(quantity)) * padded(hidden);
}

UnitValue UnitLayout::value(int64_t index) const {
  for (const Block& block : blocks_) {
    if (index < block.first + block.units) return {block.part, block.quantity, index - block.first};
  }
  return {};
}

int64_t UnitLayout::index(const UnitValue& value) const {
  for (const Block& block : blocks_) {
    if (block.part != value.part || block.quantity != value.quantity) continue;
    return value.unit < block.units ? block.first + value.unit : -1;
  }
  return -1;
}

std::string UnitLayout::quantities() const {
  std::string out;
  for (const Block& block : blocks_) {
    if (block.part == 0) out += block.quantity;
  }
  return out;
}

UnitSearch::UnitSearch(const UnitLayout& layout, const std::vector<TextProperty>& properties)
    : layout_(layout), properties_(properties) {
  const auto U = static_cast<size_t>(layout.size());
  sum_.resize(U);
  squares_.resize(U);
  low_.assign(U, std::numeric_limits<float>::max());
  high_.assign(U, std::numeric_limits<float>::lowest());
  for (const TextProperty& property : properties_) {
    cross_.emplace_back(U);
    shifted_.emplace_back(U);
    const auto n = static_cast<double>(property.values.size());
    const double mean = std::accumulate(property.values.begin(), property.values.end(), 0.0) / n;
    double squares = 0.0;
    for (const float value : property.values) {
      squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    }
    means_.push_back(mean);
    deviations_.push_back(squares);
  }
}

void UnitSearch::add(int64_t begin, int64_t end, const std::vector<nn::StackActivations<float>>& activations,
                     ThreadPool& pool) {
  pool.run([&](int part, int parts) {
    const Range mine = split(layout_.size(), parts, part, kLineFloats);
    for (const UnitLayout::Block& block : layout_.blocks()) {
      const Range units{std::max(mine.begin, block.first) - block.first,
                        std::min(mine.end, block.first + block.units) - block.first};
      if (units.size() <= 0) continue;
      int64_t stride = 0;
      const float* rows = block.rows(activations[block.part], stride);
      add_block(block, units, rows, stride, begin, end);
    }
  });
  n_ += end - begin;
}

void UnitSearch::add_block(const UnitLayout::Block& block, Range units, const float* rows, int64_t stride,
                           int64_t begin, int64_t end) {
  const auto first = static_cast<size_t>(block.first);
  for (int64_t t = begin; t < end; ++t) {
    const float* row = rows + (t - begin) * stride;
    double* sum = sum_.data() + first;
    double* squares = squares_.data() + first;
    for (int64_t u = units.begin; u < units.end; ++u) {
      const auto x = static_cast<double>(row[u]);
      sum[u] += x;
      squares[u] += x * x;
      low_[first + static_cast<size_t>(u)] = std::min(low_[first + static_cast<size_t>(u)], row[u]);
      high_[first + static_cast<size_t>(u)] = std::max(high_[first + static_cast<size_t>(u)], row[u]);
    }
    for (size_t p = 0; p < properties_.size(); ++p) {
      const std::vector<float>& values = properties_[p].values;
      const size_t N = values.size(), at = static_cast<size_t>(t);
      const auto add_product = [&](float value, double* to) {
        if (value == 0.0F) return;
        const auto v = static_cast<double>(value);
        for (int64_t u = units.begin; u < units.end; ++u) to[u] += v * static_cast<double>(row[u]);
      };
      add_product(values[at], cross_[p].data() + first);
      add_product(values[(at + N / 2) % N], shifted_[p].data() + first);
    }
  }
}

double UnitSearch::variance(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  const auto n = static_cast<double>(n_);
  return std::max(0.0, squares_[i] / n - (sum_[i] / n) * (sum_[i] / n));
}

double UnitSearch::correlation(int64_t index, size_t property, bool shifted) const {
  const auto i = static_cast<size_t>(index);
  const double spread = variance(index) * static_cast<double>(n_);
  if (spread <= kStill * squares_[i] || deviations_[property] <= 0.0) return 0.0;
  const double together = (shifted ? shifted_ : cross_)[property][i] - means_[property] * sum_[i];
  return std::clamp(together / std::sqrt(spread * deviations_[property]), -1.0, 1.0);
}

std::vector<PropertyUnits> UnitSearch::best(int64_t top) const {
  std::vector<PropertyUnits> out;
  for (size_t p = 0; p < properties_.size(); ++p) {
    PropertyUnits& found = out.emplace_back();
    found.property = properties_[p].name;
    found.n = n_;
    found.constant = deviations_[p] <= 0.0;
    if (found.constant) continue;
    std::vector<FoundUnit> all;
    for (int64_t i = 0; i < layout_.size(); ++i) {
      all.push_back({layout_.value(i), correlation(i, p, false)});
      found.chance = std::max(found.chance, std::abs(correlation(i, p, true)));
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const FoundUnit& a, const FoundUnit& b) { return std::abs(a.r) > std::abs(b.r); });
    for (const FoundUnit& unit : all) {
      if (static_cast<int64_t>(found.best.size()) == top) break;
      const bool seen = std::any_of(found.best.begin(), found.best.end(),
                                    [&](const FoundUnit& other) { return unit.value.same_unit(other.value); });
      if (!seen) found.best.push_back(unit);
    }
  }
  return out;
}

}  // namespace longhand::lab
