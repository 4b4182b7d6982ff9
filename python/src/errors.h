// Translates the library's errors to Python exceptions.
#pragma once

namespace longhand::python {

/// Registers a translator for longhand::Error. Functions of the module then raise the matching exception of
/// longhand._errors, a ValueError, with the same problem and advice.
void register_errors();

}  // namespace longhand::python
