#include "module.h"

namespace longhand::python {

void register_streams(nb::module_& /*module*/) {}

}  // namespace longhand::python
