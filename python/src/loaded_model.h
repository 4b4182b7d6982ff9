// A model together with its model file.
#pragma once

#include <fmt/format.h>
#include <nanobind/nanobind.h>

#include <memory>
#include <string>

#include "longhand/model_parts.h"
#include "longhand/tasks/model_file.h"

namespace longhand::python {

struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::string path;      ///< of the model file; empty if read from memory
  std::string contents;  ///< of the model file if read from memory; otherwise empty

  /// Vocabulary size of a model that reads symbols.
  int64_t symbols() const {
    const Model::Parts& parts = model->parts();
    return parts.layers ? parts.step_shape.symbols : model->outputs();
  }
  /// Reads the model file again, for data that `model` does not keep: options, weights by name, vocabulary.
  tasks::ModelFile file() const {
    return path.empty() ? tasks::ModelFile::parse("model", contents) : tasks::ModelFile::read(path);
  }
};

/// Returns `threads`. Throws a ValueError unless it is 0 (one per processor) to 1024.
inline int checked_threads(int threads) {
  constexpr int kMost = 1024;
  if (threads >= 0 && threads <= kMost) return threads;
  throw nanobind::value_error(fmt::format("threads: expected 0 to {}, found {}", kMost, threads).c_str());
}

}  // namespace longhand::python
