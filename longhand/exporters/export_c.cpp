#include "longhand/exporters/export_c.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/exporters/c_header.h"
#include "longhand/exporters/port_texts.h"

namespace longhand::exporters {
namespace {

std::string text_of(const ExportModel& model, const std::string& name) {
  const auto found = model.texts.find(name);
  return found == model.texts.end() ? "" : found->second;
}

// Returns a JSON list of strings; empty if `json` is something else.
std::vector<std::string> listed_texts(const std::string& json) {
  const nlohmann::json list = nlohmann::json::parse(json, nullptr, false);
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const nlohmann::json& each : list) {
    if (!each.is_string()) return {};
    out.push_back(each.get<std::string>());
  }
  return out;
}

std::vector<std::string> symbol_texts(const ExportModel& model) {
  if (!model.graph.symbols.empty()) return model.graph.symbols;
  const nlohmann::json vocabulary = nlohmann::json::parse(text_of(model, "vocabulary"), nullptr, false);
  if (!vocabulary.is_object() || !vocabulary.contains("symbols")) return {};
  return listed_texts(vocabulary["symbols"].dump());
}

// Returns the graph with the inputs and outputs of the C functions. Removes the output `logits` if there is an output
// `probabilities`. Fixes the last axis of character inputs [B, T, S] to kMostCharacters per word.
graph::Graph as_called_from_c(const ExportModel& model) {
  constexpr int64_t kMostCharacters = 48;
  graph::Graph out = model.graph;
  const auto is = [](const char* name) { return [name](const graph::Port& port) { return port.name == name; }; };
  const std::string task = text_of(model, "task");
  const bool both = std::any_of(out.outputs.begin(), out.outputs.end(), is("logits")) &&
                    std::any_of(out.outputs.begin(), out.outputs.end(), is("probabilities"));
  if (task.empty() || task == "network") return out;
  if (both) std::erase_if(out.outputs, is("logits"));
  for (graph::Port& port : out.inputs) {
    if (port.dims.size() == 3 && port.dims[2] < 0) port.dims[2] = kMostCharacters;
  }
  return out;
}

// Maximum number of weights. Compilers need minutes and gigabytes for longer tables of constants.
constexpr int64_t kMostNumbers = int64_t{1} << 25;

void check_size(const ExportModel& model) {
  if (model.graph.parameters() <= kMostNumbers) return;
  throw input_error(fmt::format("{}: expected at most {} weights for C, found {}", model.name, grouped(kMostNumbers),
                                grouped(model.graph.parameters())),
                    "export a smaller model, or to another format, such as --to onnx");
}

// Returns a name for each output number: a label, or a column of a regressor's outputs. Empty if unknown.
std::vector<std::string> output_labels(const ExportModel& model, const CCompiled& compiled) {
  const std::map<std::string, PortText> ports = port_texts(model);
  if (ports.empty()) return listed_texts(text_of(model, "labels"));
  std::vector<std::string> out;
  for (const CPort& port : compiled.outputs) {
    const auto about = ports.find(port.name);
    if (about == ports.end() || static_cast<int64_t>(about->second.columns.size()) != port.size) return {};
    out.insert(out.end(), about->second.columns.begin(), about->second.columns.end());
  }
  return out;
}

// Adds the scales of the training series if the model has the scale of a series as an input.
void add_series(const ExportModel& model, CHeaderTexts& texts) {
  constexpr size_t kMostScales = 100000;
  const nlohmann::json vocabulary = nlohmann::json::parse(text_of(model, "vocabulary"), nullptr, false);
  if (!vocabulary.is_object() || !vocabulary.contains("series_scales")) return;
  const std::vector<std::string> names = listed_texts(vocabulary["series"].dump());
  const nlohmann::json& scales = vocabulary["series_scales"];
  if (names.empty() || names.size() != scales.size() || names.size() * scales[0].size() > kMostScales) return;
  const bool centred = vocabulary["series_scale"] == "standard";
  for (const nlohmann::json& series : scales) {
    for (const nlohmann::json& scale : series) {
      if (centred) texts.series_mean.push_back(scale[0].get<float>());
      texts.series_scale.push_back(scale[1].get<float>());
    }
  }
  texts.series = names;
}

// C99 only guarantees string literals of up to 4095 bytes.
bool fit_in_strings(const std::vector<std::string>& texts) {
  return std::all_of(texts.begin(), texts.end(), [](const std::string& text) { return text.size() < 1000; });
}

}  // namespace

Exported export_c(const ExportModel& model, const ExportOptions& options) {
  check_c_name(model.name);
  check_size(model);
  const bool restricted = model.texts.contains("crf");
  if (restricted && std::none_of(model.graph.outputs.begin(), model.graph.outputs.end(),
                                 [](const graph::Port& port) { return port.name == "probabilities"; })) {
    throw input_error(model.name + ": expected a tagger without a CRF, found one whose labels are scored as a sequence",
                      "export it to another format, such as --to onnx, or train one without --crf");
  }
  const std::string rows = text_of(model, "min_rows");
  if (const int64_t least = rows.empty() ? 1 : std::stoll(rows); least > std::max<int64_t>(options.steps, 1)) {
    throw input_error(
        fmt::format("{}: expected a network that can be read step by step: a forecast needs {} rows", model.name,
                    least),
        fmt::format("give the most steps that a window has, such as --steps {}: a call then reads a whole window",
                    least));
  }
  const CCompiled compiled =
      compile_c(as_called_from_c(model), model.name, {.int8 = options.weights == "int8", .steps = options.steps});
  CHeaderTexts texts;
  texts.name = model.name;
  texts.source = model.graph.source;
  texts.sample_rate = model.graph.sample_rate;
  texts.symbols = symbol_texts(model);
  texts.labels = output_labels(model, compiled);
  for (const auto& [name, about] : port_texts(model)) texts.ports[name] = about.line();
  add_series(model, texts);
  if (compiled.inputs.size() != 1 || static_cast<int64_t>(texts.symbols.size()) != compiled.inputs[0].below ||
      !fit_in_strings(texts.symbols)) {
    texts.symbols.clear();
  }
  if (!fit_in_strings(texts.labels)) texts.labels.clear();
  if (!fit_in_strings(texts.series)) texts.series.clear();
  const std::string task = text_of(model, "task");
  if (task == "language_model")
    texts.remarks.push_back("A language model: the outputs are probabilities of the next symbol.");
  if (task == "tagger" || task == "classifier") {
    texts.remarks.push_back(
        "Words are numbers of the model's vocabulary, in the order of its file, which is not in here.");
  }
  if (restricted) {
    texts.remarks.push_back(
        "A word's label is the most probable one; that some may not follow others is not looked at.");
  }
  if (task == "regressor") texts.remarks.push_back("Numbers are in the units of the data that it was trained on.");
  return {.files = {{".h", c_header(compiled, texts)}}, .notes = c_costs(compiled)};
}

}  // namespace longhand::exporters
