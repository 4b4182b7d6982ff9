// Python classes Stream and Streams on NumPy arrays.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <fmt/format.h>

#include <atomic>
#include <optional>

#include "arrays.h"
#include "loaded_model.h"
#include "longhand/stream.h"
#include "module.h"

namespace longhand::python {
namespace {

// Marks a stream as in use during a call without the GIL. Throws if another thread is using the stream.
class Use {
 public:
  explicit Use(std::atomic<bool>& busy) : busy_(busy) {
    if (busy_.exchange(true)) throw std::runtime_error("the stream is in use by another thread; make one for each");
  }
  ~Use() { busy_ = false; }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  std::atomic<bool>& busy_;
};

// Returns the elements of `out`. If `out` is None, replaces it by a new array.
View<float> output_of(nb::object& out, std::initializer_list<int64_t> shape) {
  if (!out.is_none()) return written_floats(out, "out", shape);
  View<float> view;
  view.shape = shape;
  out = nb::cast(new_array<float>(view.shape, view.data));
  return view;
}

[[noreturn]] void refuse_symbol(int64_t symbol, int64_t symbols) {
  throw nb::value_error(fmt::format("x: expected symbols from 0 to {}, found {}", symbols - 1, symbol).c_str());
}

int32_t symbol_of(nb::handle x) {
  int32_t out = 0;
  if (!nb::try_cast(x, out, true)) {
    throw nb::type_error(fmt::format("x: expected the number of a symbol, found {}", described(x)).c_str());
  }
  return out;
}

class PyStream {
 public:
  explicit PyStream(const LoadedModel& model) : stream_(model.model), symbols_(model.symbols()) {}

  nb::object step(nb::handle x, nb::object out) {
    const Use use(busy_);
    if (inputs() == 0) {
      const int32_t symbol = symbol_of(x);
      const View<float> y = output_of(out, {outputs()});
      if (!stream_.step(symbol, y.data)) refuse_symbol(symbol, symbols_);
      return out;
    }
    const View<const float> read = floats_of(x, "x", {inputs()});
    const View<float> y = output_of(out, {outputs()});
    check_apart(read, y);
    stream_.step(read.data, y.data);
    return out;
  }

  nb::object process(nb::handle x, nb::object out) {
    const Use use(busy_);
    if (inputs() == 0) {
      const View<const int32_t> symbols = symbols_of(x, "x", {-1});
      const int64_t n = symbols.shape[0];
      const View<float> y = output_of(out, {n, outputs()});
      int64_t done = 0;
      {
        const nb::gil_scoped_release release;
        done = stream_.process(symbols.data, y.data, n);
      }
      if (done < n) refuse_symbol(symbols.data[done], symbols_);
      return out;
    }
    const View<const float> read = floats_of(x, "x", {-1, inputs()});
    const int64_t n = read.shape[0];
    const View<float> y = output_of(out, {n, outputs()});
    check_apart(read, y);
    const nb::gil_scoped_release release;
    stream_.process(read.data, y.data, n);
    return out;
  }

  FloatArray state() {
    const Use use(busy_);
    float* data = nullptr;
    FloatArray out = new_array<float>({state_size()}, data);
    stream_.get_state(data);
    return out;
  }
  void set_state(nb::handle state) {
    const Use use(busy_);
    stream_.set_state(floats_of(state, "state", {state_size()}).data);
  }
  void reset() {
    const Use use(busy_);
    stream_.reset();
  }
  void use_fast_activations(bool fast) {
    const Use use(busy_);
    stream_.use_fast_activations(fast);
  }

  int64_t inputs() const { return stream_.inputs(); }
  int64_t outputs() const { return stream_.outputs(); }
  int64_t state_size() const { return stream_.state_size(); }

 private:
  Stream stream_;
  int64_t symbols_;
  std::atomic<bool> busy_{false};
};

class PyStreams {
 public:
  PyStreams(const LoadedModel& model, int64_t capacity, int threads)
      : streams_(model.model, checked(capacity), checked_threads(threads)),
        symbols_(model.symbols()),
        is_open_(static_cast<size_t>(capacity)) {}

  int64_t open() {
    const Use use(busy_);
    const int64_t id = streams_.open();
    if (id < 0) {
      throw std::runtime_error(fmt::format("all {} streams are open; close one, or make room for more", capacity()));
    }
    is_open_[static_cast<size_t>(id)] = true;
    return id;
  }
  void close(int64_t id) {
    const Use use(busy_);
    check(id);
    streams_.close(id);
    is_open_[static_cast<size_t>(id)] = false;
  }
  void reset(int64_t id) {
    const Use use(busy_);
    check(id);
    streams_.reset(id);
  }

  nb::object step(nb::handle ids, nb::handle x, nb::object out) {
    const Use use(busy_);
    const View<const int64_t> who = integers_of(ids, "streams", {-1});
    const int64_t n = who.shape[0];
    check_all(who.span());
    if (inputs() == 0) {
      const View<const int32_t> symbols = symbols_of(x, "x", {n});
      const View<float> y = output_of(out, {n, outputs()});
      bool good = false;
      {
        const nb::gil_scoped_release release;
        good = streams_.step(who.span(), symbols.data, y.data);
      }
      if (good) return out;
      for (const int32_t symbol : symbols.span()) {
        if (symbol < 0 || symbol >= symbols_) refuse_symbol(symbol, symbols_);
      }
      throw nb::value_error("x: expected symbols of the model, found another");
    }
    const View<const float> read = floats_of(x, "x", {n, inputs()});
    const View<float> y = output_of(out, {n, outputs()});
    check_apart(read, y);
    const nb::gil_scoped_release release;
    streams_.step(who.span(), read.data, y.data);
    return out;
  }

  FloatArray state(int64_t id) {
    const Use use(busy_);
    check(id);
    float* data = nullptr;
    FloatArray out = new_array<float>({streams_.state_size()}, data);
    streams_.get_state(id, data);
    return out;
  }
  void set_state(int64_t id, nb::handle state) {
    const Use use(busy_);
    check(id);
    streams_.set_state(id, floats_of(state, "state", {streams_.state_size()}).data);
  }

  int64_t capacity() const { return streams_.capacity(); }
  int64_t state_size() const { return streams_.state_size(); }
  int64_t inputs() const { return streams_.model().inputs(); }
  int64_t outputs() const { return streams_.model().outputs(); }

 private:
  static int64_t checked(int64_t capacity) {
    constexpr int64_t kMost = int64_t{1} << 24;
    if (capacity >= 1 && capacity <= kMost) return capacity;
    throw nb::value_error(fmt::format("capacity: expected 1 to {}, found {}", kMost, capacity).c_str());
  }
  void check(int64_t id) const {
    if (id >= 0 && id < capacity() && is_open_[static_cast<size_t>(id)]) return;
    throw nb::value_error(fmt::format("stream: expected one that is open, found {}", id).c_str());
  }
  // Throws unless all ids are open and distinct.
  void check_all(std::span<const int64_t> ids) {
    named_.assign(static_cast<size_t>(capacity()), false);
    for (const int64_t id : ids) {
      check(id);
      if (named_[static_cast<size_t>(id)]) {
        throw nb::value_error(fmt::format("streams: expected each once, found {} twice", id).c_str());
      }
      named_[static_cast<size_t>(id)] = true;
    }
  }

  Streams streams_;
  int64_t symbols_;
  std::vector<bool> is_open_, named_;
  std::atomic<bool> busy_{false};
};

}  // namespace

void register_streams(nb::module_& module) {
  nb::class_<PyStream>(module, "Stream")
      .def(nb::init<const LoadedModel&>(), nb::arg("model"))
      .def("step", &PyStream::step, nb::arg("x").none(), nb::arg("out").none() = nb::none())
      .def("process", &PyStream::process, nb::arg("x").none(), nb::arg("out").none() = nb::none())
      .def("reset", &PyStream::reset)
      .def("use_fast_activations", &PyStream::use_fast_activations, nb::arg("fast") = true)
      .def("get_state", &PyStream::state)
      .def("set_state", &PyStream::set_state, nb::arg("state").none())
      .def_prop_ro("inputs", &PyStream::inputs)
      .def_prop_ro("outputs", &PyStream::outputs)
      .def_prop_ro("state_size", &PyStream::state_size);
  nb::class_<PyStreams>(module, "Streams")
      .def(nb::init<const LoadedModel&, int64_t, int>(), nb::arg("model"), nb::arg("capacity"), nb::arg("threads") = 1)
      .def("open", &PyStreams::open)
      .def("close", &PyStreams::close, nb::arg("stream"))
      .def("reset", &PyStreams::reset, nb::arg("stream"))
      .def("step", &PyStreams::step, nb::arg("streams").none(), nb::arg("x").none(), nb::arg("out").none() = nb::none())
      .def("get_state", &PyStreams::state, nb::arg("stream"))
      .def("set_state", &PyStreams::set_state, nb::arg("stream"), nb::arg("state").none())
      .def_prop_ro("capacity", &PyStreams::capacity)
      .def_prop_ro("inputs", &PyStreams::inputs)
      .def_prop_ro("outputs", &PyStreams::outputs)
      .def_prop_ro("state_size", &PyStreams::state_size);
}

}  // namespace longhand::python
