// Which implementation computes a model: the fast kernels, or the textbook ones that they are checked against.
#pragma once

#include <string>

namespace longhand::nn {

enum class Engine { kFused, kReference };

inline Engine parse_engine(const std::string& name) {
  return name == "reference" ? Engine::kReference : Engine::kFused;
}

}  // namespace longhand::nn
