// The C interface of models and streams.
#include "longhand/c.h"

#include <algorithm>

#include "longhand/c_parts.h"
#include "longhand/version.h"

using namespace longhand::c_interface;

namespace {

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

}  // extern "C"
