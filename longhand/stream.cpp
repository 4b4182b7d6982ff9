#include "longhand/stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/model_parts.h"

namespace longhand {
namespace {

void check_stream(const Model& model, int64_t inputs, int64_t outputs) {
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

struct Stream::Parts {
  explicit Parts(std::shared_ptr<const Model> of)
      : model(std::move(of)),
        units(*model),
        stepper(model->parts().step_weights()),
        symbols(model->inputs() == 0 ? static_cast<int32_t>(model->outputs()) : 0),
        inputs(model->inputs()),
        outputs(model->outputs()),
        z(padded(inputs)) {}

  std::shared_ptr<const Model> model;
  Units units;
  nn::Stepper stepper;
  int32_t symbols;
  int64_t inputs, outputs;
  Buffer<float> z;
};

Stream::Stream(std::shared_ptr<const Model> model, int64_t inputs, int64_t outputs) {
  check_stream(*model, inputs, outputs);
  parts_ = std::make_unique<Parts>(std::move(model));
}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

const Model& Stream::model() const { return *parts_->model; }
int64_t Stream::inputs() const { return parts_->inputs; }
int64_t Stream::outputs() const { return parts_->outputs; }

bool Stream::step(const float* x, float* y) noexcept {
  Parts& p = *parts_;
  if (p.symbols > 0) return false;
  p.units.standardise(x, p.z.data());
  p.stepper.step(p.z.data(), y);
  p.units.undo(x, y);
  return true;
}

bool Stream::process(const float* x, float* y, int64_t n) noexcept {
  for (int64_t t = 0; t < n; ++t) {
    if (!step(x + t * parts_->inputs, y + t * parts_->outputs)) return false;
  }
  return true;
}

bool Stream::step(int32_t symbol, float* y) noexcept {
  if (symbol < 0 || symbol >= parts_->symbols) return false;
  parts_->stepper.step(symbol, y);
  return true;
}

int64_t Stream::process(const int32_t* symbols, float* y, int64_t n) noexcept {
  int64_t t = 0;
  while (t < n && step(symbols[t], y + t * parts_->outputs)) ++t;
  return t;
}

void Stream::reset() noexcept { parts_->stepper.reset(); }
int64_t Stream::state_size() const { return parts_->stepper.state_size(); }
void Stream::get_state(float* state) const noexcept { parts_->stepper.get_state(state); }
void Stream::set_state(const float* state) noexcept { parts_->stepper.set_state(state); }

std::vector<float> Stream::state() const {
  std::vector<float> out(static_cast<size_t>(state_size()));
  get_state(out.data());
  return out;
}

struct Streams::Parts {
  Parts(std::shared_ptr<const Model> of, int64_t rows, int threads)
      : model(std::move(of)),
        network(model->parts().network()),
        units(*model),
        context(threads),
        workspace(network, nn::Engine::kFused, context),
        kept(network.stack()),
        capacity(rows),
        inputs(model->inputs()),
        outputs(model->outputs()),
        x(rows * padded(inputs)),
        y(rows * padded(outputs)) {
    kept.reset(capacity);
    workspace.state.reset(capacity);
    for (int64_t stream = 0; stream < capacity; ++stream) reset(stream);
    is_open.resize(static_cast<size_t>(capacity));
    free.reserve(static_cast<size_t>(capacity));
    for (int64_t stream = capacity; stream-- > 0;) free.push_back(stream);
  }

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

  void reset(int64_t stream) {
    for_rows(stream, [](float* row, int64_t width, const float* initial) {
      if (initial != nullptr) {
        std::copy_n(initial, width, row);
      } else {
        std::fill_n(row, width, 0.0F);
      }
    });
  }

  // Moves the named rows of all arrays of `from` side by side, or back.
  void gather(std::span<const int64_t> streams, bool back) {
    const nn::LstmOptions& lstm = network.options().lstm;
    nn::StackState<float>& used = workspace.state;
    const auto copy = [&](Buffer<float>& all, Buffer<float>& some, int64_t width) {
      for (size_t i = 0; i < streams.size(); ++i) {
        float* one = all.data() + streams[i] * width;
        float* other = some.data() + static_cast<int64_t>(i) * width;
        std::copy_n(back ? other : one, width, back ? one : other);
      }
    };
    for (size_t part = 0; part < network.stack().parts(); ++part) {
      copy(kept.h(part), used.h(part), padded(lstm.state()));
      copy(kept.c(part), used.c(part), padded(lstm.hidden));
    }
  }

  // One step of the streams, whose inputs are in x, or given as symbols; leaves the outputs in y.
  void run(std::span<const int64_t> streams, const int32_t* symbols) {
    const auto rows = static_cast<int64_t>(streams.size());
    workspace.state.resize(rows);
    gather(streams, false);
    const float* output = network.forward({.steps = 1, .rows = rows, .x = x.data(), .symbols = symbols},
                                          workspace.state, nn::Pass::kInference, workspace);
    gather(streams, true);
    network.output().forward({.n = rows, .x = output}, y.data(), padded(outputs), workspace);
  }

  std::shared_ptr<const Model> model;
  const nn::Network& network;
  Units units;
  kernels::Context context;
  nn::NetworkWorkspace workspace;
  nn::StackState<float> kept;  // of all streams
  int64_t capacity, inputs, outputs;
  Buffer<float> x, y;  // of a step's streams, side by side
  std::vector<int64_t> free;
  std::vector<uint8_t> is_open;
};

Streams::Streams(std::shared_ptr<const Model> model, int64_t capacity, int threads) {
  check_stream(*model, -1, -1);
  if (capacity < 1) throw input_error("expected room for at least 1 stream, found 0", "give a larger capacity");
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
  if (stream < 0 || stream >= parts_->capacity || parts_->is_open[static_cast<size_t>(stream)] == 0) return;
  parts_->is_open[static_cast<size_t>(stream)] = 0;
  parts_->free.push_back(stream);
}

void Streams::reset(int64_t stream) noexcept { parts_->reset(stream); }

bool Streams::step(std::span<const int64_t> streams, const float* x, float* y) {
  Parts& p = *parts_;
  if (p.inputs == 0) return false;
  if (streams.empty()) return true;
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    p.units.standardise(x + row * p.inputs, p.x.data() + row * padded(p.network.options().numbers));
  }
  p.run(streams, nullptr);
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    std::copy_n(p.y.data() + row * padded(p.outputs), p.outputs, y + row * p.outputs);
    p.units.undo(x + row * p.inputs, y + row * p.outputs);
  }
  return true;
}

bool Streams::step(std::span<const int64_t> streams, const int32_t* symbols, float* y) {
  Parts& p = *parts_;
  const auto known = [&](int32_t symbol) { return p.inputs == 0 && symbol >= 0 && symbol < p.outputs; };
  if (!std::all_of(symbols, symbols + streams.size(), known)) return false;
  if (streams.empty()) return true;
  p.run(streams, symbols);
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    std::copy_n(p.y.data() + row * padded(p.outputs), p.outputs, y + row * p.outputs);
  }
  return true;
}

int64_t Streams::state_size() const {
  int64_t size = 0;
  parts_->for_rows(0, [&](float*, int64_t width, const float*) { size += width; });
  return size;
}

void Streams::get_state(int64_t stream, float* state) const noexcept {
  parts_->for_rows(stream,
                   [&](const float* row, int64_t width, const float*) { state = std::copy_n(row, width, state); });
}

void Streams::set_state(int64_t stream, const float* state) noexcept {
  parts_->for_rows(stream, [&](float* row, int64_t width, const float*) {
    std::copy_n(state, width, row);
    state += width;
  });
}

}  // namespace longhand
