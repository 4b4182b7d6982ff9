// What an `lstm`, `gru` or `rnn` node does around its layers: which steps they read, in which order, and how what they
// make becomes the outputs.
#pragma once

#include <cstdint>

#include "longhand/graph/node_build.h"

namespace longhand::graph {

/// How a layer's two directions become one output.
enum class Merge { kConcat, kSum, kMul, kAve };

/// Layers read the steps of a sequence in the order of work, [T, B, I]: from its end where it goes backwards. With a
/// mask they read those alone that it does not leave out, one after the other; where it leaves a step out, the output
/// before is there again, or zeros.
struct RecurrentFrame {
  int64_t batch = 0, steps = 0, inputs = 0;
  int64_t state = 0;          ///< R
  int64_t directions = 1;     ///< D
  bool backwards = false;     ///< reads the sequence from its end, and writes what it makes in that order
  bool last = false;          ///< the last outputs alone
  bool fresh = false;         ///< each run begins anew
  bool masked_zeros = false;  ///< zeros where the mask leaves a step out
  Merge merge = Merge::kConcat;
  const int64_t* mask = nullptr;  ///< [B, T], 0: left out; null: no mask
  int32_t* lengths = nullptr;     ///< [B] steps that the layers read; null without a mask
  const float* before = nullptr;  ///< [B, padded(R)] output before the run, of a masked layer; null: zeros

  int64_t width() const { return directions * state; }
  int64_t outputs() const { return merge == Merge::kConcat ? width() : state; }
  int64_t source(int64_t t) const { return backwards ? steps - 1 - t : t; }
  bool reads(int64_t b, int64_t t) const { return mask == nullptr || mask[b * steps + source(t)] != 0; }
  int64_t length(int64_t b) const { return lengths == nullptr ? steps : lengths[b]; }
};

/// Reads the attributes go_backwards, return, merge, masked_outputs, carry, and the mask, which is input 1.
RecurrentFrame read_frame(NodeBuild& node, const Value& x, int64_t state, int64_t directions);

/// The input as the layers read it.
struct RecurrentInput {
  const float* x = nullptr;
  const int32_t* symbols = nullptr;
};
/// Adds the step that orders the input, if it is not in order, and counts the lengths.
RecurrentInput add_input(NodeBuild& node, const RecurrentFrame& f, const Value& x);

/// h [T, B, stride], whose rows have D times R numbers, to y [B, T, outputs] or [B, outputs].
void write_outputs(const RecurrentFrame& f, const float* h, int64_t stride, float* y);

}  // namespace longhand::graph
