#include "module.h"

namespace longhand::python {

void register_models(nb::module_& /*module*/) {}

}  // namespace longhand::python
