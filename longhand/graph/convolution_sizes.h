// Sizes and padding of a `conv1d` node.
#pragma once

#include "longhand/graph/node_build.h"

namespace longhand::graph {

struct ConvolutionSizes {
  int64_t batch = 1;     ///< number of sequences, or of frames of all sequences
  int64_t length = 0;    ///< L
  int64_t channels = 0;  ///< C
  int64_t outputs = 0;   ///< O
  int64_t kernel = 1, stride = 1, dilation = 1, groups = 1;
  int64_t left = 0, right = 0;  ///< padding in rows
  bool keeps = false;           ///< the left padding is the past, carried from run to run

  int64_t span() const { return (kernel - 1) * dilation + 1; }
  int64_t padded_length() const { return left + length + right; }
  int64_t out_length() const { return (padded_length() - span()) / stride + 1; }
};

/// Values of the rows before the first and after the last row.
enum class Padding { kZeros, kReflect, kEdge };

/// Reads and checks the sizes of a `conv1d` node. Sets `over_time`: whether it convolves over the time steps of
/// sequences, not over the rows of frames.
ConvolutionSizes read_convolution(NodeBuild& node, bool& over_time);
/// Reads the padding mode of `conv1d` and `pad`.
Padding read_padding_mode(NodeBuild& node);

}  // namespace longhand::graph
