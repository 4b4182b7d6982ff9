#include "module.h"

namespace longhand::python {

void register_convert(nb::module_& /*module*/) {}

}  // namespace longhand::python
