// ONNX's LSTM, GRU and RNN in C.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/c_cell_options.h"

namespace longhand::exporters {
namespace {

// W [D, G H, I], R [D, G H, H], B [D, 2 G H], P [D, 3 H]; batch size 1.
class OnnxRecurrentInC {
 public:
  explicit OnnxRecurrentInC(const CSite& site)
      : site_(site),
        program_(site.program),
        gates_(site.node.type == "LSTM"  ? 4
               : site.node.type == "GRU" ? 3
                                         : 1) {
    const CView& x = site.in(0);
    const bool batch_first = site.integer("layout", 0) != 0;
    steps_ = x.dims.at(batch_first ? 1 : 0);
    if (x.dims.at(batch_first ? 0 : 1) != 1) {
      site.fail(fmt::format("expected one sequence, found {}", graph::shown(x.dims)),
                "import it again with an extent of 1: --dims");
    }
    inputs_ = x.dims.at(2);
    hidden_ = site.in(2).dims.at(2);
    const std::string direction = site.text("direction", "forward");
    directions_ = direction == "bidirectional" ? 2 : 1;
    first_reverse_ = direction == "reverse";
    keeps_ = site.integer("keep_state", 0) != 0;
    if (!site.has(4)) return;
    const CView& lengths = site.in(4);
    if (!lengths.constant || lengths.ints[0] != steps_) site.fail("expected sequences of full length, found lengths");
  }

  void write() {
    const bool only_h = steps_ == 1 && directions_ == 1;  // Y equals the last hidden state
    const int y = only_h || !site_.wants(0) ? -1 : site_.network.memory.of(site_.out(0));
    std::vector<int> all_h, all_c;
    for (int64_t d = 0; d < directions_; ++d) {
      const CCell cell = cell_of(d);
      all_h.push_back(memory_of("h", 5, 1, d));
      if (cell.has_cell()) all_c.push_back(memory_of("c", 6, 2, d));
      CLayerPlaces places;
      places.label = site_.label() + (d == 1 ? "_reverse" : "");
      places.comment =
          fmt::format("{}{}: {} -> {}", site_.called(), reverse(d) ? ", in reverse" : "", inputs_, hidden_);
      places.steps = steps_;
      places.reverse = reverse(d);
      places.x = site_.network.memory.of(site_.in(0));
      places.h = all_h.back();
      places.c = cell.has_cell() ? all_c.back() : -1;
      places.y = y;
      places.y_stride = directions_ * hidden_;
      places.y_offset = d * hidden_;
      add_c_layer(program_, cell, places);
    }
    if (only_h && site_.wants(0)) site_.alias(0, all_h.front());
    write_last(1, all_h);
    write_last(2, all_c);
  }

 private:
  bool reverse(int64_t direction) const { return (direction == 1) != first_reverse_; }

  // Returns the blocks of `block` elements from `first` on, in the given order.
  static std::vector<float> blocks(const std::vector<float>& from, int64_t first, int64_t block,
                                   const std::vector<int64_t>& order) {
    std::vector<float> out;
    for (const int64_t k : order) {
      const auto begin = from.begin() + first + k * block;
      out.insert(out.end(), begin, begin + block);
    }
    return out;
  }

  CCell cell_of(int64_t direction) const {
    CCell cell;
    const bool first = gates_ == 3 && site_.integer("linear_before_reset", 0) == 0;
    cell.kind = gates_ == 4   ? CCell::Kind::kLstm
                : gates_ == 1 ? CCell::Kind::kPlain
                : first       ? CCell::Kind::kGruResetFirst
                              : CCell::Kind::kGru;
    cell.inputs = inputs_;
    cell.hidden = hidden_;
    const std::vector<int64_t> order = gates_ == 4   ? std::vector<int64_t>{0, 2, 3, 1}  // ONNX's i o f c to i f c o
                                       : gates_ == 3 ? std::vector<int64_t>{1, 0, 2}     // ONNX's z r h to r z h
                                                     : std::vector<int64_t>{0};
    const int64_t all = gates_ * hidden_;
    cell.w_ih = blocks(site_.known_floats(1), direction * all * inputs_, hidden_ * inputs_, order);
    cell.w_hh = blocks(site_.known_floats(2), direction * all * hidden_, hidden_ * hidden_, order);
    cell.bias.assign(static_cast<size_t>(all), 0.0F);
    std::vector<float> second = cell.bias;
    if (site_.has(3)) {
      cell.bias = blocks(site_.known_floats(3), direction * 2 * all, hidden_, order);
      second = blocks(site_.known_floats(3), (direction * 2 + 1) * all, hidden_, order);
    }
    if (cell.kind == CCell::Kind::kGru) {
      cell.bias_hh = second;
    } else {
      for (size_t i = 0; i < second.size(); ++i) cell.bias[i] += second[i];
    }
    if (gates_ == 4 && site_.has(7)) {
      cell.peepholes = blocks(site_.known_floats(7), direction * 3 * hidden_, hidden_, {0, 2, 1});  // i o f to i f o
    }
    read_c_cell_options(site_, direction, cell);
    return cell;
  }

  // Returns the buffer of a direction's state. If the node is the only reader of a state of the network, the state is
  // updated in place.
  int memory_of(const char* which, size_t input, size_t output, int64_t direction) const {
    const std::string name = fmt::format("{}_{}{}", site_.label(), which, direction == 1 ? "_reverse" : "");
    CMemory& memory = site_.network.memory;
    if (keeps_) {
      std::vector<float> initial;
      if (site_.has(input)) initial = blocks(site_.known_floats(input), 0, hidden_, {direction});
      return program_.state(name, hidden_, initial);
    }
    if (!site_.has(input)) {
      const int to = program_.scratch(hidden_);
      add_c_zeros(program_, to, hidden_);
      return to;
    }
    const int from = memory.of(site_.in(input));
    if (directions_ == 1 && site_.wants(output)) {
      const auto kept = site_.network.kept.find(site_.node.outputs[output]);
      const std::string& given = site_.node.inputs[input];
      if (kept != site_.network.kept.end() && kept->second == given && site_.network.uses.at(given) == 1) return from;
    }
    const int to = program_.scratch(hidden_);
    add_c_part(program_, from, direction * hidden_, to, 0, hidden_);
    return to;
  }

  void write_last(size_t output, const std::vector<int>& states) const {
    if (!site_.wants(output) || states.empty()) return;
    if (directions_ == 1) return site_.alias(output, states.front());
    const int to = site_.network.memory.of(site_.out(output));
    for (size_t d = 0; d < states.size(); ++d) {
      add_c_part(program_, states[d], 0, to, static_cast<int64_t>(d) * hidden_, hidden_);
    }
  }

  const CSite& site_;
  CProgram& program_;
  int64_t gates_, steps_ = 1, inputs_ = 0, hidden_ = 0, directions_ = 1;
  bool first_reverse_ = false, keeps_ = false;
};

void write_onnx_recurrent(const CSite& site) { OnnxRecurrentInC(site).write(); }

}  // namespace

std::vector<CNodeType> c_onnx_recurrent_types() { return {{{"LSTM", "GRU", "RNN"}, write_onnx_recurrent}}; }

}  // namespace longhand::exporters
