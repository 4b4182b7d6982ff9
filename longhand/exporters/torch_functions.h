// Elementwise functions as PyTorch expressions.
#pragma once

#include <string>

namespace longhand::exporters {

/// Constants of a function, named as in ONNX. `has_*`: whether the constant was given.
struct TorchConstants {
  double alpha = 0.0, beta = 0.0;
  bool has_alpha = false, has_beta = false;
};
/// Returns the expression of f(x); empty for an unknown function. `name` is the name in a description ("hard-sigmoid")
/// or in ONNX ("HardSigmoid", in any case). Constants that are not given have ONNX's defaults.
std::string torch_function(const std::string& name, const TorchConstants& constants, const std::string& x);
/// Whether an activation function of a recurrent cell has the constant alpha, or beta.
bool torch_function_has_alpha(const std::string& name);
bool torch_function_has_beta(const std::string& name);

}  // namespace longhand::exporters
