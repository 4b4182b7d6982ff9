// Forward pass, loss and backward pass of a regressor.
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/tasks/regressor.h"

namespace longhand::tasks {

nn::NetworkInput Regressor::input(const SeriesBatch& batch, const nn::DropoutKey& masks) const {
  return {.steps = batch.steps,
          .rows = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .x = batch.x.data(),
          .masks = masks};
}

nn::PoolInput<float> Regressor::pool_input(const SeriesBatch& batch, const Workspace& workspace) const {
  return {.kind = nn::PoolKind::kLast,
          .steps = batch.steps,
          .batch = batch.rows,
          .width = width(),
          .directions = options_.lstm.directions(),
          .lengths = batch.lengths.data(),
          .x = workspace.output,
          .stride = padded(width())};
}

int64_t Regressor::place_of(int64_t b, int64_t j) const {
  const int64_t P = distribution_.size(), stride = padded(network_outputs());
  if (!reads_ahead()) return b * stride + j * P;
  return (b * ahead() + j / targets()) * stride + j % targets() * P;
}

// The rows that the output layer reads: pooled outputs [B], or the recurrent outputs at the steps ahead [B A].
nn::OutputRows Regressor::rows_of(const SeriesBatch& batch, Workspace& workspace) const {
  if (!reads_ahead()) return {.n = batch.rows, .x = workspace.last.data()};
  workspace.rows.clear();
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t a = 0; a < ahead(); ++a) {
      const int64_t t = batch.lengths[static_cast<size_t>(b)] - ahead() + a;
      workspace.rows.push_back(static_cast<int32_t>(t * batch.rows + b));
    }
  }
  return {.n = batch.rows * ahead(), .x = workspace.output, .rows = workspace.rows.data()};
}

// Writes the network's outputs to workspace.predicted; for points, the standardised predictions.
void Regressor::predict(const SeriesBatch& batch, const nn::NetworkInput& input, nn::Pass pass,
                        Workspace& workspace) const {
  workspace.output = network_.forward(input, pass, workspace);
  if (!reads_ahead()) {
    workspace.last.resize(batch.rows * padded(width()));
    nn::pool(pool_input(batch, workspace), workspace.last.data(), padded(width()), workspace.kept,
             workspace.context.pool);
  }
  const int64_t stride = padded(network_outputs());
  const nn::OutputRows rows = rows_of(batch, workspace);
  workspace.predicted.resize(rows.n * stride);
  network_.output().forward(rows, workspace.predicted.data(), stride, workspace);
  if (!distribution_.is_point()) return;
  const float gain = pass == nn::Pass::kInference ? this->gain() : 1.0F;
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t j = 0; j < outputs(); ++j) {
      const auto at = static_cast<size_t>(b * outputs() + j);
      float& y = workspace.predicted[place_of(b, j)];
      y = batch.base[at] + gain * batch.scale[at] * y;
    }
  }
}

ForecastDistribution::Place Regressor::distribution_place(const SeriesBatch& batch, size_t at, bool training) const {
  ForecastDistribution::Place out{.base = static_cast<double>(batch.base[at]),
                                  .scale = static_cast<double>(batch.scale[at])};
  if (training) return out;
  out.gain = static_cast<double>(gain());
  if (widening_) {
    const auto output = static_cast<int64_t>(at) % outputs();
    out.widening = network_.parameters().value(*widening_) + output * distribution_.widenings();
  }
  return out;
}

// Returns the loss of workspace.predicted. Writes its gradient, times `scale`, to workspace.d_predicted.
double Regressor::losses(const SeriesBatch& batch, float scale, Workspace& workspace) const {
  const int64_t n = outputs(), P = distribution_.size();
  double loss = 0.0;
  std::vector<double> dy(static_cast<size_t>(P));
  for (int64_t b = 0; b < batch.rows; ++b) {  // (59)
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(b * n + j);
      const int64_t place = place_of(b, j);
      if (distribution_.is_point()) {
        const float error = workspace.predicted[place] - batch.targets[at];
        loss += static_cast<double>(error) * static_cast<double>(error) / static_cast<double>(n);
        workspace.d_predicted[place] = scale * 2.0F * error / static_cast<float>(n) * batch.scale[at];
        continue;
      }
      loss += distribution_.loss(workspace.predicted.data() + place, distribution_place(batch, at, true),
                                 static_cast<double>(batch.targets[at]), dy.data()) /
              static_cast<double>(n);
      for (int64_t p = 0; p < P; ++p) {
        workspace.d_predicted[place + p] =
            static_cast<float>(static_cast<double>(scale) * dy[static_cast<size_t>(p)] / static_cast<double>(n));
      }
    }
  }
  return loss;
}

void Regressor::backward(const SeriesBatch& batch, const nn::NetworkInput& input, float penalty_scale,
                         Workspace& workspace) {
  const int64_t stride = padded(network_outputs());
  const nn::OutputRows rows = rows_of(batch, workspace);
  workspace.d_output.resize(batch.steps * batch.rows * padded(width()));
  if (reads_ahead()) {
    workspace.d_output.fill(0.0F);  // steps without a forecast have no gradient
    network_.output().backward(rows, workspace.d_predicted.data(), stride, workspace.d_output.data(), workspace);
  } else {
    workspace.d_last.resize(batch.rows * padded(width()));
    network_.output().backward(rows, workspace.d_predicted.data(), stride, workspace.d_last.data(), workspace);
    nn::pool_backward(pool_input(batch, workspace), workspace.kept, workspace.d_last.data(), padded(width()),
                      workspace.d_output.data(), static_cast<float*>(nullptr), workspace.context.pool);
  }
  network_.backward(input, workspace.d_output.data(), penalty_scale, workspace);
}

double Regressor::train(const SeriesBatch& batch, const nn::GradientPass& training, Workspace& workspace) {
  const auto steps = std::accumulate(batch.lengths.begin(), batch.lengths.end(), int64_t{0});
  const nn::GradientPass pass = network_.begin_training(training, batch.rows, steps, workspace);
  const nn::NetworkInput in = input(batch, pass.masks);
  predict(batch, in, nn::Pass::kTraining, workspace);
  workspace.d_predicted.resize(batch.rows * (reads_ahead() ? ahead() : 1) * padded(network_outputs()));
  const double loss = losses(batch, pass.scale, workspace);
  backward(batch, in, pass.penalty_scale, workspace);
  return loss;
}

std::span<const float> Regressor::read(const SeriesBatch& batch, Workspace& workspace) const {
  predict(batch, input(batch, {}), nn::Pass::kInference, workspace);
  const int64_t n = outputs(), P = distribution_.size();
  workspace.predictions.resize(static_cast<size_t>(batch.rows * n * P));
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(b * n + j);
      const float* y = workspace.predicted.data() + place_of(b, j);
      float* out = workspace.predictions.data() + static_cast<int64_t>(at) * P;
      if (distribution_.is_point()) {
        *out = *y;
      } else {
        distribution_.parameters(y, distribution_place(batch, at, false), out);
      }
    }
  }
  if (!is_ensemble()) return workspace.predictions;
  LONGHAND_CHECK(batch.others.size() == others().size());
  std::vector<std::span<const float>> predictions;
  for (size_t i = 0; i < others().size(); ++i) {
    predictions.push_back(others()[i]->read(batch.others[i], *workspace.others[i]));
  }
  for (size_t j = 0; j < workspace.predictions.size(); ++j) {
    auto sum = static_cast<double>(workspace.predictions[j]);
    for (const std::span<const float> other : predictions) sum += static_cast<double>(other[j]);
    workspace.predictions[j] = static_cast<float>(sum / static_cast<double>(members()));
  }
  return workspace.predictions;
}

}  // namespace longhand::tasks
