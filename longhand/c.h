/* Longhand for programs in C, and for every language that can call C: models that were trained with longhand, read from
 * a file or from memory, and used.
 *
 * Objects are opaque and belong to the caller, who frees them; freeing a null pointer does nothing. A model, a tagger,
 * a classifier, a forecaster, a generator and a scorer never change: any number of threads may use one at the same
 * time, and what is made from a model keeps it alive. A stream is for one thread at a time. Texts are UTF-8.
 *
 * Functions return a status; the outputs are written where that is LONGHAND_OK. longhand_error says what was wrong. */
#ifndef LONGHAND_C_H
#define LONGHAND_C_H

#include <stddef.h>
#include <stdint.h>

#include "longhand/base/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of this interface: functions are added within a version, and neither changed nor removed. */
#define LONGHAND_C_VERSION 1
LONGHAND_API int longhand_c_version(void);
/* "0.2.0" */
LONGHAND_API const char* longhand_version(void);

typedef enum longhand_status {
  LONGHAND_OK = 0,
  LONGHAND_INPUT = 1, /* a file, a model or data are at fault */
  LONGHAND_USAGE = 2, /* an argument or an option is at fault */
  LONGHAND_NO_MEMORY = 3,
  LONGHAND_UNKNOWN_SYMBOL = 4, /* a symbol is none of the model's; nothing was read */
  LONGHAND_BUG = 5             /* please report it */
} longhand_status;

/* What the last call of this thread that failed found wrong, and in a second line what to do. Good until the next call
 * of this thread that fails.
 */
LONGHAND_API const char* longhand_error(void);

/* Models. */

typedef struct longhand_model longhand_model;

typedef enum longhand_task {
  LONGHAND_LANGUAGE_MODEL = 0,
  LONGHAND_TAGGER = 1,
  LONGHAND_CLASSIFIER = 2,
  LONGHAND_REGRESSOR = 3,
  LONGHAND_NETWORK = 4
} longhand_task;

/* Reads a model file, or the one in a run's folder. */
LONGHAND_API longhand_status longhand_model_load(const char* path, longhand_model** model);
/* Reads the contents of a model file, which may be freed afterwards. */
LONGHAND_API longhand_status longhand_model_load_memory(const void* file, size_t size, longhand_model** model);
LONGHAND_API void longhand_model_free(longhand_model* model);
LONGHAND_API longhand_task longhand_model_task(const longhand_model* model);
/* Numbers that a step reads, or 0 where it reads a symbol; and numbers that it writes. */
LONGHAND_API int64_t longhand_model_inputs(const longhand_model* model);
LONGHAND_API int64_t longhand_model_outputs(const longhand_model* model);
/* The column, symbol, label or class of that number; null where there is none. Good as long as the model. */
LONGHAND_API const char* longhand_model_input_name(const longhand_model* model, int64_t input);
LONGHAND_API const char* longhand_model_output_name(const longhand_model* model, int64_t output);
/* The number of a language model's symbol, or -1. */
LONGHAND_API int32_t longhand_model_find_symbol(const longhand_model* model, const char* symbol);

/* Streams: one sequence, step by step, in real time. The functions of a stream, from its first step on, allocate
 * nothing, take no lock and do not call the system. */

typedef struct longhand_stream longhand_stream;

/* `inputs` and `outputs`: what the program expects of the model, or -1. */
LONGHAND_API longhand_status longhand_stream_new(const longhand_model* model, int64_t inputs, int64_t outputs,
                                                 longhand_stream** stream);
LONGHAND_API void longhand_stream_free(longhand_stream* stream);
/* Reads x [inputs], writes y [outputs]: a regressor's predictions, in the units of the training data. The
 * arrays do not overlap. */
LONGHAND_API longhand_status longhand_stream_step(longhand_stream* stream, const float* x, float* y);
/* `steps` steps: x [steps, inputs], y [steps, outputs]. */
LONGHAND_API longhand_status longhand_stream_process(longhand_stream* stream, const float* x, float* y, int64_t steps);
/* Reads a symbol, writes the logits of the next, y [outputs]. */
LONGHAND_API longhand_status longhand_stream_step_symbol(longhand_stream* stream, int32_t symbol, float* y);
LONGHAND_API void longhand_stream_reset(longhand_stream* stream);
/* `fast` not 0: from now on the sigmoids are computed with errors of at most 8e-6 and the tanh with at most 1.6e-5,
 * which takes less time; 0: again as exactly as a float can hold them. */
LONGHAND_API void longhand_stream_use_fast_activations(longhand_stream* stream, int fast);
/* What the stream remembers, as numbers. */
LONGHAND_API int64_t longhand_stream_state_size(const longhand_stream* stream);
LONGHAND_API void longhand_stream_get_state(const longhand_stream* stream, float* state);
LONGHAND_API void longhand_stream_set_state(longhand_stream* stream, const float* state);

/* Whose threads work within a call: `count` of Longhand's own, of which the caller is one (0: all that the process may
 * use); or, where `run` is not null, `count` of the host's. It calls work(context, part) for part 0 to `parts` - 1,
 * each once, on any threads in any order, and returns when all have returned; `parts` is at most `count`. It may be
 * called from several threads at the same time. Where a pointer to this is null, the caller works alone. */
typedef struct longhand_threads {
  int count;
  void (*run)(void* host, int parts, void (*work)(void* context, int part), void* context);
  void* host;
} longhand_threads;

/* Many sequences, advanced together; for one thread at a time. */

typedef struct longhand_streams longhand_streams;

LONGHAND_API longhand_status longhand_streams_new(const longhand_model* model, int64_t capacity,
                                                  const longhand_threads* threads, longhand_streams** streams);
LONGHAND_API void longhand_streams_free(longhand_streams* streams);
/* Begins a sequence and returns its number, below the capacity; -1 where there is no room. */
LONGHAND_API int64_t longhand_streams_open(longhand_streams* streams);
LONGHAND_API void longhand_streams_close(longhand_streams* streams, int64_t stream);
LONGHAND_API void longhand_streams_reset(longhand_streams* streams, int64_t stream);
/* What a sequence remembers, as numbers. */
LONGHAND_API int64_t longhand_streams_state_size(const longhand_streams* streams);
LONGHAND_API void longhand_streams_get_state(const longhand_streams* streams, int64_t stream, float* state);
LONGHAND_API void longhand_streams_set_state(longhand_streams* streams, int64_t stream, const float* state);
/* One step of each of `count` open and different sequences: x [count, inputs], y [count, outputs]. */
LONGHAND_API longhand_status longhand_streams_step(longhand_streams* streams, const int64_t* which, size_t count,
                                                   const float* x, float* y);
LONGHAND_API longhand_status longhand_streams_step_symbols(longhand_streams* streams, const int64_t* which,
                                                           size_t count, const int32_t* symbols, float* y);

/* Taggers. */

typedef struct longhand_tagger longhand_tagger;
typedef struct longhand_taggings longhand_taggings;

LONGHAND_API longhand_status longhand_tagger_new(const longhand_model* model, const longhand_threads* threads,
                                                 longhand_tagger** tagger);
LONGHAND_API void longhand_tagger_free(longhand_tagger* tagger);
/* The `best` most probable taggings of a sentence of `count` words, best first. */
LONGHAND_API longhand_status longhand_tagger_tag(const longhand_tagger* tagger, const char* const* words, size_t count,
                                                 int64_t best, longhand_taggings** taggings);
LONGHAND_API void longhand_taggings_free(longhand_taggings* taggings);
LONGHAND_API size_t longhand_taggings_count(const longhand_taggings* taggings);
LONGHAND_API double longhand_taggings_probability(const longhand_taggings* taggings, size_t tagging);
/* The tag of a word; null where there is none. Good as long as the taggings. */
LONGHAND_API const char* longhand_taggings_tag(const longhand_taggings* taggings, size_t tagging, size_t word);

/* A text as people write it, cut into sentences and words as the model's training read them. */
typedef struct longhand_text longhand_text;

/* `ends`: where sentences may end: 0: at final marks and at the ends of lines; 1: at the ends of lines alone; 2: at
 * final marks and at blank lines. */
LONGHAND_API longhand_status longhand_tagger_read(const longhand_tagger* tagger, const char* text, int ends,
                                                  longhand_text** sentences);
LONGHAND_API void longhand_text_free(longhand_text* text);
LONGHAND_API size_t longhand_text_sentences(const longhand_text* text);
/* Words of a sentence, as longhand_tagger_tag takes them; `count` may be null. Null where there is no such sentence.
 * Good as long as the text. */
LONGHAND_API const char* const* longhand_text_words(const longhand_text* text, size_t sentence, size_t* count);
/* Where a word is in the text: code points (or bytes, where `bytes` is not 0) `begin` to `end` - 1. Writes nothing and
 * returns LONGHAND_USAGE where there is no such word. */
LONGHAND_API longhand_status longhand_text_place(const longhand_text* text, size_t sentence, size_t word, int bytes,
                                                 int64_t* begin, int64_t* end);

/* Classifiers. */

typedef struct longhand_classifier longhand_classifier;

LONGHAND_API longhand_status longhand_classifier_new(const longhand_model* model, const longhand_threads* threads,
                                                     longhand_classifier** classifier);
LONGHAND_API void longhand_classifier_free(longhand_classifier* classifier);
/* Writes at most `top` classes, as numbers of the model's outputs, best first, and their probabilities; and in `found`
 * how many: none of an empty text. */
LONGHAND_API longhand_status longhand_classifier_classify(const longhand_classifier* classifier, const char* text,
                                                          size_t top, int64_t* classes, double* probabilities,
                                                          size_t* found);

/* Forecasters. */

typedef struct longhand_forecaster longhand_forecaster;

LONGHAND_API longhand_status longhand_forecaster_new(const longhand_model* model, const longhand_threads* threads,
                                                     longhand_forecaster** forecaster);
LONGHAND_API void longhand_forecaster_free(longhand_forecaster* forecaster);
LONGHAND_API int64_t longhand_forecaster_ahead(const longhand_forecaster* forecaster);
LONGHAND_API int64_t longhand_forecaster_targets(const longhand_forecaster* forecaster);
/* From the last `rows` rows, [rows, inputs], to [ahead, targets], in the units of the training data. */
LONGHAND_API longhand_status longhand_forecaster_forecast(const longhand_forecaster* forecaster, const double* window,
                                                          size_t rows, double* forecast);

/* The input of one forecast. Members for columns that the model does not have are null. */
typedef struct longhand_forecast_input {
  size_t size;        /* sizeof(longhand_forecast_input): later versions have more members */
  const double* rows; /* [row_count, inputs], oldest row first */
  size_t row_count;
  const double* known;        /* [row_count + ahead, known columns]: for `rows`, then for the rows to predict */
  const char* series;         /* name of a series; null, or not in the training data: scaled by `rows` */
  const char* const* statics; /* [static_count] a number or a text for each static column */
  size_t static_count;
} longhand_forecast_input;

/* Name of the column known ahead, or of the static column, at `index`; null after the last one. */
LONGHAND_API const char* longhand_forecaster_known_name(const longhand_forecaster* forecaster, size_t index);
LONGHAND_API const char* longhand_forecaster_static_name(const longhand_forecaster* forecaster, size_t index);
/* Writes `forecast` [ahead, targets], and `quantiles` [level_count, ahead, targets] at `levels`, which are above 0 and
 * below 1. Without levels `quantiles` may be null. Models of points have no quantiles. */
LONGHAND_API longhand_status longhand_forecaster_predict(const longhand_forecaster* forecaster,
                                                         const longhand_forecast_input* input, const double* levels,
                                                         size_t level_count, double* forecast, double* quantiles);

/* Generators. */

typedef struct longhand_generator longhand_generator;

typedef struct longhand_generate_options {
  size_t size;        /* sizeof(longhand_generate_options): later versions have more members */
  double temperature; /* above 0; 0 means 1 */
  int64_t top_k;      /* 0: all */
  double top_p;       /* 0 means 1: all */
  int greedy;         /* not 0: always the most probable symbol */
  int64_t seed;
  int skip_unknown; /* not 0: symbols of the prompt that the model does not know are left out */
  int reserved;     /* 0 */
} longhand_generate_options;

/* Takes a piece of text as it is drawn; returns 0 to stop. */
typedef int (*longhand_emit)(const char* text, size_t length, void* user);

LONGHAND_API longhand_status longhand_generator_new(const longhand_model* model, longhand_generator** generator);
LONGHAND_API void longhand_generator_free(longhand_generator* generator);
/* Continues `prompt` by `length` symbols. `options` may be null. */
LONGHAND_API longhand_status longhand_generator_generate(const longhand_generator* generator, const char* prompt,
                                                         int64_t length, const longhand_generate_options* options,
                                                         longhand_emit emit, void* user);

/* Scorers. */

typedef struct longhand_scorer longhand_scorer;

LONGHAND_API longhand_status longhand_scorer_new(const longhand_model* model, const longhand_threads* threads,
                                                 longhand_scorer** scorer);
LONGHAND_API void longhand_scorer_free(longhand_scorer* scorer);
/* Nats of a text's symbols together, how many were predicted, and how many the model does not know. */
LONGHAND_API longhand_status longhand_scorer_score(const longhand_scorer* scorer, const char* text, double* nats,
                                                   int64_t* symbols, int64_t* unknown);

#ifdef __cplusplus
}
#endif

#endif
