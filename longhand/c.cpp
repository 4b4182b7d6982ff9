#include "longhand/c.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>

#include "longhand/predict.h"
#include "longhand/stream.h"
#include "longhand/version.h"

namespace longhand {

// A host's threads.
class HostThreads final : public Executor {
 public:
  explicit HostThreads(const longhand_threads& threads) : threads_(threads) {}
  int size() const noexcept override { return threads_.count; }
  void run(int parts, void (*work)(void*, int), void* context) noexcept override {
    threads_.run(threads_.host, parts, work, context);
  }

 private:
  longhand_threads threads_;
};

// The threads of a handle, which keeps the host's.
struct UsedThreads {
  explicit UsedThreads(const longhand_threads* given) {
    if (given == nullptr) return;
    if (given->count < (given->run != nullptr ? 1 : 0)) {
      throw usage_error("threads: expected a count of at least " + std::string(given->run ? "1" : "0") + ", found " +
                            std::to_string(given->count),
                        "correct the count");
    }
    if (given->run != nullptr) host = std::make_unique<HostThreads>(*given);
    threads = host != nullptr ? Threads(*host) : Threads(given->count);
  }

  std::unique_ptr<HostThreads> host;
  Threads threads;
};

}  // namespace longhand

// The handles are the C++ objects, with what keeps their results alive.
struct longhand_model {
  std::shared_ptr<const longhand::Model> model;
};
struct longhand_stream {
  longhand::Stream stream;
};
struct longhand_streams {
  longhand::UsedThreads used;
  longhand::Streams streams;
};
struct longhand_tagger {
  longhand::UsedThreads used;
  longhand::Tagger tagger;
};
struct longhand_text {
  std::vector<longhand::TextSentence> sentences;
  std::vector<std::vector<const char*>> words;
};
struct longhand_taggings {
  std::vector<longhand::Tags> best;
};
struct longhand_classifier {
  longhand::UsedThreads used;
  longhand::Classifier classifier;
};
struct longhand_forecaster {
  longhand::UsedThreads used;
  longhand::Forecaster forecaster;
  std::vector<std::string> known, statics;  // names of columns
};
struct longhand_generator {
  longhand::Generator generator;
};
struct longhand_scorer {
  longhand::UsedThreads used;
  longhand::Scorer scorer;
};

namespace {

// Of this thread: a text that was made, or, so that nothing is allocated, one that is always there.
thread_local std::string made_error;
thread_local const char* last_error = "";

longhand_status failed(longhand_status status, const char* what) noexcept {
  last_error = what;
  return status;
}

longhand_status failed(longhand_status status, const char* what, const char* advice) noexcept {
  try {
    made_error = std::string(what) + "\n" + advice;
    return failed(status, made_error.c_str());
  } catch (...) {
    return failed(LONGHAND_NO_MEMORY, "there is no memory left\nfree some");
  }
}

// No exception leaves the library.
template <class Body>
longhand_status guarded(const Body& body) noexcept {
  try {
    body();
    return LONGHAND_OK;
  } catch (const longhand::Error& e) {
    return failed(e.code() == longhand::ExitCode::kUsage ? LONGHAND_USAGE : LONGHAND_INPUT, e.what(),
                  e.advice().c_str());
  } catch (const std::bad_alloc&) {
    return failed(LONGHAND_NO_MEMORY, "there is no memory left\nfree some");
  } catch (const std::exception& e) {
    return failed(LONGHAND_BUG, e.what(), "please report this fault of longhand");
  } catch (...) {
    return failed(LONGHAND_BUG, "an unknown exception\nplease report this fault of longhand");
  }
}

// The pointer. Throws a usage error for null.
template <class T>
T* given(T* pointer, const char* name) {
  if (pointer == nullptr) {
    throw longhand::usage_error(std::string("expected ") + name + ", found a null pointer", "give one");
  }
  return pointer;
}

longhand_status reads_symbols() noexcept {
  return failed(LONGHAND_USAGE, "the model reads symbols, not numbers\ncall the function for symbols");
}

longhand_status not_open() noexcept {
  return failed(LONGHAND_USAGE, "a sequence is not open, or named twice\nopen it with longhand_streams_open");
}

longhand_status not_read(const longhand::Model& model) noexcept {
  if (model.inputs() > 0) {
    return failed(LONGHAND_USAGE, "the model reads numbers, not symbols\ncall the function for numbers");
  }
  return failed(LONGHAND_UNKNOWN_SYMBOL,
                "a symbol is none of the model's\nfind symbols with longhand_model_find_symbol");
}

const char* name_at(const std::vector<std::string>& names, int64_t i) {
  return i >= 0 && i < static_cast<int64_t>(names.size()) ? names[static_cast<size_t>(i)].c_str() : nullptr;
}

}  // namespace

extern "C" {

int longhand_c_version(void) { return LONGHAND_C_VERSION; }
const char* longhand_version(void) { return LONGHAND_VERSION; }
const char* longhand_error(void) { return last_error; }

longhand_status longhand_model_load(const char* path, longhand_model** model) {
  return guarded([&] { *model = new longhand_model{longhand::Model::load(given(path, "a path"))}; });
}

longhand_status longhand_model_load_memory(const void* file, size_t size, longhand_model** model) {
  return guarded([&] {
    *model = new longhand_model{
        longhand::Model::load(std::span(static_cast<const std::byte*>(given(file, "a file")), size))};
  });
}

void longhand_model_free(longhand_model* model) { delete model; }

longhand_task longhand_model_task(const longhand_model* model) {
  switch (model->model->task()) {
    case longhand::Task::kTagger: return LONGHAND_TAGGER;
    case longhand::Task::kClassifier: return LONGHAND_CLASSIFIER;
    case longhand::Task::kRegressor: return LONGHAND_REGRESSOR;
    case longhand::Task::kNetwork: return LONGHAND_NETWORK;
    default: return LONGHAND_LANGUAGE_MODEL;
  }
}

int64_t longhand_model_inputs(const longhand_model* model) { return model->model->inputs(); }
int64_t longhand_model_outputs(const longhand_model* model) { return model->model->outputs(); }

const char* longhand_model_input_name(const longhand_model* model, int64_t input) {
  return name_at(model->model->input_names(), input);
}

const char* longhand_model_output_name(const longhand_model* model, int64_t output) {
  return name_at(model->model->output_names(), output);
}

int32_t longhand_model_find_symbol(const longhand_model* model, const char* symbol) {
  return symbol == nullptr ? -1 : model->model->find_symbol(symbol);
}

longhand_status longhand_stream_new(const longhand_model* model, int64_t inputs, int64_t outputs,
                                    longhand_stream** stream) {
  return guarded(
      [&] { *stream = new longhand_stream{longhand::Stream(given(model, "a model")->model, inputs, outputs)}; });
}

void longhand_stream_free(longhand_stream* stream) { delete stream; }

longhand_status longhand_stream_step(longhand_stream* stream, const float* x, float* y) {
  return stream->stream.step(x, y) ? LONGHAND_OK : reads_symbols();
}

longhand_status longhand_stream_process(longhand_stream* stream, const float* x, float* y, int64_t steps) {
  return stream->stream.process(x, y, steps) ? LONGHAND_OK : reads_symbols();
}

longhand_status longhand_stream_step_symbol(longhand_stream* stream, int32_t symbol, float* y) {
  return stream->stream.step(symbol, y) ? LONGHAND_OK : not_read(stream->stream.model());
}

void longhand_stream_reset(longhand_stream* stream) { stream->stream.reset(); }
void longhand_stream_use_fast_activations(longhand_stream* stream, int fast) {
  stream->stream.use_fast_activations(fast != 0);
}
int64_t longhand_stream_state_size(const longhand_stream* stream) { return stream->stream.state_size(); }
void longhand_stream_get_state(const longhand_stream* stream, float* state) { stream->stream.get_state(state); }
void longhand_stream_set_state(longhand_stream* stream, const float* state) { stream->stream.set_state(state); }

longhand_status longhand_streams_new(const longhand_model* model, int64_t capacity, const longhand_threads* threads,
                                     longhand_streams** streams) {
  return guarded([&] {
    given(streams, "a place for the handle");
    longhand::UsedThreads used(threads);
    longhand::Streams made(given(model, "a model")->model, capacity, used.threads);
    *streams = new longhand_streams{std::move(used), std::move(made)};
  });
}

void longhand_streams_free(longhand_streams* streams) { delete streams; }
int64_t longhand_streams_open(longhand_streams* streams) { return streams->streams.open(); }
void longhand_streams_close(longhand_streams* streams, int64_t stream) { streams->streams.close(stream); }
void longhand_streams_reset(longhand_streams* streams, int64_t stream) { streams->streams.reset(stream); }
int64_t longhand_streams_state_size(const longhand_streams* streams) { return streams->streams.state_size(); }

void longhand_streams_get_state(const longhand_streams* streams, int64_t stream, float* state) {
  streams->streams.get_state(stream, state);
}

void longhand_streams_set_state(longhand_streams* streams, int64_t stream, const float* state) {
  streams->streams.set_state(stream, state);
}

longhand_status longhand_streams_step(longhand_streams* streams, const int64_t* which, size_t count, const float* x,
                                      float* y) {
  if (streams->streams.model().inputs() == 0) return reads_symbols();
  bool read = true;
  const longhand_status status = guarded([&] { read = streams->streams.step({which, count}, x, y); });
  return status == LONGHAND_OK && !read ? not_open() : status;
}

longhand_status longhand_streams_step_symbols(longhand_streams* streams, const int64_t* which, size_t count,
                                              const int32_t* symbols, float* y) {
  const longhand::Model& model = streams->streams.model();
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] < 0 || symbols[i] >= model.outputs()) return not_read(model);
  }
  bool read = true;
  const longhand_status status = guarded([&] { read = streams->streams.step({which, count}, symbols, y); });
  return status == LONGHAND_OK && !read ? (model.inputs() > 0 ? not_read(model) : not_open()) : status;
}

longhand_status longhand_tagger_new(const longhand_model* model, const longhand_threads* threads,
                                    longhand_tagger** tagger) {
  return guarded([&] {
    given(tagger, "a place for the handle");
    longhand::UsedThreads used(threads);
    longhand::Tagger made(given(model, "a model")->model, used.threads);
    *tagger = new longhand_tagger{std::move(used), std::move(made)};
  });
}

void longhand_tagger_free(longhand_tagger* tagger) { delete tagger; }

longhand_status longhand_tagger_tag(const longhand_tagger* tagger, const char* const* words, size_t count, int64_t best,
                                    longhand_taggings** taggings) {
  return guarded([&] {
    given(taggings, "a place for the taggings");
    longhand::Sentence sentence;
    for (size_t i = 0; i < count; ++i) sentence.emplace_back(given(given(words, "words")[i], "a word"));
    if (best < 1)
      throw longhand::usage_error("expected at least 1 tagging, found a smaller number", "ask for 1 or more");
    *taggings = new longhand_taggings{std::move(tagger->tagger.tag({&sentence, 1}, best).front())};
  });
}

void longhand_taggings_free(longhand_taggings* taggings) { delete taggings; }
size_t longhand_taggings_count(const longhand_taggings* taggings) { return taggings->best.size(); }

double longhand_taggings_probability(const longhand_taggings* taggings, size_t tagging) {
  return tagging < taggings->best.size() ? taggings->best[tagging].probability : 0.0;
}

const char* longhand_taggings_tag(const longhand_taggings* taggings, size_t tagging, size_t word) {
  if (tagging >= taggings->best.size()) return nullptr;
  return name_at(taggings->best[tagging].tags, static_cast<int64_t>(word));
}

longhand_status longhand_tagger_read(const longhand_tagger* tagger, const char* text, int ends,
                                     longhand_text** sentences) {
  return guarded([&] {
    given(sentences, "a place for the text");
    using enum longhand::SentenceEnds;
    if (ends < 0 || ends > 2) {
      throw longhand::usage_error(
          "expected a number from 0 to 2 for the ends of sentences, found " + std::to_string(ends),
          "see longhand_tagger_read in longhand/c.h");
    }
    const longhand::SentenceEnds how = ends == 0 ? kMarksAndLines : ends == 1 ? kLines : kMarksAndBlanks;
    auto out = std::make_unique<longhand_text>();
    out->sentences = given(tagger, "a tagger")->tagger.sentences(given(text, "a text"), how);
    for (const longhand::TextSentence& sentence : out->sentences) {
      std::vector<const char*>& words = out->words.emplace_back();
      for (const longhand::TextToken& token : sentence.tokens) words.push_back(token.word.c_str());
    }
    *sentences = out.release();
  });
}

void longhand_text_free(longhand_text* text) { delete text; }
size_t longhand_text_sentences(const longhand_text* text) { return text->sentences.size(); }

const char* const* longhand_text_words(const longhand_text* text, size_t sentence, size_t* count) {
  if (sentence >= text->words.size()) return nullptr;
  if (count != nullptr) *count = text->words[sentence].size();
  return text->words[sentence].data();
}

longhand_status longhand_text_place(const longhand_text* text, size_t sentence, size_t word, int bytes, int64_t* begin,
                                    int64_t* end) {
  return guarded([&] {
    given(begin, "a place for the beginning");
    given(end, "a place for the end");
    if (sentence >= text->sentences.size() || word >= text->sentences[sentence].tokens.size()) {
      throw longhand::usage_error("the text has no such word", "ask for one below the counts");
    }
    const longhand::TextToken& token = text->sentences[sentence].tokens[word];
    *begin = bytes != 0 ? token.begin_byte : token.begin;
    *end = bytes != 0 ? token.end_byte : token.end;
  });
}

longhand_status longhand_classifier_new(const longhand_model* model, const longhand_threads* threads,
                                        longhand_classifier** classifier) {
  return guarded([&] {
    given(classifier, "a place for the handle");
    longhand::UsedThreads used(threads);
    longhand::Classifier made(given(model, "a model")->model, used.threads);
    *classifier = new longhand_classifier{std::move(used), std::move(made)};
  });
}

void longhand_classifier_free(longhand_classifier* classifier) { delete classifier; }

longhand_status longhand_classifier_classify(const longhand_classifier* classifier, const char* text, size_t top,
                                             int64_t* classes, double* probabilities, size_t* found) {
  return guarded([&] {
    given(found, "a place for the number of classes");
    if (top > 0) {
      given(classes, "a place for classes");
      given(probabilities, "a place for probabilities");
    }
    const std::vector<longhand::ClassProbability> best = classifier->classifier.classify(
        std::string(given(text, "a text")), static_cast<int64_t>(std::min<size_t>(top, 1U << 30U)));
    for (size_t i = 0; i < best.size(); ++i) {
      classes[i] = best[i].index;
      probabilities[i] = best[i].probability;
    }
    *found = best.size();
  });
}

longhand_status longhand_forecaster_new(const longhand_model* model, const longhand_threads* threads,
                                        longhand_forecaster** forecaster) {
  return guarded([&] {
    given(forecaster, "a place for the handle");
    longhand::UsedThreads used(threads);
    longhand::Forecaster made(given(model, "a model")->model, used.threads);
    std::vector<std::string> known = made.known_names(), statics = made.static_names();
    *forecaster = new longhand_forecaster{std::move(used), std::move(made), std::move(known), std::move(statics)};
  });
}

void longhand_forecaster_free(longhand_forecaster* forecaster) { delete forecaster; }
int64_t longhand_forecaster_ahead(const longhand_forecaster* forecaster) { return forecaster->forecaster.ahead(); }
int64_t longhand_forecaster_targets(const longhand_forecaster* forecaster) { return forecaster->forecaster.targets(); }

longhand_status longhand_forecaster_forecast(const longhand_forecaster* forecaster, const double* window, size_t rows,
                                             double* forecast) {
  return guarded([&] {
    given(forecast, "a place for the forecast");
    const auto size = rows * static_cast<size_t>(forecaster->forecaster.inputs());
    const std::vector<double> out = forecaster->forecaster.forecast(std::span(given(window, "a window"), size));
    std::copy(out.begin(), out.end(), forecast);
  });
}

const char* longhand_forecaster_known_name(const longhand_forecaster* forecaster, size_t index) {
  return index < forecaster->known.size() ? forecaster->known[index].c_str() : nullptr;
}

const char* longhand_forecaster_static_name(const longhand_forecaster* forecaster, size_t index) {
  return index < forecaster->statics.size() ? forecaster->statics[index].c_str() : nullptr;
}

longhand_status longhand_forecaster_predict(const longhand_forecaster* forecaster, const longhand_forecast_input* input,
                                            const double* levels, size_t level_count, double* forecast,
                                            double* quantiles) {
  return guarded([&] {
    given(forecast, "a place for the forecast");
    if (level_count > 0) given(quantiles, "a place for the quantiles");
    const longhand_forecast_input& in = *given(input, "an input");
    if (in.size < sizeof(longhand_forecast_input)) {
      throw longhand::usage_error("expected the size of the input in its first member, found another",
                                  "set it to sizeof(longhand_forecast_input)");
    }
    const longhand::Forecaster& of = forecaster->forecaster;
    longhand::ForecastInput one;
    const double* rows = given(in.rows, "rows");
    one.rows.assign(rows, rows + in.row_count * static_cast<size_t>(of.inputs()));
    if (!forecaster->known.empty()) {
      const double* known = given(in.known, "the columns known ahead");
      const size_t count = (in.row_count + static_cast<size_t>(of.ahead())) * forecaster->known.size();
      one.known.assign(known, known + count);
    }
    if (in.series != nullptr) one.series = in.series;
    for (size_t i = 0; i < in.static_count; ++i) {
      one.statics.emplace_back(given(given(in.statics, "static columns")[i], "a static column"));
    }
    std::vector<double> wanted;
    if (level_count > 0) wanted.assign(given(levels, "levels"), levels + level_count);
    const longhand::Forecast found = of.predict({&one, 1}, wanted).front();
    std::copy(found.values.begin(), found.values.end(), forecast);
    for (const std::vector<double>& quantile : found.quantiles) {
      quantiles = std::copy(quantile.begin(), quantile.end(), quantiles);
    }
  });
}

longhand_status longhand_generator_new(const longhand_model* model, longhand_generator** generator) {
  return guarded([&] {
    *given(generator, "a place for the handle") =
        new longhand_generator{longhand::Generator(given(model, "a model")->model)};
  });
}

void longhand_generator_free(longhand_generator* generator) { delete generator; }

longhand_status longhand_generator_generate(const longhand_generator* generator, const char* prompt, int64_t length,
                                            const longhand_generate_options* options, longhand_emit emit, void* user) {
  return guarded([&] {
    given(emit, "a function");
    longhand::GenerateOptions how;
    bool skips = false;
    if (options != nullptr) {
      if (options->size < sizeof(longhand_generate_options) || options->reserved != 0) {
        throw longhand::usage_error("options: expected the size of the struct, and 0 in the member 'reserved'",
                                    "begin with {sizeof(longhand_generate_options)}");
      }
      if (options->temperature != 0.0) how.temperature = options->temperature;
      if (options->top_p != 0.0) how.top_p = options->top_p;
      how.top_k = options->top_k;
      how.greedy = options->greedy != 0;
      how.seed = options->seed;
      skips = options->skip_unknown != 0;
    }
    generator->generator.generate(
        given(prompt, "a prompt"), length, how,
        [&](const std::string& piece) { return emit(piece.c_str(), piece.size(), user) != 0; },
        skips ? longhand::UnknownSymbols::kSkip : longhand::UnknownSymbols::kError);
  });
}

longhand_status longhand_scorer_new(const longhand_model* model, const longhand_threads* threads,
                                    longhand_scorer** scorer) {
  return guarded([&] {
    given(scorer, "a place for the handle");
    longhand::UsedThreads used(threads);
    longhand::Scorer made(given(model, "a model")->model, used.threads);
    *scorer = new longhand_scorer{std::move(used), std::move(made)};
  });
}

void longhand_scorer_free(longhand_scorer* scorer) { delete scorer; }

longhand_status longhand_scorer_score(const longhand_scorer* scorer, const char* text, double* nats, int64_t* symbols,
                                      int64_t* unknown) {
  return guarded([&] {
    given(nats, "a place for the nats");
    given(symbols, "a place for the number of symbols");
    given(unknown, "a place for the number of unknown symbols");
    const longhand::TextScore score = scorer->scorer.score(given(text, "a text"));
    *nats = score.nats;
    *symbols = score.symbols;
    *unknown = score.unknown;
  });
}

}  // extern "C"
