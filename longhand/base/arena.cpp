#include "longhand/base/arena.h"

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand {

size_t ParameterArena::declare(std::string name, std::vector<int64_t> shape, Initialiser initialise) {
  LONGHAND_CHECK(values_.size() == 0);
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  parameters_.push_back({std::move(name), std::move(shape), std::move(initialise), extent_, size});
  extent_ += padded(size);
  return parameters_.size() - 1;
}

void ParameterArena::allocate() { values_.resize(extent_); }

void ParameterArena::make_sparse(size_t index) {
  sparse_.push_back({index, std::vector<char>(static_cast<size_t>(parameters_[index].shape[0])), {}});
  std::sort(sparse_.begin(), sparse_.end(), [](const auto& a, const auto& b) { return a.parameter < b.parameter; });
  touched_.clear();
}

void ParameterArena::freeze(std::vector<char> flags) {
  LONGHAND_CHECK(flags.size() == parameters_.size());
  forget_touched();
  gradients_.fill(0.0F);
  frozen_ = std::move(flags);
  touched_.clear();
}

bool ParameterArena::is_frozen_at(int64_t offset) const {
  for (size_t i = 0; i < frozen_.size(); ++i) {
    if (parameters_[i].offset == offset) return is_frozen(i);
  }
  return false;
}

void ParameterArena::touch(size_t index, int64_t row) {
  for (SparseRows& sparse : sparse_) {
    char& is_touched = sparse.is_touched[static_cast<size_t>(sparse.parameter == index ? row : 0)];
    if (sparse.parameter != index || is_touched != 0) continue;
    is_touched = 1;
    sparse.rows.push_back(row);
    touched_.clear();
  }
}

std::vector<ParameterArena::Row> ParameterArena::touched_rows() const {
  std::vector<Row> out;
  for (const SparseRows& sparse : sparse_) {
    for (const int64_t row : sparse.rows) out.push_back({sparse.parameter, row});
  }
  return out;
}

std::span<const Range> ParameterArena::touched() {
  if (!touched_.empty()) return touched_;
  const auto add = [&](int64_t begin, int64_t end) {
    if (begin == end) return;
    if (!touched_.empty() && touched_.back().end == begin) {
      touched_.back().end = end;
    } else {
      touched_.push_back({begin, end});
    }
  };
  int64_t done = 0;
  auto sparse = sparse_.begin();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const bool is_sparse = sparse != sparse_.end() && sparse->parameter == i;
    if (!is_sparse && !is_frozen(i)) continue;
    add(done, p.offset);
    if (is_sparse && !is_frozen(i)) {
      const int64_t width = p.size / p.shape[0];
      std::sort(sparse->rows.begin(), sparse->rows.end());
      for (const int64_t row : sparse->rows) add(p.offset + row * width, p.offset + (row + 1) * width);
    }
    sparse += is_sparse ? 1 : 0;
    done = p.offset + padded(p.size);
  }
  add(done, extent_);
  return touched_;
}

void ParameterArena::forget_touched() {
  for (SparseRows& sparse : sparse_) {
    for (const int64_t row : sparse.rows) sparse.is_touched[static_cast<size_t>(row)] = 0;
    sparse.rows.clear();
  }
  if (!sparse_.empty()) touched_.clear();
}

void ParameterArena::initialise(uint64_t seed) {
  values_.fill(0.0F);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const CounterRng rng(seed, 0, RngPlace::kParameter, static_cast<uint32_t>(i));
    parameters_[i].initialise({value(i), static_cast<size_t>(parameters_[i].size)}, rng);
  }
}

int64_t ParameterArena::count() const {
  int64_t total = 0;
  for (const Parameter& parameter : parameters_) total += parameter.size;
  return total;
}

}  // namespace longhand
