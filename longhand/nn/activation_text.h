// Activation functions as texts of the command line and of files: a name, then the function's constants, if it has any
// and they are not the usual ones, as in `hard-sigmoid` or `hard-sigmoid:0.25:0.5`.
//
//   sigmoid, tanh, relu, softsign, softplus    without constants
//   hard-sigmoid:ALPHA:BETA                    0.2 and 0.5: ONNX's, and Keras's before version 3
//   leaky-relu:ALPHA                           0.01
//   elu:ALPHA                                  1
//   thresholded-relu:ALPHA                     1
//   affine:ALPHA:BETA                          1 and 0
//   scaled-tanh:ALPHA:BETA                     1 and 1
//
// kernels/lstm_cell.h says what they are.
#pragma once

#include <string>

#include "longhand/kernels/lstm_cell.h"

namespace longhand::nn {

/// Throws a usage error, which begins with the name of the option, for a text that is none of these.
kernels::Activation parse_activation(const std::string& option, const std::string& text);
/// The text that parse_activation reads as the same function.
std::string activation_text(const kernels::Activation& activation);
/// The names, separated by commas.
std::string activation_names();

}  // namespace longhand::nn
