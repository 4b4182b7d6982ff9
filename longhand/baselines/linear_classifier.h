// A linear classifier of texts: logistic regression, one class against the rest, on weights of words, or of words and
// pairs of neighbours. docs/baselines.md has its equations.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "longhand/baselines/baseline_file.h"
#include "longhand/data/words.h"

namespace longhand::baselines {

/// Which features there are, what they weigh, and how strongly large weights are punished.
struct LinearClassifierOptions {
  bool pairs = true;  ///< pairs of neighbouring words are features, too
  double C = 1.0;     ///< of the loss, in |w|^2 / 2 + C sum log(1 + exp(-y w x))
  /// What a feature of a text weighs: TF-IDF; or, for each class, the logarithm of how much more frequent it is in
  /// texts of the class than in the others (naive Bayes; Wang and Manning 2012).
  bool bayes = false;
};

class LinearClassifier {
 public:
  static constexpr const char* kKind = "linear_classifier";

  /// Fits texts (words as they are to be compared) with their classes, 0 .. classes-1, at least two of which occur.
  /// The result depends on the arguments alone.
  static LinearClassifier fit(std::span<const data::Words* const> texts, std::span<const int32_t> of_texts,
                              int64_t classes, const LinearClassifierOptions& options);

  /// What it consists of.
  struct Parts {
    LinearClassifierOptions options;
    int64_t classes = 0;                ///< K
    std::vector<std::string> features;  ///< [F] different from each other: words, and pairs with a blank between
    std::vector<float> idf;             ///< [F] above 0
    std::vector<float> weights;         ///< [K, F + 1], the last of each row the bias
  };
  /// What is wrong with parts from a file, "different texts in 'features'"; empty: nothing.
  static std::string flaw(const Parts& parts);
  /// Of parts without a flaw.
  explicit LinearClassifier(Parts parts);
  Parts parts() const;

  const LinearClassifierOptions& options() const { return options_; }
  int64_t classes() const { return classes_; }
  /// Number of features.
  int64_t features() const { return static_cast<int64_t>(idf_.size()); }

  /// The probability of each class [K] for a text: 1 / (1 + exp(-w x)) of each, divided by their sum.
  std::vector<double> probabilities(const data::Words& text) const;

  void write(BaselineWriter& out) const;
  /// Throws an input error for a file that does not hold such a classifier.
  static LinearClassifier read(const BaselineFile& file);

 private:
  LinearClassifier() = default;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  using Vector = std::vector<std::pair<int32_t, double>>;  // by feature, sorted

  Vector vector_of(const data::Words& text) const;
  void count(std::span<const data::Words* const> texts);
  std::vector<double> ratios(std::span<const Vector> texts, std::span<const int32_t> of_texts, int64_t k) const;

  LinearClassifierOptions options_;
  int64_t classes_ = 0;
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> index_;
  std::vector<float> idf_;      // [F]
  std::vector<float> weights_;  // [K, F + 1], the last of each row the bias
};

/// Chooses words or pairs, their weights, and C, by cross-validation among the texts, and fits all of them. As many
/// texts are used, evenly spread, as have `max_words` words together, or fewer where there are many classes: words
/// times classes (two count as one) are at most kMostClassifierWork.
struct ChosenLinearClassifier {
  LinearClassifier model;
  int64_t texts = 0;  ///< that were used
};
inline constexpr int64_t kMostClassifierWords = 3'000'000;
inline constexpr int64_t kMostClassifierWork = 20'000'000;
/// These texts, by number.
std::vector<size_t> classifier_texts(std::span<const data::Words* const> texts, int64_t classes,
                                     int64_t max_words = kMostClassifierWords);
ChosenLinearClassifier choose_linear_classifier(std::span<const data::Words* const> texts,
                                                std::span<const int32_t> of_texts, int64_t classes,
                                                int64_t max_words = kMostClassifierWords);

}  // namespace longhand::baselines
