// Keras's recurrent layers as nodes: the part of the importer that has most of the traps.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_cell_layer.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

// What a layer says of the order of its steps and of its outputs.
struct LayerFlags {
  bool returns = false, backwards = false, state = false, stateful = false, masked_zeros = false;
};

// A recurrent layer's outputs: what it returns, and then its states.
struct Made {
  KerasValue y;
  KerasValues states;
};

class RecurrentBuilder {
 public:
  explicit RecurrentBuilder(const KerasSite& site) : site_(site) {}

  KerasValues run() {
    KerasValue x = site_.operands.empty() || !site_.operands[0].value ? site_.only_input() : *site_.operands[0].value;
    if (x.dims.size() != 2 || x.is_symbols) site_.fail("expected sequences of numbers", "it is damaged");
    KerasValues initial = site_.take_named("initial_state");
    const KerasValues all = site_.inputs();
    initial.insert(initial.end(), all.begin() + 1, all.end());
    if (site_.type == "Bidirectional") return run_both(x, initial);
    const LayerFlags flags = flags_of(site_.config);
    const Made made = run_layer(site_.type, site_.config, site_.take(1, 1000), flags, x, initial, "");
    KerasValues out = {made.y};
    if (flags.state) out.insert(out.end(), made.states.begin(), made.states.end());
    return out;
  }

 private:
  bool flag(const Json& config, const char* key, bool otherwise) const {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return otherwise;
    if (!found->is_boolean()) site_.fail(fmt::format("{}: expected true or false", key), "the file is damaged");
    return found->get<bool>();
  }

  LayerFlags flags_of(const Json& config) const {
    LayerFlags out;
    out.returns = flag(config, "return_sequences", false);
    out.backwards = flag(config, "go_backwards", false);
    out.state = flag(config, "return_state", false);
    out.stateful = flag(config, "stateful", false);
    out.masked_zeros = flag(config, "zero_output_for_mask", false);
    if (flag(config, "time_major", false)) site_.fail("expected the batch before the time, found time_major");
    return out;
  }

  // Both directions. The reverse outputs are turned around, so that they stand at the steps that they are of.
  KerasValues run_both(const KerasValue& x, const KerasValues& initial) {
    const Json& layer = member(site_.config, "layer", site_.where());
    const auto given = site_.config.find("backward_layer");
    const bool has_back = given != site_.config.end() && given->is_object();
    const std::string type = text_of(layer, "class_name", "", site_.where());
    const std::string back_type = has_back ? text_of(*given, "class_name", "", site_.where()) : type;
    const Json& config = member(layer, "config", site_.where());
    const Json& back_config = has_back ? member(*given, "config", site_.where()) : config;
    LayerFlags forward = flags_of(config), back = flags_of(back_config);
    if (!has_back) back.backwards = !forward.backwards;
    if (site_.keras.of_tensorflow) forward.masked_zeros = back.masked_zeros = forward.returns;
    const KerasArrays& arrays = site_.take(2, 2000);
    const size_t first = arrays_of_first(arrays);
    const auto part = [&](size_t begin, size_t end) {
      return KerasArrays(arrays.begin() + static_cast<std::ptrdiff_t>(begin),
                         arrays.begin() + static_cast<std::ptrdiff_t>(end));
    };
    if (initial.size() % 2 != 0) site_.fail("expected initial states of both directions");
    const size_t half = initial.size() / 2;
    const KerasValues h_forward(initial.begin(), initial.begin() + static_cast<std::ptrdiff_t>(half)),
        h_back(initial.begin() + static_cast<std::ptrdiff_t>(half), initial.end());
    const std::string merge = merge_mode();
    if (initial.empty() && !forward.state && is_cell_layer(type) && is_cell_layer(back_type) && !merge.empty() &&
        !forward.backwards && back.backwards) {
      const CellLayer one = read_cell_layer(site_, type, config, part(0, first)),
                      two = read_cell_layer(site_, back_type, back_config, part(first, arrays.size()));
      if (are_alike(one, two)) {
        return {run_one_node({one, two}, forward, x, {}, merge, "").y};
      }
    }
    const Made a = run_layer(type, config, part(0, first), forward, x, h_forward, "forward");
    const Made b = run_layer(back_type, back_config, part(first, arrays.size()), back, x, h_back, "backward");
    return join(a, b, forward, merge);
  }

  static bool are_alike(const CellLayer& a, const CellLayer& b) {
    return a.type == b.type && a.units == b.units && a.reset_after == b.reset_after && a.gates == b.gates &&
           a.candidate == b.candidate && a.cell.bias.floats.empty() == b.cell.bias.floats.empty();
  }

  // Of "bidirectional/forward_lstm/lstm_cell/kernel:0" and so on, or half of them.
  size_t arrays_of_first(const KerasArrays& arrays) const {
    size_t named = 0;
    while (named < arrays.size() && arrays[named].first.find("backward") == std::string::npos) ++named;
    if (named > 0 && named < arrays.size()) return named;
    if (arrays.size() % 2 != 0) site_.fail("expected as many arrays of both directions", "the file is damaged");
    return arrays.size() / 2;
  }

  std::string merge_mode() const {
    const auto found = site_.config.find("merge_mode");
    if (found != site_.config.end() && found->is_null()) return "";
    const std::string merge = site_.text("merge_mode", "concat");
    if (merge != "concat" && merge != "sum" && merge != "mul" && merge != "ave") {
      site_.fail(fmt::format("merge_mode: expected concat, sum, mul or ave, found '{}'", visible(merge)),
                 "it is damaged");
    }
    return merge;
  }

  KerasValues join(const Made& a, Made b, const LayerFlags& flags, const std::string& merge) const {
    if (flags.returns) b.y.name = site_.part("reverse", "reverse", {b.y.name});
    KerasValues out;
    if (merge.empty()) {
      out = {a.y, b.y};
    } else {
      if (merge != "concat" && a.y.dims != b.y.dims) site_.fail("expected two directions of one size to merge");
      KerasValue y = a.y;
      y.name = site_.add(merge == "concat" ? "concat" : merge == "mul" ? "multiply" : "add", {a.y.name, b.y.name});
      if (merge == "concat") y.dims.back() += b.y.width();
      if (merge == "ave") y.name = site_.part("scale", "half", {y.name}, {{"scale", 0.5}});
      out = {y};
    }
    if (!flags.state) return out;
    out.insert(out.end(), a.states.begin(), a.states.end());
    out.insert(out.end(), b.states.begin(), b.states.end());
    return out;
  }

  // A layer in one direction, or an RNN of cells, one above the other.
  Made run_layer(const std::string& type, const Json& config, const KerasArrays& arrays, const LayerFlags& flags,
                 const KerasValue& x, const KerasValues& initial, const std::string& suffix) {
    if (type != "RNN") {
      if (!is_cell_layer(type)) site_.fail(fmt::format("holds a '{}', which is not read", visible(type)));
      return run_one_node({read_cell_layer(site_, type, config, arrays)}, flags, x, initial, "concat", suffix);
    }
    std::vector<const Json*> cells = cells_of(config);
    Made out{.y = x, .states = {}};
    size_t at = 0, state = 0;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string cell = text_of(*cells[i], "class_name", "", site_.where());
      const Json& cell_config = member(*cells[i], "config", site_.where());
      static const std::map<std::string, std::string> kTypes = {
          {"LSTMCell", "LSTM"}, {"GRUCell", "GRU"}, {"SimpleRNNCell", "SimpleRNN"}};
      const auto found = kTypes.find(cell);
      if (found == kTypes.end()) site_.fail(fmt::format("holds a '{}', which is not read", visible(cell)));
      const size_t n = flag(cell_config, "use_bias", true) ? 3 : 2;
      if (at + n > arrays.size()) site_.fail("expected arrays of each cell, found fewer", "the file is damaged");
      const auto begin = arrays.begin() + static_cast<std::ptrdiff_t>(at);
      const CellLayer one =
          read_cell_layer(site_, found->second, cell_config, {begin, begin + static_cast<std::ptrdiff_t>(n)});
      at += n;
      LayerFlags own = flags;
      own.backwards = flags.backwards && i == 0;
      own.returns = flags.returns || i + 1 < cells.size();
      KerasValues h;
      for (size_t k = 0; !initial.empty() && k < one.states(); ++k) {
        if (state >= initial.size()) site_.fail("expected initial states of each cell, found fewer");
        h.push_back(initial[state++]);
      }
      const std::string called = cells.size() == 1 ? suffix : fmt::format("{}{}", suffix, i);
      KerasValue below = out.y;
      if (flags.backwards && i > 0 && !x.mask.empty()) site_.fail("expected no mask of cells that go backwards");
      below.mask = x.mask;
      Made made = run_one_node({one}, own, below, h, "concat", called);
      out.y = made.y;
      out.states.insert(out.states.end(), made.states.begin(), made.states.end());
    }
    if (at != arrays.size()) site_.fail("expected arrays of each cell, found more", "the file is damaged");
    return out;
  }

  std::vector<const Json*> cells_of(const Json& config) const {
    const Json& cell = member(config, "cell", site_.where());
    std::vector<const Json*> out;
    if (text_of(cell, "class_name", "", site_.where()) != "StackedRNNCells") return {&cell};
    const Json& inner = member(cell, "config", site_.where());
    if (flag(inner, "reverse_state_order", false)) site_.fail("expected states in the order of the cells");
    for (const Json& each : member(inner, "cells", site_.where())) out.push_back(&each);
    if (out.empty()) site_.fail("expected cells, found none", "it is damaged");
    return out;
  }

  // One layer, or the two directions of one.
  Made run_one_node(const std::vector<CellLayer>& layers, const LayerFlags& flags, const KerasValue& x,
                    const KerasValues& initial, const std::string& merge, const std::string& suffix) const {
    const CellLayer& one = layers.front();
    for (const CellLayer& each : layers) {
      if (each.cell.kernel.dims[0] == x.width()) continue;
      site_.fail(fmt::format("expected a kernel of {} rows, found {}", x.width(), graph::shown(each.cell.kernel.dims)),
                 "the file is damaged");
    }
    NetworkBuilder::Attributes attributes;
    NetworkBuilder::Weights weights;
    add_cell_functions(site_, layers, attributes);
    for (size_t d = 0; d < layers.size(); ++d) {
      add_keras_cell(site_.builder, site_.name, layers[d].cell, d == 0 ? "_l0" : "_l0_reverse", weights);
    }
    if (one.is_gru() && !one.reset_after) {
      attributes["reset_after"] = int64_t{0};
      site_.builder.note(fmt::format("'{}': the reset gate comes before the product", visible(site_.name)));
    }
    if (layers.size() == 2) {
      attributes["bidirectional"] = int64_t{1};
      if (merge != "concat") attributes["merge"] = merge;
    }
    if (flags.backwards && layers.size() == 1) attributes["go_backwards"] = int64_t{1};
    if (!flags.returns) attributes["return"] = "last";
    if (flags.masked_zeros && !x.mask.empty()) attributes["masked_outputs"] = "zeros";
    std::vector<std::string> inputs = {x.name, x.mask};
    add_initial(one, initial, inputs);
    while (inputs.back().empty()) inputs.pop_back();
    const char* type = one.is_lstm() ? "lstm" : one.is_gru() ? "gru" : "rnn";
    Made out;
    out.y = x;
    out.y.name = suffix.empty()
                     ? site_.add(type, std::move(inputs), std::move(attributes), std::move(weights))
                     : site_.part(type, suffix, std::move(inputs), std::move(attributes), std::move(weights));
    out.y.dims = {(layers.size() == 2 && merge == "concat" ? 2 : 1) * one.units};
    if (flags.returns) out.y.dims.insert(out.y.dims.begin(), x.dims[0]);
    if (!flags.returns || flags.backwards) out.y.mask.clear();
    if (flags.returns && flags.backwards) out.y.mask = x.mask;
    if (flags.stateful) {
      site_.builder.keep_state();
      site_.builder.note(
          fmt::format("'{}' is stateful: states go on from run to run until they are reset", visible(site_.name)));
    }
    if (!flags.state) return out;
    for (size_t i = 0; i < one.states(); ++i) {
      const std::string name =
          fmt::format("{}{}{}.{}", site_.name, suffix.empty() ? "" : ".", suffix, i == 0 ? "h" : "c");
      out.states.push_back({.name = site_.builder.add_output(1 + i, name), .dims = {one.units}});
    }
    return out;
  }

  void add_initial(const CellLayer& one, const KerasValues& initial, std::vector<std::string>& inputs) const {
    if (initial.empty()) return;
    if (initial.size() != one.states()) {
      site_.fail(fmt::format("expected {} initial states, found {}", one.states(), initial.size()));
    }
    for (const KerasValue& state : initial) {
      if (state.dims != graph::Dims{one.units} || state.is_symbols) {
        site_.fail(fmt::format("expected initial states of {} numbers, found {}", one.units, graph::shown(state.dims)));
      }
      inputs.push_back(state.name);
    }
  }

  const KerasSite& site_;
};

KerasValues add_recurrent(const KerasSite& site) { return RecurrentBuilder(site).run(); }

}  // namespace

KerasFunction find_recurrent_layer(const std::string& type) {
  return is_cell_layer(type) || type == "Bidirectional" || type == "RNN" ? add_recurrent : nullptr;
}

}  // namespace longhand::convert
