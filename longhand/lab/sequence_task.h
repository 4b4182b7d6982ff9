// What the small models of experiments are trained on: a text, or one of three tasks whose answer depends on what was
// read many steps before.
//
// T steps, B rows, V symbols, N numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/rng.h"

namespace longhand::lab {

/// Sequences of equal length. Each row reads a symbol or some numbers at each step, and has to give an answer at some.
struct SequenceBatch {
  int64_t steps = 0;             ///< T
  int64_t rows = 0;              ///< B
  std::vector<int32_t> symbols;  ///< [T, B], or
  std::vector<float> numbers;    ///< [T, B, padded(N)]
  std::vector<int32_t> places;   ///< rows t * B + b of [T, B] where an answer is due, in order
  std::vector<int32_t> targets;  ///< [places] the symbols that are right, or
  std::vector<float> values;     ///< [places] the numbers
};

class SequenceTask {
 public:
  virtual ~SequenceTask() = default;

  virtual int64_t symbols() const { return 0; }  ///< V; 0: numbers are read
  virtual int64_t numbers() const { return 0; }  ///< N
  virtual int64_t outputs() const = 0;           ///< numbers that a model gives for each answer
  bool is_regression() const { return symbols() == 0; }
  /// Draws `rows` sequences. The same rng gives the same. `held_out`: of text that is not trained on; generated
  /// sequences are new in any case.
  virtual SequenceBatch draw(int64_t rows, const CounterRng& rng, bool held_out) const = 0;
  /// The same, with an answer at the last step alone, and `before` steps before it.
  virtual SequenceBatch draw_ends(int64_t rows, int64_t before, const CounterRng& rng) const = 0;
};

/// Text as characters: the next one is predicted at each of `window` steps. Windows begin anywhere in the first nine
/// tenths, or, held out, in the last. `before`: the most that draw_ends will be asked for. Throws an input error,
/// naming `source`, for a text that is too short.
std::unique_ptr<SequenceTask> text_task(std::string_view text, int64_t window, const std::string& source,
                                        int64_t before = 0);

/// recall, copying, adding.
const std::vector<std::string>& memory_tasks();

/// One of these by its name:
///   recall   one of 8 symbols, `gap` random other ones, then a question, to which the first symbol is the answer.
///   copying  ten of 8 symbols, `gap` blanks, then ten questions, to which the ten are the answers (Hochreiter and
///            Schmidhuber 1997; Arjovsky et al. 2016).
///   adding   `gap` numbers of 0 to 1, at least 4, two of which are marked: one in the first tenth, or the first, and
///            one more in the first half. Their sum is the answer (Hochreiter and Schmidhuber 1997). Always to say 1
///            has a mean squared error of 1/6.
/// Guesses at the first two are right in one of 8 cases. Throws a usage error for a gap that is too short.
std::unique_ptr<SequenceTask> memory_task(const std::string& name, int64_t gap);

}  // namespace longhand::lab
