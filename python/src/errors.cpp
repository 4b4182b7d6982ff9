#include "errors.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <exception>
#include <string>

#include "longhand/base/error.h"
#include "longhand/train/trainer.h"

namespace longhand::python {
namespace {

namespace nb = nanobind;

void set_error(const char* class_name, const Error& error) {
  const nb::object type = nb::module_::import_("longhand._errors").attr(class_name);
  const nb::object value = type(nb::str(error.what()), nb::str(error.advice().c_str()));
  PyErr_SetObject(type.ptr(), value.ptr());
}

}  // namespace

void register_errors() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const train::Divergence& e) {
      set_error("DivergenceError", e);
    } catch (const Error& e) {
      set_error(e.code() == ExitCode::kUsage ? "OptionError" : "InputError", e);
    }
  });
}

}  // namespace longhand::python
