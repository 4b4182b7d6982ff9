// Recurrent layers of cells that no kernel has: a GRU whose reset gate comes before the product, and gates, candidates
// and outputs by any function. One layer; the products are those of `linear`.
#pragma once

#include <optional>
#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {

struct GeneralCell {
  enum class Kind { kLstm, kGru, kGruResetFirst, kPlain };
  struct Activation {
    kernels::Function function = kernels::Function::kIdentity;
    float alpha = 0.0F, beta = 0.0F;
  };

  Kind kind = Kind::kPlain;
  Activation gate, candidate, output;  ///< output: of an LSTM's cell

  int64_t gates() const { return kind == Kind::kLstm ? 4 : kind == Kind::kPlain ? 1 : 3; }
  bool has_cell() const { return kind == Kind::kLstm; }
};

/// Reads `activations` (in each direction those of gates, candidate and, of an LSTM, output), `activation_alpha`,
/// `activation_beta`, `reset_after`, and `activation` of a plain layer. Returns nothing where the kernels have the
/// cell.
std::optional<std::vector<GeneralCell>> read_general_cells(NodeBuild& node, const std::string& cell,
                                                           int64_t directions);

/// T steps, B rows, I inputs, H units, D directions.
class GeneralLayer {
 public:
  /// Reads the node's weights and takes all memory.
  GeneralLayer(NodeBuild& node, const std::vector<GeneralCell>& cells, int64_t inputs, int64_t hidden, int64_t steps,
               int64_t batch);

  /// [B, padded(H)] of a direction.
  float* h(size_t direction) const { return directions_[direction].h; }
  float* c(size_t direction) const { return directions_[direction].c; }  ///< null where the cell has none
  int64_t stride() const;                                                ///< padded(D H)
  /// x [T, B, I] to [T, B, padded(D H)]; `lengths` may be null. Leaves the last states.
  const float* run(const float* x, const int32_t* lengths) const;

 private:
  struct Direction {
    GeneralCell cell;
    std::vector<Dense> inputs, recurrent;  // one; recurrent: two of kGruResetFirst
    float *h = nullptr, *c = nullptr, *pre = nullptr, *product = nullptr, *news = nullptr, *row = nullptr;
  };
  void run_direction(size_t d, const float* x, const int32_t* lengths) const;
  void step(const Direction& own, const float* pre, int64_t b, float* h) const;
  void step_gru(const Direction& own, const float* pre, int64_t b, float* h) const;

  int64_t I_, H_, T_, B_;
  std::vector<Direction> directions_;
  float* outputs_ = nullptr;
};

}  // namespace longhand::graph
