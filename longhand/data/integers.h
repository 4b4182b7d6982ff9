// Integers in memory or in a mapped file, which has 1, 2, 4 or 8 bytes for each: the symbols of a text, and where its
// lines begin. Both are read with the same functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/data/checked_blocks.h"

namespace longhand::data {

/// T: int32_t or int64_t. Reading throws an input error where a file is damaged.
template <class T>
class Integers {
 public:
  Integers() = default;
  Integers(std::initializer_list<T> values) : memory_(values) {}
  Integers(std::vector<T> values) : memory_(std::move(values)) {}  // NOLINT(google-explicit-constructor)
  /// `size` unsigned integers of `width` bytes, little-endian, from byte `at` of the region on.
  Integers(std::shared_ptr<const CheckedBlocks> file, int64_t at, int width, size_t size)
      : file_(std::move(file)), at_(at), width_(width), size_(size) {}

  size_t size() const { return file_ ? size_ : memory_.size(); }
  bool empty() const { return size() == 0; }
  T operator[](size_t i) const {
    if (!file_) return memory_[i];
    T value = 0;
    read(i, 1, &value);
    return value;
  }
  T front() const { return (*this)[0]; }
  T back() const { return (*this)[size() - 1]; }

  /// Writes elements begin .. begin + count - 1 to every `stride`-th place of `out`.
  void read(size_t begin, size_t count, T* out, size_t stride = 1) const {
    if (!file_) {
      widen(memory_.data() + begin, count, out, stride);
      return;
    }
    const char* from = file_->at(at_ + static_cast<int64_t>(begin) * width_, static_cast<int64_t>(count) * width_);
    switch (width_) {
      case 1: widen(reinterpret_cast<const uint8_t*>(from), count, out, stride); break;
      case 2: widen(reinterpret_cast<const uint16_t*>(from), count, out, stride); break;
      case 4: widen(reinterpret_cast<const uint32_t*>(from), count, out, stride); break;
      default: widen(reinterpret_cast<const uint64_t*>(from), count, out, stride); break;
    }
    if (minus_ == 0) return;
    for (size_t i = 0; i < count; ++i) out[i * stride] -= minus_;
  }
  /// Calls what(span) for all elements in order, some thousands at a time: for those who read them all.
  template <class What>
  void for_each_piece(const What& what) const {
    if (!file_) {
      what(std::span<const T>(memory_));
      return;
    }
    constexpr size_t kPiece = 4096;
    std::vector<T> piece(std::min(kPiece, size_));
    for (size_t begin = 0; begin < size_; begin += kPiece) {
      const size_t count = std::min(kPiece, size_ - begin);
      read(begin, count, piece.data());
      what(std::span<const T>(piece.data(), count));
    }
  }
  /// Elements begin .. end - 1, less `minus`; of a file, a view.
  Integers part(size_t begin, size_t end, T minus = 0) const {
    if (file_) {
      Integers out(file_, at_ + static_cast<int64_t>(begin) * width_, width_, end - begin);
      out.minus_ = minus_ + minus;
      return out;
    }
    Integers out(std::vector<T>(memory_.begin() + static_cast<std::ptrdiff_t>(begin),
                                memory_.begin() + static_cast<std::ptrdiff_t>(end)));
    for (T& value : out.memory_) value -= minus;
    return out;
  }
  /// The same in memory, wherever it was.
  std::vector<T> copy(size_t begin, size_t end) const {
    std::vector<T> out(end - begin);
    read(begin, out.size(), out.data());
    return out;
  }
  std::vector<T> copy() const { return copy(0, size()); }

  /// Whether they are in memory, and those that are.
  bool in_memory() const { return file_ == nullptr; }
  std::vector<T>& memory() {
    LONGHAND_CHECK(in_memory());
    return memory_;
  }
  const std::vector<T>& memory() const {
    LONGHAND_CHECK(in_memory());
    return memory_;
  }
  void push_back(T value) { memory().push_back(value); }
  /// Of those in a file: the same for the same elements of files with the same content.
  struct Identity {
    uint64_t content = 0;
    int64_t at = 0;
    int64_t width = 0;
  };
  Identity identity() const { return {file_ ? file_->content() : 0, at_, width_}; }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = T;

    Iterator(const Integers* of, size_t at) : of_(of), at_(at) {}
    T operator*() const { return (*of_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Integers* of_;
    size_t at_;
  };
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }

  friend bool operator==(const Integers& a, const Integers& b) {
    return a.size() == b.size() && (a.in_memory() && b.in_memory() ? a.memory_ == b.memory_ : a.copy() == b.copy());
  }

 private:
  template <class From>
  static void widen(const From* from, size_t count, T* out, size_t stride) {
    for (size_t i = 0; i < count; ++i) out[i * stride] = static_cast<T>(from[i]);
  }

  std::vector<T> memory_;
  std::shared_ptr<const CheckedBlocks> file_;  // nothing: in memory
  int64_t at_ = 0;
  int width_ = 0;
  size_t size_ = 0;
  T minus_ = 0;
};

using Symbols = Integers<int32_t>;

}  // namespace longhand::data
