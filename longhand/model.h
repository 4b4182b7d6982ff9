// A trained model, as a program uses it: read once, never changed, shared by any number of streams and predictors on
// any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/export.h"

namespace longhand {

enum class Task { kLanguageModel, kTagger, kClassifier, kRegressor, kNetwork };

/// "language model", "tagger", "classifier", "regressor" or "network".
LONGHAND_API std::string_view name_of(Task task);

class LONGHAND_API Model {
 public:
  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is missing, damaged, or no
  /// model's.
  static std::shared_ptr<const Model> load(const std::string& path);
  /// The same, and throws an input error for a model of another task.
  static std::shared_ptr<const Model> load(const std::string& path, Task task);
  /// The same for a file in memory, which `name` stands for in errors.
  static std::shared_ptr<const Model> load(std::span<const std::byte> file, const std::string& name = "model");
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Task task() const;
  std::string_view task_name() const { return name_of(task()); }
  /// Number of weights; of an ensemble, of all its members.
  int64_t parameters() const;
  /// Number of models whose mean prediction this is: 1 unless it is an ensemble, which `longhand combine` makes.
  int64_t members() const;

  /// Whether a Stream can read it step by step: a language model or a regressor of LSTM layers in one direction
  /// that is no ensemble, or a network of layers that reads nothing but what came before.
  bool can_stream() const { return why_no_stream().empty(); }
  /// Why not, as a sentence; empty where it can.
  std::string why_no_stream() const;
  /// What a stream reads at each step: so many numbers, or, where that is 0, a symbol.
  int64_t inputs() const { return static_cast<int64_t>(input_names().size()); }
  /// How many numbers it writes.
  int64_t outputs() const { return static_cast<int64_t>(output_names().size()); }
  /// The numbers of a regressor's step: its input columns, and, where it predicts differences, those of its targets
  /// that are not among them. A network's are called by its inputs and their place in them: "audio.0".
  const std::vector<std::string>& input_names() const;
  /// A regressor's targets, for each step ahead; a language model's symbols; a tagger's labels; a classifier's classes.
  const std::vector<std::string>& output_names() const;
  /// The number of a language model's or a network's symbol, or -1.
  int32_t find_symbol(std::string_view symbol) const noexcept;

  struct LONGHAND_LOCAL Parts;
  /// For the library's own use.
  const Parts& parts() const { return *parts_; }

 private:
  explicit Model(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand
