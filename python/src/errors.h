// Errors of the library as Python exceptions.
#pragma once

namespace longhand::python {

/// From now on an Error that a function of the module throws becomes an exception of longhand._errors, with the same
/// two lines; it is a ValueError.
void register_errors();

}  // namespace longhand::python
