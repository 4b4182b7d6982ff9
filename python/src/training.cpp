#include "module.h"

namespace longhand::python {

void register_training(nb::module_& /*module*/) {}

}  // namespace longhand::python
