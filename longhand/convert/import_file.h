// A trained model of another program as a network of layers, whatever its format.
#pragma once

#include <string>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// Recognises the format by the contents: ONNX, PyTorch (a zip or the format before 1.6), safetensors, Keras (.h5,
/// .keras), JSON (see audio_json.h), a manifest of TensorFlow (or the folder that it is in). docs/import.md says what
/// is read of each. Throws an input error of two lines for what is none of these, damaged, or has parts that cannot be
/// run, and a usage error for options that do not fit the file.
Imported import_file(const std::string& path, const ImportOptions& options = {});

}  // namespace longhand::convert
