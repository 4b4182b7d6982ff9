// A small reverse-mode automatic differentiator: operations on matrices are recorded as they run, and their derivatives
// applied in reverse. It gives gradients that nobody derived by hand, as a second opinion on those that somebody did,
// and it can train small models. It is not fast: one thread, no fusion, every intermediate result kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"

namespace longhand::autograd {

template <class T>
class Tape;

/// Where a node's numbers are: dense, row-major [rows, columns]. Stays valid until the tape is cleared.
template <class T>
struct Matrix {
  int64_t rows;
  int64_t columns;
  T* value;
  T* gradient;  ///< null where the node depends on no variable
  int64_t size() const { return rows * columns; }
};

/// A node of a tape: the result of an operation, or a leaf. Cheap to copy; good until the tape is cleared.
template <class T>
struct Var {
  Tape<T>* tape = nullptr;
  int32_t id = -1;

  Matrix<T> matrix() const;
  int64_t rows() const { return matrix().rows; }
  int64_t columns() const { return matrix().columns; }
  std::span<const T> value() const;
  /// Complete after Tape::backward; empty for a node that depends on no variable.
  std::span<const T> gradient() const;
  /// Adds the gradient to an array of this node's shape; nothing for a node that depends on no variable.
  void add_gradient_to(T* to) const {
    for (const T d : gradient()) *to++ += d;
  }
};

/// Memory handed out piece by piece and taken back all at once. Pieces never move, and the memory is kept for reuse.
class Pool {
 public:
  /// Room for `count` objects of a type that needs no destructor, on a cache line, not initialised.
  template <class U>
  U* take(int64_t count) {
    static_assert(std::is_trivially_copyable_v<U> && std::is_trivially_destructible_v<U>);
    return static_cast<U*>(take_bytes(count * static_cast<int64_t>(sizeof(U))));
  }
  /// A copy of `count` objects.
  template <class U>
  const U* keep(const U* objects, int64_t count) {
    U* copy = take<U>(count);
    std::uninitialized_copy_n(objects, count, copy);
    return copy;
  }
  void clear() { block_ = used_ = 0; }
  int64_t bytes_held() const;

 private:
  void* take_bytes(int64_t bytes);

  std::vector<Buffer<std::byte>> blocks_;
  int64_t block_ = 0;  // the block in use
  int64_t used_ = 0;   // bytes of it that are taken
};

/// The record of one computation. Make leaves, apply operations, seed the gradients of the results, run backward, read
/// the gradients of the leaves, clear; memory is allocated only until the largest computation has been seen.
template <class T>
class Tape {
 public:
  Tape() = default;
  Tape(const Tape&) = delete;  // nodes point to their tape
  Tape& operator=(const Tape&) = delete;

  /// A leaf with a gradient, and one without: copies of `values`, whose rows are `stride` apart (0: `columns`).
  Var<T> variable(int64_t rows, int64_t columns, const T* values, int64_t stride = 0);
  Var<T> constant(int64_t rows, int64_t columns, const T* values, int64_t stride = 0);
  /// A constant whose elements are all the same.
  Var<T> filled(int64_t rows, int64_t columns, T value);

  /// Adds to the gradient of `y`, in the shape of `y` with rows `stride` apart (0: its columns): the derivative of the
  /// quantity that is differentiated with respect to `y`. Several nodes may be seeded, before backward. Nothing happens
  /// where `y` depends on no variable.
  void seed(Var<T> y, const T* gradient, int64_t stride = 0);

  /// Carries the seeds from the last node to the first. Once: after it, nothing more can be recorded or seeded until
  /// the tape is cleared.
  void backward();

  /// Forgets all nodes and keeps the memory.
  void clear();

  /// Appends an operation to the record, and is all that one needs: `forward(out)` writes `out.value` [rows, columns];
  /// `backward(out)` adds to the gradients of the inputs, where they have one, from `out.gradient`, and is kept by
  /// value (what it captures must be trivially copyable; `pool()` keeps the rest). Backward runs only if an input has a
  /// gradient.
  template <class Forward, class Backward>
  Var<T> record(int64_t rows, int64_t columns, std::span<const Var<T>> inputs, const Forward& forward,
                const Backward& backward) {
    bool has_gradient = false;
    for (const Var<T>& input : inputs) {
      LONGHAND_CHECK(input.tape == this);
      has_gradient |= input.matrix().gradient != nullptr;
    }
    const Var<T> y = append(rows, columns, has_gradient);
    forward(y.matrix());
    if (has_gradient) {
      nodes_.back().closure = pool_.keep(&backward, 1);
      nodes_.back().backward = [](const void* closure, const Matrix<T>& out) {
        (*static_cast<const Backward*>(closure))(out);
      };
    }
    return y;
  }

  const Matrix<T>& matrix(int32_t id) const {
    LONGHAND_CHECK(id >= 0 && static_cast<size_t>(id) < nodes_.size());
    return nodes_[static_cast<size_t>(id)].matrix;
  }
  Pool& pool() { return pool_; }
  /// Memory for use within one operation, whose contents the next one overwrites.
  T* scratch(int64_t size);

 private:
  struct Node {
    Matrix<T> matrix;
    const void* closure;
    void (*backward)(const void* closure, const Matrix<T>& out);  // null for a leaf
  };
  Var<T> append(int64_t rows, int64_t columns, bool has_gradient);
  Var<T> leaf(int64_t rows, int64_t columns, const T* values, int64_t stride, bool has_gradient);

  std::vector<Node> nodes_;
  Pool pool_;
  Buffer<T> scratch_;
  bool backward_done_ = false;
};

template <class T>
Matrix<T> Var<T>::matrix() const {
  LONGHAND_CHECK(tape != nullptr);
  return tape->matrix(id);
}

template <class T>
std::span<const T> Var<T>::value() const {
  return {matrix().value, static_cast<size_t>(matrix().size())};
}

template <class T>
std::span<const T> Var<T>::gradient() const {
  return {matrix().gradient, matrix().gradient != nullptr ? static_cast<size_t>(matrix().size()) : 0};
}

extern template class Tape<float>;
extern template class Tape<double>;

}  // namespace longhand::autograd
