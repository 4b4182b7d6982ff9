#include "longhand/stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "longhand/model_parts.h"

namespace longhand {
namespace {

void check_stream(const std::shared_ptr<const Model>& given, int64_t inputs, int64_t outputs) {
  if (given == nullptr) throw usage_error("expected a model, found a null pointer", "load a model first");
  const Model& model = *given;
  if (!model.can_stream()) {
    throw input_error("the model cannot be read step by step: " + model.why_no_stream(),
                      model.task() == Task::kTagger || model.task() == Task::kClassifier
                          ? "use a predictor (longhand/predict.h)"
                          : "use a model of LSTM layers in one direction, or a predictor (longhand/predict.h)");
  }
  const auto check = [](const char* what, int64_t expected, int64_t found) {
    if (expected < 0 || expected == found) return;
    throw input_error(fmt::format("expected a model with {} {} a step, found one with {}", expected, what, found),
                      "load another model, or change the program");
  };
  check("inputs", inputs, model.inputs());
  check("outputs", outputs, model.outputs());
}

}  // namespace

struct LONGHAND_LOCAL Stream::Parts {
  explicit Parts(std::shared_ptr<const Model> of)
      : model(std::move(of)),
        units(*model),
        symbols(model->inputs() == 0 ? static_cast<int32_t>(model->outputs()) : 0),
        inputs(model->inputs()),
        outputs(model->outputs()),
        z(nn::Stepper::kMostSteps * padded(inputs)),
        bases(nn::Stepper::kMostSteps * outputs) {
    if (model->task() == Task::kNetwork) {
      layers.emplace(model->parts().layers);
      if (inputs == 0) symbols = static_cast<int32_t>(layers->shape().symbols);
    } else {
      stepper.emplace(model->parts().step_weights());
    }
  }

  std::shared_ptr<const Model> model;
  RegressorUnits units;
  std::optional<nn::Stepper> stepper;
  std::optional<graph::Stepper> layers;  // instead, of a network of layers
  int32_t symbols;
  int64_t inputs, outputs;
  Buffer<float> z, bases;
};

Stream::Stream(std::shared_ptr<const Model> model, int64_t inputs, int64_t outputs) {
  check_stream(model, inputs, outputs);
  parts_ = std::make_unique<Parts>(std::move(model));
}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

const Model& Stream::model() const { return *parts_->model; }
int64_t Stream::inputs() const { return parts_->inputs; }
int64_t Stream::outputs() const { return parts_->outputs; }

bool Stream::step(const float* x, float* y) noexcept { return process(x, y, 1); }

bool Stream::process(const float* x, float* y, int64_t n) noexcept {
  Parts& p = *parts_;
  if (p.symbols > 0) return false;
  if (p.layers) return p.layers->process(n, x, y) == n;
  const FlushDenormals flush;
  const int64_t stride = padded(p.inputs);
  while (n > 0) {
    const int64_t steps = std::min(n, nn::Stepper::kMostSteps);
    for (int64_t t = 0; t < steps; ++t) {
      p.units.standardise(x + t * p.inputs, p.z.data() + t * stride);
      p.units.find_bases(x + t * p.inputs, p.bases.data() + t * p.outputs);
    }
    p.stepper->step(steps, p.z.data(), stride, y);
    for (int64_t t = 0; t < steps; ++t) p.units.undo(p.bases.data() + t * p.outputs, y + t * p.outputs);
    x += steps * p.inputs;
    y += steps * p.outputs;
    n -= steps;
  }
  return true;
}

bool Stream::step(int32_t symbol, float* y) noexcept { return process(&symbol, y, 1) == 1; }

int64_t Stream::process(const int32_t* symbols, float* y, int64_t n) noexcept {
  if (parts_->layers) return parts_->symbols > 0 ? parts_->layers->process(n, symbols, y) : 0;
  int64_t known = 0;
  while (known < n && symbols[known] >= 0 && symbols[known] < parts_->symbols) ++known;
  const FlushDenormals flush;
  for (int64_t t = 0; t < known; t += nn::Stepper::kMostSteps) {
    parts_->stepper->step(std::min(known - t, nn::Stepper::kMostSteps), symbols + t, y + t * parts_->outputs);
  }
  return known;
}

void Stream::reset() noexcept { parts_->layers ? parts_->layers->reset() : parts_->stepper->reset(); }
void Stream::use_fast_activations(bool fast) noexcept {
  if (parts_->stepper) parts_->stepper->use_fast_activations(fast);
}
int64_t Stream::state_size() const {
  return parts_->layers ? parts_->layers->state_size() : parts_->stepper->state_size();
}
void Stream::get_state(float* state) const noexcept {
  parts_->layers ? parts_->layers->get_state(state) : parts_->stepper->get_state(state);
}
void Stream::set_state(const float* state) noexcept {
  parts_->layers ? parts_->layers->set_state(state) : parts_->stepper->set_state(state);
}

std::vector<float> Stream::state() const {
  std::vector<float> out(static_cast<size_t>(state_size()));
  get_state(out.data());
  return out;
}

// Sequences that are computed side by side: enough to use each weight many times, few enough for the caches.
static constexpr int64_t kBlock = 64;

struct LONGHAND_LOCAL Streams::Parts {
  Parts(std::shared_ptr<const Model> of, int64_t rows, Threads threads)
      : model(std::move(of)),
        network(model->parts().network()),
        units(*model),
        pool(threads),
        kept(network.stack()),
        capacity(rows),
        inputs(model->inputs()),
        outputs(model->outputs()) {
    kept.reset(capacity);
    for (int64_t stream = 0; stream < capacity; ++stream) reset(stream);
    for (int part = 0; part < pool.size(); ++part) workers.push_back(std::make_unique<Worker>(*this));
    is_open.resize(static_cast<size_t>(capacity));
    free.reserve(static_cast<size_t>(capacity));
    for (int64_t stream = capacity; stream-- > 0;) free.push_back(stream);
  }

  // What one thread needs, for a block of streams.
  struct Worker {
    explicit Worker(const Parts& parts)
        : workspace(parts.network, nn::Engine::kFused, context),
          x(kBlock * padded(parts.inputs)),
          y(kBlock * padded(parts.outputs)),
          bases(kBlock * parts.outputs) {
      workspace.state.reset(kBlock);
    }

    kernels::Context context{1};
    nn::NetworkWorkspace workspace;
    Buffer<float> x, y, bases;
  };

  // Calls with the stream's row of each array of the state, its width, and the array of the initial state (or null).
  template <class F>
  void for_rows(int64_t stream, F&& f) {
    const nn::LstmOptions& lstm = network.options().lstm;
    const float* values = network.parameters().values().data();
    size_t part = 0;
    for (const nn::LstmStack::Layer& layer : network.stack().layers()) {
      const nn::LstmOffsets& at = layer.directions.front().offsets;
      f(kept.h(part).data() + stream * padded(lstm.state()), lstm.state(), at.h_0 < 0 ? nullptr : values + at.h_0);
      f(kept.c(part).data() + stream * padded(lstm.hidden), lstm.hidden, at.c_0 < 0 ? nullptr : values + at.c_0);
      ++part;
    }
  }

  bool has(int64_t stream) const {
    return stream >= 0 && stream < capacity && is_open[static_cast<size_t>(stream)] != 0;
  }

  // Whether all are open, and different.
  bool has_all(std::span<const int64_t> streams) {
    size_t named = 0;
    while (named < streams.size() && has(streams[named]) && is_open[static_cast<size_t>(streams[named])] == 1) {
      is_open[static_cast<size_t>(streams[named++])] = 2;  // seen
    }
    for (size_t i = 0; i < named; ++i) is_open[static_cast<size_t>(streams[i])] = 1;
    return named == streams.size();
  }

  void reset(int64_t stream) {
    for_rows(stream, [](float* row, int64_t width, const float* initial) {
      if (initial != nullptr) {
        std::copy_n(initial, width, row);
      } else {
        std::fill_n(row, width, 0.0F);
      }
    });
  }

  // Moves the streams' rows of all arrays side by side into `some`, or back.
  void move_states(std::span<const int64_t> streams, nn::StackState<float>& some, bool back) {
    const nn::LstmOptions& lstm = network.options().lstm;
    const auto move = [&](Buffer<float>& all, Buffer<float>& block, int64_t width) {
      for (size_t i = 0; i < streams.size(); ++i) {
        float* one = all.data() + streams[i] * width;
        float* other = block.data() + static_cast<int64_t>(i) * width;
        std::copy_n(back ? other : one, width, back ? one : other);
      }
    };
    for (size_t part = 0; part < network.stack().parts(); ++part) {
      move(kept.h(part), some.h(part), padded(lstm.state()));
      move(kept.c(part), some.c(part), padded(lstm.hidden));
    }
  }

  // One step of a block: x [streams, inputs], or symbols [streams]; y [streams, outputs].
  void run_block(std::span<const int64_t> streams, const float* from, const int32_t* symbols, float* to,
                 Worker& worker) {
    const auto rows = static_cast<int64_t>(streams.size());
    for (int64_t i = 0; symbols == nullptr && i < rows; ++i) {
      units.standardise(from + i * inputs, worker.x.data() + i * padded(network.options().numbers));
      units.find_bases(from + i * inputs, worker.bases.data() + i * outputs);
    }
    nn::NetworkWorkspace& workspace = worker.workspace;
    workspace.state.resize(rows);
    move_states(streams, workspace.state, false);
    const float* output = network.forward({.steps = 1, .rows = rows, .x = worker.x.data(), .symbols = symbols},
                                          workspace.state, nn::Pass::kInference, workspace);
    move_states(streams, workspace.state, true);
    network.output().forward({.n = rows, .x = output}, worker.y.data(), padded(outputs), workspace);
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(worker.y.data() + i * padded(outputs), outputs, to + i * outputs);
      if (symbols == nullptr) units.undo(worker.bases.data() + i * outputs, to + i * outputs);
    }
  }

  // Threads take blocks of streams.
  void run(std::span<const int64_t> streams, const float* x, const int32_t* symbols, float* y) {
    const auto n = static_cast<int64_t>(streams.size());
    pool.run(
        [&](int part, int parts, int thread) {
          const Range range = split(n, parts, part);
          for (int64_t begin = range.begin; begin < range.end; begin += kBlock) {
            const int64_t count = std::min(kBlock, range.end - begin);
            run_block(streams.subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                      x == nullptr ? nullptr : x + begin * inputs, symbols == nullptr ? nullptr : symbols + begin,
                      y + begin * outputs, *workers[static_cast<size_t>(thread)]);
          }
        },
        std::max<int64_t>((n + kBlock - 1) / kBlock, std::min<int64_t>(pool.size(), n / (kBlock / 2))));
  }

  std::shared_ptr<const Model> model;
  const nn::Network& network;
  RegressorUnits units;
  ThreadPool pool;
  nn::StackState<float> kept;  // of all streams
  int64_t capacity, inputs, outputs;
  std::vector<std::unique_ptr<Worker>> workers;  // one a thread
  std::vector<int64_t> free;
  std::vector<uint8_t> is_open;
};

Streams::Streams(std::shared_ptr<const Model> model, int64_t capacity, Threads threads) {
  check_stream(model, -1, -1);
  if (model->task() == Task::kNetwork) {
    throw input_error("expected a language model or a regressor, found a network of layers",
                      "make a Stream for each sequence");
  }
  if (capacity < 1 || capacity > INT32_MAX) {
    throw usage_error(fmt::format("expected room for 1 to {} streams, found {}", INT32_MAX, capacity),
                      "give another capacity");
  }
  parts_ = std::make_unique<Parts>(std::move(model), capacity, threads);
}
Streams::~Streams() = default;
Streams::Streams(Streams&&) noexcept = default;
Streams& Streams::operator=(Streams&&) noexcept = default;

const Model& Streams::model() const { return *parts_->model; }
int64_t Streams::capacity() const { return parts_->capacity; }

int64_t Streams::open() noexcept {
  if (parts_->free.empty()) return -1;
  const int64_t stream = parts_->free.back();
  parts_->free.pop_back();
  parts_->is_open[static_cast<size_t>(stream)] = 1;
  parts_->reset(stream);
  return stream;
}

void Streams::close(int64_t stream) noexcept {
  if (!parts_->has(stream)) return;
  parts_->is_open[static_cast<size_t>(stream)] = 0;
  parts_->free.push_back(stream);
}

void Streams::reset(int64_t stream) noexcept {
  if (parts_->has(stream)) parts_->reset(stream);
}

bool Streams::step(std::span<const int64_t> streams, const float* x, float* y) {
  if (parts_->inputs == 0 || !parts_->has_all(streams)) return false;
  if (!streams.empty()) parts_->run(streams, x, nullptr, y);
  return true;
}

bool Streams::step(std::span<const int64_t> streams, const int32_t* symbols, float* y) {
  const auto known = [&](int32_t symbol) { return parts_->inputs == 0 && symbol >= 0 && symbol < parts_->outputs; };
  if (!std::all_of(symbols, symbols + streams.size(), known) || !parts_->has_all(streams)) return false;
  if (!streams.empty()) parts_->run(streams, nullptr, symbols, y);
  return true;
}

int64_t Streams::state_size() const {
  int64_t size = 0;
  parts_->for_rows(0, [&](float*, int64_t width, const float*) { size += width; });
  return size;
}

void Streams::get_state(int64_t stream, float* state) const noexcept {
  if (!parts_->has(stream)) return;
  parts_->for_rows(stream,
                   [&](const float* row, int64_t width, const float*) { state = std::copy_n(row, width, state); });
}

void Streams::set_state(int64_t stream, const float* state) noexcept {
  if (!parts_->has(stream)) return;
  parts_->for_rows(stream, [&](float* row, int64_t width, const float*) {
    std::copy_n(state, width, row);
    state += width;
  });
}

}  // namespace longhand
