// A model as the module holds it, with the file that it came from.
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
  std::string path;      ///< of the file; empty: it was read from memory
  std::string contents;  ///< of the file, where it was read from memory

  /// Number of symbols, of a model that reads symbols.
  int64_t symbols() const {
    const Model::Parts& parts = model->parts();
    return parts.layers ? parts.step_shape.symbols : model->outputs();
  }
  /// The file read again, for what the model does not keep: options, arrays, vocabulary.
  tasks::ModelFile file() const {
    return path.empty() ? tasks::ModelFile::parse("model", contents) : tasks::ModelFile::read(path);
  }
};

/// Throws a ValueError for a number of threads that none can have; 0 is one for each processor.
inline int checked_threads(int threads) {
  constexpr int kMost = 1024;
  if (threads >= 0 && threads <= kMost) return threads;
  throw nanobind::value_error(fmt::format("threads: expected 0 to {}, found {}", kMost, threads).c_str());
}

}  // namespace longhand::python
