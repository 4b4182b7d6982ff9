// Python classes for the predictors of predict.h, and incremental text generation.
#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "arrays.h"
#include "loaded_model.h"
#include "longhand/base/error.h"
#include "longhand/predict.h"
#include "module.h"

namespace longhand::python {
namespace {

using TaggedWords = std::pair<std::vector<std::string>, double>;

UnknownSymbols policy_of(const std::string& unknown) {
  if (unknown == "error") return UnknownSymbols::kError;
  if (unknown == "skip") return UnknownSymbols::kSkip;
  if (unknown == "unk") return UnknownSymbols::kReadAsUnknown;
  throw usage_error("`unknown`: expected error, skip or unk, found '" + unknown + "'", "give one of these");
}

// Generates a text piece by piece on a background thread. The thread waits while too many pieces are unread. The
// destructor stops the thread.
class Generation {
 public:
  Generation(const LoadedModel& model, std::string prompt, int64_t length, GenerateOptions options,
             const std::string& unknown)
      : generator_(model.model),
        prompt_(std::move(prompt)),
        length_(length),
        options_(std::move(options)),
        unknown_(policy_of(unknown)) {}
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;
  ~Generation() { close(); }

  // Returns the next piece, or nullopt at the end of the text. Rethrows exceptions of the thread.
  std::optional<std::string> next() {
    for (;;) {
      {
        const nb::gil_scoped_release release;
        std::unique_lock lock(mutex_);
        if (!thread_.joinable() && !stop_) thread_ = std::thread([this] { run(); });
        changed_.wait_for(lock, std::chrono::milliseconds(50), [&] { return !pieces_.empty() || done_ || stop_; });
        if (!pieces_.empty()) {
          std::string piece = std::move(pieces_.front());
          pieces_.pop_front();
          changed_.notify_all();
          return piece;
        }
        if (done_ || stop_) break;
      }
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }
    close();
    if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
    return std::nullopt;
  }

  void close() {
    std::thread ending;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      ending = std::move(thread_);
    }
    changed_.notify_all();
    if (ending.joinable()) {
      const nb::gil_scoped_release release;
      ending.join();
    }
  }

 private:
  void run() {
    constexpr size_t kAhead = 256;
    try {
      generator_.generate(
          prompt_, length_, options_,
          [&](const std::string& piece) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return pieces_.size() < kAhead || stop_; });
            if (stop_) return false;
            pieces_.push_back(piece);
            changed_.notify_all();
            return true;
          },
          unknown_);
    } catch (...) {
      error_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_all();
  }

  Generator generator_;
  std::string prompt_;
  int64_t length_;
  GenerateOptions options_;
  UnknownSymbols unknown_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  bool done_ = false, stop_ = false;
  std::exception_ptr error_;
  std::thread thread_;
};

std::unique_ptr<Generation> generate(const LoadedModel& model, const std::string& prompt, int64_t length,
                                     double temperature, int64_t top_k, double top_p, bool greedy, int64_t seed,
                                     const std::string& context, int64_t count, const std::string& form,
                                     const std::string& acrostic, const std::string& unknown) {
  GenerateOptions options{.temperature = temperature,
                          .top_k = top_k,
                          .top_p = top_p,
                          .greedy = greedy,
                          .seed = seed,
                          .context = context,
                          .count = count,
                          .verse = {.form = form, .acrostic = acrostic}};
  return std::make_unique<Generation>(model, prompt, length, std::move(options), unknown);
}

std::tuple<double, int64_t, int64_t> score(const LoadedModel& model, const std::string& text, int threads) {
  const nb::gil_scoped_release release;
  const TextScore out = Scorer(model.model, checked_threads(threads)).score(text);
  return {out.nats, out.symbols, out.unknown};
}

class PyTagger {
 public:
  PyTagger(const LoadedModel& model, int threads) : tagger_(model.model, checked_threads(threads)) {}

  std::vector<std::vector<TaggedWords>> tag(const std::vector<Sentence>& sentences, int64_t n) const {
    const nb::gil_scoped_release release;
    std::vector<std::vector<TaggedWords>> out;
    for (std::vector<Tags>& of_sentence : tagger_.tag(sentences, n)) {
      std::vector<TaggedWords>& to = out.emplace_back();
      for (Tags& tags : of_sentence) to.emplace_back(std::move(tags.tags), tags.probability);
    }
    return out;
  }

  // Returns the tokens of each sentence: word, begin and end in code points.
  std::vector<std::vector<std::tuple<std::string, int64_t, int64_t>>> sentences(const std::string& text,
                                                                                const std::string& ends) const {
    const nb::gil_scoped_release release;
    SentenceEnds where = SentenceEnds::kMarksAndLines;
    if (ends == "lines") {
      where = SentenceEnds::kLines;
    } else if (ends == "marks_and_blanks") {
      where = SentenceEnds::kMarksAndBlanks;
    } else if (ends != "marks_and_lines") {
      throw usage_error("ends: expected marks_and_lines, lines or marks_and_blanks, found '" + ends + "'",
                        "give one of these");
    }
    std::vector<std::vector<std::tuple<std::string, int64_t, int64_t>>> out;
    for (const TextSentence& sentence : tagger_.sentences(text, where)) {
      auto& to = out.emplace_back();
      for (const TextToken& token : sentence.tokens) to.emplace_back(token.word, token.begin, token.end);
    }
    return out;
  }

 private:
  Tagger tagger_;
};

std::vector<std::tuple<int64_t, int64_t, std::string>> spans(const std::vector<std::string>& tags) {
  std::vector<std::tuple<int64_t, int64_t, std::string>> out;
  for (const TaggedSpan& span : Tagger::spans(tags)) out.emplace_back(span.begin, span.end, span.type);
  return out;
}

class PyClassifier {
 public:
  PyClassifier(const LoadedModel& model, int threads)
      : classes_(model.model->outputs()), classifier_(model.model, checked_threads(threads)) {}

  // Returns class probabilities [texts, classes].
  DoubleArray probabilities(const std::vector<std::string>& texts) const {
    double* data = nullptr;
    DoubleArray out = new_array<double>({static_cast<int64_t>(texts.size()), classes_}, data);
    const nb::gil_scoped_release release;
    const auto found = classifier_.classify(texts, classes_);
    for (size_t i = 0; i < texts.size(); ++i) {
      if (found[i].empty()) {
        throw input_error(fmt::format("texts: expected words in each, found none in text {}", i), "leave it out");
      }
      for (const ClassProbability& each : found[i]) {
        data[static_cast<int64_t>(i) * classes_ + each.index] = each.probability;
      }
    }
    return out;
  }

 private:
  int64_t classes_;
  Classifier classifier_;
};

class PyForecaster {
 public:
  PyForecaster(const LoadedModel& model, int threads) : forecaster_(model.model, checked_threads(threads)) {}

  // Takes windows [rows, inputs], which may differ in length. Returns [windows, ahead, targets].
  DoubleArray forecast(const std::vector<nb::object>& windows) const {
    std::vector<std::vector<double>> inputs;
    for (const nb::object& window : windows) {
      const std::span<const double> numbers = doubles_of(window, "window", {-1, forecaster_.inputs()}).span();
      inputs.emplace_back(numbers.begin(), numbers.end());
    }
    double* data = nullptr;
    DoubleArray out =
        new_array<double>({static_cast<int64_t>(inputs.size()), forecaster_.ahead(), forecaster_.targets()}, data);
    const nb::gil_scoped_release release;
    for (const std::vector<double>& values : forecaster_.forecast(inputs))
      data = std::copy(values.begin(), values.end(), data);
    return out;
  }

  // Returns for each window the forecast [ahead, targets], and one quantile array [ahead, targets] per level.
  std::vector<std::pair<DoubleArray, std::vector<DoubleArray>>> predict(
      const std::vector<nb::object>& rows, const std::vector<nb::object>& known, const std::vector<std::string>& series,
      const std::vector<std::vector<std::string>>& statics, const std::vector<double>& levels) const {
    std::vector<ForecastInput> inputs(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::span<const double> numbers = doubles_of(rows[i], "rows", {-1, forecaster_.inputs()}).span();
      inputs[i].rows.assign(numbers.begin(), numbers.end());
      const auto columns = static_cast<int64_t>(forecaster_.known_names().size());
      if (!known[i].is_none()) {
        const std::span<const double> ahead = doubles_of(known[i], "known", {-1, columns}).span();
        inputs[i].known.assign(ahead.begin(), ahead.end());
      }
      inputs[i].series = series[i];
      inputs[i].statics = statics[i];
    }
    std::vector<Forecast> forecasts;
    {
      const nb::gil_scoped_release release;
      forecasts = forecaster_.predict(inputs, levels);
    }
    std::vector<std::pair<DoubleArray, std::vector<DoubleArray>>> out;
    const std::vector<int64_t> shape = {forecaster_.ahead(), forecaster_.targets()};
    for (const Forecast& forecast : forecasts) {
      auto& [values, quantiles] = out.emplace_back();
      values = to_array<double>(forecast.values, shape);
      for (const std::vector<double>& quantile : forecast.quantiles)
        quantiles.push_back(to_array<double>(quantile, shape));
    }
    return out;
  }

  int64_t ahead() const { return forecaster_.ahead(); }
  int64_t targets() const { return forecaster_.targets(); }
  int64_t window() const { return forecaster_.window(); }
  std::vector<std::string> known_names() const { return forecaster_.known_names(); }
  std::vector<std::string> static_names() const { return forecaster_.static_names(); }
  bool has_quantiles() const { return forecaster_.has_quantiles(); }

 private:
  Forecaster forecaster_;
};

}  // namespace

void register_predictors(nb::module_& module) {
  nb::class_<Generation>(module, "Generation").def("next", &Generation::next).def("close", &Generation::close);
  module.def("generate", &generate, nb::arg("model"), nb::arg("prompt"), nb::arg("length"), nb::arg("temperature"),
             nb::arg("top_k"), nb::arg("top_p"), nb::arg("greedy"), nb::arg("seed"), nb::arg("context"),
             nb::arg("count"), nb::arg("form"), nb::arg("acrostic"), nb::arg("unknown"));
  module.def("score", &score, nb::arg("model"), nb::arg("text"), nb::arg("threads"));
  nb::class_<PyTagger>(module, "Tagger")
      .def(nb::init<const LoadedModel&, int>(), nb::arg("model"), nb::arg("threads"))
      .def("tag", &PyTagger::tag, nb::arg("sentences"), nb::arg("n"))
      .def("sentences", &PyTagger::sentences, nb::arg("text"), nb::arg("ends"));
  module.def("spans", &spans, nb::arg("tags"));
  nb::class_<PyClassifier>(module, "Classifier")
      .def(nb::init<const LoadedModel&, int>(), nb::arg("model"), nb::arg("threads"))
      .def("probabilities", &PyClassifier::probabilities, nb::arg("texts"));
  nb::class_<PyForecaster>(module, "Forecaster")
      .def(nb::init<const LoadedModel&, int>(), nb::arg("model"), nb::arg("threads"))
      .def("forecast", &PyForecaster::forecast, nb::arg("windows"))
      .def("predict", &PyForecaster::predict, nb::arg("rows"), nb::arg("known"), nb::arg("series"), nb::arg("statics"),
           nb::arg("levels"))
      .def_prop_ro("ahead", &PyForecaster::ahead)
      .def_prop_ro("targets", &PyForecaster::targets)
      .def_prop_ro("window", &PyForecaster::window)
      .def_prop_ro("known_names", &PyForecaster::known_names)
      .def_prop_ro("static_names", &PyForecaster::static_names)
      .def_prop_ro("has_quantiles", &PyForecaster::has_quantiles);
}

}  // namespace longhand::python
