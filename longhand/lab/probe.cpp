#include "longhand/lab/probe.h"

#include "longhand/base/error.h"

namespace longhand::lab {

// Its stack has the offsets of the network's own, since an arena begins with the layers where there is no embedding.
struct Probe::Twin {
  ParameterArena arena;
  nn::LstmStack stack;

  explicit Twin(const nn::LstmStackOptions& options) : stack(options, arena) {}
};

Probe::Probe(const nn::Network& network, nn::Engine engine, kernels::Context& context)
    : Probe(std::shared_ptr<const nn::LstmStack>(std::shared_ptr<void>(), &network.stack()), network, engine, context) {
}

Probe::Probe(std::shared_ptr<const nn::LstmStack> stack, const nn::Network& network, nn::Engine engine,
             kernels::Context& context)
    : stack_(std::move(stack)),
      engine_(engine),
      context_(context),
      parameters_(static_cast<int64_t>(network.parameters().values().size())),
      weights_(*stack_),
      workspace_(*stack_) {
  weights_.set_values(network.parameters().values().data());
  if (engine_ == nn::Engine::kFused) weights_.pack(nn::Pass::kGradients, context_);
}

std::unique_ptr<Probe> Probe::with_dense_input(const nn::Network& network, nn::Engine engine,
                                               kernels::Context& context) {
  nn::LstmStackOptions options = network.stack().options();
  options.one_hot = false;
  auto twin = std::make_shared<Twin>(options);
  std::shared_ptr<const nn::LstmStack> stack(twin, &twin->stack);
  const nn::LstmOffsets &own = network.stack().layers()[0].directions[0].offsets,
                        &same = stack->layers()[0].directions[0].offsets;
  LONGHAND_CHECK(own.w_ih == same.w_ih && own.w_hh == same.w_hh && own.bias == same.bias);
  return std::unique_ptr<Probe>(new Probe(std::move(stack), network, engine, context));
}

nn::StackState<float> Probe::new_state(int64_t rows) const {
  nn::StackState<float> state(*stack_);
  state.reset(rows);
  return state;
}

const float* Probe::forward(const ProbeInput& input, nn::StackState<float>& state, nn::Pass pass) {
  input_ = {
      .steps = input.steps, .batch = input.rows, .x = input.x, .x_stride = padded(inputs()), .symbols = input.symbols};
  return workspace_.forward(weights_, state, input_, pass, engine_, context_);
}

nn::StackActivations<float> Probe::activations(size_t part) const { return workspace_.activations(part, input_); }

const float* Probe::backward(const float* d_output) {
  LONGHAND_CHECK(input_.x != nullptr);
  dx_.resize(input_.steps * input_.batch * padded(inputs()));
  ignored_.resize(parameters_);
  ignored_.fill(0.0F);  // sums of many passes would overflow in the end
  workspace_.backward(weights_, input_, {.d_output = d_output, .dx = dx_.data(), .dx_stride = padded(inputs())},
                      engine_, ignored_.data(), context_);
  return dx_.data();
}

}  // namespace longhand::lab
