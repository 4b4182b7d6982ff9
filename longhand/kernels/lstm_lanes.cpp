#include "longhand/kernels/lstm_lanes.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/kernels/gemm.h"

namespace longhand::kernels {
namespace {

// Rows of a block of input products: enough for their weights to be read seldom.
constexpr int64_t kBlockRows = 128;
// Fewer rows than these make the products of a step slower for each row.
constexpr int64_t kGroupRows = 12;
// Bytes of W_hh that a thread's cache holds beside everything else.
constexpr int64_t kWeightsInCache = 768 * 1024;
// Blocks of a pass that is shared out, unless they would have more rows than these.
constexpr int64_t kBlocks = 16;
// Multiply-adds below which a thread is not worth waking for a pass, and not worth waiting for in a step.
constexpr int64_t kPassOfAThread = 1 << 18;
constexpr int64_t kStepOfAThread = 1 << 15;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void LstmPlan::make(const LstmLanes& lanes, bool backward, const Context& context) {
  const LstmShape& shape = lanes.shape;
  const int64_t B = shape.batch, T = shape.steps, threads = context.pool.size();
  const int64_t step = lanes.gates * shape.hidden * shape.outputs();  // multiply-adds of a row
  useful_threads_ = std::clamp<int64_t>(lanes.layers * T * B * step / kPassOfAThread, 1, threads);
  LONGHAND_CHECK(B > 0);
  int64_t groups = 1;
  members_ = 1;
  if (useful_threads_ > 1 && !context.pool.may_wait()) {
    groups = std::min(B, useful_threads_);
  } else if (useful_threads_ > 1) {
    // Threads share steps where a thread's cache does not hold a layer's weights, but may hold its part of them.
    // Otherwise they share rows: two groups for each, so that one which is late leaves less to wait for.
    const int64_t most = lanes.may_share_steps ? std::min(useful_threads_, most_members(shape.hidden)) : 1;
    const int64_t rows = std::max<int64_t>(1, B / kGroupRows);
    if (lanes.may_share_steps && step * static_cast<int64_t>(sizeof(float)) > kWeightsInCache) {
      members_ = static_cast<int>(std::clamp<int64_t>(B * step / kStepOfAThread, 1, most));
      groups = std::min(rows, divide_up(useful_threads_, members_));
    } else {
      groups = std::min(rows, 2 * useful_threads_);
      const int64_t of_a_lane = std::min(most, divide_up(useful_threads_, groups * lanes.layers));
      members_ = static_cast<int>(std::clamp<int64_t>(divide_up(B, groups) * step / kStepOfAThread, 1, of_a_lane));
    }
  }
  // A layer of a stack begins a block later than the one before it: blocks are short beside the whole.
  const int64_t rows = divide_up(B, groups);
  int64_t block = std::max<int64_t>(1, kBlockRows / rows);
  if (useful_threads_ > 1) block = std::min(block, std::max(divide_up(T, kBlocks), divide_up(4, rows)));
  lanes_.clear();
  places_.clear();
  const int stages = members_ > 1 ? 2 : 1;
  for (int layer = 0; layer < lanes.layers; ++layer) {
    for (int64_t group = 0; group < groups; ++group) {
      for (int stage = 0; stage < stages; ++stage) {
        const bool inputs = (stage == 0) != backward;
        const int at = static_cast<int>(lanes_.size());
        const bool first = stage == 0;
        const int below = lanes.stacked && layer > 0 ? at - static_cast<int>(groups) * stages + stages - 1 : -1;
        lanes_.push_back({.steps = T,
                          .block = stages == 2 && !inputs ? 1 : block,
                          .members = members_,
                          .after = first ? below : at - 1,
                          .strand = static_cast<int>(lanes.stacked ? group : layer * groups + group)});
        using Stage = LstmLane::Stage;
        places_.push_back({.layer = layer,
                           .rows = split(B, static_cast<int>(groups), static_cast<int>(group)),
                           .stage = stages == 1 ? Stage::kBoth
                                    : inputs    ? Stage::kInputs
                                                : Stage::kSteps});
      }
    }
  }
}

LstmPlan& own_plan(Context& context) {
  if (context.plan == nullptr) context.plan = std::make_shared<LstmPlan>();
  return *context.plan;
}

void lstm_forward(const LstmForward<float>& args, const PackedLstm& packed, Context& context) {
  LstmPlan& plan = own_plan(context);
  plan.make({.shape = args.shape, .may_share_steps = may_share_steps(args)}, false, context);
  LstmMemory& memory = context.layer;
  lstm_forward_begin(args, packed, plan.shares_steps(), memory, context);
  plan.run(context, [&](const LstmLane& lane, const LstmPiece& piece, Context& alone) {
    if (lane.stage != LstmLane::Stage::kSteps) lstm_forward_inputs(args, packed, piece, memory, alone);
    if (lane.stage != LstmLane::Stage::kInputs) lstm_forward_steps(args, packed, piece, memory, alone);
  });
}

void lstm_backward(const LstmBackward<float>& args, const PackedLstm& packed, Context& context) {
  const bool inputs = args.weights.gain_ih == nullptr;
  LstmPlan& plan = own_plan(context);
  plan.make({.shape = args.shape, .may_share_steps = may_share_steps(args)}, true, context);
  LstmMemory& memory = context.layer;
  lstm_backward_begin(args, memory);
  plan.run(context, [&](const LstmLane& lane, const LstmPiece& piece, Context& alone) {
    if (lane.stage != LstmLane::Stage::kInputs) lstm_backward_steps(args, packed, piece, memory, alone);
    if (inputs && lane.stage != LstmLane::Stage::kSteps) lstm_backward_inputs(args, packed, piece, alone);
  });
  lstm_backward_weights(args, packed, !inputs, memory, context);
}

}  // namespace longhand::kernels
