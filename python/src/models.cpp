// Model loading, metadata and weights.
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <nlohmann/json.hpp>

#include "arrays.h"
#include "loaded_model.h"
#include "longhand/base/threads.h"
#include "longhand/data/text.h"
#include "longhand/graph/graph_json.h"
#include "longhand/io/array.h"
#include "longhand/kernels/target.h"
#include "longhand/model_parts.h"
#include "longhand/runs/registry.h"
#include "longhand/tasks/graph_file.h"
#include "module.h"

namespace longhand::python {
namespace {

LoadedModel load(const std::string& path) {
  const nb::gil_scoped_release release;
  std::string found = path;
  if (std::string file = path + "/model.safetensors"; io::is_folder(path) && io::exists(file)) found = file;
  return {.model = Model::load(found), .path = found, .contents = {}};
}

LoadedModel load_bytes(const nb::bytes& contents) {
  const std::string copy(contents.c_str(), contents.size());
  const nb::gil_scoped_release release;
  return {.model = Model::load(std::as_bytes(std::span<const char>(copy))), .path = {}, .contents = copy};
}

nlohmann::json parsed(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json::parse(text, nullptr, false);
}

// Returns the JSON of `longhand info MODEL --json`, extended by the vocabulary.
std::string info(const LoadedModel& model) {
  const tasks::ModelFile file = model.file();
  const runs::TaskRow& row = runs::task_of(file);
  const runs::Summary summary = row.summary(file);
  nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
  for (const auto& [name, tensor] : file.arrays()) tensors[name] = tensor->shape;
  nlohmann::ordered_json out = {{"task", row.task}, {"parameters", summary.parameters}};
  if (file.task() == tasks::kNetworkTask) {
    out["network"] = graph::to_json(model.model->parts().layers->graph());
    out["training"] = parsed(file.training());
  } else {
    out["options"] = parsed(summary.options_json);
    out["vocabulary"] = file.vocabulary();
  }
  for (const std::string& member : summary.members_json)
    out["members"].push_back(nlohmann::ordered_json(parsed(member)));
  out["tensors"] = std::move(tensors);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Returns the weights by name. Throws an input error for an ensemble or a quantised model.
std::map<std::string, FloatArray> tensors(const LoadedModel& model) {
  std::map<std::string, FloatArray> out;
  const tasks::ModelFile file = model.file();
  if (file.task() == tasks::kNetworkTask) {
    for (const auto& [name, array] : model.model->parts().layers->graph().arrays) {
      if (array.type == graph::ElementType::kFloat) out.emplace(name, to_array<float>(array.floats, array.dims));
    }
    return out;
  }
  if (file.is_ensemble() || file.weight_type() != kernels::WeightType::kFloat) {
    throw input_error("expected one model with float weights, found an ensemble or a quantised model",
                      "read the model that it was made from");
  }
  for (const auto& [name, tensor] : file.arrays())
    out.emplace(name, to_array<float>(file.floats(name, tensor->shape), tensor->shape));
  return out;
}

const tasks::LanguageModel& language_model(const LoadedModel& model) { return *model.model->parts().language_model; }

nb::object encode(const LoadedModel& model, const std::string& text, const std::string& unknown) {
  const tasks::LanguageModel& lm = language_model(model);
  const data::TextOptions& options = lm.options().text;
  const data::Corpus corpus = data::encode(data::normalise(text, options, "text"), options, lm.vocabulary(),
                                           data::parse_unknown(unknown), "text");
  int32_t* data = nullptr;
  auto out = new_array<int32_t>({static_cast<int64_t>(corpus.symbols.size())}, data);
  for (size_t i = 0; i < corpus.symbols.size(); ++i) data[i] = static_cast<int32_t>(corpus.symbols[i]);
  return nb::cast(out);
}

std::string machine() {
  return nlohmann::ordered_json({{"simd", kernels::simd_target()},
                                 {"simd_targets", kernels::simd_targets()},
                                 {"bf16_native", kernels::bf16_is_native()},
                                 {"threads", available_threads()}})
      .dump();
}

}  // namespace

void register_models(nb::module_& module) {
  nb::class_<LoadedModel>(module, "Model")
      .def_prop_ro("path", [](const LoadedModel& m) { return m.path; })
      .def_prop_ro("contents",
                   [](const LoadedModel& m) {
                     const std::string bytes = m.path.empty() ? m.contents : io::read_file(m.path);
                     return nb::bytes(bytes.data(), bytes.size());
                   })
      .def_prop_ro("task", [](const LoadedModel& m) { return std::string(m.model->task_name()); })
      .def_prop_ro("parameters", [](const LoadedModel& m) { return m.model->parameters(); })
      .def_prop_ro("members", [](const LoadedModel& m) { return m.model->members(); })
      .def_prop_ro("why_no_stream", [](const LoadedModel& m) { return m.model->why_no_stream(); })
      .def_prop_ro("input_names", [](const LoadedModel& m) { return m.model->input_names(); })
      .def_prop_ro("output_names", [](const LoadedModel& m) { return m.model->output_names(); })
      .def("find_symbol", [](const LoadedModel& m, const std::string& symbol) { return m.model->find_symbol(symbol); })
      .def("info", &info)
      .def("tensors", &tensors)
      .def("encode", &encode, nb::arg("text"), nb::arg("unknown"));
  module.def("load", &load, nb::arg("path"));
  module.def("load_bytes", &load_bytes, nb::arg("contents"));
  module.def("machine", &machine);
}

}  // namespace longhand::python
