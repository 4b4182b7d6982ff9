/* The interface in C: uses the models in the folder that is given, and prints what the commands print. */
#include "longhand/c.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, longhand_error()); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

static longhand_model* load(const char* folder, const char* name) {
  char path[4096];
  longhand_model* model = NULL;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  EXPECT(longhand_model_load(path, &model) == LONGHAND_OK);
  return model;
}

static int print(const char* text, size_t length, void* user) {
  ++*(int*)user;
  return fwrite(text, 1, length, stdout) == length;
}

static int stop(const char* text, size_t length, void* user) {
  (void)text;
  (void)length;
  return ++*(int*)user < 3;
}

/* A host's threads: this one, which does the parts from the last to the first. */
static void run_parts(void* host, int parts, void (*work)(void* context, int part), void* context) {
  ++*(int*)host;
  while (parts > 0) work(context, --parts);
}

static void test_language_model(longhand_model* model) {
  const int64_t V = longhand_model_outputs(model);
  float* y = malloc((size_t)V * 2 * sizeof(float));
  float* state = NULL;
  longhand_stream* stream = NULL;
  longhand_streams* streams = NULL;
  longhand_generator* generator = NULL;
  longhand_scorer* scorer = NULL;
  longhand_generate_options options = {sizeof(options), 0, 0, 0, 1, 0, 0, 0};
  const int32_t t = longhand_model_find_symbol(model, "t"), h = longhand_model_find_symbol(model, "h");
  int64_t which[2], symbols, unknown;
  int32_t both[2];
  int calls = 0;
  double nats;

  EXPECT(longhand_model_task(model) == LONGHAND_LANGUAGE_MODEL);
  EXPECT(longhand_model_inputs(model) == 0 && t >= 0 && strcmp(longhand_model_output_name(model, t), "t") == 0);
  EXPECT(longhand_model_find_symbol(model, NULL) == -1);
  EXPECT(longhand_model_output_name(model, V) == NULL && longhand_model_find_symbol(model, "no such") == -1);
  EXPECT(longhand_stream_new(model, 1, -1, &stream) == LONGHAND_INPUT && strstr(longhand_error(), "1 inputs") != NULL);
  EXPECT(longhand_stream_new(model, 0, V, &stream) == LONGHAND_OK);
  EXPECT(longhand_stream_step(stream, y, y) == LONGHAND_USAGE);
  EXPECT(longhand_stream_step_symbol(stream, -1, y) == LONGHAND_UNKNOWN_SYMBOL);
  EXPECT(longhand_stream_step_symbol(stream, t, y) == LONGHAND_OK);
  state = malloc((size_t)longhand_stream_state_size(stream) * sizeof(float));
  longhand_stream_get_state(stream, state);
  EXPECT(longhand_stream_step_symbol(stream, h, y) == LONGHAND_OK);

  EXPECT(longhand_streams_new(model, 0, NULL, &streams) == LONGHAND_USAGE);
  EXPECT(longhand_streams_new(model, 2, NULL, &streams) == LONGHAND_OK);
  which[0] = longhand_streams_open(streams);
  which[1] = longhand_streams_open(streams);
  EXPECT(longhand_streams_open(streams) == -1);
  both[0] = both[1] = t;
  EXPECT(longhand_streams_step_symbols(streams, which, 2, both, y) == LONGHAND_OK);
  EXPECT(memcmp(y, y + V, (size_t)V * sizeof(float)) == 0);
  longhand_stream_reset(stream);
  longhand_stream_set_state(stream, state);
  both[1] = h;
  EXPECT(longhand_streams_step_symbols(streams, which, 2, both, y) == LONGHAND_OK);
  EXPECT(longhand_stream_step_symbol(stream, h, y) == LONGHAND_OK);
  EXPECT(memcmp(y, y + V, (size_t)V * sizeof(float)) == 0);
  both[0] = -1;
  EXPECT(longhand_streams_step_symbols(streams, which, 2, both, y) == LONGHAND_UNKNOWN_SYMBOL);
  both[0] = t;
  which[1] = which[0];
  EXPECT(longhand_streams_step_symbols(streams, which, 2, both, y) == LONGHAND_USAGE);
  EXPECT(longhand_streams_step(streams, which, 1, y, y) == LONGHAND_USAGE);
  EXPECT(longhand_streams_state_size(streams) == longhand_stream_state_size(stream));
  longhand_streams_set_state(streams, which[0], state);
  longhand_stream_set_state(stream, state);
  EXPECT(longhand_streams_step_symbols(streams, which, 1, both, y) == LONGHAND_OK);
  EXPECT(longhand_stream_step_symbol(stream, t, y + V) == LONGHAND_OK);
  EXPECT(memcmp(y, y + V, (size_t)V * sizeof(float)) == 0);
  longhand_streams_close(streams, which[0]);
  EXPECT(longhand_streams_open(streams) == which[0]);

  EXPECT(longhand_scorer_new(model, NULL, &scorer) == LONGHAND_OK);
  EXPECT(longhand_scorer_score(scorer, "the river", &nats, &symbols, &unknown) == LONGHAND_OK);
  EXPECT(nats > 0 && symbols == 8 && unknown == 0);
  EXPECT(longhand_scorer_score(scorer, "t", &nats, &symbols, &unknown) == LONGHAND_INPUT);

  EXPECT(longhand_generator_new(model, &generator) == LONGHAND_OK);
  printf("the");
  EXPECT(longhand_generator_generate(generator, "the", 30, &options, print, &calls) == LONGHAND_OK && calls == 30);
  printf("\n");
  calls = 0;
  EXPECT(longhand_generator_generate(generator, "the", 30, NULL, stop, &calls) == LONGHAND_OK && calls == 3);
  options.top_p = 2;
  EXPECT(longhand_generator_generate(generator, "the", 30, &options, stop, &calls) == LONGHAND_USAGE);
  EXPECT(longhand_generator_generate(generator, "\xc3\xa9", 30, NULL, stop, &calls) == LONGHAND_INPUT);

  longhand_model_free(model); /* the others keep it alive */
  EXPECT(longhand_stream_step_symbol(stream, h, y) == LONGHAND_OK);
  longhand_stream_free(stream);
  longhand_streams_free(streams);
  longhand_generator_free(generator);
  longhand_scorer_free(scorer);
  free(state);
  free(y);
}

static void test_tagger(longhand_model* model) {
  const char* missing[] = {"Anna", NULL};
  const char* words[] = {"Anna", "saw", "London"};
  longhand_tagger* tagger = NULL;
  longhand_taggings* taggings = NULL;
  longhand_text* text = NULL;
  const char* const* read = NULL;
  size_t count = 0;
  int64_t begin = 0, end = 0;
  longhand_stream* stream = NULL;
  size_t i;
  EXPECT(longhand_model_task(model) == LONGHAND_TAGGER);
  EXPECT(longhand_stream_new(model, -1, -1, &stream) == LONGHAND_INPUT && stream == NULL);
  EXPECT(longhand_tagger_new(model, NULL, &tagger) == LONGHAND_OK);
  EXPECT(longhand_tagger_tag(tagger, words, 3, 0, &taggings) == LONGHAND_USAGE);
  EXPECT(longhand_tagger_tag(tagger, missing, 2, 1, &taggings) == LONGHAND_USAGE);
  EXPECT(longhand_tagger_tag(tagger, words, 3, 1, NULL) == LONGHAND_USAGE);
  EXPECT(longhand_tagger_tag(tagger, words, 3, 2, &taggings) == LONGHAND_OK);
  EXPECT(longhand_taggings_count(taggings) == 2);
  EXPECT(longhand_taggings_probability(taggings, 0) >= longhand_taggings_probability(taggings, 1));
  EXPECT(longhand_taggings_tag(taggings, 0, 3) == NULL && longhand_taggings_tag(taggings, 2, 0) == NULL);
  for (i = 0; i < 3; ++i) printf("%s\t%s\n", words[i], longhand_taggings_tag(taggings, 0, i));
  printf("\n");
  longhand_taggings_free(taggings);
  EXPECT(longhand_tagger_read(tagger, "Anna saw", 3, &text) == LONGHAND_USAGE);
  EXPECT(longhand_tagger_read(tagger, "a\xFF", 0, &text) == LONGHAND_INPUT);
  EXPECT(longhand_tagger_read(tagger, "Anna saw\n\xC3\xA9t\xC3\xA9 far", 0, &text) == LONGHAND_OK);
  EXPECT(longhand_text_sentences(text) == 2);
  EXPECT(longhand_text_words(text, 2, NULL) == NULL);
  read = longhand_text_words(text, 1, &count);
  EXPECT(count == 2 && strcmp(read[1], "far") == 0);
  EXPECT(longhand_text_place(text, 1, 1, 0, &begin, &end) == LONGHAND_OK && begin == 13 && end == 16);
  EXPECT(longhand_text_place(text, 1, 1, 1, &begin, &end) == LONGHAND_OK && begin == 15 && end == 18);
  EXPECT(longhand_text_place(text, 1, 2, 1, &begin, &end) == LONGHAND_USAGE);
  longhand_text_free(text);
  longhand_tagger_free(tagger);
  longhand_model_free(model);
}

static void test_classifier(longhand_model* model) {
  longhand_classifier* classifier = NULL;
  int64_t classes[2];
  double probabilities[2];
  size_t found = 7;
  EXPECT(longhand_model_task(model) == LONGHAND_CLASSIFIER);
  EXPECT(longhand_classifier_new(model, NULL, &classifier) == LONGHAND_OK);
  EXPECT(longhand_classifier_classify(classifier, "", 2, classes, probabilities, &found) == LONGHAND_OK && found == 0);
  EXPECT(longhand_classifier_classify(classifier, "rain today", 2, classes, probabilities, &found) == LONGHAND_OK);
  EXPECT(found == 2 && probabilities[0] >= probabilities[1]);
  printf("%s\t%.6f\t", longhand_model_output_name(model, classes[0]), probabilities[0]);
  printf("%s\t%.6f\n", longhand_model_output_name(model, classes[1]), probabilities[1]);
  longhand_classifier_free(classifier);
  longhand_model_free(model);
}

static void test_regressor(longhand_model* model) {
  const double window[] = {1, 2, 3, 4};
  const float x[] = {1, 2, 3, 4};
  double forecast = 0;
  float y[4];
  longhand_forecaster* forecaster = NULL;
  longhand_stream* stream = NULL;
  longhand_streams* streams = NULL;
  int64_t which[200], i;
  float many[200], alone[200], shared[200];
  int calls = 0;
  const longhand_threads host = {3, run_parts, &calls}, two = {2, NULL, NULL}, none = {-1, NULL, NULL};
  EXPECT(longhand_model_task(model) == LONGHAND_REGRESSOR);
  EXPECT(longhand_model_inputs(model) == 1 && strcmp(longhand_model_input_name(model, 0), "y") == 0);
  EXPECT(longhand_forecaster_new(model, NULL, &forecaster) == LONGHAND_OK);
  EXPECT(longhand_forecaster_ahead(forecaster) == 1 && longhand_forecaster_targets(forecaster) == 1);
  EXPECT(longhand_forecaster_forecast(forecaster, window, 0, &forecast) == LONGHAND_INPUT);
  EXPECT(longhand_forecaster_forecast(forecaster, window, 4, &forecast) == LONGHAND_OK);
  {
    longhand_forecast_input input = {sizeof input, window, 4, NULL, NULL, NULL, 0};
    const double half = 0.5;
    double again = 0, quantile = 0;
    EXPECT(longhand_forecaster_known_name(forecaster, 0) == NULL);
    EXPECT(longhand_forecaster_static_name(forecaster, 0) == NULL);
    EXPECT(longhand_forecaster_predict(forecaster, &input, NULL, 0, &again, NULL) == LONGHAND_OK);
    EXPECT(again == forecast);
    EXPECT(longhand_forecaster_predict(forecaster, &input, &half, 1, &again, &quantile) == LONGHAND_INPUT);
    EXPECT(longhand_forecaster_predict(forecaster, &input, &half, 1, &again, NULL) == LONGHAND_USAGE);
    EXPECT(longhand_forecaster_predict(forecaster, NULL, NULL, 0, &again, NULL) == LONGHAND_USAGE);
    input.size = 4;
    EXPECT(longhand_forecaster_predict(forecaster, &input, NULL, 0, &again, NULL) == LONGHAND_USAGE);
  }
  EXPECT(longhand_stream_new(model, 1, 1, &stream) == LONGHAND_OK);
  EXPECT(longhand_stream_process(stream, x, y, 4) == LONGHAND_OK);
  EXPECT(fabs((double)y[3] - forecast) < 1e-4);
  EXPECT(longhand_stream_step_symbol(stream, 0, y) == LONGHAND_USAGE);
  EXPECT(longhand_streams_new(model, 200, &none, &streams) == LONGHAND_USAGE);
  EXPECT(longhand_streams_new(model, 200, &two, &streams) == LONGHAND_OK);
  for (i = 0; i < 200; ++i) {
    which[i] = longhand_streams_open(streams);
    many[i] = (float)i;
  }
  EXPECT(longhand_streams_step(streams, which, 200, many, alone) == LONGHAND_OK);
  longhand_streams_free(streams);
  EXPECT(longhand_streams_new(model, 200, &host, &streams) == LONGHAND_OK);
  for (i = 0; i < 200; ++i) longhand_streams_open(streams);
  EXPECT(longhand_streams_step(streams, which, 200, many, shared) == LONGHAND_OK);
  EXPECT(memcmp(alone, shared, sizeof alone) == 0);
  longhand_streams_free(streams);
  longhand_stream_free(stream);
  printf("%.3f\n", forecast);
  longhand_forecaster_free(forecaster);
  longhand_model_free(model);
}

int main(int argc, char** argv) {
  longhand_model* model = NULL;
  if (argc != 2) return 2;
  EXPECT(longhand_c_version() == LONGHAND_C_VERSION && strlen(longhand_version()) >= 5);
  EXPECT(longhand_model_load("/no/such/file", &model) == LONGHAND_INPUT && model == NULL);
  EXPECT(strstr(longhand_error(), "/no/such/file") != NULL && strchr(longhand_error(), '\n') != NULL);
  EXPECT(longhand_model_load_memory("nonsense", 8, &model) == LONGHAND_INPUT);
  EXPECT(longhand_model_load(NULL, &model) == LONGHAND_USAGE);
  EXPECT(longhand_model_load_memory(NULL, 8, &model) == LONGHAND_USAGE);
  EXPECT(longhand_tagger_new(NULL, NULL, NULL) == LONGHAND_USAGE);
  longhand_model_free(NULL);
  longhand_stream_free(NULL);
  test_language_model(load(argv[1], "lm"));
  test_tagger(load(argv[1], "tagger"));
  test_classifier(load(argv[1], "classifier"));
  test_regressor(load(argv[1], "regressor"));
  return 0;
}
