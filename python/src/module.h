// Parts of the extension module. Each source file registers its classes and functions.
#pragma once

#include <nanobind/nanobind.h>

namespace longhand::python {

namespace nb = nanobind;

void register_models(nb::module_& module);
void register_predictors(nb::module_& module);
void register_streams(nb::module_& module);
void register_training(nb::module_& module);
void register_convert(nb::module_& module);
void register_lab(nb::module_& module);
void register_lstm(nb::module_& module);

}  // namespace longhand::python
