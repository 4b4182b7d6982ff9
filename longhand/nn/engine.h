// Which implementation computes a model: the fast kernels, the textbook ones that they are checked against, or the tape
// that needs no derivative written by hand.
#pragma once

#include <string>

namespace longhand::nn {

enum class Engine { kFused, kReference, kAutograd };

inline Engine parse_engine(const std::string& name) {
  return name == "reference" ? Engine::kReference : name == "autograd" ? Engine::kAutograd : Engine::kFused;
}

}  // namespace longhand::nn
