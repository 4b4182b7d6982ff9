// TensorFlow's BasicLSTMCell as a manifest and raw float32 files, as TensorFlow.js's first converters and ml5 keep it.
#pragma once

#include <string>

#include "longhand/convert/imported.h"

namespace longhand::convert {

/// `path` is the manifest: {"name": {"filename": ..., "shape": [...]}}; the files are beside it. Cells
/// `.../cell_K/basic_lstm_cell/weights` (or kernel) [I + H, 4H] with gates i j f o; the 1 that TensorFlow adds to the
/// forget gate at run time is folded into the bias. An `embedding` comes first, `softmax_w` and `softmax_b` last.
/// vocab.json beside it, {"text": number}, gives the symbols. Throws an input error for a file that is missing, outside
/// of the folder or of another size, and for an array that has no place.
Imported manifest_to_graph(const std::string& path, const std::string& text);

/// Whether a JSON text is such a manifest.
bool looks_like_manifest(const std::string& text, const std::string& path);

}  // namespace longhand::convert
