// Language models under the microscope.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/lab/microscope_properties.h"
#include "longhand/lab/microscope_subject.h"
#include "longhand/tasks/language_model.h"

namespace longhand::lab {
namespace {

struct LanguageSubject {
  LanguageSubject(std::shared_ptr<tasks::LanguageModel> of, nn::Engine engine, kernels::Context& context)
      : model(std::move(of)), workspace(engine, context) {}

  std::shared_ptr<tasks::LanguageModel> model;
  data::Corpus corpus;
  int32_t replacement = 0, second_replacement = 0;
  Buffer<float> x, logits, d_logits;
  std::vector<int32_t> symbols;  // [T, B]
  std::vector<double> probabilities;
  nn::OutputWorkspace workspace;

  int64_t V() const { return model->vocabulary().size(); }
  int32_t symbol(int64_t position) const { return corpus.symbols[static_cast<size_t>(position)]; }

  // Nothing changes where the replacement stood already: then it is the next most frequent symbol.
  int32_t replaced(int64_t position) const {
    return symbol(position) == replacement ? second_replacement : replacement;
  }

  ProbeInput lay(const SubjectRows& rows) {
    const int64_t T = rows.end - rows.begin, B = static_cast<int64_t>(rows.replaced.size());
    symbols.resize(static_cast<size_t>(T * B));
    for (int64_t t = 0; t < T; ++t) {
      for (int64_t b = 0; b < B; ++b) {
        const int64_t at = rows.begin + t;
        symbols[static_cast<size_t>(t * B + b)] =
            rows.replaced[static_cast<size_t>(b)] == at ? replaced(at) : symbol(at);
      }
    }
    const int64_t E = model->options().embed, stride = padded(E);
    if (E == 0) return {.steps = T, .rows = B, .symbols = symbols.data()};
    x.resize(T * B * stride);
    for (int64_t row = 0; row < T * B; ++row) {
      const float* from = model->network().embedding() + symbols[static_cast<size_t>(row)] * E;
      std::copy_n(from, E, x.data() + row * stride);
      std::fill_n(x.data() + row * stride + E, stride - E, 0.0F);
    }
    return {.steps = T, .rows = B, .x = x.data()};
  }

  // Logits [n, padded(V)] of rows of outputs that lie `apart` each other.
  const float* run_output(const float* y, int64_t n) {
    logits.resize(n * padded(V()));
    model->network().output().forward({.n = n, .x = y}, logits.data(), padded(V()), workspace);
    return logits.data();
  }

  // Returns log p of one symbol, and leaves all probabilities.
  double softmax(const float* row, int32_t of) {
    probabilities.resize(static_cast<size_t>(V()));
    const auto largest = static_cast<double>(*std::max_element(row, row + V()));
    double sum = 0.0;
    for (int64_t k = 0; k < V(); ++k) {
      probabilities[static_cast<size_t>(k)] = std::exp(static_cast<double>(row[k]) - largest);
      sum += probabilities[static_cast<size_t>(k)];
    }
    for (double& p : probabilities) p /= sum;
    return of < 0 ? 0.0 : static_cast<double>(row[of]) - largest - std::log(sum);
  }

  // The starts of sequences after `position`.
  int64_t next_start(int64_t position) const {
    const std::vector<int64_t>& starts = corpus.starts.memory();
    return *std::upper_bound(starts.begin(), starts.end(), position);
  }

  void read(int64_t begin, int64_t end, const float* y, ModelOutputs& out) {
    const float* rows = run_output(y, end - begin);
    int64_t stop = next_start(begin);
    for (int64_t t = begin; t < end; ++t) {
      if (t + 1 == stop) {  // nothing follows in this sequence
        if (t + 1 < end) stop = next_start(t + 1);
        continue;
      }
      softmax(rows + (t - begin) * padded(V()), -1);
      out.set(t + 1, probabilities.data(), V(), symbol(t + 1));
    }
  }

  void measure(const Decision& decision, int64_t rows, const float* y, double* scores, float* d_y) {
    const int64_t W = padded(model->network().width()), T = decision.end - decision.begin;
    const float* last = y + (T - 1) * rows * W;
    const float* all = run_output(last, rows);
    for (int64_t b = 0; b < rows; ++b) scores[b] = softmax(all + b * padded(V()), decision.target);
    if (d_y == nullptr) return;
    std::fill_n(d_y, T * W, 0.0F);
    d_logits.resize(padded(V()));
    for (int64_t k = 0; k < V(); ++k) {
      const double p = probabilities[static_cast<size_t>(k)];
      d_logits[k] = static_cast<float>((k == decision.target ? 1.0 : 0.0) - p);
    }
    model->network().output().backward_input(1, d_logits.data(), padded(V()), d_y + (T - 1) * W);
  }
};

// The two most frequent symbols, or the one that was asked for and the most frequent one.
void choose_replacement(LanguageSubject& subject, const std::string& asked) {
  std::vector<int64_t> counts(static_cast<size_t>(subject.V()));
  for (const int32_t symbol : subject.corpus.symbols) ++counts[static_cast<size_t>(symbol)];
  std::vector<int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return counts[static_cast<size_t>(a)] > counts[static_cast<size_t>(b)];
  });
  subject.replacement = order[0];
  subject.second_replacement = order[std::min<size_t>(1, order.size() - 1)];
  if (asked.empty()) return;
  const int32_t found = subject.model->vocabulary().find(asked);
  if (found < 0) {
    throw usage_error("`replace`: expected a symbol of the model, found '" + asked + "'",
                      "give one of its symbols; `longhand info` lists them");
  }
  if (found != order[0]) subject.second_replacement = order[0];
  subject.replacement = found;
}

data::Corpus read_corpus(const tasks::LanguageModel& model, const std::string& contents, const std::string& source,
                         int64_t max_symbols, std::vector<std::string>& notes) {
  const data::TextOptions& how = model.options().text;
  const std::string all = data::normalise(contents, how, source);
  const std::string_view text = data::truncate(all, how, max_symbols);
  if (text.size() < all.size()) {
    notes.push_back(fmt::format("the text is cut after {} bytes of {} (--max-symbols {})",
                                format_count(static_cast<double>(text.size())),
                                format_count(static_cast<double>(all.size())), max_symbols));
  }
  const bool has_unknown = model.vocabulary().find(data::kUnknown) >= 0;
  data::Corpus corpus =
      data::encode(text, how, model.vocabulary(), has_unknown ? data::Unknown::kUnk : data::Unknown::kSkip, source);
  if (corpus.skipped > 0) {
    notes.push_back(format_count(corpus.skipped, "symbol") + " that the model does not know are left out");
  }
  if (corpus.targets() < 1) {
    throw input_error(
        fmt::format("{}: too short: expected at least 2 symbols, found {}", source, corpus.symbols.size()),
        "give a longer text");
  }
  return corpus;
}

ShownText shown_text_of(const tasks::LanguageModel& model, const data::Corpus& corpus) {
  const data::Vocabulary& vocabulary = model.vocabulary();
  ShownText out{
      .symbols = corpus.symbols.copy(), .starts = corpus.starts.copy(), .spaced = model.options().text.level == "word"};
  for (int32_t s = 0; s < vocabulary.size(); ++s) {
    const std::string& symbol = vocabulary.symbol(s);
    const bool ends = symbol == "\n" || symbol == data::kEnd;
    out.names.push_back(shown_symbol(symbol == data::kEnd ? "\n" : symbol));
    out.ends_line.push_back(ends ? 1 : 0);
  }
  return out;
}

}  // namespace

Subject language_model_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                               const MicroscopeOptions& options, kernels::Context& context) {
  std::shared_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(file);
  if (model->options().lstm.bidirectional) {
    throw input_error(file.path() + ": a bidirectional language model reads the symbol that it predicts",
                      "train one without `bidirectional`");
  }
  if (model->options().text.reverse) {
    throw input_error(file.path() + ": a language model with `reverse` reads texts from their end",
                      "the microscope shows texts as they are read; train one without `reverse`");
  }
  Subject out{.model = model, .task = "language model", .carries = true};
  out.engine = nn::parse_engine(options.engine);
  auto subject = std::make_shared<LanguageSubject>(model, out.engine, context);
  subject->corpus = read_corpus(*model, contents, source, options.max_symbols, out.notes);
  choose_replacement(*subject, options.replace);
  const std::string& level = model->options().text.level;
  out.noun = level == "char" ? "character" : level;
  out.asks = "next " + out.noun;
  out.text = shown_text_of(*model, subject->corpus);
  const std::string &first = out.text.names[static_cast<size_t>(subject->replacement)],
                    &second = out.text.names[static_cast<size_t>(subject->second_replacement)];
  out.replacement = fmt::format("'{}' ('{}' where it is that already)", first, second);
  out.outputs.names = out.text.names;
  out.outputs.resize(out.text.size());
  std::vector<std::string> raw;
  for (int32_t s = 0; s < model->vocabulary().size(); ++s) raw.push_back(model->vocabulary().symbol(s));
  out.properties = level == "word" ? word_properties(raw, out.text.symbols, out.text.starts)
                                   : character_properties(raw, out.text.symbols);
  out.lay = [subject](const SubjectRows& rows) { return subject->lay(rows); };
  out.read = [subject](int64_t begin, int64_t end, const float* y, ModelOutputs& outputs) {
    subject->read(begin, end, y, outputs);
  };
  out.measure = [subject](const Decision& decision, int64_t rows, const float* y, double* scores, float* d_y) {
    subject->measure(decision, rows, y, scores, d_y);
  };
  out.decide = [subject](int64_t position, int64_t most, const ModelOutputs&) {
    const std::vector<int64_t>& starts = subject->corpus.starts.memory();
    const int64_t start = *(std::upper_bound(starts.begin(), starts.end(), position) - 1);
    const int64_t begin = std::max(start, position - most);
    return Decision{position, begin, position, begin, position, subject->symbol(position)};
  };
  return out;
}

}  // namespace longhand::lab
