#include "longhand/exporters/export_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/exporters/export_audio.h"
#include "longhand/exporters/export_c.h"
#include "longhand/exporters/export_keras.h"
#include "longhand/exporters/export_onnx.h"
#include "longhand/exporters/export_torch.h"
#include "longhand/exporters/torch_text.h"
#include "longhand/io/file.h"

namespace longhand::exporters {

const std::vector<ExportFormat>& export_formats() {
  static const std::vector<ExportFormat> formats = {
      // The function of each format is in export_NAME.h.
      {.name = "onnx",
       .ending = ".onnx",
       .help = "ONNX, for onnxruntime and others",
       .has_int8 = false,
       .write = export_onnx},
      {.name = "c", .ending = ".h", .help = "one header of C99", .has_int8 = true, .write = export_c},
      {"pytorch", ".py", "a module of PyTorch and its weights in safetensors", false, export_torch, check_module_path},
      {"keras", ".keras", "a model of Keras 3, of layers that follow one another", false, export_keras},
      {"rtneural", ".json", "RTNeural's JSON, of networks for audio", false, export_rtneural},
      {"nam", ".nam", "Neural Amp Modeler's file, of LSTM networks for audio", false, export_nam},
  };
  return formats;
}

const ExportFormat& export_format(const std::string& name) {
  std::string names;
  for (const ExportFormat& format : export_formats()) {
    if (format.name == name) return format;
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  }
  throw usage_error(fmt::format("`to`: expected one of {}, found '{}'", names, visible(name)), "choose a format");
}

std::vector<std::string> exported_paths(const Exported& exported, const std::string& path) {
  std::vector<std::string> paths;
  for (const auto& [ending, contents] : exported.files) {
    std::filesystem::path file(path);
    if (!paths.empty()) file.replace_extension(ending);
    if (std::find(paths.begin(), paths.end(), file.string()) != paths.end()) {
      throw usage_error(fmt::format("--out: expected a name that ends in {}, found '{}'", exported.files.front().first,
                                    visible(path)),
                        fmt::format("a file that ends in {} is written beside it", ending));
    }
    paths.push_back(file.string());
  }
  return paths;
}

std::vector<std::string> write_exported(const Exported& exported, const std::string& path) {
  const std::vector<std::string> paths = exported_paths(exported, path);
  // Programs open the first file, so it is written last.
  for (size_t i = paths.size(); i-- > 0;) io::write_file(paths[i], exported.files[i].second);
  return paths;
}

}  // namespace longhand::exporters
