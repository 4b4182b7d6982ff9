// Models that read sequences as they come: one time step after the other, in real time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "longhand/base/executor.h"
#include "longhand/model.h"

namespace longhand {

/// One sequence. All memory is taken when it is made: what is noexcept below allocates nothing, takes no lock and makes
/// no system call. For one thread at a time; any number of streams share a model. One that was moved from can only be
/// assigned to or destroyed.
class LONGHAND_API Stream {
 public:
  /// Throws an input error for a model that cannot be read step by step, and, where `inputs` and `outputs` are given,
  /// for one with others.
  explicit Stream(std::shared_ptr<const Model> model, int64_t inputs = -1, int64_t outputs = -1);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  const Model& model() const;
  int64_t inputs() const;   ///< see Model
  int64_t outputs() const;  ///< see Model

  /// Reads the numbers of one step, x [inputs], and writes y [outputs]: a regressor's predictions, or a network's
  /// outputs, from what it has read so far. Both are in the units of the training data, and do not overlap. Returns
  /// false, and does nothing, where the model reads symbols.
  bool step(const float* x, float* y) noexcept;
  /// `n` steps in one call, with the same results: x [n, inputs], y [n, outputs].
  bool process(const float* x, float* y, int64_t n) noexcept;

  /// Reads a symbol, and writes the logits of the next, y [outputs]. Returns false, and does nothing, where the number
  /// is none of the model's symbols (of a network, its outputs take the place of the logits). (Texts become symbols
  /// with Model::find_symbol.)
  bool step(int32_t symbol, float* y) noexcept;
  /// Reads `n` symbols, and writes y [n, outputs]. Returns how many were read: fewer where one is none of the model's.
  int64_t process(const int32_t* symbols, float* y, int64_t n) noexcept;

  /// Forgets what was read.
  void reset() noexcept;
  /// From now on the sigmoids are computed with errors of at most 8e-6 and the tanh with at most 1.6e-5, which takes
  /// less time; or again as exactly as a float can hold them.
  void use_fast_activations(bool fast) noexcept;
  /// What the stream remembers: state_size() numbers.
  int64_t state_size() const;
  void get_state(float* state) const noexcept;
  void set_state(const float* state) noexcept;
  std::vector<float> state() const;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

/// For one thread at a time. Independent sequences that are advanced together, each joining and leaving when it likes.
/// The results are those of a Stream for each, with exact activations (with int8 weights they differ by rounding), and
/// a step of many takes less time than their steps one by one.
class LONGHAND_API Streams {
 public:
  /// Room for `capacity` sequences. Throws as Stream does.
  Streams(std::shared_ptr<const Model> model, int64_t capacity, Threads threads = 1);
  ~Streams();
  Streams(Streams&&) noexcept;
  Streams& operator=(Streams&&) noexcept;

  const Model& model() const;
  int64_t capacity() const;

  /// Begins a sequence and returns its number, below capacity(); -1 where there is no room.
  int64_t open() noexcept;
  /// Ends it; its number may be given out again. Does nothing where it is not open.
  void close(int64_t stream) noexcept;
  /// Begins it anew.
  void reset(int64_t stream) noexcept;

  /// One step of each of the sequences named, which are open and different: x [streams, inputs], y [streams, outputs].
  /// Returns false, and does nothing, where the model reads symbols, and where a
  /// sequence is not open or named twice.
  bool step(std::span<const int64_t> streams, const float* x, float* y);
  /// The same with symbols. Returns false, and does nothing, where one is none of the model's.
  bool step(std::span<const int64_t> streams, const int32_t* symbols, float* y);

  /// As those of Stream.
  int64_t state_size() const;
  void get_state(int64_t stream, float* state) const noexcept;
  void set_state(int64_t stream, const float* state) noexcept;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand
