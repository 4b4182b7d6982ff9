// Models that `longhand run` reads step by step, and their states in files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

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
/// Reads a file of states, those of one sequence or of several: [sequences, numbers of a state]. Throws an input error
/// for arrays that are not this model's.
std::vector<float> read_states(const std::string& path, const StateParts& parts);
/// Writes states [sequences, numbers of a state]: an array for each part, [numbers] of one sequence, otherwise
/// [sequences, numbers].
void write_states(const std::string& path, const StateParts& parts, const std::vector<float>& states);

}  // namespace longhand::cli
