#include "longhand/convert/import_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/audio_json.h"
#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/keras_graph.h"
#include "longhand/convert/onnx_graph.h"
#include "longhand/convert/tensorflow_graph.h"
#include "longhand/convert/torch_file.h"
#include "longhand/convert/torch_graph.h"
#include "longhand/convert/torch_return.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"

namespace longhand::convert {
namespace {

constexpr const char* kOneFile =
    "save it as one file; in Python: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')";

Imported import_torch(TorchFile file, const ImportOptions& options) {
  StateDict state = find_state_dict(file, options.part);
  NamedTensors tensors;
  for (const auto& [name, array] : state.tensors)
    tensors.emplace_back(name, to_graph_array(array, file.name() + ": " + name));
  Imported out = state_dict_to_graph(std::move(tensors), file.name(), options, NameOrder::kOfModules);
  if (state.of_module) {
    out.notes.insert(out.notes.begin(), "a whole module, of which the parameters are read and nothing is executed");
  }
  if (!state.prefix.empty()) {
    out.notes.insert(out.notes.begin(),
                     fmt::format("every name begins with '{}', which is removed", visible(state.prefix)));
  }
  if (!state.place.empty()) {
    out.notes.insert(out.notes.begin(), fmt::format("the state dict is '{}' in the file", visible(state.place)));
  }
  for (const std::string& other : state.others) {
    out.notes.push_back(fmt::format("'{}' is left out: it is no tensor", visible(other)));
  }
  return out;
}

// "model-00001-of-00002.safetensors": one of the files that a large model is saved in.
void expect_no_part(const std::string& path) {
  constexpr std::string_view kEnding = ".safetensors";
  constexpr size_t kDigits = 5;
  const size_t of = path.rfind("-of-");
  if (of == std::string::npos || of < kDigits + 1 || !path.ends_with(kEnding)) return;
  const std::string_view whole = std::string_view(path).substr(of + 4, path.size() - of - 4 - kEnding.size());
  const std::string_view part = std::string_view(path).substr(of - kDigits, kDigits);
  const auto digits = [](std::string_view text) { return text.find_first_not_of("0123456789") == std::string::npos; };
  if (path[of - kDigits - 1] != '-' || whole.size() != kDigits || !digits(part) || !digits(whole)) return;
  if (whole == "00001") return;
  throw input_error(path + ": expected a whole model, found one of several files of its tensors", kOneFile);
}

Imported import_safetensors(const std::string& path, std::string bytes, const ImportOptions& options) {
  expect_no_part(path);
  const io::Safetensors file = io::Safetensors::parse(path, std::move(bytes));
  if (file.metadata().contains("config") && file.metadata().contains("vocabulary")) {
    throw input_error(path + ": expected a model of another program, found one of longhand", "it can be used as it is");
  }
  const std::vector<std::pair<std::string_view, io::DType>> types = {
      {"F16", io::DType::kF16}, {"BF16", io::DType::kBf16}, {"F32", io::DType::kF32}, {"F64", io::DType::kF64},
      {"I8", io::DType::kI8},   {"I16", io::DType::kI16},   {"I32", io::DType::kI32}, {"I64", io::DType::kI64},
      {"U8", io::DType::kU8},   {"BOOL", io::DType::kBool}};
  NamedTensors tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    const auto type =
        std::find_if(types.begin(), types.end(), [&tensor = tensor](const auto& t) { return t.first == tensor.dtype; });
    if (type == types.end()) {
      throw input_error(fmt::format("{}: '{}': expected numbers, found {}", path, visible(name), visible(tensor.dtype)),
                        "convert it to float32 first");
    }
    const io::Array array{.dtype = type->second, .shape = tensor.shape, .bytes = std::string(tensor.bytes)};
    tensors.emplace_back(name, to_graph_array(array, path + ": " + name));
  }
  const auto returning = file.metadata().find(kReturningKey);
  if (returning != file.metadata().end() && options.description.empty()) {
    Imported out = returned_graph(returning->second, path, tensors, path);
    fix_extents(out.graph, options.dims);
    return out;
  }
  std::vector<std::string_view> names;
  for (const auto& [name, array] : tensors) names.push_back(name);
  const std::string prefix = usual_prefix(names);
  for (auto& [name, array] : tensors) name.erase(0, prefix.size());
  Imported out = state_dict_to_graph(std::move(tensors), path, options, NameOrder::kSorted);
  if (!prefix.empty()) {
    out.notes.insert(out.notes.begin(), fmt::format("every name begins with '{}', which is removed", visible(prefix)));
  }
  return out;
}

bool looks_like_json(const std::string& bytes) {
  const size_t first = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return first != std::string::npos && (bytes[first] == '{' || bytes[first] == '[');
}

bool looks_like_safetensors(const std::string& bytes) {
  return bytes.size() > 9 && bytes[8] == '{' && bytes[7] == 0 && bytes[6] == 0;
}

// An option that a format has no use for would be left out of account.
void refuse_options(const ImportOptions& options, bool onnx, bool describes, bool has_parts, bool has_dims = false) {
  const bool dims = !options.dims.empty() && !has_dims && !is_exported_module(options.description);
  if (!onnx && (dims || !(options.values.empty() && options.states.empty() && !options.no_states))) {
    throw usage_error("expected a model of ONNX for --set, --dims and --state, found another", "leave them out");
  }
  if (!describes && !options.description.empty()) {
    throw usage_error("expected a file of weights alone for --network, found a model that says what its layers are",
                      "leave it out");
  }
  if (!has_parts && !options.part.empty()) {
    throw usage_error("expected a file of PyTorch or weights of Keras for --part, found another", "leave it out");
  }
}

}  // namespace

Imported import_file(const std::string& path, const ImportOptions& options) {
  if (io::is_folder(path)) {
    const std::string manifest = path + "/manifest.json";
    if (!io::exists(manifest)) {
      throw input_error(path + ": expected a model file, or a folder with a manifest.json, found a folder without one",
                        "name the file inside it");
    }
    refuse_options(options, false, false, false);
    return manifest_to_graph(manifest, io::read_file(manifest));
  }
  std::string bytes = io::read_file(path);
  const bool json = looks_like_json(bytes), zip = looks_like_zip(bytes), hdf5 = looks_like_hdf5(bytes);
  const bool safetensors = looks_like_safetensors(bytes);  // the length that it begins with may look like a pickle
  const bool pickle = !safetensors && bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
  const bool onnx = !pickle && !json && !zip && !hdf5 && !safetensors && !bytes.empty() &&
                    (path.ends_with(".onnx") || bytes[0] == '\x08');
  const bool module = safetensors && bytes.find("\"longhand\"") != std::string::npos;  // one that longhand exported
  refuse_options(options, onnx, !onnx, pickle || zip || hdf5, module);
  if (hdf5) return keras_h5_to_graph(read_hdf5(path, bytes), path, options);
  if (zip) {
    const bool keras = ZipFile(path, bytes).has("config.json");
    return keras ? keras_archive_to_graph(path, std::move(bytes), options)
                 : import_torch(TorchFile::parse(path, std::move(bytes)), options);
  }
  if (pickle) return import_torch(TorchFile::parse(path, std::move(bytes)), options);
  if (json) {
    if (path.ends_with(".safetensors.index.json")) {
      throw input_error(path + ": expected a model, found an index of several files of tensors", kOneFile);
    }
    if (looks_like_manifest(bytes, path)) return manifest_to_graph(path, bytes);
    return json_to_graph(bytes, path, options);
  }
  if (safetensors) return import_safetensors(path, std::move(bytes), options);
  if (onnx) return onnx_to_graph(read_onnx(path), path, options);
  throw input_error(path + ": expected a model of ONNX, PyTorch, Keras, safetensors or JSON, found something else",
                    "docs/import.md lists what is read");
}

}  // namespace longhand::convert
