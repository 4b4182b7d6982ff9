// Which symbols mattered to a decision of a model: by the exact gradient, and by running it again without each of them.
#pragma once

#include <functional>
#include <memory>

#include "longhand/lab/microscope.h"
#include "longhand/lab/probe.h"

namespace longhand::lab {

class Explainer {
 public:
  Explainer(const Subject& subject, Probe& probe, kernels::Context& context);

  /// `state` is what the model had read before the decision's first symbol. `on_steps` receives steps as they are done.
  Explanation explain(const Decision& decision, nn::StackState<float>& state,
                      const std::function<void(int64_t)>& on_steps = {});

 private:
  ProbeInput dense(const ProbeInput& input);
  nn::StackState<float> repeated(nn::StackState<float>& state, int64_t rows) const;
  void find_gradients(const Decision& decision, nn::StackState<float>& state, Explanation& out);
  void run_again(const Decision& decision, nn::StackState<float>& state, Explanation& out,
                 const std::function<void(int64_t)>& on_steps);

  const Subject& subject_;
  Probe& probe_;
  std::unique_ptr<Probe> twin_;  // of one-hot input, which has gradients as dense input alone
  Buffer<float> x_, d_y_;
};

}  // namespace longhand::lab
