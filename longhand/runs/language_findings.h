// What is found when a language model is measured: the lines that surprise it most, what it writes after a prompt, and
// how it begins. pages.h shows it.
#pragma once

#include <string>
#include <vector>

#include "longhand/tasks/language_model_task.h"

namespace longhand::runs {

/// A text that the model wrote after a prompt.
struct Sample {
  std::string prompt;
  std::string text;
  double temperature = 0.8;
};

/// How a model predicts after a cold start, beside how it does within a text.
struct ColdCurve {
  std::string text;                  ///< which was read: "held-out text"
  std::vector<double> nats;          ///< element d - 1: mean nats of the symbol predicted from the first d
  std::vector<tasks::Metric> bands;  ///< their means over some distances
  double warm_nats = 0.0;            ///< mean nats per symbol within the text
};

/// A symbol of a line as it is written, and how surprising it was; not a number where it was not predicted.
struct SurprisingSymbol {
  std::string text;
  double nats = 0.0;
};

/// A line of a text, or a piece of a long one.
struct SurprisingLine {
  int64_t number = 0;  ///< from 1
  double nats = 0.0;   ///< mean of the symbols that were predicted
  std::vector<SurprisingSymbol> symbols;
};

struct LineFindings {
  int64_t symbols = 0;                ///< that were predicted
  int64_t of = 0;                     ///< of so many in the text; 0: of as many
  double nats = 0.0;                  ///< their mean
  bool words = false;                 ///< symbols are words
  int64_t shortest = 0;               ///< symbols of the lines that were considered
  int64_t longest = 0;                ///< symbols after which a line is divided
  std::vector<SurprisingLine> lines;  ///< most surprising first
};

/// Gathers the most surprising lines from the symbols of an evaluation.
class LineExaminer {
 public:
  static constexpr size_t kMostLines = 12;
  /// What is kept takes 4 bytes a symbol: of a text with more targets only the beginning is examined.
  static constexpr int64_t kMostTargets = int64_t{1} << 24;

  /// Both must outlive this.
  LineExaminer(const tasks::LanguageModel& model, const data::Corpus& corpus);

  /// The symbol at this place of the corpus; in any order. Nothing where the corpus has no such place.
  void add(int64_t place, double nats) {
    if (static_cast<size_t>(place) < nats_.size()) nats_[static_cast<size_t>(place)] = static_cast<float>(nats);
  }
  LineFindings findings() const;

 private:
  struct Piece {
    int64_t number = 0, begin = 0, end = 0;
    double nats = 0.0;
    int64_t predicted = 0;
  };
  std::vector<Piece> pieces(int64_t min_predicted) const;
  void measure(Piece& piece) const;
  SurprisingLine line(const Piece& piece) const;

  const tasks::LanguageModel& model_;
  const data::Corpus& corpus_;
  bool words_;
  std::vector<float> nats_;  // of each symbol of the corpus; NaN: not predicted
};

/// At most this many targets from the beginning of a corpus.
data::Corpus beginning_of(const data::Corpus& corpus, int64_t targets);

/// Starts of words in a text, evenly spread, and from each some ten characters, or three words: what a user would begin
/// with. One empty prompt for a model of lines.
std::vector<std::string> prompts_from(const tasks::LanguageModel& model, const data::Corpus& corpus);

/// What the model writes after each prompt at temperatures 0.5, 0.8 and 1.1. Not for bidirectional models.
std::vector<Sample> samples_of(const tasks::LanguageModel& model, const std::vector<std::string>& prompts);

/// The losses after cold starts in a text. Only where tasks::has_cold_start.
ColdCurve cold_curve_of(const tasks::LanguageModel& model, const data::Corpus& corpus,
                        tasks::LanguageModel::Workspace& workspace);

}  // namespace longhand::runs
