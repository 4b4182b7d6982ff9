// Writes the nodes `lstm`, `gru` and `rnn` in C.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/exporters/c_cell_options.h"

namespace longhand::exporters {
namespace {

// Writes one `lstm`, `gru` or `rnn` node.
class RecurrentInC {
 public:
  explicit RecurrentInC(const CSite& site)
      : site_(site),
        program_(site.program),
        type_(site.node.type),
        steps_(site.in(0).dims.at(site.in(0).dims.size() - 2)) {
    const graph::Dims& dims = site.in(0).dims;
    const bool frames = dims.size() == 4;  // each frame is a sequence
    if (frames) frames_ = dims[1];
    if (dims[0] != 1) site.fail(fmt::format("expected one sequence, found {}", graph::shown(dims)));
    masked_ = site.has(1) && !(site.is_known(1) && std::all_of(site.in(1).ints, site.in(1).ints + frames_ * steps_,
                                                               [](int64_t here) { return here != 0; }));
    directions_ = site.integer("bidirectional", 0) != 0 ? 2 : 1;
    layers_ = site.integer("layers", 1);
    fresh_ = frames || directions_ == 2 || site.integer("carry", 1) == 0 || site.has(2);
    backwards_ = site.integer("go_backwards", 0) != 0;
    last_ = site.text("return", "sequences") == "last";
  }

  void write() {
    int x = symbols_ = site_.network.one_hot(site_.node.inputs[0]);
    if (x < 0) x = site_.network.memory.of(site_.in(0));
    int64_t width = site_.in(0).dims.back();
    for (int64_t layer = 0; layer < layers_; ++layer) {
      const bool on_top = layer + 1 == layers_;
      const int y = write_layer(layer, x, width, on_top);
      symbols_ = -1;
      x = y;
      width = directions_ * state_;
    }
  }

 private:
  static std::string suffix(int64_t layer, int64_t direction) {
    return fmt::format("_l{}{}", layer, direction == 1 ? "_reverse" : "");
  }

  CCell cell_of(int64_t layer, int64_t direction, int64_t width) const {
    const auto role = [of = suffix(layer, direction)](const char* name) { return fmt::format("{}{}", name, of); };
    CCell cell;
    cell.kind = type_ == "lstm" ? CCell::Kind::kLstm : type_ == "rnn" ? CCell::Kind::kPlain : CCell::Kind::kGru;
    if (type_ == "gru" && site_.integer("reset_after", 1) == 0) cell.kind = CCell::Kind::kGruResetFirst;
    const graph::Array& w_hh = site_.weight(role("weight_hh"));
    cell.inputs = width;
    cell.symbols = symbols_ >= 0;
    cell.hidden = w_hh.dims[0] / cell.gates();
    cell.w_ih = site_.weight(role("weight_ih")).floats;
    cell.w_hh = w_hh.floats;
    cell.w_hr = site_.weights_or(role("weight_hr"), {});
    cell.projection = cell.w_hr.empty() ? 0 : w_hh.dims[1];
    const std::vector<float> zeros(static_cast<size_t>(w_hh.dims[0]), 0.0F);
    cell.bias = site_.weights_or(role("bias_ih"), zeros);
    const std::vector<float> second = site_.weights_or(role("bias_hh"), zeros);
    if (cell.kind == CCell::Kind::kGru) {
      cell.bias_hh = second;
    } else {
      for (size_t i = 0; i < zeros.size(); ++i) cell.bias[i] += second[i];
    }
    cell.peepholes = site_.weights_or(role("weight_peephole"), {});
    cell.gain_ih = site_.weights_or(role("gain_ih"), {});
    cell.gain_hh = site_.weights_or(role("gain_hh"), {});
    cell.gain_c = site_.weights_or(role("gain_c"), {});
    cell.bias_c = site_.weights_or(role("bias_c"), {});
    read_c_cell_options(site_, direction, cell);
    return cell;
  }

  // Returns the buffer of h or c of a layer and direction. If the state is not carried, adds an operation that sets the
  // initial state.
  int memory_of(const char* which, int64_t layer, int64_t direction, int64_t width, size_t port) const {
    const std::vector<float> learned = site_.weights_or(fmt::format("{}_0{}", which, suffix(layer, direction)), {});
    const std::string name = fmt::format("{}{}_{}", site_.label(), layers_ > 1 ? fmt::format("_{}", layer) : "", which);
    if (!fresh_) return program_.state(name, width, learned);
    const int to = program_.scratch(width);
    if (frames_ > 1 && (site_.has(port) || !learned.empty())) site_.fail("expected frames that begin with zeros");
    if (site_.has(port)) {
      add_c_part(program_, site_.network.memory.of(site_.in(port)), direction * width, to, 0, width);
    } else if (!learned.empty()) {
      const int from = program_.add_buffer(
          {.kind = CBuffer::Kind::kConstant, .size = width, .name = program_.constant(name + "_0", learned)});
      program_.add_copy(from, to, "what a run begins with");
    } else {
      add_c_zeros(program_, to, width);
    }
    return to;
  }

  // Adds the operations of a layer, and returns the buffer of its outputs.
  int write_layer(int64_t layer, int x, int64_t width, bool on_top) {
    struct Part {
      int h, c;
    };
    std::vector<Part> parts;
    const bool residual = layer > 0 && site_.integer("residual", 0) != 0;
    const std::string merge = site_.text("merge", "concat");
    const bool only_h =
        directions_ == 1 && ((steps_ == 1 && !masked_) || (last_ && on_top));  // the output equals the hidden state
    int y = -1;
    for (int64_t d = 0; d < directions_; ++d) {
      const CCell cell = cell_of(layer, d, width);
      state_ = cell.state();
      const int h = memory_of("h", layer, d, cell.state(), 2);
      const int c = cell.has_cell() ? memory_of("c", layer, d, cell.hidden, 3) : -1;
      parts.push_back({h, c});
      const bool only_last = frames_ > 1 && last_ && on_top;
      if (!only_h && y < 0) y = program_.scratch(frames_ * (only_last ? 1 : steps_) * directions_ * state_);
      CLayerPlaces places;
      places.label = site_.label() + (layers_ > 1 ? fmt::format("_{}", layer) : "") + (d == 1 ? "_reverse" : "");
      places.comment =
          fmt::format("{}{}{}: {} -> {}", site_.called(), layers_ > 1 ? fmt::format(", layer {}", layer + 1) : "",
                      d == 1 ? ", in reverse" : "", width, state_);
      places.steps = steps_;
      places.frames = frames_;
      places.only_last = only_last;
      places.reverse = backwards_ != (d == 1);
      places.y_in_order_of_work = backwards_;
      places.x = symbols_ >= 0 ? symbols_ : x;
      if (masked_) places.mask = site_.network.memory.of(site_.in(1));
      places.mask_zeros = site_.text("masked_outputs", "before") == "zeros";
      places.h = h;
      places.c = c;
      places.y = only_h ? -1 : y;
      places.y_stride = directions_ * state_;
      places.y_offset = d * state_;
      add_c_layer(program_, cell, places);
    }
    const int64_t row = directions_ * state_;
    if (only_h) y = parts.front().h;
    if (residual) y = add_rows(x, y, frames_ * steps_ * row);
    if (!on_top) return y;
    write_states(parts.front().h, parts.front().c, parts.back().h, parts.back().c);
    if (last_ && !only_h && frames_ == 1) y = last_row(parts.front().h, parts.back().h);
    if (merge != "concat") y = merged(y, merge, frames_ * (last_ ? 1 : steps_));
    site_.alias(0, y);
    return y;
  }

  // Adds an operation for x + y of n elements, and returns the buffer of the sum (residual connection).
  int add_rows(int x, int y, int64_t n) const {
    const int sum = program_.scratch(n);
    program_.add({.name = program_.name(site_.label() + "_sum"),
                  .comment = site_.called() + ": its input is added",
                  .body = fmt::format("for (int i = 0; i < {}; ++i) sum[i] = y[i] + x[i];\n", n),
                  .arguments = {{"x", x, false}, {"y", y, false}, {"sum", sum, true}}});
    return sum;
  }

  int last_row(int h, int h_reverse) const {
    const int to = program_.scratch(directions_ * state_);
    add_c_part(program_, h, 0, to, 0, state_);
    if (directions_ == 2) add_c_part(program_, h_reverse, 0, to, state_, state_);
    return to;
  }

  int merged(int y, const std::string& merge, int64_t rows) const {
    const int to = program_.scratch(rows * state_);
    const std::string value = merge == "mul" ? "x[0] * x[1]" : merge == "ave" ? "0.5f * (x[0] + x[1])" : "x[0] + x[1]";
    std::string text = value;
    const std::string first = fmt::format("x[t * {} + j]", 2 * state_);
    const std::string second = fmt::format("x[t * {} + {} + j]", 2 * state_, state_);
    text.replace(text.find("x[0]"), 4, first);
    text.replace(text.find("x[1]"), 4, second);
    program_.add({.name = program_.name(site_.label() + "_merge"),
                  .comment = site_.called() + ": both directions together",
                  .body = fmt::format(
                      "for (int t = 0; t < {}; ++t) {{\n  for (int j = 0; j < {}; ++j) y[t * {} + j] = {};\n}}\n", rows,
                      state_, state_, text),
                  .arguments = {{"x", y, false}, {"y", to, true}}});
    return to;
  }

  void write_states(int h, int c, int h_reverse, int c_reverse) const {
    const auto write_state = [&](size_t port, int first, int second) {
      if (!site_.wants(port)) return;
      if (directions_ == 1) return site_.alias(port, first);
      const int64_t width = CSite::size(site_.out(port)) / 2;
      const int to = site_.network.memory.of(site_.out(port));
      add_c_part(program_, first, 0, to, 0, width);
      add_c_part(program_, second, 0, to, width, width);
    };
    write_state(1, h, h_reverse);
    write_state(2, c, c_reverse);
  }

  const CSite& site_;
  CProgram& program_;
  const std::string type_;
  int64_t steps_, frames_ = 1, directions_ = 1, layers_ = 1, state_ = 0;
  bool fresh_ = false, backwards_ = false, last_ = false, masked_ = false;
  int symbols_ = -1;
};

void write_recurrent(const CSite& site) { RecurrentInC(site).write(); }

}  // namespace

std::vector<CNodeType> c_recurrent_types() { return {{{"lstm", "gru", "rnn"}, write_recurrent}}; }

}  // namespace longhand::exporters
