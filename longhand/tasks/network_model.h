// What the models of all tasks have in common: a network, which is constant while it is used, and a workspace for each
// user.
#pragma once

#include "longhand/nn/network.h"

namespace longhand::tasks {

class NetworkModel {
 public:
  const nn::Network& network() const { return network_; }
  ParameterArena& parameters() { return network_.parameters(); }
  const ParameterArena& parameters() const { return network_.parameters(); }
  void parameters_changed() { network_.parameters_changed(); }
  /// Draws the parameters' values, and packs them.
  void initialise(uint64_t seed) { network_.initialise(seed); }
  void clear_gradients(kernels::Context& context) { network_.clear_gradients(context); }
  void use_sparse_embedding() { network_.use_sparse_embedding(); }
  /// Packs the weights, unless that is done: before the constant functions are called with the fused engine.
  void pack(kernels::Context& context) { network_.pack(nn::Pass::kInference, context); }

 protected:
  explicit NetworkModel(const nn::NetworkOptions& options) : network_(options) {}

  nn::Network network_;
};

/// Memory, engine and threads of one user. The model and the context must outlive it.
struct ModelWorkspace : nn::NetworkWorkspace {
  ModelWorkspace(const NetworkModel& model, nn::Engine used, kernels::Context& of_user)
      : NetworkWorkspace(model.network(), used, of_user) {}
};

}  // namespace longhand::tasks
