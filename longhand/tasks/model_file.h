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
#include "longhand/kernels/weight_type.h"
#include "longhand/nn/network.h"

namespace longhand::tasks {

/// Writes a model with the given values, in the arena's layout.
void write_model(const std::string& path, const std::string& task, const OptionTable& options,
                 const nlohmann::json& vocabulary, const ParameterArena& arena, std::span<const float> values);
template <class Options>
void write_model(const std::string& path, const std::string& task, Options options, const nlohmann::json& vocabulary,
                 const nn::Network& network, std::span<const float> values) {
  OptionTable table;
  options.add_to(table);
  write_model(path, task, table, vocabulary, network.parameters(), values);
}

/// A model file that was read, from which a task builds its model: options, then vocabularies, then (once these have
/// declared the parameters) the values.
class ModelFile {
 public:
  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged or no model's.
  static ModelFile read(const std::string& path);
  /// The same for the contents of a file, which `name` stands for in errors.
  static ModelFile parse(const std::string& name, std::string contents);

  const std::string& path() const { return file_.path(); }
  const std::string& task() const { return task_; }
  /// Throws an input error where the file holds a model of another task.
  void expect_task(const std::string& task) const;

  /// Sets the options that the file holds. Throws an input error for what is none.
  void read_options(OptionTable& table) const;
  /// The options of a model of this task. Throws an input error for those that do not pass the task's own check.
  template <class Options>
  Options options(const std::string& task) const {
    expect_task(task);
    Options out;
    OptionTable table;
    out.add_to(table);
    read_options(table);
    try {
      out.check();
    } catch (const Error& e) {
      throw input_error(path() + ": configuration: " + e.what(), "the file is damaged; use an intact copy");
    }
    return out;
  }
  const nlohmann::json& vocabulary() const { return vocabulary_; }
  /// How its matrices are kept.
  kernels::WeightType weight_type() const { return weight_type_; }
  /// Throws an input error for a file whose weights are no floats: from these nothing is gained by quantising.
  void expect_floats() const;
  /// Writes the same model with its matrices, which are finite floats, kept in another way. All else stays as it is.
  void write_quantised(const std::string& path, kernels::WeightType type) const;
  /// Throws an input error unless the vocabulary is an object with this list of distinct texts, and returns them.
  std::vector<std::string> texts(const char* name) const;

  /// Takes memory for the arena's parameters, and fills them. Throws an input error, before any memory is taken, where
  /// an array is missing, has another shape or is one too many; and for values that are not finite.
  void fill(ParameterArena& arena) const;
  /// The same, and packs the weights for inference.
  void fill(nn::Network& network) const;

 private:
  explicit ModelFile(io::Safetensors file);
  void check_weights(const std::string& name, const std::vector<int64_t>& shape) const;
  void copy_weights(const std::string& name, const std::vector<int64_t>& shape, std::span<float> out) const;

  io::Safetensors file_;
  std::string task_;
  kernels::WeightType weight_type_ = kernels::WeightType::kFloat;
  nlohmann::json options_;
  nlohmann::json vocabulary_;
};

}  // namespace longhand::tasks
