// longhand._core: what the Python package calls in C++. Its classes are private; python/longhand has the public ones.
#include "module.h"

#include "errors.h"
#include "longhand/version.h"

NB_MODULE(_core, module) {
  module.attr("version") = LONGHAND_VERSION;
  longhand::python::register_errors();
  longhand::python::register_models(module);
  longhand::python::register_predictors(module);
  longhand::python::register_streams(module);
  longhand::python::register_training(module);
  longhand::python::register_convert(module);
  longhand::python::register_lab(module);
  longhand::python::register_lstm(module);
}
