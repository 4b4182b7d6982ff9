// Ensembles: several models of one task, used as one whose prediction is the mean of theirs (Hansen and Salamon 1990;
// Breiman 1996). The members have the same vocabulary and read data in the same way. All else may differ: seeds,
// widths, layers, cells.
//
// An ensemble is its first member, with others beside it. A single model is an ensemble without others.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/tasks/model_file.h"
#include "longhand/tasks/network_model.h"

namespace longhand::tasks {

template <class Model>
class EnsembleModel : public NetworkModel {
 public:
  /// The members after the first.
  const std::vector<std::unique_ptr<const Model>>& others() const { return others_; }
  bool is_ensemble() const { return !others_.empty(); }
  int64_t members() const { return 1 + static_cast<int64_t>(others_.size()); }
  /// Number of weights of all members.
  int64_t parameter_count() const {
    int64_t count = parameters().count();
    for (const auto& other : others_) count += other->parameters().count();
    return count;
  }
  void add_member(std::unique_ptr<const Model> model) { others_.push_back(std::move(model)); }

 protected:
  using NetworkModel::NetworkModel;

  std::vector<std::unique_ptr<const Model>> others_;
};

/// Memory of one user of all members. `Own` is the task's workspace, which derives from this.
template <class Model, class Own>
struct EnsembleWorkspace : ModelWorkspace {
  EnsembleWorkspace(const Model& model, nn::Engine used, kernels::Context& of_user)
      : ModelWorkspace(model, used, of_user) {
    for (const auto& other : model.others()) others.push_back(std::make_unique<Own>(*other, used, of_user));
  }

  std::vector<std::unique_ptr<Own>> others;  ///< of the members after the first
};

/// The names of a table's options.
std::vector<std::string> names_of(const OptionTable& table);

/// Throws an input error that names both files, the option and its values unless the options of these names agree.
void expect_same_options(const std::string& path, const OptionTable& first, const std::string& other_path,
                         const OptionTable& other, const std::vector<std::string>& names);
/// The same for what the files have as vocabularies: words, classes, columns with their scales.
void expect_same_vocabulary(const ModelFile& first, const ModelFile& other);

/// Throws unless both models read data in the same way, as `Options::shared` says.
template <class Options>
void expect_same_reading(const std::string& path, Options first, const std::string& other_path, Options other) {
  OptionTable a, b;
  first.add_to(a);
  other.add_to(b);
  expect_same_options(path, a, other_path, b, Options::shared());
}

/// Reads a model with all its members. The models are packed. Throws an input error for a file that is damaged.
template <class Model>
std::unique_ptr<Model> load_ensemble(const ModelFile& file) {
  file.expect_task(Model::kTask);
  std::unique_ptr<Model> out = Model::load_member(file.member(0));
  for (size_t i = 1; i < file.members(); ++i) {
    std::unique_ptr<Model> next = Model::load_member(file.member(i));
    expect_same_reading(file.path(), out->options(), file.path(), next->options());
    out->add_member(std::move(next));
  }
  return out;
}

/// Writes one file with all members of these files. They have been found to agree.
void write_ensemble(const std::string& path, std::span<const ModelFile> files);

/// Reads the files, each a model or an ensemble, and writes one with all their members, in this order. Throws an input
/// error for files that do not go together, for quantised ones, and for more than ModelFile::kMaxMembers members.
template <class Model>
void combine(std::span<const ModelFile> files, const std::string& path) {
  std::unique_ptr<Model> first;
  for (const ModelFile& file : files) {
    file.expect_floats();
    std::unique_ptr<Model> next = load_ensemble<Model>(file);
    if (!first) {
      first = std::move(next);
      continue;
    }
    expect_same_reading(files.front().path(), first->options(), file.path(), next->options());
    expect_same_vocabulary(files.front(), file);
  }
  write_ensemble(path, files);
}

}  // namespace longhand::tasks
