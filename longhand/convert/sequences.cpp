#include "longhand/convert/sequences.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {
namespace {

using graph::Dims;
using graph::Port;

constexpr const char* kLengths = "lengths";

// Where the axes of an array are for one input; the rest are those of a step.
struct Axes {
  int64_t sequences = 1, steps = 1;
  int batch_axis = -1, time_axis = -1;
  bool flat = false;  // numbers one by one
};

class SequenceFinder {
 public:
  SequenceFinder(const graph::Graph& graph, const std::string& where) : graph_(graph), where_(where) {
    over_time_ = is_over_time(graph);
    for (const Port& port : graph.inputs) step_dims_.push_back(step_dims(graph, port, where));
  }

  Sequences find(const NamedArrays& arrays) {
    const bool by_port = is_only(arrays) || std::any_of(arrays.begin(), arrays.end(), [&](const auto& each) {
                           return port_of(each.first).has_value();
                         });
    return by_port ? of_ports(arrays) : of_sequences(arrays);
  }

 private:
  [[noreturn]] void fail(const std::string& problem,
                         const std::string& advice = "give an input of this network") const {
    throw input_error(where_ + ": " + problem, advice);
  }

  std::optional<size_t> port_of(const std::string& name) const {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      if (graph_.inputs[i].name == name) return i;
    }
    return std::nullopt;
  }

  // An only array, beside which `lengths` may be, stands for the only input.
  bool is_only(const NamedArrays& arrays) const {
    const auto others =
        std::count_if(arrays.begin(), arrays.end(), [](const auto& each) { return each.first != kLengths; });
    return graph_.inputs.size() == 1 && (arrays.size() == 1 || others == 1);
  }

  // An array for each input, and perhaps lengths.
  Sequences of_ports(const NamedArrays& arrays) {
    const size_t count = graph_.inputs.size();
    std::vector<const io::Array*> given(count, nullptr);
    const io::Array* lengths = nullptr;
    for (const auto& [name, array] : arrays) {
      const bool stands_for_it = is_only(arrays) && (arrays.size() == 1 || name != kLengths);
      const std::optional<size_t> port = stands_for_it ? 0 : port_of(name);
      if (port) {
        given[*port] = &array;
      } else if (name == kLengths) {
        lengths = &array;
      } else {
        fail(fmt::format("expected arrays of the inputs ({}) and `lengths`, found '{}' beside them", names(),
                         visible(name)),
             "leave it out, or name arrays after sequences alone");
      }
    }
    for (size_t i = 0; i < count; ++i) {
      if (given[i] == nullptr) fail(fmt::format("expected an array '{}', found none", visible(graph_.inputs[i].name)));
    }
    Sequences out;
    std::optional<Axes> first;
    std::vector<Axes> axes;
    for (size_t i = 0; i < count; ++i) axes.push_back(axes_of(i, *given[i], first));
    out.batch = std::any_of(axes.begin(), axes.end(), [](const Axes& each) { return each.batch_axis >= 0; });
    const int64_t sequences = first->sequences;
    if (lengths != nullptr) out.lengths = lengths_of(*lengths, out.batch, *first);
    for (int64_t s = 0; s < sequences; ++s) {
      Sequence& to = out.list.emplace_back();
      to.steps = out.lengths.empty() ? first->steps : out.lengths[static_cast<size_t>(s)];
      for (size_t i = 0; i < count; ++i) to.inputs.push_back(cut(i, *given[i], axes[i], s, to.steps));
    }
    return out;
  }

  // Arrays that are called by sequences: "s1", or of several inputs "s1/x".
  Sequences of_sequences(const NamedArrays& arrays) {
    std::vector<std::pair<std::string, NamedArrays>> by_name;
    for (const auto& [name, array] : arrays) {
      const size_t slash = name.rfind('/');
      const bool has_port = slash != std::string::npos && port_of(name.substr(slash + 1));
      if (!has_port && graph_.inputs.size() > 1) {
        fail(fmt::format("expected arrays of the inputs ({}), or of SEQUENCE/INPUT, found '{}'", names(),
                         visible(name)));
      }
      const std::string sequence = has_port ? name.substr(0, slash) : name;
      if (by_name.empty() || by_name.back().first != sequence) by_name.emplace_back(sequence, NamedArrays());
      by_name.back().second.emplace_back(has_port ? name.substr(slash + 1) : graph_.inputs.front().name, array);
    }
    if (by_name.empty()) fail("expected arrays, found none");
    Sequences out;
    const std::string file = where_;
    for (auto& [sequence, own] : by_name) {
      Sequences found = SequenceFinder(graph_, file + ": " + visible(sequence)).of_ports(own);
      if (found.list.size() != 1 || !found.lengths.empty()) {
        fail(fmt::format("'{}': expected one sequence, found {}", visible(sequence), found.list.size()),
             "give each sequence an array of its own, or name the only array after the input");
      }
      out.list.push_back(std::move(found.list.front()));
      out.list.back().name = sequence;
    }
    return out;
  }

  std::string names() const {
    std::string out;
    for (const Port& port : graph_.inputs) out += (out.empty() ? "" : ", ") + visible(port.name);
    return out;
  }

  // How an array is laid out. `first`: what the inputs before it said.
  Axes axes_of(size_t port_index, const io::Array& array, std::optional<Axes>& first) const {
    const Port& port = graph_.inputs[port_index];
    const bool timed = port.time_axis >= 0 || !over_time_;
    const std::optional<Axes> found =
        timed ? timed_axes(port_index, array.shape) : static_axes(port_index, array.shape);
    if (!found) {
      fail(fmt::format("expected {} for input '{}', found {}", expectation(port_index), visible(port.name),
                       io::describe(array.shape)));
    }
    if (!first) first = *found;
    if (first->sequences != found->sequences || (timed && timed_before(port_index) && first->steps != found->steps)) {
      fail(fmt::format("expected as many sequences and steps in all inputs, found {} x {} and, in '{}', {} x {}",
                       first->sequences, first->steps, visible(port.name), found->sequences, found->steps));
    }
    if (timed) first->steps = found->steps;
    if (found->sequences < 1 || found->steps < 1) fail("expected at least one step, found none");
    return *found;
  }

  bool timed_before(size_t port_index) const {
    return std::any_of(graph_.inputs.begin(), graph_.inputs.begin() + static_cast<std::ptrdiff_t>(port_index),
                       [&](const Port& port) { return port.time_axis >= 0 || !over_time_; });
  }

  // Whether the axes from `from` on are those of a step; axes of extent 1 may be missing.
  static bool equal(const std::vector<int64_t>& shape, size_t from, const Dims& step) {
    if (shape.size() < from) return false;
    const auto without_ones = [](std::vector<int64_t> dims, size_t begin) {
      dims.erase(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(begin));
      std::erase(dims, 1);
      return dims;
    };
    return without_ones(shape, from) == without_ones(step, 0);
  }

  // Tries in this order: sequences of one step; one sequence; sequences of single numbers; the network's own axes; a
  // flat list of numbers. If the network has no time axis, the array may have one in front of the network's axes; an
  // array without it is one step.
  std::optional<Axes> timed_axes(size_t port_index, const std::vector<int64_t>& shape) const {
    const Port& port = graph_.inputs[port_index];
    const Dims& step = step_dims_[port_index];
    const int64_t width = std::max<int64_t>(graph::count(step), 1);
    const bool own_axes = port.time_axis >= 0 && shape.size() == port.dims.size() && has_fixed(port, shape);
    // [sequences, 1, numbers]: several sequences of one step.
    if (own_axes && port.batch_axis == 0 && shape[0] > 1 && shape[static_cast<size_t>(port.time_axis)] == 1) {
      return Axes{shape[0], 1, port.batch_axis, port.time_axis, false};
    }
    if (equal(shape, 1, step)) return Axes{1, shape[0], -1, 0, false};
    // [sequences, steps] of one number each.
    const bool singles = width == 1 && port.batch_axis == 0 && port.time_axis == 1;
    if (singles && shape.size() == 2 && port.dims.size() == 3) return Axes{shape[0], shape[1], 0, 1, false};
    if (singles && shape.size() == 3 && shape[2] == 1 && port.dims.size() == 2) {
      return Axes{shape[0], shape[1], 0, 1, false};
    }
    if (own_axes) {
      const int64_t sequences = port.batch_axis < 0 ? 1 : shape[static_cast<size_t>(port.batch_axis)];
      return Axes{sequences, shape[static_cast<size_t>(port.time_axis)], port.batch_axis, port.time_axis, false};
    }
    if (port.time_axis < 0 && equal(shape, 0, step)) return Axes{1, 1, -1, 0, true};
    if (port.time_axis < 0 && equal(shape, 2, step)) return Axes{shape[0], shape[1], 0, 1, false};
    if (shape.size() == 1) return Axes{1, (shape[0] + width - 1) / width, -1, 0, true};
    return std::nullopt;
  }

  // An input that is read once in a sequence.
  std::optional<Axes> static_axes(size_t port_index, const std::vector<int64_t>& shape) const {
    if (equal(shape, 0, step_dims_[port_index])) return Axes{1, 1, -1, -1, false};
    if (equal(shape, 1, step_dims_[port_index])) return Axes{shape[0], 1, 0, -1, false};
    return std::nullopt;
  }

  static bool has_fixed(const Port& port, const std::vector<int64_t>& shape) {
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (port.dims[axis] >= 0 && port.dims[axis] != shape[axis]) return false;
    }
    return true;
  }

  std::string expectation(size_t port_index) const {
    const Port& port = graph_.inputs[port_index];
    const bool timed = port.time_axis >= 0 || !over_time_;
    Dims one = step_dims_[port_index];
    if (timed) one.insert(one.begin(), -1);
    const std::string several = port.time_axis + port.batch_axis == 1 ? " or " + graph::shown(port.dims) : "";
    return graph::shown(one) + several;
  }

  std::vector<int64_t> lengths_of(const io::Array& array, bool batch, const Axes& first) const {
    std::vector<int64_t> out = io::integers(array, where_ + ": lengths");
    const int64_t expected = batch ? first.sequences : 1;
    if (static_cast<int64_t>(out.size()) != expected) {
      fail(batch ? fmt::format("lengths: expected one for each of {} sequences, found {}", expected, out.size())
                 : fmt::format("lengths: expected the length of one sequence, found {} lengths", out.size()),
           "give arrays [sequences, steps, numbers], and as many lengths");
    }
    for (const int64_t length : out) {
      if (length >= 1 && length <= first.steps) continue;
      fail(fmt::format("lengths: expected numbers from 1 to {}, the number of steps, found {}", first.steps, length),
           "correct the lengths");
    }
    return out;
  }

  // Of one sequence, its first `steps` steps, in the order of the steps; numbers one by one end with zeros.
  graph::Array cut(size_t port_index, const io::Array& array, const Axes& axes, int64_t sequence, int64_t steps) const {
    const Port& port = graph_.inputs[port_index];
    const Dims& step = step_dims_[port_index];
    Dims dims = step;
    if (axes.time_axis >= 0) dims.insert(dims.begin(), steps);
    const bool as_it_is = axes.flat || (axes.batch_axis < 0 && axes.time_axis <= 0);
    const io::Array own = as_it_is ? first_rows(array, axes, steps) : part_of(array, axes, sequence, steps);
    const std::string name = where_ + ": " + visible(port.name);
    graph::Array out{port.type, dims, {}, {}};
    const auto size = static_cast<size_t>(graph::count(dims));
    if (port.type == graph::ElementType::kInt) {
      out.ints = io::integers(own, name);
      out.ints.resize(size);
      return out;
    }
    if (const auto at = io::first_non_finite(own)) {
      const std::string of = axes.sequences > 1 ? fmt::format(" of sequence {}", sequence) : "";
      fail(fmt::format("{}{} {}: expected finite numbers, found another", visible(port.name), of,
                       io::position_of(own.shape, *at)),
           "leave out or fill in what is missing");
    }
    out.floats = io::floats(own, name);
    out.floats.resize(size);  // padded steps are cut off, and the last step of numbers one by one is filled up
    return out;
  }

  // Returns the first `count` steps of an array that is one sequence.
  static io::Array first_rows(const io::Array& array, const Axes& axes, int64_t count) {
    if (axes.flat || axes.time_axis != 0 || count >= axes.steps) return array;
    io::Array out{array.dtype, array.shape, {}};
    out.shape[0] = count;
    out.bytes =
        array.bytes.substr(0, array.bytes.size() / static_cast<size_t>(axes.steps) * static_cast<size_t>(count));
    return out;
  }

  // Returns the first `count` steps of one sequence of an array with these axes: [count, numbers of a step]. Padding
  // after these steps is not checked.
  static io::Array part_of(const io::Array& array, const Axes& axes, int64_t sequence, int64_t count) {
    std::vector<int64_t> steps_of = {0};  // offsets of the numbers of a step, in elements
    int64_t stride = 1, of_time = 0, of_batch = 0;
    for (size_t axis = array.shape.size(); axis-- > 0;) {
      const auto at = static_cast<int>(axis);
      if (at == axes.batch_axis) {
        of_batch = stride;
      } else if (at == axes.time_axis) {
        of_time = stride;
      } else {
        std::vector<int64_t> more;
        for (int64_t k = 0; k < array.shape[axis]; ++k) {
          for (const int64_t offset : steps_of) more.push_back(k * stride + offset);
        }
        steps_of = std::move(more);
      }
      stride *= array.shape[axis];
    }
    const int64_t steps = axes.time_axis < 0 ? 1 : count;
    const size_t size = io::size_of(array.dtype);
    io::Array out{array.dtype, {steps, static_cast<int64_t>(steps_of.size())}, {}};
    out.bytes.reserve(static_cast<size_t>(steps) * steps_of.size() * size);
    for (int64_t t = 0; t < steps; ++t) {
      for (const int64_t offset : steps_of) {
        out.bytes.append(array.bytes, static_cast<size_t>(sequence * of_batch + t * of_time + offset) * size, size);
      }
    }
    return out;
  }

  const graph::Graph& graph_;
  const std::string where_;
  bool over_time_ = false;
  std::vector<Dims> step_dims_;
};

}  // namespace

bool is_over_time(const graph::Graph& graph) {
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), [](const Port& port) { return port.time_axis >= 0; });
}

Dims step_dims(const graph::Graph& graph, const Port& port, const std::string& where) {
  const bool timed = is_over_time(graph);
  Dims out;
  for (size_t axis = 0; axis < port.dims.size(); ++axis) {
    const auto at = static_cast<int>(axis);
    if (at == port.batch_axis || (timed && at == port.time_axis)) continue;
    if (port.dims[axis] < 0) {
      throw input_error(fmt::format("{}: input '{}': expected its shape to be known, found {}", where,
                                    visible(port.name), graph::shown(port.dims)),
                        "import the model again, with --dims");
    }
    out.push_back(port.dims[axis]);
  }
  return out;
}

bool is_read_once(const graph::Graph& graph, const Port& port) { return port.time_axis < 0 && is_over_time(graph); }

NamedArrays input_arrays(const graph::Graph& graph, NamedArrays arrays, const std::string& trained_name,
                         const std::string& where, std::vector<std::string>& others) {
  const auto place_of = [&](const std::string& name) {
    return std::find_if(arrays.begin(), arrays.end(), [&](const auto& each) { return each.first == name; });
  };
  if (graph.inputs.size() == 1) {
    const std::string& port = graph.inputs.front().name;
    for (const std::string& name : {trained_name, port, std::string("input")}) {
      if (place_of(name) == arrays.end()) continue;
      if (name == port) break;
      if (std::erase_if(arrays, [&](const auto& each) { return each.first == port; }) > 0) others.push_back(port);
      place_of(name)->first = port;
      break;
    }
  }
  const auto is_there = [&](const Port& port) { return place_of(port.name) != arrays.end(); };
  if (!std::all_of(graph.inputs.begin(), graph.inputs.end(), is_there)) {
    if (place_of("target") == arrays.end()) return arrays;
    std::string expected, found;
    for (const Port& port : graph.inputs) expected += (expected.empty() ? "" : ", ") + visible(port.name);
    for (const auto& [name, array] : arrays) found += (found.empty() ? "" : ", ") + visible(name);
    throw input_error(fmt::format("{}: expected arrays of the inputs ({}), found {}", where, expected, found),
                      "give each input's array its name; of an only input it may also be input");
  }
  std::erase_if(arrays, [&](const auto& each) {
    const bool is_read =
        each.first == kLengths || std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                              [&](const Port& port) { return port.name == each.first; });
    if (!is_read) others.push_back(each.first);
    return !is_read;
  });
  return arrays;
}

Sequences find_sequences(const graph::Graph& graph, const NamedArrays& arrays, const std::string& where) {
  if (graph.inputs.empty()) throw input_error(where + ": expected a network with inputs, found none", "use another");
  if (arrays.empty()) throw input_error(where + ": expected arrays, found none", "give an array for each input");
  return SequenceFinder(graph, where).find(arrays);
}

}  // namespace longhand::convert
