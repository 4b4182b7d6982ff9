#include "longhand/exporters/export_torch.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/torch_return.h"
#include "longhand/exporters/port_texts.h"
#include "longhand/exporters/torch_loader.h"
#include "longhand/exporters/torch_prepared.h"
#include "longhand/exporters/torch_program.h"
#include "longhand/io/safetensors_bytes.h"

namespace longhand::exporters {
namespace {

std::string python_line(int depth, const std::string& line) {
  return std::string(line.empty() ? 0 : static_cast<size_t>(4 * depth), ' ') + line + "\n";
}

// Returns the shape and type of an input or output, such as "[batch, time, 4] float32".
std::string torch_shape_text(const graph::Port& port, const graph::Dims& fixed) {
  std::string out;
  for (size_t axis = 0; axis < fixed.size(); ++axis) {
    const auto at = static_cast<int>(axis);
    out += out.empty() ? "" : ", ";
    out += at == port.batch_axis  ? "batch"
           : at == port.time_axis ? "time"
           : fixed[axis] >= 0     ? std::to_string(fixed[axis])
                                  : "*";
  }
  return fmt::format("[{}] {}", out, port.type == graph::ElementType::kInt ? "int64" : "float32");
}

class TorchModuleFile {
 public:
  TorchModuleFile(const ExportModel& model, const graph::Graph& prepared)
      : model_(model), graph_(prepared), program_(prepared), class_(program_.main_class(model.name)) {}

  Exported run() {
    begin();
    write_torch_nodes(program_, graph_.nodes);
    end();
    const std::string text = file_text();
    Exported out;
    out.files.emplace_back(".py", text);
    out.files.emplace_back(".safetensors", weights());
    int64_t parameters = 0;
    for (const ModuleTensor& tensor : program_.tensors()) parameters += graph::count(tensor.values.dims);
    out.notes.push_back(
        fmt::format("class   {}, {} parameters in {} tensors", class_, parameters, program_.tensors().size()));
    if (!program_.states().empty()) {
      out.notes.push_back(fmt::format("state   {}, from call to call", listed_states()));
    }
    return out;
  }

 private:
  std::string listed_states() const {
    std::vector<std::string> names;
    for (const std::string& name : program_.states()) names.push_back(visible(name));
    return listed(names, 4);
  }

  void begin() {
    for (const graph::Port& port : graph_.inputs) {
      const std::string name = program_.variable(port.name == "input" ? "x" : port.name);
      arguments_.push_back(name);
      program_.bind(port.name, name);
    }
    begin_masks();
    for (const graph::State& state : graph_.states) begin_state(state);
  }

  // Makes masks optional if they come after all other inputs. A missing mask is all ones.
  void begin_masks() {
    const auto& ports = graph_.inputs;
    defaults_ = ports.size();
    while (defaults_ > 1 && ports[defaults_ - 1].name.ends_with("mask") &&
           ports[defaults_ - 1].type == graph::ElementType::kInt) {
      --defaults_;
    }
    for (size_t i = defaults_; i < ports.size(); ++i) {
      const auto like = std::find_if(ports.begin(), ports.begin() + static_cast<std::ptrdiff_t>(defaults_),
                                     [&](const graph::Port& each) { return each.dims == ports[i].dims; });
      if (like == ports.begin() + static_cast<std::ptrdiff_t>(defaults_)) {
        defaults_ = i + 1;
        continue;
      }
      program_.line(fmt::format("if {} is None:", arguments_[i]));
      program_.line(fmt::format("    {} = torch.ones_like({})", arguments_[i],
                                arguments_[static_cast<size_t>(like - ports.begin())]));
    }
  }

  // Writes the value of a state that is an input of the graph: the given state, or its initial value.
  void begin_state(const graph::State& state) {
    const auto port = std::find_if(graph_.state_inputs.begin(), graph_.state_inputs.end(),
                                   [&](const graph::Port& each) { return each.name == state.input; });
    const std::string before = program_.state_in(state.input), name = program_.variable(state.input);
    program_.bind(state.input, name);
    program_.line(fmt::format("{} = {}", name, before));
    program_.line(fmt::format("if {} is None:", name));
    if (!state.initial.empty()) {
      program_.line(fmt::format("    {} = {}", name, program_.of(state.initial)));
      return;
    }
    std::string dims;
    const graph::Dims fixed = program_.shapes().dims(state.input);
    for (size_t axis = 0; axis < fixed.size(); ++axis) {
      const bool open = port->dims[axis] < 0 && static_cast<int>(axis) == port->batch_axis;
      dims += (dims.empty() ? "" : ", ") + (open ? batch_text() : std::to_string(fixed[axis]));
    }
    program_.line(fmt::format("    {} = torch.zeros({}, device={}.device)", name, dims, arguments_.front()));
  }

  std::string batch_text() const {
    for (size_t i = 0; i < arguments_.size(); ++i) {
      if (graph_.inputs[i].batch_axis >= 0) {
        return fmt::format("{}.shape[{}]", arguments_[i], graph_.inputs[i].batch_axis);
      }
    }
    return "1";
  }

  void end() {
    for (const graph::Port& port : graph_.outputs) outputs_.push_back(program_.of(port.name));
    for (const graph::State& state : graph_.states) {
      program_.line(fmt::format("{} = {}", program_.state_out(state.input), program_.of(state.output)));
    }
    program_.finish_lines();
    std::string values;
    for (const std::string& output : outputs_) values += (values.empty() ? "" : ", ") + output;
    if (program_.states().empty()) {
      program_.line(fmt::format("return {}", values));
    } else {
      program_.line(fmt::format("return {}, state", outputs_.size() > 1 ? fmt::format("({})", values) : values));
    }
  }

  std::string file_text() const {
    std::string out = fmt::format("\"\"\"{}: a model that was exported by longhand, for PyTorch 2.\n\n", class_);
    const std::string file = python_name(model_.name);
    out += fmt::format("With this file called {}.py:\n\n    import {}\n    model = {}.load()\n", file, file, file);
    out += fmt::format("    {}\n\"\"\"\n\n", call_text());
    out +=
        "from __future__ import annotations\n\nimport ctypes\nimport json\nimport math\nimport struct\nfrom pathlib "
        "import Path\n";
    out +=
        "from typing import Union\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import Tensor, nn\n\n";
    out += "State = Union[Tensor, tuple[Tensor, Tensor], dict]\n\n";
    for (const std::string& helper : program_.helpers()) out += torch_helper(helper) + "\n";
    for (const std::string& own : program_.own_classes()) out += fmt::format("\n{}\n", own);
    out += class_text() + "\n" + torch_loader_text(class_);
    return out;
  }

  // Returns an example of a call, such as "y, state = model(x, state)".
  std::string call_text() const {
    std::string given;
    for (const std::string& argument : arguments_) given += (given.empty() ? "" : ", ") + argument;
    const bool stateful = !program_.states().empty();
    return stateful ? fmt::format("y, state = model({})  # and then model({}, state)", given, given)
                    : fmt::format("y = model({})", given);
  }

  std::string class_text() const {
    std::string out = fmt::format("\nclass {}(nn.Module):\n", class_);
    out += python_line(1, fmt::format("\"\"\"{}.", graph_.source.empty() ? class_ : docstring_name(graph_.source)));
    out += "\n";
    const std::map<std::string, PortText> texts = port_texts(model_);
    for (size_t i = 0; i < arguments_.size(); ++i) {
      out += python_line(
          1, fmt::format("{}: {}{}", arguments_[i],
                         torch_shape_text(graph_.inputs[i], program_.shapes().fixed_dims(graph_.inputs[i].name)),
                         about(texts, graph_.inputs[i].name)));
    }
    for (const graph::Port& port : graph_.outputs) {
      graph::Port shown = port;
      const graph::Dims fixed = program_.shapes().fixed_dims(port.name);
      if (!graph_.inputs.empty() && fixed.size() > 1) {
        if (fixed[0] < 0 && shown.batch_axis < 0) shown.batch_axis = 0;
        if (fixed[1] < 0 && shown.time_axis < 0 && fixed.size() > 2) shown.time_axis = 1;
      }
      out += python_line(1, fmt::format("returns {}{}{}", graph_.outputs.size() > 1 ? python_name(port.name) + " " : "",
                                        torch_shape_text(shown, fixed), about(texts, port.name)));
    }
    if (graph_.sample_rate > 0) out += python_line(1, fmt::format("sound of {} frames a second", graph_.sample_rate));
    if (program_.states().size() == 1) {
      out += python_line(1, "state: what a call returned, for the steps that follow; None begins anew");
    } else if (!program_.states().empty()) {
      out += python_line(1, fmt::format("state: what a call returned, for the steps that follow, a dict with {}; "
                                        "None begins anew",
                                        listed_states()));
    }
    if (program_.has_lengths()) {
      out += python_line(1, "lengths: int64 [batch], of sequences that are padded to the longest; None: all are full");
    }
    out += python_line(1, "\"\"\"") + "\n";
    out += python_line(1, "def __init__(self) -> None:") + python_line(2, "super().__init__()");
    for (const std::string& line : program_.init_lines()) out += python_line(2, line);
    out += python_line(2, "self.metadata: dict[str, str] = {}") + "\n";
    out += python_line(1, signature());
    if (program_.states().size() > 1) out += python_line(2, "state = dict(state or {})");
    for (const std::string& line : program_.forward_lines()) out += python_line(2, line);
    if (!graph_.symbols.empty()) out += torch_encode_text();
    return out;
  }

  std::string signature() const {
    std::vector<std::string> parts = {"self"};
    for (size_t i = 0; i < arguments_.size(); ++i) {
      parts.push_back(fmt::format("{}: Tensor{}", arguments_[i], i < defaults_ ? "" : " | None = None"));
    }
    const bool stateful = !program_.states().empty();
    if (stateful) parts.emplace_back("state: State | None = None");
    if (program_.has_lengths()) parts.emplace_back("lengths: Tensor | None = None");
    std::string result = outputs_.size() > 1 ? "tuple[Tensor, ...]" : "Tensor";
    if (stateful) result = fmt::format("tuple[{}, State]", result);
    std::string one_line, lines;
    for (const std::string& part : parts) {
      one_line += one_line.empty() ? part : fmt::format(", {}", part);
      lines += fmt::format("\n        {},", part);
    }
    constexpr size_t kMostCharacters = 100;
    if (one_line.size() + result.size() < kMostCharacters)
      return fmt::format("def forward({}) -> {}:", one_line, result);
    return fmt::format("def forward({}\n    ) -> {}:", lines, result);
  }

  // Returns the description of an input or output in the metadata, for a docstring.
  static std::string about(const std::map<std::string, PortText>& texts, const std::string& name) {
    const auto found = texts.find(name);
    if (found == texts.end()) return "";
    const std::string quoted = python_string(found->second.line());
    return fmt::format("; {}", quoted.substr(1, quoted.size() - 2));
  }

  // Returns a file name without characters that could end a docstring.
  static std::string docstring_name(const std::string& path) {
    std::string out;
    for (const char c : path.substr(path.rfind('/') + 1)) {
      constexpr size_t kLongest = 60;
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                         c == '_' || c == '-' || c == ',' || c == ' ';
      if (out.size() < kLongest) out += plain ? c : '_';
    }
    return out;
  }

  std::string weights() const {
    std::map<std::string, std::string> metadata = model_.texts;
    metadata["format"] = "pt";
    metadata["longhand"] = convert::returning_text(graph_, program_.sources());
    if (!graph_.symbols.empty()) metadata["symbols"] = nlohmann::json(graph_.symbols).dump();
    std::vector<io::TensorToWrite> tensors;
    for (const ModuleTensor& tensor : program_.tensors()) {
      if (tensor.values.type == graph::ElementType::kFloat) {
        tensors.emplace_back(tensor.name, tensor.values.dims, std::span<const float>(tensor.values.floats));
      } else {
        tensors.emplace_back(
            tensor.name, tensor.values.dims, "I64",
            std::string_view(reinterpret_cast<const char*>(tensor.values.ints.data()), 8 * tensor.values.ints.size()));
      }
    }
    return io::safetensors_bytes(metadata, tensors);
  }

  const ExportModel& model_;
  const graph::Graph& graph_;
  TorchProgram program_;
  std::string class_;
  std::vector<std::string> arguments_, outputs_;
  size_t defaults_ = 0;  // index of the first optional argument
};

}  // namespace

Exported export_torch(const ExportModel& model, const ExportOptions& /*options*/) {
  std::vector<std::string> notes;
  const graph::Graph prepared = prepared_for_torch(model.graph, notes);
  Exported out = TorchModuleFile(model, prepared).run();
  out.notes.insert(out.notes.end(), notes.begin(), notes.end());
  return out;
}

}  // namespace longhand::exporters
