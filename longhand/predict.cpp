#include "longhand/predict.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/utf8.h"
#include "longhand/data/chunks.h"
#include "longhand/data/raw_text.h"
#include "longhand/model_parts.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/sampler.h"
#include "longhand/workspace_pool.h"

namespace longhand {
namespace {

data::Unknown policy(UnknownSymbols unknown) {
  switch (unknown) {
    case UnknownSymbols::kSkip: return data::Unknown::kSkip;
    case UnknownSymbols::kReadAsUnknown: return data::Unknown::kUnk;
    default: return data::Unknown::kError;
  }
}

// Sequences that are read together: so many that weights are used often.
constexpr size_t kTogether = 64;

// Their numbers: of similar length, so that few rows of a batch end early.
std::vector<std::vector<int64_t>> groups_of(const std::vector<int64_t>& lengths) {
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return lengths[static_cast<size_t>(a)] < lengths[static_cast<size_t>(b)];
  });
  std::vector<std::vector<int64_t>> out;
  for (size_t begin = 0; begin < order.size(); begin += kTogether) {
    const auto first = order.begin() + static_cast<int64_t>(begin);
    out.emplace_back(first, order.begin() + static_cast<int64_t>(std::min(begin + kTogether, order.size())));
  }
  return out;
}

TextToken text_token(data::Token token, const data::TextPart& part) {
  const auto byte = static_cast<int64_t>(part.byte);
  return {.word = std::move(token.word),
          .begin = part.character + token.begin_character,
          .end = part.character + token.end_character,
          .begin_byte = byte + static_cast<int64_t>(token.begin),
          .end_byte = byte + static_cast<int64_t>(token.end),
          .part = token.part,
          .parts = token.parts};
}

void check_utf8(std::string_view text) {
  if (const size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    throw input_error(fmt::format("the text: expected UTF-8, found byte 0x{:02X} at offset {}",
                                  static_cast<unsigned char>(text[at]), at),
                      "give a text in UTF-8");
  }
}

}  // namespace

Sentence TextSentence::words() const {
  Sentence out;
  for (const TextToken& token : tokens) out.push_back(token.word);
  return out;
}

struct LONGHAND_LOCAL Tagger::Parts : UsedModel<tasks::Tagger> {
  using UsedModel::UsedModel;
};

Tagger::Tagger(std::shared_ptr<const Model> model, Threads threads)
    : parts_(std::make_unique<Parts>(std::move(model), Task::kTagger, &Model::Parts::tagger, threads)) {}
Tagger::~Tagger() = default;
Tagger::Tagger(Tagger&&) noexcept = default;
Tagger& Tagger::operator=(Tagger&&) noexcept = default;

void Tagger::check_length(int64_t words, int64_t n) const {
  if (n < 1) throw usage_error(fmt::format("expected at least 1 tagging, found {}", n), "ask for 1 or more");
  parts_->task_model.check_length(words, n);
}

std::vector<std::vector<Tags>> Tagger::tag(std::span<const Sentence> sentences, int64_t n) const {
  const tasks::Tagger& tagger = parts_->task_model;
  data::Lexicon lexicon = tagger.lexicon();
  std::vector<std::vector<int32_t>> entries;  // of the sentences that have words
  std::vector<int64_t> lengths;
  for (const Sentence& sentence : sentences) {
    check_length(static_cast<int64_t>(sentence.size()), n);
    if (sentence.empty()) continue;
    entries.emplace_back();
    lengths.push_back(static_cast<int64_t>(sentence.size()));
    for (const std::string& word : sentence) {
      if (word.empty()) throw input_error("expected words, found an empty one", "leave it out of the sentence");
      entries.back().push_back(lexicon.find(word));
    }
  }
  std::vector<std::vector<tasks::Tagging>> best(entries.size());
  if (!entries.empty()) {
    parts_->pool.with([&](tasks::Tagger::Workspace& workspace) {
      data::WordBatch batch;
      for (const std::vector<int64_t>& group : groups_of(lengths)) {
        std::vector<std::span<const int32_t>> some;
        for (const int64_t i : group) some.emplace_back(entries[static_cast<size_t>(i)]);
        data::make_batch(lexicon, some, {}, batch);
        tagger.read(batch, workspace);
        std::vector<std::vector<tasks::Tagging>> found = tagger.best(batch, n, workspace);
        for (size_t i = 0; i < group.size(); ++i) best[static_cast<size_t>(group[i])] = std::move(found[i]);
      }
    });
  }
  std::vector<std::vector<Tags>> out;
  size_t next = 0;
  for (const Sentence& sentence : sentences) {
    std::vector<Tags>& taggings = out.emplace_back();
    if (sentence.empty()) {
      taggings.push_back({{}, 1.0});
      continue;
    }
    for (tasks::Tagging& tagging : best[next++]) taggings.push_back({std::move(tagging.tags), tagging.probability});
  }
  return out;
}

std::vector<std::string> Tagger::tag(const Sentence& words) const {
  return std::move(tag({&words, 1}).front().front().tags);
}

std::vector<TextSentence> Tagger::sentences(std::string_view text, SentenceEnds ends) const {
  check_utf8(text);
  const data::SentenceBreaks breaks = ends == SentenceEnds::kLines            ? data::SentenceBreaks::kLines
                                      : ends == SentenceEnds::kMarksAndBlanks ? data::SentenceBreaks::kParagraphs
                                                                              : data::SentenceBreaks::kSplit;
  std::vector<TextSentence> out;
  for (data::TextPart& part : data::text_parts(text, parts_->task_model.tokenizer(), breaks)) {
    size_t i = 0;
    for (const size_t end : part.sentence_ends) {
      TextSentence& sentence = out.emplace_back();
      for (; i < end; ++i) sentence.tokens.push_back(text_token(std::move(part.tokens[i]), part));
    }
  }
  return out;
}

std::vector<TaggedSpan> Tagger::spans(const std::vector<std::string>& tags) {
  std::vector<TaggedSpan> out;
  for (const data::Chunk& chunk : data::chunks(tags)) out.push_back({chunk.begin, chunk.end, std::string(chunk.type)});
  return out;
}

struct LONGHAND_LOCAL Classifier::Parts : UsedModel<tasks::Classifier> {
  using UsedModel::UsedModel;
};

Classifier::Classifier(std::shared_ptr<const Model> model, Threads threads)
    : parts_(std::make_unique<Parts>(std::move(model), Task::kClassifier, &Model::Parts::classifier, threads)) {}
Classifier::~Classifier() = default;
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;

std::vector<std::vector<ClassProbability>> Classifier::classify(std::span<const std::string> texts, int64_t top) const {
  const tasks::Classifier& classifier = parts_->task_model;
  std::vector<data::LabelledText> some;
  for (const std::string& text : texts) {
    if (!text.empty()) some.push_back({.text = text, .label = "", .line = 0});
  }
  const tasks::LabelledCorpus corpus(classifier, std::move(some));
  const size_t K = classifier.classes().size();
  std::vector<double> probabilities(static_cast<size_t>(corpus.size()) * K);
  if (corpus.size() > 0) {
    parts_->pool.with([&](tasks::Classifier::Workspace& workspace) {
      tasks::ClassBatch batch;
      for (const std::vector<int64_t>& group : groups_of(corpus.lengths())) {
        corpus.get(group, {}, batch);
        const std::span<const double> read = classifier.read(batch.words, workspace);
        for (size_t i = 0; i < group.size(); ++i) {
          std::copy_n(read.data() + i * K, K, probabilities.data() + static_cast<size_t>(group[i]) * K);
        }
      }
    });
  }
  std::vector<std::vector<ClassProbability>> out;
  size_t next = 0;
  for (const std::string& text : texts) {
    std::vector<ClassProbability>& classes = out.emplace_back();
    if (text.empty()) continue;
    const auto row = std::span<const double>(probabilities).subspan(next++ * K, K);
    std::vector<size_t> order(K);
    std::iota(order.begin(), order.end(), 0);
    const size_t count = std::min(K, static_cast<size_t>(std::max<int64_t>(top, 0)));
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(count), order.end(),
                      [&](size_t i, size_t j) { return row[i] != row[j] ? row[i] > row[j] : i < j; });
    for (size_t i = 0; i < count; ++i)
      classes.push_back({static_cast<int64_t>(order[i]), classifier.classes()[order[i]], row[order[i]]});
  }
  return out;
}

std::vector<ClassProbability> Classifier::classify(const std::string& text, int64_t top) const {
  return std::move(classify(std::span(&text, 1), top).front());
}

std::vector<TextToken> Classifier::tokens(std::string_view text) const {
  check_utf8(text);
  std::vector<TextToken> out;
  for (data::Token& token : parts_->task_model.tokenizer().tokens(text)) {
    out.push_back(text_token(std::move(token), {}));
  }
  return out;
}

struct LONGHAND_LOCAL Generator::Parts : UsedModel<tasks::LanguageModel> {
  using UsedModel::UsedModel;
};

Generator::Generator(std::shared_ptr<const Model> model)
    : parts_(std::make_unique<Parts>(std::move(model), Task::kLanguageModel, &Model::Parts::language_model, 1)) {
  if (const std::string why = parts_->task_model.why_not_generate(); !why.empty()) {
    throw input_error(why, "train one without `bidirectional` and `reverse`");
  }
}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;

void Generator::generate(const std::string& prompt, int64_t length, const GenerateOptions& options,
                         const std::function<bool(const std::string&)>& emit, UnknownSymbols unknown) const {
  const bool sound = options.temperature > 0.0 && options.top_k >= 0 && options.top_p > 0.0 && options.top_p <= 1.0 &&
                     options.seed >= 0 && options.count >= 0 && length >= 0;
  if (!sound) {
    throw usage_error("expected a temperature above 0, a top-p above 0 and up to 1, and other numbers from 0",
                      "correct the options");
  }
  const tasks::LanguageModel& model = parts_->task_model;
  tasks::TextReader reader(model, nn::Engine::kFused,
                           parts_->model->can_stream() ? &parts_->model->parts().step_weights() : nullptr);
  tasks::generate(model, prompt, length, options, policy(unknown), reader, emit);
}

struct LONGHAND_LOCAL Scorer::Parts : UsedModel<tasks::LanguageModel> {
  using UsedModel::UsedModel;
};

Scorer::Scorer(std::shared_ptr<const Model> model, Threads threads)
    : parts_(std::make_unique<Parts>(std::move(model), Task::kLanguageModel, &Model::Parts::language_model, threads)) {
  if (!parts_->task_model.options().lstm.bidirectional) return;
  throw input_error("a bidirectional model cannot score a text: it reads the symbol that it predicts",
                    "train one without `bidirectional`");
}
Scorer::~Scorer() = default;
Scorer::Scorer(Scorer&&) noexcept = default;
Scorer& Scorer::operator=(Scorer&&) noexcept = default;

TextScore Scorer::score(const std::string& text) const {
  const tasks::LanguageModel& model = parts_->task_model;
  const data::TextOptions& how = model.options().text;
  const bool has_unknown = model.vocabulary().find(data::kUnknown) >= 0;
  const data::Corpus corpus = data::encode(data::normalise(text, how, "the text"), how, model.vocabulary(),
                                           has_unknown ? data::Unknown::kUnk : data::Unknown::kSkip, "the text");
  if (corpus.targets() < 1) {
    throw input_error(fmt::format("the text: expected at least 2 symbols, found {}", corpus.symbols.size()),
                      "give a longer text");
  }
  return parts_->pool.with([&](tasks::LanguageModel::Workspace& workspace) {
    const tasks::LanguageScore score = model.evaluate(corpus, {.rows = how.lines ? 64 : 1}, workspace);
    return TextScore{.nats = score.total_nats, .symbols = score.symbols, .unknown = score.unknown};
  });
}

}  // namespace longhand
