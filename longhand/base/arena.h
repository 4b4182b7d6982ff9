// All parameters of a model in one block of memory, declared once: optimizers, clipping, checkpoints and initialisation
// are then one loop each.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/rng.h"
#include "longhand/base/threads.h"

namespace longhand {

/// Fills the values of one parameter, which arrive as zeros.
using Initialiser = std::function<void(std::span<float> values, const CounterRng& rng)>;

/// One named array in the arena, row-major.
struct Parameter {
  std::string name;  ///< PyTorch's name, such as `lstm.weight_ih_l0`
  std::vector<int64_t> shape;
  Initialiser initialise;
  int64_t offset = 0;  ///< in floats, on a cache line
  int64_t size = 0;
};

/// The parameters' values, and their gradients under the same layout. Between parameters lie a few floats of padding,
/// which stay zero.
class ParameterArena {
 public:
  /// Declares a parameter and returns its index. All must be declared before `allocate`.
  size_t declare(std::string name, std::vector<int64_t> shape, Initialiser initialise);

  /// Allocates the values, all zero.
  void allocate();
  /// Allocates the gradients, all zero, unless that was done before: only training needs them.
  void allocate_gradients() { gradients_.resize(extent_); }
  /// From now on, rows of this parameter [rows, width] have a gradient only where they are touched. All gradients must
  /// be zero.
  void make_sparse(size_t index);
  /// From now on, parameters whose flag is not 0 are constants: nothing of them counts as touched, whatever their
  /// gradients are. `flags` is [parameters]. Clears all gradients.
  void freeze(std::vector<char> flags);
  bool is_frozen(size_t index) const { return index < frozen_.size() && frozen_[index] != 0; }
  /// The same of the parameter at this offset.
  bool is_frozen_at(int64_t offset) const;
  /// Says that this row of a parameter may get a gradient; of one that is not sparse all rows may.
  void touch(size_t index, int64_t row);
  /// One row of a sparse parameter.
  struct Row {
    size_t parameter;
    int64_t row;
  };
  bool is_sparse() const { return !sparse_.empty(); }
  /// The rows that are touched.
  std::vector<Row> touched_rows() const;
  /// The stretches of the arrays in which gradients may differ from zero, in order.
  std::span<const Range> touched();
  /// Makes no row touched, once all gradients are zero again.
  void forget_touched();
  /// Is told during a backward pass how far it is: nothing will be added to the gradients at `offset` and above. Null:
  /// nobody is.
  void set_observer(std::function<void(int64_t offset)> on_final) { on_final_ = std::move(on_final); }
  void say_final(int64_t offset) const {
    if (on_final_) on_final_(offset);
  }
  /// Runs every initialiser; the result depends on `seed` and on the order of declaration alone.
  void initialise(uint64_t seed);

  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// Length of the arrays: of all parameters declared so far, with their padding.
  int64_t extent() const { return extent_; }
  std::span<float> values() { return values_.span(); }
  std::span<const float> values() const { return values_.span(); }
  std::span<float> gradients() { return gradients_.span(); }
  std::span<const float> gradients() const { return gradients_.span(); }

  float* value(size_t index) { return values_.data() + parameters_[index].offset; }
  const float* value(size_t index) const { return values_.data() + parameters_[index].offset; }
  float* gradient(size_t index) { return gradients_.data() + parameters_[index].offset; }

  /// Number of weights, without the padding.
  int64_t count() const;

 private:
  struct SparseRows {
    size_t parameter;
    std::vector<char> is_touched;  // by row
    std::vector<int64_t> rows;     // the touched ones
  };

  std::vector<Parameter> parameters_;
  std::vector<SparseRows> sparse_;
  std::vector<char> frozen_;    // by parameter; empty: none
  std::vector<Range> touched_;  // empty: to be found
  int64_t extent_ = 0;
  Buffer<float> values_;
  Buffer<float> gradients_;
  std::function<void(int64_t)> on_final_;
};

}  // namespace longhand
