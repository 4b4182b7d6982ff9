// Functions of one number in C: as expressions, and the small functions that these call.
#pragma once

#include <set>
#include <string>

#include "longhand/convert/c_program.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::convert {

/// An expression for f(x), where x is the name of a variable. Adds the functions that it calls to the program's. Empty:
/// C without a library has no such function here (sine and cosine).
std::string c_function(CProgram& program, kernels::Function f, float alpha, float beta, const std::string& x);

/// Names of all functions that there are.
std::set<std::string> helper_names();
/// Adds a function and those that it calls.
void use_helper(CProgram& program, const std::string& name);
/// The text of the functions, each after those that it calls.
std::string helper_texts(const std::set<std::string>& names);
/// Whether one of them is of <math.h>: sqrtf.
bool needs_math(const std::set<std::string>& names);

}  // namespace longhand::convert
