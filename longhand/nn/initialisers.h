// Where training starts: the distributions from which weights are drawn.
#pragma once

#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/base/options.h"

namespace longhand::nn {

/// The weights' distribution, by name. With n_in inputs and n_out outputs of one gate or layer:
///   standard-uniform  U(-1/sqrt(H), 1/sqrt(H)) in a layer of H units, as PyTorch draws LSTM weights
///   xavier-uniform    U(-a, a), a = sqrt(6 / (n_in + n_out))       (Glorot and Bengio 2010)
///   xavier-normal     N(0, 2 / (n_in + n_out))
///   uniform, normal   U(-s, s), N(0, s^2) with s = init-scale
struct InitOptions {
  std::string init = "standard-uniform";
  double scale = 0.1;
  double forget_bias = 1.0;

  void add_to(OptionTable& table);
};

/// For a matrix [n_out * blocks, n_in] whose `blocks` are drawn alike (the four gates of an LSTM); `hidden` is the H of
/// standard-uniform.
Initialiser weights(const InitOptions& options, int64_t n_in, int64_t n_out, int64_t hidden);

/// U(-bound, bound)
Initialiser uniform(double bound);
/// N(0, deviation^2)
Initialiser normal(double deviation);
Initialiser zeros();

/// The bias [4H] of an LSTM: zeros, but for the forget gate's, so that at first the cell keeps what it holds (Gers et
/// al. 2000; Jozefowicz et al. 2015, section 2.2, find 1 to help everywhere).
Initialiser lstm_bias(const InitOptions& options, int64_t hidden);

}  // namespace longhand::nn
