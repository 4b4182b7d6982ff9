// Elementwise functions in C: expressions, and the helper functions that they call.
#pragma once

#include <set>
#include <string>

#include "longhand/exporters/c_program.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::exporters {

/// Returns a C expression for f(x), where `x` is the name of a variable, and adds the helper functions that it calls to
/// the program. Returns an empty string for sine and cosine, which would need a library.
std::string c_function(CProgram& program, kernels::Function f, float alpha, float beta, const std::string& x);

/// Names of all helper functions.
std::set<std::string> helper_names();
/// Adds a helper function, and the helper functions that it calls, to the program.
void use_helper(CProgram& program, const std::string& name);
/// Returns the C definitions of the helper functions. Callees come before their callers.
std::string helper_texts(const std::set<std::string>& names);
/// Whether one of the helper functions needs <math.h> (sqrtf).
bool needs_math(const std::set<std::string>& names);

}  // namespace longhand::exporters
