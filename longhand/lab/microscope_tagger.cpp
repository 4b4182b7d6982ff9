// Taggers under the microscope.
#include <algorithm>
#include <cmath>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/data/raw_text.h"
#include "longhand/data/source.h"
#include "longhand/lab/microscope_properties.h"
#include "longhand/lab/microscope_words.h"
#include "longhand/tasks/tagger.h"

namespace longhand::lab {
namespace {

struct TaggerSubject : WordSequences {
  TaggerSubject(std::shared_ptr<tasks::Tagger> of, nn::Engine used, kernels::Context& context)
      : WordSequences(of->network(), of->lexicon(), used, context), model(std::move(of)) {}

  std::shared_ptr<tasks::Tagger> model;
  std::vector<int32_t> labels;  // [N] -1: unknown

  int64_t K() const { return static_cast<int64_t>(model->labels().size()); }

  // The probability of each label at each step [T, K], given the sentence.
  std::vector<double> marginals(const float* rows, int64_t T, int64_t apart) {
    const nn::CrfLayer<float> chain = model->crf();
    const bool independent = chain.transitions == nullptr && chain.allowed == nullptr;
    if (!independent) {
      return nn::crf_marginals<float>(chain, {.steps = T, .batch = 1, .scores = rows, .stride = apart}, 0);
    }
    std::vector<double> out;
    for (int64_t t = 0; t < T; ++t) append_softmax(rows + t * apart, K(), out);
    return out;
  }

  void read(int64_t begin, int64_t end, const float* y, ModelOutputs& out) {
    const float* rows = run_output(y, end - begin);
    const std::vector<double> p = marginals(rows, end - begin, padded(K()));
    for (int64_t t = begin; t < end; ++t) {
      out.set(t, p.data() + (t - begin) * K(), K(), labels[static_cast<size_t>(t)]);
    }
  }

  void measure(const Decision& decision, int64_t rows, const float* y, double* scores_out, float* d_y) {
    const int64_t T = decision.end - decision.begin, W = padded(network.width()), stride = padded(K());
    const float* all = run_output(y, T * rows);
    const int64_t at = decision.position - decision.begin;
    std::vector<float> own(static_cast<size_t>(T * stride));  // of one row
    std::vector<double> p;
    for (int64_t b = 0; b < rows; ++b) {
      for (int64_t t = 0; t < T; ++t) std::copy_n(all + (t * rows + b) * stride, K(), own.data() + t * stride);
      p = marginals(own.data(), T, stride);
      scores_out[b] = std::log(p[static_cast<size_t>(at * K() + decision.target)]);
    }
    if (d_y == nullptr) return;
    // d log p(label at t) / d score = p(each label | that label at t) - p(each label). (54)
    for (int64_t k = 0; k < K(); ++k) {
      if (k != decision.target) own[static_cast<size_t>(at * stride + k)] = -1e30F;
    }
    const std::vector<double> given = marginals(own.data(), T, stride);
    d_scores.resize(T * stride);
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t k = 0; k < K(); ++k) {
        const auto i = static_cast<size_t>(t * K() + k);
        d_scores[t * stride + k] = static_cast<float>(given[i] - p[i]);
      }
    }
    std::fill_n(d_y, T * W, 0.0F);
    network.output().backward_input(T, d_scores.data(), stride, d_y);
  }
};

std::vector<data::TaggedSentence> read_sentences(const tasks::Tagger& model, const std::string& contents,
                                                 const std::string& source, const MicroscopeOptions& options,
                                                 std::vector<std::string>& notes) {
  const std::string clean = data::clean_text(contents, source);
  const auto is_tag = [&](std::string_view tag) { return model.is_tag(std::string(tag)); };
  if (options.input == "columns" || (options.input == "auto" && data::looks_like_columns(clean, is_tag))) {
    const data::ColumnOptions& columns = model.options().columns;
    try {
      return data::read_columns(clean, columns, data::ColumnReader::Tags::kWanted, source).sentences;
    } catch (const Error&) {  // perhaps it has words alone
      data::ColumnOptions words{.column = columns.column, .word_column = columns.word_column};
      auto out = data::read_columns(clean, words, data::ColumnReader::Tags::kIgnored, source).sentences;
      notes.push_back("no tags were found in the file: decisions are about the tags that the model gives");
      return out;
    }
  }
  const bool divided = data::recognise_text(clean, model.tokenizer(), is_tag) == data::TextKind::kSentences;
  const data::Tokenizer blanks;
  std::vector<data::TaggedSentence> out;
  for (const data::TextPart& part :
       data::text_parts(clean, divided ? blanks : model.tokenizer(),
                        divided ? data::SentenceBreaks::kLines : data::SentenceBreaks::kSplit)) {
    size_t begin = 0;
    for (const size_t end : part.sentence_ends) {
      data::TaggedSentence& sentence = out.emplace_back();
      for (; begin < end; ++begin) sentence.words.push_back(part.tokens[begin].word);
    }
  }
  return out;
}

// The labels of a sentence as the model has them inside.
std::vector<int32_t> inner_labels(const tasks::Tagger& model, const data::TaggedSentence& sentence) {
  std::vector<std::string> tags = sentence.tags;
  if (model.scheme() != data::Scheme::kNone) {
    tags = data::chunk_tags(data::chunks(sentence.tags), static_cast<int64_t>(tags.size()),
                            data::parse_scheme(model.options().encode));
  }
  std::vector<int32_t> out;
  for (const std::string& tag : tags) out.push_back(model.find_label(tag));
  return out;
}

}  // namespace

Subject tagger_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                       const MicroscopeOptions& options, kernels::Context& context) {
  std::shared_ptr<tasks::Tagger> model = tasks::Tagger::load(file);
  Subject out{.model = model,
              .task = "tagger",
              .noun = "word",
              .replacement = kReplacedByUnknown,
              .asks = "tag",
              .engine = nn::parse_engine(options.engine)};
  auto own = std::make_shared<TaggerSubject>(model, out.engine, context);
  WordText words(options.max_symbols);
  size_t taken = 0;
  const std::vector<data::TaggedSentence> sentences = read_sentences(*model, contents, source, options, out.notes);
  for (; taken < sentences.size() && !words.full(); ++taken) {
    const data::TaggedSentence& sentence = sentences[taken];
    const size_t count = words.add(sentence.words);
    std::vector<int32_t> labels(sentence.words.size(), -1);
    if (!sentence.tags.empty()) labels = inner_labels(*model, sentence);
    own->labels.insert(own->labels.end(), labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(count));
  }
  words.finish(*own, source);
  words.note(out.notes, taken < sentences.size());
  out.outputs.names = shown_names(model->labels());
  out.outputs.resize(words.text.size());
  out.properties = word_properties(words.raw, words.text.symbols, words.text.starts);
  for (TextProperty& property : label_properties("tag", out.outputs.names, own->labels)) {
    out.properties.push_back(std::move(property));
  }
  out.text = std::move(words.text);
  set_functions(out, own);
  out.decide = [own](int64_t position, int64_t most, const ModelOutputs& outputs) {
    Decision decision = own->decision(position, most);
    decision.target = label_of(outputs, static_cast<size_t>(position));
    return decision;
  };
  return out;
}

}  // namespace longhand::lab
