// Memory that kernels can stream: aligned to a cache line, grown on demand, never shrunk.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace longhand {

/// Floats in a cache line, and in the widest vector that the kernels use.
inline constexpr int64_t kLineFloats = 16;

/// `n` rounded up to whole cache lines of floats: the row stride of every activation array.
/// In states and their gradients the columns between n and padded(n) are zero; everywhere else, nothing that is read.
inline constexpr int64_t padded(int64_t n) { return (n + kLineFloats - 1) / kLineFloats * kLineFloats; }

/// An array of trivial T on a 64-byte boundary. `resize` keeps the memory once it was large enough, so that a loop
/// over batches allocates only until it has seen the largest one.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t size) { resize(size); }
  /// What was moved from is empty.
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }

  /// Makes room for `size` elements. The contents are kept only if the memory was already large enough;
  /// new memory is zeroed.
  void resize(int64_t size) {
    if (size > capacity_) {
      if (size > kMax) throw std::bad_array_new_length();
      data_.reset(static_cast<T*>(::operator new(static_cast<size_t>(size) * sizeof(T), kAlignment)));
      capacity_ = size;
      std::fill_n(data_.get(), size, T{});
    }
    size_ = size;
  }

  void fill(T value) { std::fill_n(data_.get(), size_, value); }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data_.get(), static_cast<size_t>(size_)}; }
  std::span<const T> span() const { return {data_.get(), static_cast<size_t>(size_)}; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  static constexpr std::align_val_t kAlignment{64};
  static constexpr int64_t kMax = INT64_MAX / static_cast<int64_t>(sizeof(T));
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t size_ = 0;
  int64_t capacity_ = 0;
};

}  // namespace longhand
