#include "longhand/lab/sequence_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"
#include "longhand/data/text.h"

namespace longhand::lab {
namespace {

constexpr int64_t kShortestAdding = 4;
constexpr int32_t kKinds = 8;  // symbols that have to be remembered

// Index of a row's first random number; a row has fewer than a million steps.
uint64_t first_number(int64_t row) { return static_cast<uint64_t>(row) << 21U; }

SequenceBatch empty_batch(int64_t steps, int64_t rows) {
  SequenceBatch out{.steps = steps, .rows = rows};
  out.symbols.resize(static_cast<size_t>(steps * rows));
  return out;
}

class TextTask : public SequenceTask {
 public:
  TextTask(std::string_view text, int64_t window, const std::string& source, int64_t before) : window_(window) {
    const data::TextOptions options;
    const std::string clean = data::normalise(text, options, source);
    const data::Vocabulary vocabulary = data::build_vocabulary(clean, options);
    kinds_ = vocabulary.size();
    symbols_ = data::encode(clean, options, vocabulary, data::Unknown::kUnk, source).symbols.memory();
    training_ = static_cast<int64_t>(symbols_.size()) * 9 / 10;
    const int64_t longest = std::max(window, before + 1), size = static_cast<int64_t>(symbols_.size());
    if (size - training_ < longest + 2) {
      throw input_error(fmt::format("{}: expected {} characters or more, found {}", source, 10 * (longest + 2), size),
                        "give a longer text, or a smaller `reach` or `window`");
    }
  }

  int64_t symbols() const override { return kinds_; }
  int64_t outputs() const override { return kinds_; }

  SequenceBatch draw(int64_t rows, const CounterRng& rng, bool held_out) const override {
    SequenceBatch out = empty_batch(window_, rows);
    out.targets.resize(out.symbols.size());
    for (int64_t at = 0; at < window_ * rows; ++at) out.places.push_back(static_cast<int32_t>(at));
    for (int64_t b = 0; b < rows; ++b) {
      const int32_t* window = window_of(b, window_, rng, held_out);
      for (int64_t t = 0; t < window_; ++t) {
        out.symbols[static_cast<size_t>(t * rows + b)] = window[t];
        out.targets[static_cast<size_t>(t * rows + b)] = window[t + 1];
      }
    }
    return out;
  }

  SequenceBatch draw_ends(int64_t rows, int64_t before, const CounterRng& rng) const override {
    LONGHAND_CHECK(static_cast<int64_t>(symbols_.size()) - training_ >= before + 3);
    SequenceBatch out = empty_batch(before + 1, rows);
    for (int64_t b = 0; b < rows; ++b) {
      const int32_t* window = window_of(b, before + 1, rng, true);
      for (int64_t t = 0; t <= before; ++t) out.symbols[static_cast<size_t>(t * rows + b)] = window[t];
      out.places.push_back(static_cast<int32_t>(before * rows + b));
      out.targets.push_back(window[before + 1]);
    }
    return out;
  }

 private:
  const int32_t* window_of(int64_t row, int64_t steps, const CounterRng& rng, bool held_out) const {
    const int64_t begin = held_out ? training_ : 0, end = held_out ? static_cast<int64_t>(symbols_.size()) : training_;
    const auto starts = static_cast<uint64_t>(end - begin - steps);
    return symbols_.data() + begin + static_cast<int64_t>(rng.below(first_number(row), starts));
  }

  int64_t window_;
  int64_t kinds_ = 0;
  std::vector<int32_t> symbols_;
  int64_t training_ = 0;  // how many are trained on
};

// Symbols 0 .. 7 are to be remembered, 8 .. 15 come between, 16 asks.
class RecallTask : public SequenceTask {
 public:
  explicit RecallTask(int64_t gap) : gap_(gap) {}
  int64_t symbols() const override { return 2 * kKinds + 1; }
  int64_t outputs() const override { return kKinds; }
  SequenceBatch draw(int64_t rows, const CounterRng& rng, bool) const override { return draw_gap(rows, gap_, rng); }
  SequenceBatch draw_ends(int64_t rows, int64_t before, const CounterRng& rng) const override {
    return draw_gap(rows, before - 1, rng);
  }

 private:
  static SequenceBatch draw_gap(int64_t rows, int64_t gap, const CounterRng& rng) {
    SequenceBatch out = empty_batch(gap + 2, rows);
    for (int64_t b = 0; b < rows; ++b) {
      const auto symbol = [&](int64_t t) -> int32_t& { return out.symbols[static_cast<size_t>(t * rows + b)]; };
      const auto draw = [&](int64_t t) {
        return static_cast<int32_t>(rng.below(first_number(b) + static_cast<uint64_t>(t), kKinds));
      };
      symbol(0) = draw(0);
      for (int64_t t = 1; t <= gap; ++t) symbol(t) = kKinds + draw(t);
      symbol(gap + 1) = 2 * kKinds;
      out.places.push_back(static_cast<int32_t>((gap + 1) * rows + b));
      out.targets.push_back(symbol(0));
    }
    return out;
  }

  int64_t gap_;
};

// Symbols 0 .. 7 are to be copied, 8 is the blank, 9 asks.
class CopyingTask : public SequenceTask {
 public:
  static constexpr int64_t kLength = 10;

  explicit CopyingTask(int64_t gap) : gap_(gap) {}
  int64_t symbols() const override { return kKinds + 2; }
  int64_t outputs() const override { return kKinds; }
  SequenceBatch draw(int64_t rows, const CounterRng& rng, bool) const override {
    return draw_gap(rows, gap_, kLength, rng);
  }
  SequenceBatch draw_ends(int64_t rows, int64_t before, const CounterRng& rng) const override {
    return draw_gap(rows, std::max<int64_t>(0, before - kLength), 1, rng);
  }

 private:
  static SequenceBatch draw_gap(int64_t rows, int64_t gap, int64_t questions, const CounterRng& rng) {
    SequenceBatch out = empty_batch(kLength + gap + questions, rows);
    const auto at = [rows](int64_t t, int64_t b) { return static_cast<size_t>(t * rows + b); };
    for (int64_t b = 0; b < rows; ++b) {
      for (int64_t t = 0; t < out.steps; ++t) {
        const bool given = t < kLength;
        out.symbols[at(t, b)] =
            given ? static_cast<int32_t>(rng.below(first_number(b) + static_cast<uint64_t>(t), kKinds))
                  : kKinds + (t < kLength + gap ? 0 : 1);
      }
    }
    for (int64_t question = 0; question < questions; ++question) {
      for (int64_t b = 0; b < rows; ++b) {
        out.places.push_back(static_cast<int32_t>(at(kLength + gap + question, b)));
        out.targets.push_back(out.symbols[at(question, b)]);
      }
    }
    return out;
  }

  int64_t gap_;
};

class AddingTask : public SequenceTask {
 public:
  explicit AddingTask(int64_t gap) : gap_(gap) {}
  int64_t numbers() const override { return 2; }
  int64_t outputs() const override { return 1; }
  SequenceBatch draw(int64_t rows, const CounterRng& rng, bool) const override { return draw_steps(rows, gap_, rng); }
  SequenceBatch draw_ends(int64_t rows, int64_t before, const CounterRng& rng) const override {
    return draw_steps(rows, before + 1, rng);
  }

 private:
  static SequenceBatch draw_steps(int64_t rows, int64_t steps, const CounterRng& rng) {
    SequenceBatch out{.steps = steps, .rows = rows};
    out.numbers.resize(static_cast<size_t>(steps * rows * kLineFloats));
    for (int64_t b = 0; b < rows; ++b) {
      const uint64_t index = first_number(b);
      const auto draw_step = [&](uint64_t at, int64_t begin, int64_t end) {
        return begin + static_cast<int64_t>(rng.below(index + at, static_cast<uint64_t>(end - begin)));
      };
      const int64_t tenth = std::max<int64_t>(1, steps / 10);
      const int64_t first = draw_step(0, 0, tenth), second = draw_step(1, tenth, steps / 2);
      double sum = 0.0;
      for (int64_t t = 0; t < steps; ++t) {
        float* x = out.numbers.data() + (t * rows + b) * kLineFloats;
        x[0] = rng.uniform(index + 2 + static_cast<uint64_t>(t));
        x[1] = t == first || t == second ? 1.0F : 0.0F;
        if (x[1] > 0.0F) sum += static_cast<double>(x[0]);
      }
      out.places.push_back(static_cast<int32_t>((steps - 1) * rows + b));
      out.values.push_back(static_cast<float>(sum));
    }
    return out;
  }

  int64_t gap_;
};

}  // namespace

std::unique_ptr<SequenceTask> text_task(std::string_view text, int64_t window, const std::string& source,
                                        int64_t before) {
  return std::make_unique<TextTask>(text, window, source, before);
}

const std::vector<std::string>& memory_tasks() {
  static const std::vector<std::string> kNames = {"recall", "copying", "adding"};
  return kNames;
}

std::unique_ptr<SequenceTask> memory_task(const std::string& name, int64_t gap) {
  if (name == "recall") return std::make_unique<RecallTask>(gap);
  if (name == "copying") return std::make_unique<CopyingTask>(gap);
  LONGHAND_CHECK(name == "adding");
  if (gap < kShortestAdding) {
    throw usage_error(fmt::format("adding: expected a gap of at least {}, found {}", kShortestAdding, gap),
                      "two numbers of the first half are marked; give longer gaps");
  }
  return std::make_unique<AddingTask>(gap);
}

}  // namespace longhand::lab
