// Models that `longhand run` reads step by step, and their states in files. The memory does not grow with the sequence.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/graph/plan.h"
#include "longhand/model.h"

namespace longhand::cli {

/// Names and extents of what a state is made of.
using StateParts = std::vector<std::pair<std::string, int64_t>>;

/// One sequence: a network of layers, or another model that a longhand::Stream reads.
class Steps {
 public:
  /// Steps are computed `block` at a time.
  static std::unique_ptr<Steps> of(std::shared_ptr<const graph::Network> network, int64_t block, int threads);
  static std::unique_ptr<Steps> of(std::shared_ptr<const Model> model);
  virtual ~Steps() = default;

  /// x [n, inputs] or symbols [n], y [n, outputs]; returns how many steps were done: fewer where one has a symbol that
  /// the model lacks.
  virtual int64_t process(int64_t n, const float* x, float* y) = 0;
  virtual int64_t process(int64_t n, const int32_t* symbols, float* y) = 0;
  virtual void reset() = 0;
  virtual StateParts state_parts() const = 0;
  virtual void get_state(float* to) const = 0;
  virtual void set_state(const float* from) = 0;
};

/// Numbers in all parts.
int64_t size_of(const StateParts& parts);
/// Reads a file of states: [sequences, numbers of a state], of one sequence, or of `sequences` of them. Throws an input
/// error for arrays that are not this model's, and for another number of states.
std::vector<float> read_states(const std::string& path, const StateParts& parts, int64_t sequences);
/// Of these, the one that sequence `number` begins with; null: the model's own.
const float* state_of(const std::vector<float>& states, const StateParts& parts, int64_t number);
/// Writes states [sequences, numbers of a state]: an array for each part, [numbers] of one sequence, otherwise
/// [sequences, numbers].
void write_states(const std::string& path, const StateParts& parts, const std::vector<float>& states);

/// Reads rows of numbers, or of symbols below `symbols` where that is not 0, and writes `outputs` numbers for each.
RunCount run_steps(Steps& steps, RowReader& reader, int64_t symbols, int64_t outputs, const RunSettings& settings);
/// Throws an input error where the last sequence is shorter than the others.
void expect_whole_sequences(int64_t steps, const RunSettings& settings);
/// Reads a text as the language model's training text was read.
RunCount run_text(Steps& steps, const Model& model, const RunSettings& settings);

}  // namespace longhand::cli
