// The derivatives of docs/derivatives.md, each evaluated as written there and compared with the tape and with central
// differences.
#pragma once

#include <string>
#include <vector>

namespace longhand::lab {

struct EquationResult {
  int number = 0;            ///< in docs/derivatives.md
  std::string what;          ///< the derivative, as text
  double tape = 0.0;         ///< largest difference between the formula and the tape
  double differences = 0.0;  ///< largest difference between the formula and central differences
  double tolerance_tape = 0.0;
  double tolerance_differences = 0.0;

  bool passed() const { return tape <= tolerance_tape && differences <= tolerance_differences; }
};

/// All derivatives, in the order of their numbers, at random points in double.
std::vector<EquationResult> check_derivatives();

}  // namespace longhand::lab
