// longhand import: a model of another program, or a description of layers, as a model of longhand.
#include <fmt/core.h>

#include <cmath>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/network_table.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/onnx_file.h"
#include "longhand/convert/verify.h"
#include "longhand/graph/description.h"
#include "longhand/io/file.h"
#include "longhand/tasks/graph_file.h"

namespace longhand::cli {
namespace {

// "a=b,c=d" as pairs.
std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& text, const char* option) {
  std::vector<std::pair<std::string, std::string>> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size()), equals = text.find('=', at);
    if (equals == std::string::npos || equals >= end || equals == at || equals + 1 == end) {
      throw usage_error(
          fmt::format("--{}: expected NAME=VALUE, found '{}'", option, visible(text.substr(at, end - at))),
          "write commas between several");
    }
    out.emplace_back(text.substr(at, equals - at), text.substr(equals + 1, end - equals - 1));
    at = end + 1;
  }
  return out;
}

// "2x3", or "*" for an extent that stays open.
graph::Dims dims_of(const std::string& text) {
  graph::Dims out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('x', at), text.size());
    const std::string part = text.substr(at, end - at);
    const bool digits = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
    if (!digits && part != "*") {
      throw usage_error(fmt::format("--dims: expected extents such as 1x576, found '{}'", visible(text)),
                        "write x between the axes, and * for one that stays open");
    }
    out.push_back(part == "*" ? -1 : std::stoll(part));
    at = end + 1;
  }
  return out;
}

// A number, or the array of a file.
graph::Array value_of(const std::string& text) {
  if (text.ends_with(".npy") || text.ends_with(".pb")) {
    return convert::to_graph_array(convert::read_numbers(text, {}).arrays.front().second, text);
  }
  size_t used = 0;
  double value = 0.0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || !std::isfinite(value)) {
    throw usage_error(fmt::format("--set: expected a number or a file (.npy, .pb), found '{}'", visible(text)),
                      "write --set NAME=16000");
  }
  const bool whole = value == std::floor(value) && std::abs(value) < 9e15;
  return whole ? graph::array_of_ints({}, {static_cast<int64_t>(value)})
               : graph::array({}, {static_cast<float>(value)});
}

// Each character of a text, as UTF-8.
std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  char32_t ignored = 0;
  for (size_t at = 0; at < text.size(); at += out.back().size()) {
    out.push_back(text.substr(at, next_character(text, at, ignored)));
  }
  return out;
}

class Import {
 public:
  Import() {
    table_.add("out", out_, "model file to write; none: only show what is read");
    table_.add("network", network_, "description of the layers, a TOML file, where the file does not say them");
    table_.add("part", part_, "which part of a file: a state dict of several, or layers of a file of Keras's weights");
    table_.add("symbols", symbols_, "symbols that the input's numbers stand for, a character each");
    table_.add("set", set_, "inputs of an ONNX model that become constants: NAME=NUMBER or NAME=FILE, commas between");
    table_.add("state", state_,
               "inputs and outputs of an ONNX model that carry a state: INPUT=OUTPUT, commas between; or none");
    table_.add("dims", dims_, "extents that an ONNX model leaves open: NAME=1x576, commas between; * stays open");
    table_.add("tolerance", tolerance_,
               "largest difference that --verify accepts, relative to expected numbers above 1, or, if all are "
               "smaller, to the "
               "largest",
               more_than(0.0));
    table_.add("seed", seed_, "seed of the weights that are drawn where no file has them", at_least(0));
  }

  void declare(const Verb& verb) {
    verb.add_argument("FILE", file_,
                      "model of ONNX, PyTorch, safetensors, Keras or JSON; none: weights are drawn for --network",
                      false);
    verb.add_options(table_, given_);
    verb.add_option_of("verify", {"INPUT", "EXPECTED"}, verify_,
                       "run the model on a file, and write it only if its outputs are those of the other: .npy, .npz, "
                       ".csv, .txt, .wav, .json or .pb");
  }

  int run() {
    given_.apply(table_);
    convert::Imported imported = read();
    if (!symbols_.empty()) convert::read_symbols(imported, characters(symbols_));
    for (const std::string& note : imported.notes) put("read    {}\n", visible(note));
    print_network(imported.graph, file_.empty() ? network_ : file_);  // which also plans it
    if (!verify_.empty()) check(imported.graph);
    if (out_.empty()) return 0;
    tasks::write_network(out_, imported.graph);
    put("model   {}\n", visible(out_));
    return 0;
  }

 private:
  convert::Imported read() const {
    convert::ImportOptions options;
    options.part = part_;
    if (!network_.empty()) {
      options.description = io::read_file(network_);
      options.description_path = network_;
    }
    if (file_.empty()) {
      if (network_.empty()) throw usage_error("expected FILE or --network, found none", "name a model to import");
      const graph::Description description = graph::read_description(options.description, network_);
      return {.graph = graph::with_drawn_weights(description, static_cast<uint64_t>(seed_), network_), .notes = {}};
    }
    options.no_states = state_ == "none";
    if (!options.no_states) options.states = pairs_of(state_, "state");
    for (const auto& [name, value] : pairs_of(set_, "set")) options.values[name] = value_of(value);
    for (const auto& [name, value] : pairs_of(dims_, "dims")) options.dims[name] = dims_of(value);
    return convert::import_file(file_, options);
  }

  void check(const graph::Graph& graph) const {
    const std::string &input = verify_.front(), &expected = verify_.back();
    const convert::Verification found = convert::verify(graph, convert::read_numbers(input, graph.symbols),
                                                        convert::read_numbers(expected, {}), input, expected);
    if (!(found.largest <= tolerance_)) {
      throw input_error(
          fmt::format("{}: {}: expected {:.9g}, found {:.9g}: a difference of {:.3g}, above {:g}", visible(expected),
                      visible(found.where), found.expected, found.found, found.largest, tolerance_),
          "nothing is written: the model was read wrongly, or the input is not that of these outputs");
    }
    put("verify  {} numbers, largest difference {:.3g} at {}\n", found.numbers, found.largest, visible(found.where));
  }

  std::string file_, network_, out_, part_, symbols_, set_, state_, dims_;
  std::vector<std::string> verify_;  // input and expected output
  double tolerance_ = 1e-4;
  int64_t seed_ = 1;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_import(const Verb& longhand) {
  longhand.add_command<Import>("import", "Import a model of another program, or a description of layers");
}

}  // namespace longhand::cli
