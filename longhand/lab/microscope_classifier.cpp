// Classifiers under the microscope.
#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/data/source.h"
#include "longhand/lab/microscope_properties.h"
#include "longhand/lab/microscope_words.h"
#include "longhand/nn/pooling.h"
#include "longhand/tasks/classifier.h"

namespace longhand::lab {
namespace {

struct ClassifierSubject : WordSequences {
  ClassifierSubject(std::shared_ptr<tasks::Classifier> of, nn::Engine used, kernels::Context& context)
      : WordSequences(of->network(), of->lexicon(), used, context), model(std::move(of)) {}

  std::shared_ptr<tasks::Classifier> model;
  std::vector<int32_t> classes;  // [S] -1: unknown
  nn::PoolKept<float> kept;
  Buffer<float> pooled, d_pooled;
  std::vector<float> no_gradient;

  int64_t K() const { return static_cast<int64_t>(model->classes().size()); }

  nn::PoolKind kind() const { return nn::parse_pool(model->options().pool); }
  int64_t pooled_stride() const { return padded(nn::pooled_width(kind(), network.width())); }

  nn::PoolInput<float> pool_input(const float* y, int64_t T, int64_t rows) const {
    const float* query = nullptr;
    for (const Parameter& parameter : model->parameters().parameters()) {
      if (parameter.name == "pool.query") query = model->parameters().values().data() + parameter.offset;
    }
    return {.kind = kind(),
            .steps = T,
            .batch = rows,
            .width = network.width(),
            .directions = model->options().lstm.directions(),
            .x = y,
            .stride = padded(network.width()),
            .query = query};
  }

  // Probabilities [rows, K].
  std::vector<double> probabilities(const float* y, int64_t T, int64_t rows) {
    const int64_t W = pooled_stride();
    pooled.resize(rows * W);
    nn::pool(pool_input(y, T, rows), pooled.data(), W, kept, output.context.pool);
    const float* all = run_output(pooled.data(), rows);
    std::vector<double> out;
    for (int64_t b = 0; b < rows; ++b) append_softmax(all + b * padded(K()), K(), out);
    return out;
  }

  void read(int64_t begin, int64_t end, const float* y, ModelOutputs& out) {
    const size_t s = sequence_of(begin);
    out.set(static_cast<int64_t>(s), probabilities(y, end - begin, 1).data(), K(), classes[s]);
  }

  void measure(const Decision& decision, int64_t rows, const float* y, double* scores_out, float* d_y) {
    const int64_t T = decision.end - decision.begin, W = pooled_stride();
    const std::vector<double> p = probabilities(y, T, rows);
    for (int64_t b = 0; b < rows; ++b) scores_out[b] = std::log(p[static_cast<size_t>(b * K() + decision.target)]);
    if (d_y == nullptr) return;
    d_scores.resize(padded(K()));
    for (int64_t k = 0; k < K(); ++k) {
      d_scores[k] = static_cast<float>((k == decision.target ? 1.0 : 0.0) - p[static_cast<size_t>(k)]);
    }
    d_pooled.resize(W);
    network.output().backward_input(1, d_scores.data(), padded(K()), d_pooled.data());
    no_gradient.resize(static_cast<size_t>(W));
    nn::pool_backward(pool_input(y, T, 1), kept, d_pooled.data(), W, d_y, no_gradient.data(), output.context.pool);
  }
};

// Texts in the format that their content shows, as `longhand classify` reads them, with labels where there are any.
std::vector<data::LabelledText> read_texts(const tasks::Classifier& model, const std::string& contents,
                                           const std::string& source) {
  data::LabelledOptions columns = model.options().columns;
  std::string head = contents.substr(0, size_t{1} << 16);
  if (head.size() < contents.size() && head.rfind('\n') != std::string::npos) head.resize(head.rfind('\n') + 1);
  columns.format = data::recognise_texts(head, columns, model.classes(), source);
  if (columns.format != "lines") {
    try {
      return data::read_labelled(contents, columns, data::Labels::kWanted, source).examples;
    } catch (const Error&) {  // perhaps it has texts alone
      return data::read_labelled(contents, columns, data::Labels::kIgnored, source).examples;
    }
  }
  const std::string clean = data::clean_text(contents, source);
  std::vector<data::LabelledText> out;
  int64_t number = 0;
  for (std::string_view rest = clean; !rest.empty();) {
    const std::string_view line = data::take_line(rest);
    out.push_back({data::read_text_line(line, "lines", columns, source, ++number), "", number});
  }
  return out;
}

}  // namespace

Subject classifier_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                           const MicroscopeOptions& options, kernels::Context& context) {
  std::shared_ptr<tasks::Classifier> model = tasks::Classifier::load(file);
  Subject out{.model = model,
              .task = "classifier",
              .noun = "word",
              .replacement = kReplacedByUnknown,
              .asks = "label",
              .engine = nn::parse_engine(options.engine)};
  auto own = std::make_shared<ClassifierSubject>(model, out.engine, context);
  WordText words(options.max_symbols);
  const std::vector<data::LabelledText> texts = read_texts(*model, contents, source);
  size_t taken = 0;
  std::vector<int32_t> label_of_word;
  for (; taken < texts.size() && !words.full(); ++taken) {
    words.add(model->tokenizer().words(texts[taken].text));
    own->classes.resize(static_cast<size_t>(words.text.sequences()), model->find_class(texts[taken].label));
    label_of_word.resize(static_cast<size_t>(words.text.size()), model->find_class(texts[taken].label));
  }
  words.finish(*own, source);
  words.note(out.notes, taken < texts.size());
  if (model->linear()) {
    out.notes.push_back("The page shows the network alone; a logistic regression has a share of " +
                        shortest(model->options().linear_share) + " in the model's probabilities.");
  }
  out.outputs.names = shown_names(model->classes());
  out.outputs.of_sequences = true;
  out.outputs.resize(words.text.sequences());
  out.properties = word_properties(words.raw, words.text.symbols, words.text.starts);
  for (TextProperty& property : label_properties("label", out.outputs.names, label_of_word)) {
    out.properties.push_back(std::move(property));
  }
  out.text = std::move(words.text);
  set_functions(out, own);
  out.decide = [own](int64_t position, int64_t most, const ModelOutputs& outputs) {
    Decision decision = own->decision(position, most);
    decision.position = decision.end - 1;
    decision.target = label_of(outputs, own->sequence_of(position));
    return decision;
  };
  return out;
}

}  // namespace longhand::lab
