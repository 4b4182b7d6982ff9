// The file of a model, whatever its task: weights under PyTorch's names, and in the metadata the task, its options and
// its vocabularies.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "longhand/base/arena.h"
#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/io/safetensors.h"

namespace longhand::tasks {

/// Writes a model with the given values, in the arena's layout.
void write_model(const std::string& path, const std::string& task, const OptionTable& options,
                 const nlohmann::json& vocabulary, const ParameterArena& arena, std::span<const float> values);

/// A model file that was read, from which a task builds its model: options, then vocabularies, then (once these have
/// declared the parameters) the values.
class ModelFile {
 public:
  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged or no model's.
  static ModelFile read(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::string& task() const { return task_; }
  /// Throws an input error where the file holds a model of another task.
  void expect_task(const std::string& task) const;

  /// Sets the options that the file holds. Throws an input error for what is none.
  void read_options(OptionTable& table) const;
  /// Runs the task's own check of its options; the fault is the file's.
  template <class Check>
  void check_options(const Check& check) const {
    try {
      check();
    } catch (const Error& e) {
      throw input_error(path() + ": configuration: " + e.what(), "the file is damaged; use an intact copy");
    }
  }
  const nlohmann::json& vocabulary() const { return vocabulary_; }
  /// Throws an input error unless the vocabulary is an object with this list of distinct texts, and returns them.
  std::vector<std::string> texts(const char* name) const;

  /// Takes memory for the arena's parameters, and fills them. Throws an input error, before any memory is taken, where
  /// an array is missing, has another shape or is one too many; and for values that are not finite.
  void fill(ParameterArena& arena) const;

 private:
  explicit ModelFile(io::Safetensors file) : file_(std::move(file)) {}

  io::Safetensors file_;
  std::string task_;
  nlohmann::json options_;
  nlohmann::json vocabulary_;
};

}  // namespace longhand::tasks
