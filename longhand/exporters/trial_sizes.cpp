#include "longhand/exporters/trial_sizes.h"

namespace longhand::exporters {

graph::PlanOptions trial_sizes(const graph::Graph& graph, int64_t batch, int64_t steps, int64_t other) {
  graph::PlanOptions out{.batch = batch, .steps = steps};
  for (const std::vector<graph::Port>* ports : {&graph.inputs, &graph.state_inputs}) {
    for (const graph::Port& port : *ports) {
      graph::Dims dims = port.dims;
      bool open = false;
      for (size_t axis = 0; axis < dims.size(); ++axis) {
        if (dims[axis] >= 0) continue;
        const auto at = static_cast<int>(axis);
        open = open || (at != port.batch_axis && at != port.time_axis);
        dims[axis] = at == port.batch_axis ? batch : at == port.time_axis ? steps : other;
      }
      if (open) out.dims[port.name] = dims;
    }
  }
  return out;
}

}  // namespace longhand::exporters
