// What a `conv1d` node says of its windows.
#pragma once

#include "longhand/graph/node_build.h"

namespace longhand::graph {

struct ConvolutionSizes {
  int64_t batch = 1;     ///< sequences, or frames of all sequences
  int64_t length = 0;    ///< L
  int64_t channels = 0;  ///< C
  int64_t outputs = 0;   ///< O
  int64_t kernel = 1, stride = 1, dilation = 1, groups = 1;
  int64_t left = 0, right = 0;  ///< rows of padding
  bool keeps = false;           ///< the padding on the left is the past

  int64_t span() const { return (kernel - 1) * dilation + 1; }
  int64_t padded_length() const { return left + length + right; }
  int64_t out_length() const { return (padded_length() - span()) / stride + 1; }
};

/// Rows that stand for those before the first and after the last.
enum class Padding { kZeros, kReflect, kEdge };

/// Sizes of a `conv1d` node; checks them. `over_time`: of the steps of sequences, else of the rows of frames.
ConvolutionSizes read_convolution(NodeBuild& node, bool& over_time);
/// The attribute `mode` of `conv1d` and `pad`.
Padding read_padding_mode(NodeBuild& node);

}  // namespace longhand::graph
