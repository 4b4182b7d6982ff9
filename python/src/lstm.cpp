#include "module.h"

namespace longhand::python {

void register_lstm(nb::module_& /*module*/) {}

}  // namespace longhand::python
