#include "longhand/lab/small_model.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand::lab {
namespace {

constexpr int64_t kEvaluatedAtOnce = 64;  // rows

nn::NetworkOptions network_options(const SmallModelOptions& options, const SequenceTask& task) {
  return {.lstm = options.lstm, .init = options.init, .numbers = task.numbers(), .symbols = task.symbols()};
}

// A network whose parameters have values.
nn::Network& initialised(nn::Network& network, int64_t outputs, uint64_t seed) {
  network.add_output(outputs);
  network.initialise(seed);
  return network;
}

}  // namespace

SmallModel::SmallModel(const SmallModelOptions& options, const SequenceTask& task)
    : options_(options),
      task_(task),
      network_(network_options(options, task)),
      workspace_(initialised(network_, task.outputs(), options.seed), nn::Engine::kFused, context_),
      optimizer_(options.optimizer, static_cast<int64_t>(network_.parameters().values().size())) {
  if (options_.radius > 0.0) scale_recurrent_weights();
}

void SmallModel::scale_recurrent_weights() {
  ParameterArena& arena = network_.parameters();
  const auto H = static_cast<size_t>(options_.lstm.hidden);
  for (const Parameter& p : arena.parameters()) {
    if (!p.name.ends_with(".weight_hh_l0")) continue;
    const auto values = arena.values().subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size));
    for (size_t gate = 0; gate < values.size(); gate += H * H) {
      const auto block = values.subspan(gate, H * H);
      const double radius = spectral_radius(Vector(block.begin(), block.end()), options_.lstm.hidden);
      for (float& w : block) w = static_cast<float>(static_cast<double>(w) * options_.radius / radius);
    }
  }
  network_.parameters_changed();
}

nn::NetworkInput SmallModel::input_of(const SequenceBatch& batch) const {
  return {.steps = batch.steps,
          .rows = batch.rows,
          .x = task_.is_regression() ? batch.numbers.data() : nullptr,
          .symbols = task_.is_regression() ? nullptr : batch.symbols.data()};
}

nn::OutputRows SmallModel::rows_of(const SequenceBatch& batch, const float* output) const {
  return {.n = static_cast<int64_t>(batch.places.size()), .x = output, .rows = batch.places.data()};
}

const float* SmallModel::forward(const SequenceBatch& batch, nn::Pass pass) {
  if (workspace_.engine == nn::Engine::kFused) network_.pack(pass, context_);
  return network_.forward(input_of(batch), pass, workspace_);
}

double SmallModel::compute_gradients(const SequenceBatch& batch) {
  const auto n = static_cast<int64_t>(batch.places.size());
  workspace_.state.reset(batch.rows);
  if (options_.truncate == 0 || task_.is_regression()) {
    return add_gradients(batch, n, true) / static_cast<double>(n);
  }
  // Piece by piece, each from the state that the one before has left, with the gradient cut off between them.
  LONGHAND_CHECK(n == batch.steps * batch.rows);
  double loss = 0.0;
  for (int64_t t = 0; t < batch.steps; t += options_.truncate) {
    SequenceBatch piece{.steps = std::min(options_.truncate, batch.steps - t), .rows = batch.rows};
    const int64_t begin = t * batch.rows, size = piece.steps * batch.rows;
    piece.symbols.assign(batch.symbols.begin() + begin, batch.symbols.begin() + begin + size);
    piece.targets.assign(batch.targets.begin() + begin, batch.targets.begin() + begin + size);
    piece.places.assign(batch.places.begin(), batch.places.begin() + size);
    loss += add_gradients(piece, n, t == 0);
  }
  return loss / static_cast<double>(n);
}

// Goes on from the workspace's state. Adds to the gradients of the mean over `predicted` answers, unless this is the
// first piece. Returns the sum of the losses.
double SmallModel::add_gradients(const SequenceBatch& batch, int64_t predicted, bool first) {
  const auto n = static_cast<int64_t>(batch.places.size()), K = task_.outputs();
  const nn::GradientPass pass = network_.begin_training(
      {.masks = {options_.seed, static_cast<uint64_t>(updates_), 0}, .add = !first}, predicted, predicted, workspace_);
  nn::NetworkInput input = input_of(batch);
  input.masks = pass.masks;
  const float* output = network_.forward(input, workspace_.state, nn::Pass::kTraining, workspace_);
  d_output_.resize(batch.steps * batch.rows * padded(network_.width()));
  d_output_.fill(0.0F);
  double loss = 0.0;
  if (task_.is_regression()) {
    const int64_t stride = padded(K);
    answers_.resize(n * stride);
    d_answers_.resize(n * stride);
    network_.output().forward(rows_of(batch, output), answers_.data(), stride, workspace_);
    for (int64_t i = 0; i < n; ++i) {
      const float error = answers_[i * stride] - batch.values[static_cast<size_t>(i)];
      loss += static_cast<double>(error * error);
      d_answers_[i * stride] = 2.0F * error * pass.scale;
    }
    network_.output().backward(rows_of(batch, output), d_answers_.data(), stride, d_output_.data(), workspace_);
  } else {
    targets_.assign(static_cast<size_t>(batch.steps * batch.rows), 0);
    for (size_t i = 0; i < batch.places.size(); ++i) targets_[static_cast<size_t>(batch.places[i])] = batch.targets[i];
    losses_.resize(n);
    loss = network_.output().softmax(
        rows_of(batch, output),
        {.targets = targets_.data(), .losses = losses_.data(), .scale = pass.scale, .dx = d_output_.data()},
        workspace_);
  }
  network_.backward(input, d_output_.data(), pass.penalty_scale, workspace_);
  return loss;
}

std::vector<double> SmallModel::bias_gradient_norms() {
  constexpr int64_t kRows = 64;
  compute_gradients(task_.draw(kRows, CounterRng(0, 0, RngPlace::kHeldOut), true));
  const ParameterArena& arena = network_.parameters();
  std::vector<double> out;
  for (const Parameter& p : arena.parameters()) {
    if (p.name.find(".bias_ih_l") == std::string::npos) continue;
    const auto gradient = arena.gradients().subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size));
    out.push_back(norm(Vector(gradient.begin(), gradient.end())));
  }
  return out;
}

double SmallModel::update() {
  const CounterRng rng(options_.seed, static_cast<uint64_t>(updates_), RngPlace::kBatches);
  const double loss = compute_gradients(task_.draw(options_.rows, rng, false));
  ParameterArena& arena = network_.parameters();
  const auto size = static_cast<int64_t>(arena.gradients().size());
  gradient_norm_ = std::sqrt(kernels::squared_norm(arena.gradients().data(), size, context_));
  if (!std::isfinite(loss) || !std::isfinite(gradient_norm_)) return NAN;
  optimizer_.update(arena.values(), arena.gradients(), gradient_norm_, options_.optimizer.learning_rate, updates_,
                    context_);
  network_.parameters_changed();
  ++updates_;
  return loss;
}

SmallScore SmallModel::evaluate(int64_t rows, uint64_t number, const SequenceTask* of) {
  double loss = 0.0, right = 0.0, all = 0.0;
  const int64_t K = task_.outputs(), stride = padded(K);
  for (int64_t begin = 0; begin < rows; begin += kEvaluatedAtOnce) {
    const CounterRng rng(number, static_cast<uint64_t>(begin), RngPlace::kHeldOut);
    const SequenceBatch batch = (of != nullptr ? *of : task_).draw(std::min(kEvaluatedAtOnce, rows - begin), rng, true);
    const auto n = static_cast<int64_t>(batch.places.size());
    answers_.resize(n * stride);
    network_.output().forward(rows_of(batch, forward(batch, nn::Pass::kInference)), answers_.data(), stride,
                              workspace_);
    for (int64_t i = 0; i < n; ++i) {
      const float* y = answers_.data() + i * stride;
      const auto at = static_cast<size_t>(i);
      if (task_.is_regression()) {
        const auto error = static_cast<double>(y[0] - batch.values[at]);
        loss += error * error;
        right += std::abs(error) < 0.1 ? 1.0 : 0.0;
        continue;
      }
      const float* best = std::max_element(y, y + K);
      double sum = 0.0;
      for (int64_t k = 0; k < K; ++k) sum += std::exp(static_cast<double>(y[k] - *best));
      loss += std::log(sum) + static_cast<double>(*best - y[batch.targets[at]]);
      right += best - y == batch.targets[at] ? 1.0 : 0.0;
    }
    all += static_cast<double>(n);
  }
  return {loss / all, 100.0 * right / all};
}

Recurrence SmallModel::layer() const {
  const int64_t inputs = task_.is_regression() ? task_.numbers() : task_.symbols();
  return Recurrence(first_layer(options_.lstm, inputs, network_.parameters()));
}

Vector SmallModel::output_gradient(const Vector& h, const SequenceBatch& batch, size_t index) const {
  const ParameterArena& arena = network_.parameters();
  const float *weight = nullptr, *bias = nullptr;
  for (const Parameter& p : arena.parameters()) {
    if (p.name == "output.weight") weight = arena.values().data() + p.offset;
    if (p.name == "output.bias") bias = arena.values().data() + p.offset;
  }
  const auto K = static_cast<size_t>(task_.outputs());
  Vector dy(K);
  for (size_t k = 0; k < K; ++k) {
    dy[k] = static_cast<double>(bias[k]);
    for (size_t j = 0; j < h.size(); ++j) dy[k] += static_cast<double>(weight[k * h.size() + j]) * h[j];
  }
  if (task_.is_regression()) {
    dy[0] = 2.0 * (dy[0] - static_cast<double>(batch.values[index]));
  } else {  // (45)
    const double highest = *std::max_element(dy.begin(), dy.end());
    double sum = 0.0;
    for (double& e : dy) sum += e = std::exp(e - highest);
    for (double& e : dy) e /= sum;
    dy[static_cast<size_t>(batch.targets[index])] -= 1.0;
  }
  Vector dh(h.size());
  for (size_t k = 0; k < K; ++k) {
    for (size_t j = 0; j < h.size(); ++j) dh[j] += static_cast<double>(weight[k * h.size() + j]) * dy[k];
  }
  return dh;
}

}  // namespace longhand::lab
