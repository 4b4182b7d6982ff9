// The C interface of predictors.
#include <algorithm>

#include "longhand/c_parts.h"

using namespace longhand::c_interface;

extern "C" {

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
