#include "longhand/autograd/tape.h"

#include <algorithm>

namespace longhand::autograd {

void* Pool::take_bytes(int64_t bytes) {
  constexpr int64_t kLine = 64, kSmallest = 1 << 16, kLargest = 1 << 26;
  bytes = (bytes + kLine - 1) / kLine * kLine;
  const auto blocks = [this] { return static_cast<int64_t>(blocks_.size()); };
  while (block_ < blocks() && used_ + bytes > blocks_[block_].size()) {
    ++block_;
    used_ = 0;
  }
  // Each block doubles the capacity, so that there are few.
  if (block_ == blocks()) blocks_.emplace_back(std::max(bytes, std::clamp(bytes_held(), kSmallest, kLargest)));
  std::byte* piece = blocks_[block_].data() + used_;
  used_ += bytes;
  return piece;
}

int64_t Pool::bytes_held() const {
  int64_t held = 0;
  for (const Buffer<std::byte>& block : blocks_) held += block.size();
  return held;
}

template <class T>
Var<T> Tape<T>::append(int64_t rows, int64_t columns, bool has_gradient) {
  LONGHAND_CHECK(rows > 0 && columns > 0);
  LONGHAND_CHECK(!backward_done_);
  Matrix<T> matrix{rows, columns, pool_.take<T>(rows * columns), nullptr};
  if (has_gradient) {
    matrix.gradient = pool_.take<T>(rows * columns);
    std::fill_n(matrix.gradient, matrix.size(), T(0));
  }
  nodes_.push_back({matrix, nullptr, nullptr});
  return {this, static_cast<int32_t>(nodes_.size()) - 1};
}

template <class T>
Var<T> Tape<T>::leaf(int64_t rows, int64_t columns, const T* values, int64_t stride, bool has_gradient) {
  const Var<T> y = append(rows, columns, has_gradient);
  if (stride == 0) stride = columns;
  for (int64_t i = 0; i < rows; ++i) std::copy_n(values + i * stride, columns, y.matrix().value + i * columns);
  return y;
}

template <class T>
Var<T> Tape<T>::variable(int64_t rows, int64_t columns, const T* values, int64_t stride) {
  return leaf(rows, columns, values, stride, true);
}

template <class T>
Var<T> Tape<T>::constant(int64_t rows, int64_t columns, const T* values, int64_t stride) {
  return leaf(rows, columns, values, stride, false);
}

template <class T>
Var<T> Tape<T>::filled(int64_t rows, int64_t columns, T value) {
  const Var<T> y = append(rows, columns, false);
  std::fill_n(y.matrix().value, rows * columns, value);
  return y;
}

template <class T>
void Tape<T>::seed(Var<T> y, const T* gradient, int64_t stride) {
  LONGHAND_CHECK(y.tape == this);
  LONGHAND_CHECK(!backward_done_);
  const Matrix<T> out = y.matrix();
  if (out.gradient == nullptr) return;
  if (stride == 0) stride = out.columns;
  for (int64_t i = 0; i < out.size(); ++i) out.gradient[i] += gradient[i / out.columns * stride + i % out.columns];
}

template <class T>
void Tape<T>::backward() {
  LONGHAND_CHECK(!backward_done_);
  backward_done_ = true;
  // Every user of a node comes after it, so its gradient is complete when its turn comes.
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (node->backward != nullptr) node->backward(node->closure, node->matrix);
  }
}

template <class T>
void Tape<T>::clear() {
  nodes_.clear();
  pool_.clear();
  backward_done_ = false;
}

template <class T>
T* Tape<T>::scratch(int64_t size) {
  scratch_.resize(size);
  return scratch_.data();
}

template class Tape<float>;
template class Tape<double>;

}  // namespace longhand::autograd
