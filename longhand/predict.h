// What people ship models for: tags of sentences, classes of texts, forecasts from tables, and texts. Each is made from
// a Model and never changes: any number of threads may call one at the same time.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/executor.h"
#include "longhand/model.h"
#include "longhand/tasks/sampler_options.h"

namespace longhand {

/// One tagging of a sentence.
struct Tags {
  std::vector<std::string> tags;  ///< one a word, in the scheme of the training data
  double probability = 0.0;       ///< of all tags together; of chunks, among the taggings that their scheme allows
};

/// Words `begin` .. `end` - 1 of a sentence.
struct TaggedSpan {
  int64_t begin = 0;
  int64_t end = 0;
  std::string type;
};

using Sentence = std::vector<std::string>;

/// A word as a model reads it, and where it is in the text, as a program found it there.
struct TextToken {
  std::string word;
  int64_t begin = 0, end = 0;            ///< code points `begin` .. `end` - 1
  int64_t begin_byte = 0, end_byte = 0;  ///< the same in bytes
  /// Of a multiword token such as "don't": number of this word, from 0, and how many there are. Words that are not
  /// written in the text have the place of the whole token.
  int64_t part = 0, parts = 1;
};

struct LONGHAND_API TextSentence {
  std::vector<TextToken> tokens;

  Sentence words() const;
};

/// Where the sentences of a text may end.
enum class SentenceEnds {
  kMarksAndLines,   ///< at final marks, and at the end of each line
  kLines,           ///< at the end of each line alone
  kMarksAndBlanks,  ///< at final marks and at blank lines: lines continue each other
};

class LONGHAND_API Tagger {
 public:
  /// Throws an input error for a model of another task. `threads`: of a single call.
  explicit Tagger(std::shared_ptr<const Model> model, Threads threads = 1);
  ~Tagger();
  Tagger(Tagger&&) noexcept;
  Tagger& operator=(Tagger&&) noexcept;

  /// The `n` most probable taggings of each sentence, best first. Sentences that are tagged together are tagged faster;
  /// the result is the same. Throws an input error for a sentence too long for so many.
  std::vector<std::vector<Tags>> tag(std::span<const Sentence> sentences, int64_t n = 1) const;
  /// The most probable tags of one sentence.
  std::vector<std::string> tag(const Sentence& words) const;
  /// The sentences of a text as people write it, with the tokenizer that is stored in the model (`longhand train
  /// tagger` chose it for the training data). Throws an input error for a text that is no UTF-8.
  std::vector<TextSentence> sentences(std::string_view text, SentenceEnds ends = SentenceEnds::kMarksAndLines) const;
  /// Throws an input error if a sentence of this many words is too long for its `n` most probable taggings.
  void check_length(int64_t words, int64_t n) const;
  /// The chunks of a sentence's tags.
  static std::vector<TaggedSpan> spans(const std::vector<std::string>& tags);

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

struct ClassProbability {
  int64_t index = 0;  ///< in Model::output_names()
  std::string name;
  double probability = 0.0;
};

class LONGHAND_API Classifier {
 public:
  explicit Classifier(std::shared_ptr<const Model> model, Threads threads = 1);
  ~Classifier();
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;

  /// The `top` most probable classes of each text, best first; of an empty text, none.
  std::vector<std::vector<ClassProbability>> classify(std::span<const std::string> texts, int64_t top = 1) const;
  std::vector<std::vector<ClassProbability>> classify(std::initializer_list<std::string> texts, int64_t top = 1) const {
    return classify(std::span<const std::string>(texts.begin(), texts.size()), top);
  }
  std::vector<ClassProbability> classify(const std::string& text, int64_t top = 1) const;
  /// The words of a text as the model reads them. Throws an input error for a text that is no UTF-8.
  std::vector<TextToken> tokens(std::string_view text) const;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

/// The input of one forecast.
struct ForecastInput {
  std::vector<double> rows;  ///< [rows, Forecaster::inputs()], oldest row first
  /// [rows + ahead, known columns]: the columns known ahead, for `rows` and then for the rows to predict.
  std::vector<double> known{};
  /// Name of the series. One that is not in the training data is scaled by the mean and deviation (or mean absolute
  /// value) of `rows`.
  std::string series{};
  std::vector<std::string> statics{};  ///< a number or a text for each static column
};

struct Forecast {
  std::vector<double> values;                  ///< [ahead, targets]: points, means, or quantiles nearest to the median
  std::vector<std::vector<double>> quantiles;  ///< [levels][ahead, targets]
};

class LONGHAND_API Forecaster {
 public:
  explicit Forecaster(std::shared_ptr<const Model> model, Threads threads = 1);
  ~Forecaster();
  Forecaster(Forecaster&&) noexcept;
  Forecaster& operator=(Forecaster&&) noexcept;

  /// Columns of a window: Model::input_names().
  int64_t inputs() const;
  int64_t targets() const;
  /// Steps ahead that are forecast; 1 for a model that predicts the window's last row.
  int64_t ahead() const;
  /// Rows that the model was trained to read; 0: whole sequences.
  int64_t window() const;

  /// The forecasts [ahead, targets] from a window of rows, [rows, inputs], the latest row last. All are in the units of
  /// the training data. Throws an input error where the numbers are no whole rows, or not finite.
  std::vector<double> forecast(std::span<const double> window) const;
  /// The same for many windows, which may differ in length.
  std::vector<std::vector<double>> forecast(std::span<const std::vector<double>> windows) const;

  /// Names of the columns known ahead, and of the static columns.
  std::vector<std::string> known_names() const;
  std::vector<std::string> static_names() const;
  /// Whether the model forecasts a distribution, and so has quantiles.
  bool has_quantiles() const;
  /// Returns a forecast for each input, with quantiles at `levels`. Works for every model; models with known or static
  /// columns need it. Throws an input error for inputs that do not match the model's columns, and for levels that the
  /// model cannot give, such as levels outside those of a model of quantiles.
  std::vector<Forecast> predict(std::span<const ForecastInput> inputs, std::span<const double> levels = {}) const;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

/// What to do with symbols that a model does not know.
enum class UnknownSymbols { kError, kSkip, kReadAsUnknown };

using GenerateOptions = tasks::SamplerOptions;

class LONGHAND_API Generator {
 public:
  explicit Generator(std::shared_ptr<const Model> model);
  ~Generator();
  Generator(Generator&&) noexcept;
  Generator& operator=(Generator&&) noexcept;

  /// Continues `prompt` by `length` symbols, and calls `emit` with each piece of text as it is drawn; `emit` returns
  /// false to stop. Throws an input error for a symbol of prompt or context that the model does not know, unless
  /// `unknown` allows it, and a usage error for options that do not go with the model.
  void generate(const std::string& prompt, int64_t length, const GenerateOptions& options,
                const std::function<bool(const std::string&)>& emit,
                UnknownSymbols unknown = UnknownSymbols::kError) const;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

struct TextScore {
  double nats = 0.0;    ///< of all symbols together
  int64_t symbols = 0;  ///< that were predicted: all but the first (of each line, with a model of lines)
  int64_t unknown = 0;  ///< that the model does not know: read as <unk>, or left out where it has none

  double nats_per_symbol() const { return nats / static_cast<double>(symbols); }
};

class LONGHAND_API Scorer {
 public:
  explicit Scorer(std::shared_ptr<const Model> model, Threads threads = 1);
  ~Scorer();
  Scorer(Scorer&&) noexcept;
  Scorer& operator=(Scorer&&) noexcept;

  /// How surprising the model finds a text, which it reads from its beginning. Throws an input error for one of fewer
  /// than two symbols.
  TextScore score(const std::string& text) const;

 private:
  struct LONGHAND_LOCAL Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand
