#include "longhand/convert/verify.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/npz.h"
#include "longhand/convert/number_table.h"
#include "longhand/convert/onnx_file.h"
#include "longhand/convert/symbol_reader.h"
#include "longhand/graph/plan.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "longhand/io/wav.h"

namespace longhand::convert {
namespace {

using graph::Plan;
using graph::Port;

io::Array json_array(const nlohmann::json& json, const std::vector<std::string>& symbols, const std::string& where) {
  if (json.is_string()) {
    const std::vector<int64_t> read = SymbolReader(symbols, where).read(json.get<std::string>(), where);
    return io::make_array({static_cast<int64_t>(read.size())}, std::span<const int64_t>(read));
  }
  const graph::Array numbers = numbers_of(json, where);
  return io::make_array(numbers.dims, std::span<const float>(numbers.floats));
}

int64_t numbers_of_step(const Port& port, const std::string& path) {
  int64_t each = 1;
  for (size_t axis = 0; axis < port.dims.size(); ++axis) {
    const auto at = static_cast<int>(axis);
    if (port.dims[axis] < 0 && at != port.batch_axis && at != port.time_axis) {
      throw input_error(fmt::format("{}: input '{}' {} has an extent that the model leaves open", path,
                                    visible(port.name), graph::shown(port.dims)),
                        "give it with `dims`");
    }
    if (port.dims[axis] >= 0) each *= port.dims[axis];
  }
  return each;
}

bool has_shape_of(const Port& port, const std::vector<int64_t>& shape) {
  if (shape.size() != port.dims.size()) return false;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (port.dims[axis] >= 0 && port.dims[axis] != shape[axis]) return false;
  }
  return true;
}

void fill_view(const Plan::View& view, const std::vector<double>& from, size_t at) {
  const auto n = static_cast<size_t>(graph::count(view.dims));
  for (size_t i = 0; i < n; ++i) {
    if (view.type == graph::ElementType::kFloat) {
      view.floats[i] = static_cast<float>(from[at + i]);
    } else {
      view.ints[i] = static_cast<int64_t>(from[at + i]);
    }
  }
}

class Verifier {
 public:
  Verifier(const graph::Graph& graph, const std::string& input_path, const std::string& expected_path)
      : network_(std::make_shared<const graph::Network>(graph, "the model")),
        input_path_(input_path),
        expected_path_(expected_path) {}

  using Arrays = std::vector<std::pair<std::string, io::Array>>;

  // What the states of an array graph begin with, and what they must be in the end; null where nobody says.
  void set_states(std::vector<const io::Array*> initial, std::vector<const io::Array*> final) {
    initial_ = std::move(initial);
    final_ = std::move(final);
  }

  // One sequence or run: an array for each input, and for each output that is expected.
  void compare(const std::string& sequence, const std::vector<const io::Array*>& inputs,
               const std::vector<const io::Array*>& expected) {
    const std::vector<Port>& ports = network_->graph().inputs;
    graph::PlanOptions options;
    int64_t runs = 1;
    const Port& port = ports.front();
    const std::vector<int64_t>& shape = inputs.front()->shape;
    // Rows of a network that carries a state from run to run are its steps, not a batch.
    const bool rows_are_steps = port.time_axis < 0 && port.batch_axis == 0 && !network_->graph().states.empty() &&
                                !states_have_rows(shape.empty() ? 1 : shape[0]);
    if (has_shape_of(port, shape) && !rows_are_steps) {
      if (port.batch_axis >= 0) options.batch = shape[static_cast<size_t>(port.batch_axis)];
      if (port.time_axis >= 0) options.steps = shape[static_cast<size_t>(port.time_axis)];
      // Inputs may have different numbers of steps.
      for (size_t i = 0; i < ports.size(); ++i) {
        if (has_shape_of(ports[i], inputs[i]->shape)) options.dims[ports[i].name] = inputs[i]->shape;
      }
    } else {
      const int64_t each = numbers_of_step(port, input_path_), n = inputs.front()->count();
      if (n % each != 0 || n == 0) {
        fail_input(fmt::format("expected steps of {} numbers for input '{}' {}, found {} numbers", each,
                               visible(port.name), graph::shown(port.dims), n));
      }
      (port.time_axis >= 0 ? options.steps : runs) = n / each;
    }
    if (options.batch < 1 || options.steps < 1) fail_input("expected at least one step, found none");
    Plan plan(network_, options);
    std::vector<std::vector<double>> values;
    for (size_t i = 0; i < ports.size(); ++i) {
      values.push_back(io::doubles(*inputs[i], input_path_ + ": " + ports[i].name));
      const int64_t needed = runs * graph::count(plan.inputs()[i].dims);
      if (static_cast<int64_t>(values.back().size()) != needed) {
        fail_input(fmt::format("expected {} numbers for input '{}', found {}", needed, visible(ports[i].name),
                               values.back().size()));
      }
    }
    begin_states(plan);
    std::vector<std::vector<double>> found(plan.outputs().size());
    for (int64_t run = 0; run < runs; ++run) {
      for (size_t i = 0; i < ports.size(); ++i) {
        const auto size = static_cast<size_t>(graph::count(plan.inputs()[i].dims));
        fill_view(plan.inputs()[i], values[i], static_cast<size_t>(run) * size);
      }
      if (!plan.run()) throw input_error(plan.fault(), "give the network what it can read");
      for (size_t o = 0; o < found.size(); ++o) append(plan.outputs()[o], found[o]);
    }
    for (size_t o = 0; o < found.size(); ++o) {
      if (o < expected.size() && expected[o] != nullptr) {
        compare_output(sequence, outputs()[o].name, found[o], *expected[o]);
      }
    }
    compare_states(sequence, plan);
  }

  const std::vector<graph::State>& states() const { return network_->graph().states; }
  const std::vector<Port>& outputs() const { return network_->graph().outputs; }
  const std::vector<Port>& inputs() const { return network_->graph().inputs; }
  const Verification& result() const { return result_; }
  [[noreturn]] void fail_input(const std::string& problem) const {
    throw input_error(input_path_ + ": " + problem, "give an input of this model");
  }
  [[noreturn]] void fail_expected(const std::string& problem) const {
    throw input_error(expected_path_ + ": " + problem, "give what the model must answer to the input");
  }

 private:
  static void append(const Plan::View& view, std::vector<double>& out) {
    const int64_t n = graph::count(view.dims);
    for (int64_t i = 0; i < n; ++i) {
      out.push_back(view.type == graph::ElementType::kFloat ? static_cast<double>(view.floats[i])
                                                            : static_cast<double>(view.ints[i]));
    }
  }

  // Whether a state is given for each of several sequences.
  bool states_have_rows(int64_t rows) const {
    for (size_t i = 0; i < initial_.size(); ++i) {
      const Port& port = network_->graph().state_inputs[i];
      if (initial_[i] == nullptr || port.batch_axis < 0 || rows < 2 || !has_shape_of(port, initial_[i]->shape))
        continue;
      if (initial_[i]->shape[static_cast<size_t>(port.batch_axis)] == rows) return true;
    }
    return false;
  }

  void begin_states(const Plan& plan) const {
    for (size_t i = 0; i < initial_.size(); ++i) {
      if (initial_[i] == nullptr) continue;
      const Plan::View& view = *plan.find(states()[i].input);
      const std::vector<double> values = io::doubles(*initial_[i], input_path_ + ": " + view.name);
      if (static_cast<int64_t>(values.size()) != graph::count(view.dims)) {
        fail_input(fmt::format("expected {} for the state '{}', found {} numbers", graph::shown(view.dims),
                               visible(view.name), values.size()));
      }
      fill_view(view, values, 0);
    }
  }

  void compare_states(const std::string& sequence, const Plan& plan) {
    for (size_t i = 0; i < final_.size(); ++i) {
      if (final_[i] == nullptr) continue;
      std::vector<double> found;
      append(*plan.find(states()[i].output), found);
      compare_output(sequence, states()[i].output, found, *final_[i]);
    }
  }

  void compare_output(const std::string& sequence, const std::string& name, const std::vector<double>& found,
                      const io::Array& array) {
    const std::vector<double> expected = io::doubles(array, expected_path_);
    if (found.size() != expected.size()) {
      fail_expected(
          fmt::format("expected {} numbers for output '{}', found {}", found.size(), visible(name), expected.size()));
    }
    result_.numbers += static_cast<int64_t>(found.size());
    double least_size = 0.0;  // outputs may all be small
    for (const double number : expected) least_size = std::max(least_size, std::abs(number));
    least_size = least_size > 0.0 ? std::min(least_size, 1.0) : 1.0;
    for (size_t i = 0; i < found.size(); ++i) {
      const double size = std::max(least_size, std::abs(expected[i]));
      const double difference = found[i] == expected[i] ? 0.0 : std::abs(found[i] - expected[i]) / size;
      if (!result_.where.empty() && !(difference > result_.largest) && !std::isnan(difference)) continue;
      if (std::isnan(result_.largest)) continue;
      result_.largest = difference;
      result_.expected = expected[i];
      result_.found = found[i];
      result_.where = sequence.empty() ? "" : sequence + " ";
      if (outputs().size() + final_.size() > 1) result_.where += name + " ";
      result_.where += io::position_of(array.shape, static_cast<int64_t>(i));
    }
  }

  std::shared_ptr<const graph::Network> network_;
  const std::string &input_path_, &expected_path_;
  Verification result_;
  std::vector<const io::Array*> initial_, final_;  // of the states
};

const io::Array* find_array(const NumberFile& file, const std::string& name) {
  for (const auto& [key, array] : file.arrays) {
    if (key == name) return &array;
  }
  return nullptr;
}

// For each port, the file's array of that name; the only array stands for the only port.
std::vector<const io::Array*> arrays_of_ports(const NumberFile& file, const std::vector<Port>& ports) {
  std::vector<const io::Array*> out;
  for (const Port& port : ports) {
    const bool alone = ports.size() == 1 && file.arrays.size() == 1;
    out.push_back(alone ? &file.arrays.front().second : find_array(file, port.name));
  }
  return out;
}

}  // namespace

NumberFile read_numbers(const std::string& path, const std::vector<std::string>& symbols) {
  const auto ends = [&](const char* end) { return path.ends_with(end); };
  NumberFile out;
  if (ends(".npz")) {
    out.of_ports = true;
    out.arrays = read_npz(path);
  } else if (ends(".npy")) {
    out.arrays.emplace_back("", io::read_npy(path));
  } else if (ends(".wav")) {
    out.arrays.emplace_back("", io::read_wav(path).samples);
  } else if (ends(".pb")) {
    out.arrays.emplace_back("", read_onnx_tensor(path).array);
  } else if (ends(".csv") || ends(".txt")) {
    out.arrays.emplace_back("", read_number_table(path).numbers);
  } else if (ends(".json")) {
    return read_json_numbers(path, io::read_file(path), symbols);
  } else {
    throw usage_error(path + ": expected a name that ends in .npy, .npz, .csv, .txt, .wav, .json or .pb",
                      "write the numbers in one of these formats");
  }
  return out;
}

NumberFile read_json_numbers(const std::string& name, const std::string& text,
                             const std::vector<std::string>& symbols) {
  NumberFile out;
  const nlohmann::json json = io::parse_json(text, name);
  if (!json.is_object()) {
    out.arrays.emplace_back("", json_array(json, symbols, name));
    return out;
  }
  for (const auto& [sequence, value] : json.items()) {
    out.arrays.emplace_back(sequence, json_array(value, symbols, name + ": " + visible(sequence)));
  }
  return out;
}

Verification verify(const graph::Graph& graph, const NumberFile& input, const NumberFile& expected,
                    const std::string& input_path, const std::string& expected_path) {
  Verifier verifier(graph, input_path, expected_path);
  const bool sequences = !input.of_ports && !input.arrays.empty() && !input.arrays.front().first.empty();
  if (!sequences) {
    const auto inputs = arrays_of_ports(input, verifier.inputs()),
               outputs = arrays_of_ports(expected, verifier.outputs());
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == nullptr) {
        verifier.fail_input(fmt::format("expected an array '{}', found none", visible(verifier.inputs()[i].name)));
      }
    }
    const bool none =
        std::count(outputs.begin(), outputs.end(), nullptr) == static_cast<std::ptrdiff_t>(outputs.size());
    if (none) {
      verifier.fail_expected(fmt::format("expected an array '{}', found none", visible(verifier.outputs()[0].name)));
    }
    std::vector<const io::Array*> initial, final;
    for (const graph::State& state : verifier.states()) {
      initial.push_back(find_array(input, state.input));
      final.push_back(find_array(expected, state.output));
    }
    const auto has = [](const std::vector<const io::Array*>& all, const io::Array& one) {
      return std::find(all.begin(), all.end(), &one) != all.end();
    };
    for (const auto& [name, array] : input.arrays) {
      if (!has(inputs, array) && !has(initial, array)) {
        verifier.fail_input(fmt::format("'{}' is none of the model's inputs", visible(name)));
      }
    }
    verifier.set_states(initial, final);
    for (const auto& [name, array] : expected.arrays) {
      const bool used = has(outputs, array) || has(final, array);
      if (!used) verifier.fail_expected(fmt::format("'{}' is none of the model's outputs", visible(name)));
    }
    verifier.compare("", inputs, outputs);
    return verifier.result();
  }
  if (verifier.inputs().size() != 1) verifier.fail_input("expected arrays for several inputs, found sequences");
  if (input.arrays.size() != expected.arrays.size()) {
    verifier.fail_expected(fmt::format("expected {} sequences, found {}", input.arrays.size(), expected.arrays.size()));
  }
  for (const auto& [name, array] : input.arrays) {
    const io::Array* wanted = find_array(expected, name);
    if (wanted == nullptr) verifier.fail_expected(fmt::format("expected a sequence '{}', found none", visible(name)));
    verifier.compare(name, {&array}, {wanted});
  }
  return verifier.result();
}

}  // namespace longhand::convert
