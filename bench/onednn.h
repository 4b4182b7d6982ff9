// oneDNN's LSTM, as a rival. Its header is not needed to include this one.
#pragma once

#include <cstdint>
#include <memory>

namespace longhand::bench {

/// Layers of H units over T steps of B rows, I = H where there are several: the sizes of one measurement.
struct LayerSizes {
  int64_t layers, steps, batch, inputs, hidden;
};

/// Its weights are in PyTorch's layout between steps, as ours are, and are reordered in each step of training.
class OneDnnLstm {
 public:
  OneDnnLstm(const LayerSizes& sizes, int threads);
  ~OneDnnLstm();
  /// Inference with weights in oneDNN's own layout.
  void forward();
  /// Forward and backward: the gradients of the weights, in PyTorch's layout, and of the inputs.
  void train();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace longhand::bench
