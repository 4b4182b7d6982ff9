#include "longhand/runs/language_findings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "longhand/base/utf8.h"
#include "longhand/tasks/sampler.h"

namespace longhand::runs {
namespace {

struct LineLengths {
  int64_t shortest;
  int64_t longest;
};
LineLengths line_lengths(bool words) { return words ? LineLengths{5, 60} : LineLengths{20, 240}; }

// Bytes make a character together; what makes none is U+FFFD.
std::vector<SurprisingSymbol> characters_of(const std::vector<SurprisingSymbol>& bytes) {
  std::string text;
  for (const SurprisingSymbol& byte : bytes) text += byte.text;
  std::vector<SurprisingSymbol> out;
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = next_character(text, at, c);
    SurprisingSymbol& symbol = out.emplace_back();
    append_utf8(c, symbol.text);
    for (size_t i = at; i < at + length; ++i) symbol.nats += bytes[i].nats;
    at += length;
  }
  return out;
}

}  // namespace

LineExaminer::LineExaminer(const tasks::LanguageModel& model, const data::Corpus& corpus)
    : model_(model),
      corpus_(corpus),
      words_(model.options().text.level == "word"),
      nats_(corpus.symbols.size(), std::numeric_limits<float>::quiet_NaN()) {}

void LineExaminer::measure(Piece& piece) const {
  for (int64_t at = piece.begin; at < piece.end; ++at) {
    const auto nats = static_cast<double>(nats_[static_cast<size_t>(at)]);
    if (std::isnan(nats)) continue;
    piece.nats += nats;
    ++piece.predicted;
  }
  if (piece.predicted > 0) piece.nats /= static_cast<double>(piece.predicted);
}

// The most surprising lines, or pieces of lines, of which so many symbols were predicted.
std::vector<LineExaminer::Piece> LineExaminer::pieces(int64_t min_predicted) const {
  const data::Vocabulary& vocabulary = model_.vocabulary();
  const int32_t newline = vocabulary.find("\n"), end = vocabulary.find(data::kEnd);
  const auto less = [](const Piece& a, const Piece& b) {
    return std::tie(b.nats, a.begin) < std::tie(a.nats, b.begin);
  };
  std::set<Piece, decltype(less)> worst(less);
  const auto take = [&](int64_t number, int64_t begin, int64_t stop) {
    const int64_t longest = line_lengths(words_).longest, parts = (stop - begin + longest - 1) / longest;
    for (int64_t i = 0; i < parts; ++i) {
      Piece piece{.number = number,
                  .begin = begin + (stop - begin) * i / parts,
                  .end = begin + (stop - begin) * (i + 1) / parts};
      measure(piece);
      if (piece.predicted < min_predicted) continue;
      worst.insert(piece);
      if (worst.size() > kMostLines) worst.erase(std::prev(worst.end()));
    }
  };
  int64_t number = 1;
  for (int64_t s = 0; s < corpus_.sequences(); ++s) {
    int64_t begin = corpus_.starts[static_cast<size_t>(s)];
    const int64_t stop = corpus_.starts[static_cast<size_t>(s) + 1];
    for (int64_t at = begin; at < stop; ++at) {
      const int32_t symbol = corpus_.symbols[static_cast<size_t>(at)];
      if (at + 1 < stop && symbol != newline && symbol != end) continue;
      take(number++, begin, at + 1);
      begin = at + 1;
    }
  }
  std::vector<Piece> out(worst.begin(), worst.end());
  const bool from_the_end = model_.options().text.reverse && !model_.options().text.lines;
  for (Piece& piece : out) piece.number = from_the_end ? number - piece.number : piece.number;
  return out;
}

SurprisingLine LineExaminer::line(const Piece& piece) const {
  SurprisingLine out{.number = piece.number, .nats = piece.nats, .symbols = {}};
  const bool bytes = model_.options().text.level == "byte";
  data::Writer writer(model_.options().text);
  for (int64_t i = piece.begin; i < piece.end; ++i) {
    // As people read it.
    const int64_t at = model_.options().text.reverse ? piece.begin + piece.end - 1 - i : i;
    const std::string& symbol = model_.vocabulary().symbol(corpus_.symbols[static_cast<size_t>(at)]);
    std::string text = writer.next(symbol);
    if (text.empty()) continue;  // the beginning of a line
    out.symbols.push_back({std::move(text), static_cast<double>(nats_[static_cast<size_t>(at)])});
  }
  if (bytes) out.symbols = characters_of(out.symbols);
  return out;
}

LineFindings LineExaminer::findings() const {
  LineFindings out{.words = words_, .longest = line_lengths(words_).longest, .lines = {}};
  for (const float nats : nats_) {
    if (std::isnan(nats)) continue;
    out.nats += static_cast<double>(nats);
    ++out.symbols;
  }
  if (out.symbols > 0) out.nats /= static_cast<double>(out.symbols);
  // In a text of short lines, such as names, all are considered.
  for (const int64_t shortest : {line_lengths(words_).shortest, int64_t{2}}) {
    out.shortest = shortest;
    const std::vector<Piece> worst = pieces(shortest);
    if (worst.empty()) continue;
    for (const Piece& piece : worst) out.lines.push_back(line(piece));
    break;
  }
  return out;
}

data::Corpus beginning_of(const data::Corpus& corpus, int64_t targets) {
  data::Corpus out;
  for (int64_t s = 0; s < corpus.sequences() && targets > 0; ++s) {
    const int64_t begin = corpus.starts[static_cast<size_t>(s)];
    const int64_t end = std::min(corpus.starts[static_cast<size_t>(s) + 1], begin + targets + 1);
    const std::vector<int32_t> line = corpus.symbols.copy(static_cast<size_t>(begin), static_cast<size_t>(end));
    out.symbols.memory().insert(out.symbols.memory().end(), line.begin(), line.end());
    out.starts.push_back(static_cast<int64_t>(out.symbols.size()));
    targets -= end - begin - 1;
  }
  return out;
}

std::vector<std::string> prompts_from(const tasks::LanguageModel& model, const data::Corpus& corpus) {
  const data::TextOptions& text = model.options().text;
  if (text.lines) return {""};
  constexpr int64_t kPrompts = 3;
  const data::Vocabulary& vocabulary = model.vocabulary();
  const bool words = text.level == "word";
  const auto symbol = [&](int64_t at) -> const std::string& {
    return vocabulary.symbol(corpus.symbols[static_cast<size_t>(at)]);
  };
  const auto divides = [&](int64_t at) { return symbol(at) == " " || symbol(at) == "\n" || symbol(at) == data::kEnd; };
  const int64_t n = corpus.targets(), shortest = words ? 3 : 10, longest = 4 * shortest;
  std::vector<std::string> out;
  for (int64_t i = 0; i < kPrompts; ++i) {
    int64_t begin = n * (2 * i + 1) / (2 * kPrompts);
    for (int64_t k = 0; k < longest && begin > 0 && begin + 1 < n && !divides(begin - 1); ++k) ++begin;
    data::Writer writer(text);
    std::string prompt;
    for (int64_t at = begin; at < std::min(n, begin + longest); ++at) {
      if (at - begin >= shortest && (words || divides(at))) break;
      prompt += writer.next(symbol(at));
    }
    out.push_back(std::move(prompt));
  }
  return out;
}

std::vector<Sample> samples_of(const tasks::LanguageModel& model, const std::vector<std::string>& prompts) {
  const int64_t symbols = model.options().text.level == "word" ? 180 : 480;  // of all prompts together
  tasks::TextReader reader(model, nn::Engine::kFused);
  std::vector<Sample> out;
  int64_t seed = 0;  // each sample's own: with equal ones the texts of a temperature resemble one another
  for (const std::string& prompt : prompts) {
    for (const double temperature : {0.5, 0.8, 1.1}) {
      Sample sample{prompt, "", temperature};
      tasks::generate(model, prompt, symbols / static_cast<int64_t>(prompts.size()),
                      {.temperature = temperature, .seed = ++seed}, data::Unknown::kSkip, reader,
                      [&](const std::string& piece) {
                        sample.text += piece;
                        return true;
                      });
      out.push_back(std::move(sample));
    }
  }
  return out;
}

ColdCurve cold_curve_of(const tasks::LanguageModel& model, const data::Corpus& corpus,
                        tasks::LanguageModel::Workspace& workspace) {
  const tasks::ColdScore cold = model.evaluate_cold(corpus, tasks::cold_places(corpus), 0.0, workspace);
  return {.text = {}, .nats = cold.nats, .bands = cold.metrics(), .warm_nats = 0.0};
}

}  // namespace longhand::runs
