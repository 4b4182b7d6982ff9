// The private extension module longhand._core. The package python/longhand wraps it.
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
