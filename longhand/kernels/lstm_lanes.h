// How the passes of LSTM layers are shared out among threads: docs/parallelism.md draws it.
#pragma once

#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

/// Layers whose passes are done together: one above the other, each of which reads what the one before it in the order
/// of work has made of the same steps; or side by side, as the two directions of a layer are.
struct LstmLanes {
  LstmShape shape;    ///< of the largest of them
  int64_t gates = 4;  ///< blocks of H rows in their weights
  int layers = 1;
  bool stacked = false;          ///< one above the other
  bool may_share_steps = false;  ///< see may_share_steps in lstm.h
};

/// Where a lane is: its layer, counted in the order of work, its rows of the batch, and what of the work it does. Where
/// threads share steps, the products with the inputs' weights are lanes of their own, since they are best done for many
/// steps at a time.
struct LstmLane {
  enum class Stage { kInputs, kSteps, kBoth };

  int layer = 0;
  Range rows;
  Stage stage = Stage::kBoth;
};

/// The lanes for as many threads as the context has.
class LstmPlan {
 public:
  /// `backward` says that the inputs' products come after the steps instead of before.
  void make(const LstmLanes& lanes, bool backward, const Context& context);

  /// Whether steps are shared: pieces have several members.
  bool shares_steps() const { return members_ > 1; }

  /// Calls work(lane, piece, context of the thread) for every piece, in the lanes' order.
  template <class Work>
  void run(Context& context, const Work& work) {
    context.make_alone();
    context.schedule.run(lanes_, context.pool, useful_threads_, [&](int lane, int member, Range steps, int thread) {
      const LstmLane& where = places_[static_cast<size_t>(lane)];
      work(where, LstmPiece{steps, where.rows, member, lanes_[static_cast<size_t>(lane)].members},
           context.alone(thread));
    });
  }

 private:
  std::vector<Lane> lanes_;
  std::vector<LstmLane> places_;
  int members_ = 1;
  int64_t useful_threads_ = 1;
};

/// The context's own plan, which keeps its memory from call to call.
LstmPlan& own_plan(Context& context);

}  // namespace longhand::kernels
