// Functions of one number as expressions of PyTorch.
#pragma once

#include <string>

namespace longhand::convert {

/// Constants of a function, by ONNX's names; `has` says which were given.
struct TorchConstants {
  double alpha = 0.0, beta = 0.0;
  bool has_alpha = false, has_beta = false;
};
/// f(x) of a function under its name here ("hard-sigmoid") or ONNX's in any case ("HardSigmoid"); empty where there is
/// none. Constants that are not given have ONNX's defaults.
std::string torch_function(const std::string& name, const TorchConstants& constants, const std::string& x);
/// Whether a cell's function has alpha, and beta.
bool torch_function_has_alpha(const std::string& name);
bool torch_function_has_beta(const std::string& name);

}  // namespace longhand::convert
