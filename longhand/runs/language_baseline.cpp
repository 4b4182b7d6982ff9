// The n-gram model that a language model is compared with.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/format.h"
#include "longhand/runs/task_baselines.h"

namespace longhand::runs {
namespace {

constexpr int64_t kLongestOfCharacters = 10, kLongestOfWords = 6;

// Whole sequences of a corpus, or of a corpus of one its beginning; in memory.
data::Corpus first_symbols(const data::Corpus& corpus, int64_t most) {
  size_t sequences = 0;
  for (size_t end = corpus.starts.size(); end - sequences > 1;) {
    const size_t middle = sequences + (end - sequences) / 2;
    (corpus.starts[middle] <= most ? sequences : end) = middle;
  }
  data::Corpus out;
  out.starts = corpus.starts.copy(0, sequences + 1);
  if (out.starts.size() == 1) out.starts.push_back(std::min(most, corpus.starts[1]));
  out.symbols = corpus.symbols.copy(0, static_cast<size_t>(out.starts.back()));
  return out;
}

std::vector<std::string> names_of(const data::Vocabulary& vocabulary) {
  std::vector<std::string> out;
  for (int32_t v = 0; v < vocabulary.size(); ++v) out.push_back(vocabulary.symbol(v));
  return out;
}

}  // namespace

const char* const kLanguageAdvice =
    "more text, more `epochs`, several seeds in one model (`longhand combine`), or more units (`hidden`) with more "
    "dropout where the training loss is much "
    "lower";

LanguageBaseline LanguageBaseline::fit(const tasks::LanguageModel& of, const data::Corpus& train,
                                       const data::Corpus& held_out, int64_t most) {
  const data::TextOptions& text = of.options().text;
  const int64_t symbols = of.vocabulary().size();
  const int64_t longest = text.level == "word" ? kLongestOfWords : kLongestOfCharacters;
  LanguageBaseline out;
  const data::Corpus* counted = &train;
  data::Corpus beginning;
  const bool too_many = static_cast<int64_t>(train.symbols.size()) > most;
  if (too_many || !train.symbols.in_memory()) {
    beginning = first_symbols(train, most);
    counted = &beginning;
  }
  if (too_many) {
    out.note = fmt::format("counted in the first {} of {}", format_count(static_cast<double>(beginning.symbols.size())),
                           format_count(static_cast<int64_t>(train.symbols.size()), "symbol"));
  }
  const char* chosen_on = "held-out text";
  if (!held_out.symbols.empty()) {
    out.model = baselines::choose_ngram(*counted, held_out, symbols, longest);
  } else {
    data::Corpus begin = *counted;
    const data::Corpus end = data::split_off(begin, 0.1, text.lines);
    const bool enough = begin.targets() > 0 && end.targets() > 0;
    const int64_t order = enough ? baselines::choose_ngram(begin, end, symbols, longest).order() : 1;
    out.model = baselines::fit_ngram(*counted, symbols, order);
    chosen_on = "the end of the training text";
  }
  out.name = fmt::format("{}-gram (Kneser-Ney, order chosen on {})", out.model.order(), chosen_on);
  return out;
}

void LanguageBaseline::write(const std::string& path, const tasks::LanguageModel& of) const {
  baselines::BaselineWriter file(baselines::Ngram::kKind);
  file.add("name", name);
  file.add("note", note);
  file.add_texts("vocabulary", names_of(of.vocabulary()));
  model.write(file);
  file.write(path);
}

LanguageBaseline LanguageBaseline::read(const std::string& path, const tasks::LanguageModel& of) {
  const baselines::BaselineFile file = baselines::BaselineFile::read(path);
  file.expect(file.kind() == baselines::Ngram::kKind, "the n-gram model of a language model");
  LanguageBaseline out{baselines::Ngram::read(file), file.text("name"), file.text("note")};
  file.expect(file.texts("vocabulary") == names_of(of.vocabulary()) && out.model.symbols() == of.vocabulary().size(),
              "the vocabulary of the model beside it");
  return out;
}

BaselineFindings LanguageBaseline::measure(const data::Corpus& corpus) const {
  int64_t symbols = 0;
  const double sum = model.nats(corpus, kMostSymbols, symbols);
  const double nats = sum / static_cast<double>(std::max<int64_t>(symbols, 1));
  std::string remark = note;
  if (symbols < corpus.targets()) {
    remark += fmt::format("{}measured on the first {} of {}", note.empty() ? "" : ", ",
                          format_count(static_cast<double>(symbols)), format_count(corpus.targets(), "symbol"));
  }
  return {.name = name,
          .note = remark,
          .measured = {},
          .metrics = {{"loss", nats}, {"perplexity", std::exp(nats)}},
          .verdict = {}};
}

}  // namespace longhand::runs
