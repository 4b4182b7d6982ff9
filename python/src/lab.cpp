#include "module.h"

namespace longhand::python {

void register_lab(nb::module_& /*module*/) {}

}  // namespace longhand::python
