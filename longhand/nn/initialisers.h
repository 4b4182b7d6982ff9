// Where training starts: the distributions from which weights are drawn.
#pragma once

#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/base/options.h"

namespace longhand::nn {

/// The weights' distributions, by name. With n_in inputs and n_out outputs of one gate or layer:
///   zeros, constant   0, s                                         with s = init-scale
///   uniform, normal   U(-s, s), N(0, s^2)
///   standard-uniform  U(-1/sqrt(H), 1/sqrt(H)) in a layer of H units, as PyTorch draws LSTM weights
///   standard-normal   N(0, 1), as PyTorch draws embeddings
///   xavier-uniform    U(-a, a), a = sqrt(6 / (n_in + n_out))       (Glorot and Bengio 2010)
///   xavier-normal     N(0, 2 / (n_in + n_out))
///   he-uniform        U(-a, a), a = sqrt(6 / n_in)                 (He et al. 2015)
///   he-normal         N(0, 2 / n_in)
///   orthogonal        orthonormal rows, or columns where there are fewer; uniform among these (Saxe et al. 2014)
/// A part that is "same" has the distribution of `init`.
struct InitOptions {
  std::string init = "standard-uniform";
  std::string input = "same";
  std::string recurrent = "same";
  std::string embedding = "standard-normal";
  std::string output = "same";
  std::string bias = "zeros";
  double scale = 0.1;
  double forget_bias = 1.0;  ///< added to the forget gates' biases

  void add_to(OptionTable& table);
};

enum class Part { kInput, kRecurrent, kEmbedding, kOutput };

/// A matrix [blocks n_out, n_in] whose blocks, such as the four gates of an LSTM, are each drawn as a matrix of
/// its own.
struct WeightShape {
  int64_t n_in = 0;
  int64_t n_out = 0;
  int64_t hidden = 0;  ///< H of standard-uniform
  int64_t blocks = 1;
};

Initialiser weights(const InitOptions& options, Part part, const WeightShape& shape);
/// A bias of a layer of `hidden` units.
Initialiser bias(const InitOptions& options, int64_t hidden);
/// The bias [4H] of an LSTM: with the forget gate's raised, so that at first the cell keeps what it holds (Gers et al.
/// 2000; Jozefowicz et al. 2015, section 2.2, find 1 to help everywhere).
Initialiser lstm_bias(const InitOptions& options, int64_t hidden);

Initialiser constant(double value);

}  // namespace longhand::nn
