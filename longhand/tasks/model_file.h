// The file of a model, whatever its task: weights under PyTorch's names, and in the metadata the task, its options and
// its vocabularies.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/io/safetensors.h"
#include "longhand/kernels/weight_type.h"
#include "longhand/nn/network.h"

namespace longhand::tasks {

/// Writes a model with the given values, in the arena's layout; and other arrays, which no training changes.
void write_model(const std::string& path, const std::string& task, const OptionTable& options,
                 const nlohmann::json& vocabulary, const ParameterArena& arena, std::span<const float> values,
                 std::span<const io::TensorToWrite> others = {});
template <class Options>
void write_model(const std::string& path, const std::string& task, Options options, const nlohmann::json& vocabulary,
                 const nn::Network& network, std::span<const float> values,
                 std::span<const io::TensorToWrite> others = {}) {
  OptionTable table;
  options.add_to(table);
  write_model(path, task, table, vocabulary, network.parameters(), values, others);
}

/// A model file that was read, from which a task builds its model: options, then vocabularies, then (once these have
/// declared the parameters) the values. The file of an ensemble has the options and arrays of several models, its
/// members, and one vocabulary for all; it is read member by member (see ensemble.h).
class ModelFile {
 public:
  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged or no model's.
  static ModelFile read(const std::string& path);
  /// The same for the contents of a file, which `name` stands for in errors.
  static ModelFile parse(const std::string& name, std::string contents);

  static constexpr size_t kMaxMembers = 64;

  const std::string& path() const { return file_->path(); }
  const std::string& task() const { return task_; }
  bool is_ensemble() const { return !members_.empty(); }
  /// Number of models in it: 1 unless it is an ensemble's.
  size_t members() const { return is_ensemble() ? members_.size() : 1; }
  /// One of them, as the file of that model alone; shares this one's memory. Of a file that is no ensemble's, itself.
  ModelFile member(size_t i) const;
  /// Throws an input error for the file of an ensemble, for uses that are for one model.
  void expect_one_model(const std::string& advice) const;
  /// The arrays of this model, or of all members, under the names that they have in it; and the options, as in its
  /// file.
  std::vector<std::pair<std::string, const io::Safetensors::Tensor*>> arrays() const;
  const nlohmann::json& stored_options() const { return options_; }
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
  const nlohmann::json& vocabulary() const { return *vocabulary_; }
  /// What a network of layers was trained for, as JSON; empty: not known.
  std::string training() const {
    const auto found = file_->metadata().find("training");
    return found == file_->metadata().end() ? "" : found->second;
  }
  /// How its matrices are kept.
  kernels::WeightType weight_type() const { return weight_type_; }
  /// Throws an input error for a file whose weights are no floats: from these nothing is gained by quantising.
  void expect_floats() const;
  /// Writes the same model with its matrices, which are finite floats, kept in another way. All else stays as it is.
  void write_quantised(const std::string& path, kernels::WeightType type) const;
  /// Throws an input error unless the vocabulary is an object with this list of distinct texts, and returns them.
  std::vector<std::string> texts(const char* name) const;

  /// Takes memory for the arena's parameters, and fills them. Throws an input error, before any memory is taken, where
  /// an array is missing, has another shape or is one too many (besides `others`); and for values that are not finite.
  void fill(ParameterArena& arena, size_t others = 0) const;
  /// The same, and packs the weights for inference.
  void fill(nn::Network& network, size_t others = 0) const;
  /// The values of an array that no parameter is. Throws an input error where it is missing, has another shape, or
  /// holds values that are not finite.
  std::vector<float> floats(const std::string& name, const std::vector<int64_t>& shape) const;

 private:
  explicit ModelFile(io::Safetensors file);
  void read_members(const nlohmann::json& config);
  void check_weights(const std::string& name, const std::vector<int64_t>& shape) const;
  void copy_weights(const std::string& name, const std::vector<int64_t>& shape, std::span<float> out) const;

  std::shared_ptr<const io::Safetensors> file_;
  std::string prefix_;  // of the names of this model's arrays
  size_t count_ = 0;    // of these
  std::string task_;
  kernels::WeightType weight_type_ = kernels::WeightType::kFloat;
  nlohmann::json options_;
  std::shared_ptr<const nlohmann::json> vocabulary_;
  struct Member {
    nlohmann::json options;
    size_t arrays = 0;
  };
  std::vector<Member> members_;  // of an ensemble
};

/// "members.2.": begins the names of a member's arrays in the file of an ensemble.
std::string member_prefix(size_t member);

}  // namespace longhand::tasks
