// Import and export of models, and inference of networks of layers on arrays.
#include <fmt/format.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>

#include "arrays.h"
#include "loaded_model.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/npz.h"
#include "longhand/convert/sequences.h"
#include "longhand/convert/verify.h"
#include "longhand/exporters/export_file.h"
#include "longhand/graph/description.h"
#include "longhand/io/file.h"
#include "longhand/model_parts.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/model_graph.h"
#include "module.h"

namespace longhand::python {
namespace {

// Splits a UTF-8 string into characters.
std::vector<std::string> characters_of(const std::string& text) {
  std::vector<std::string> out;
  char32_t ignored = 0;
  for (size_t at = 0; at < text.size(); at += out.back().size()) {
    out.push_back(text.substr(at, next_character(text, at, ignored)));
  }
  return out;
}

struct ImportRequest {
  std::string path, network, part, symbols;
  std::map<std::string, nb::object> values;
  std::map<std::string, std::vector<int64_t>> dims;
  std::vector<std::pair<std::string, std::string>> states;
  bool no_states = false;
  int64_t seed = 1;
};

convert::ImportOptions options_of(const ImportRequest& request) {
  convert::ImportOptions out;
  out.part = request.part;
  out.no_states = request.no_states;
  out.states = request.states;
  for (const auto& [name, dims] : request.dims) out.dims[name] = dims;
  for (const auto& [name, value] : request.values) {
    out.values[name] = convert::to_graph_array(copy_of(value, name), name);
  }
  return out;
}

convert::Imported read(const ImportRequest& request, convert::ImportOptions options) {
  if (!request.network.empty()) {
    options.description = io::read_file(request.network);
    options.description_path = request.network;
  }
  if (!request.path.empty()) return convert::import_file(request.path, options);
  if (request.network.empty()) throw usage_error("path: expected a file, or network=, found none", "name a model");
  const graph::Description description = graph::read_description(options.description, request.network);
  return {.graph = graph::with_drawn_weights(description, static_cast<uint64_t>(request.seed), request.network),
          .notes = {}};
}

// Runs the network on the file `input` and compares with the file `expected`. Throws an input error if they differ.
std::string verified(const graph::Graph& graph, const std::string& input, const std::string& expected,
                     double tolerance) {
  const convert::Verification found = convert::verify(graph, convert::read_numbers(input, graph.symbols),
                                                      convert::read_numbers(expected, {}), input, expected);
  if (!(found.largest <= tolerance)) {
    throw input_error(
        fmt::format("{}: {}: expected {:.9g}, found {:.9g}: a difference of {:.3g}, above {:g}", visible(expected),
                    visible(found.where), found.expected, found.found, found.largest, tolerance),
        "the model was read wrongly, or the input is not that of these outputs");
  }
  return fmt::format("verified: {} numbers, largest difference {:.3g} at {}", found.numbers, found.largest,
                     found.where);
}

// Imports a model and writes it to `out`. Returns notes on what was recognised.
std::vector<std::string> import_model(const std::string& path, const std::string& out, const std::string& network,
                                      const std::string& part, const std::string& symbols,
                                      const std::map<std::string, nb::object>& values,
                                      const std::map<std::string, std::vector<int64_t>>& dims,
                                      const std::vector<std::pair<std::string, std::string>>& states, bool no_states,
                                      const std::pair<std::string, std::string>& verify, double tolerance,
                                      int64_t seed) {
  if (!(tolerance > 0.0)) throw usage_error("`tolerance`: expected a number above 0", "give one, such as 1e-4");
  const ImportRequest request{path, network, part, symbols, values, dims, states, no_states, seed};
  convert::ImportOptions options = options_of(request);
  const nb::gil_scoped_release release;
  convert::Imported imported = read(request, std::move(options));
  if (!symbols.empty()) convert::read_symbols(imported, characters_of(symbols));
  const auto checked = std::make_shared<const graph::Network>(imported.graph, path);
  if (!verify.first.empty()) imported.notes.push_back(verified(imported.graph, verify.first, verify.second, tolerance));
  tasks::write_network(out, imported.graph);
  return imported.notes;
}

std::vector<std::tuple<std::string, std::string, std::string>> export_formats() {
  std::vector<std::tuple<std::string, std::string, std::string>> out;
  for (const exporters::ExportFormat& format : exporters::export_formats()) {
    out.emplace_back(format.name, format.ending, format.help);
  }
  return out;
}

// Exports a model. Returns the paths of the files written, and notes for the user.
std::pair<std::vector<std::string>, std::vector<std::string>> export_model(const LoadedModel& model,
                                                                           const std::string& path,
                                                                           const std::string& to,
                                                                           const std::string& name,
                                                                           const std::string& weights, int64_t steps) {
  const nb::gil_scoped_release release;
  const exporters::ExportFormat& format = exporters::export_format(to);
  if (weights != "float" && weights != "int8") {
    throw usage_error("`weights`: expected float or int8, found '" + weights + "'", "give one of these");
  }
  if ((weights != "float" || steps != 0) && !format.has_int8) {
    throw usage_error("`weights` and `steps`: expected none for the format " + to, "leave them out, or export to c");
  }
  if (steps < 0) throw usage_error(fmt::format("`steps`: expected 0 or more, found {}", steps), "give a larger number");
  const tasks::ModelFile file = model.file();
  const exporters::ExportModel exported_model{
      .graph = tasks::model_graph(file), .name = name, .texts = tasks::model_texts(file)};
  const exporters::Exported exported = format.write(exported_model, {.weights = weights, .steps = steps});
  return {exporters::write_exported(exported, path), exported.notes};
}

nb::object to_numpy(const graph::Array& array) {
  if (array.type == graph::ElementType::kFloat) return nb::cast(to_array<float>(array.floats, array.dims));
  return nb::cast(to_array<int64_t>(array.ints, array.dims));
}

const std::shared_ptr<const graph::Network>& layers_of(const LoadedModel& model) {
  const auto& layers = model.model->parts().layers;
  if (!layers) throw usage_error("expected a network of layers, found another model", "use the methods of its task");
  return layers;
}

// Inputs or outputs: name, "float" or "int", and shape, -1 for any size.
using PortList = std::vector<std::tuple<std::string, std::string, std::vector<int64_t>>>;
std::pair<PortList, std::vector<std::string>> ports(const LoadedModel& model) {
  const graph::Graph& graph = layers_of(model)->graph();
  std::pair<PortList, std::vector<std::string>> out;
  for (const graph::Port& port : graph.inputs) {
    out.first.emplace_back(port.name, graph::name_of(port.type), port.dims);
  }
  for (const graph::Port& port : graph.outputs) out.second.push_back(port.name);
  return out;
}

// Returns the outputs by name, and the final states [sequences, state_size] (None for a network without states).
std::pair<nb::dict, nb::object> run_network(const LoadedModel& model, const std::map<std::string, nb::object>& inputs,
                                            std::optional<nb::object> state, int threads) {
  const std::shared_ptr<const graph::Network>& network = layers_of(model);
  convert::NamedArrays arrays;
  for (const auto& [name, array] : inputs) arrays.emplace_back(name, copy_of(array, name));
  std::optional<convert::SequenceRunner> runner;
  convert::Sequences sequences;
  {
    const nb::gil_scoped_release release;
    sequences = convert::find_sequences(network->graph(), arrays, "inputs");
    runner.emplace(network, checked_threads(threads));
  }
  const bool has_states = runner->why_no_states().empty();
  const int64_t size = has_states ? runner->state_size() : 0;
  const auto count = static_cast<int64_t>(sequences.list.size());
  const float* state_in = nullptr;
  View<const float> given;
  if (state && !state->is_none()) {
    if (!has_states) throw input_error("state: expected none: " + runner->why_no_states(), "leave it out");
    given = floats_of(*state, "state", {count, size});
    state_in = given.data;
  }
  std::vector<float> state_out(static_cast<size_t>(count * size));
  std::vector<std::vector<graph::Array>> outputs(network->graph().outputs.size());
  {
    const nb::gil_scoped_release release;
    for (int64_t s = 0; s < count; ++s) {
      std::vector<graph::Array> found =
          runner->run(sequences.list[static_cast<size_t>(s)], state_in == nullptr ? nullptr : state_in + s * size,
                      has_states ? state_out.data() + s * size : nullptr);
      for (size_t i = 0; i < found.size(); ++i) outputs[i].push_back(std::move(found[i]));
    }
  }
  nb::dict out;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool stack = sequences.batch || count > 1;
    const nb::object array =
        stack ? to_numpy(convert::stacked(outputs[i], runner->batch_axis(i), "outputs")) : to_numpy(outputs[i].front());
    out[nb::str(network->graph().outputs[i].name.c_str())] = array;
  }
  return {out, has_states ? nb::cast(to_array<float>(state_out, {count, size})) : nb::none()};
}

}  // namespace

void register_convert(nb::module_& module) {
  module.def("import_model", &import_model, nb::arg("path"), nb::arg("out"), nb::arg("network"), nb::arg("part"),
             nb::arg("symbols"), nb::arg("values"), nb::arg("dims"), nb::arg("states"), nb::arg("no_states"),
             nb::arg("verify"), nb::arg("tolerance"), nb::arg("seed"));
  module.def("export_formats", &export_formats);
  module.def("export_model", &export_model, nb::arg("model"), nb::arg("path"), nb::arg("to"), nb::arg("name"),
             nb::arg("weights"), nb::arg("steps"));
  module.def("network_ports", &ports, nb::arg("model"));
  module.def("run_network", &run_network, nb::arg("model"), nb::arg("inputs"), nb::arg("state").none(),
             nb::arg("threads"));
}

}  // namespace longhand::python
