#include "longhand/lab/explanation.h"

#include <algorithm>
#include <cmath>

namespace longhand::lab {
namespace {

constexpr int64_t kMostSteps = 1 << 14;  // of all rows that are run side by side: memory for a few of them

}  // namespace

Explainer::Explainer(const Subject& subject, Probe& probe, kernels::Context& context)
    : subject_(subject), probe_(probe) {
  if (probe.stack().options().one_hot) {
    twin_ = Probe::with_dense_input(subject.network(), probe.engine(), context);
  }
}

ProbeInput Explainer::dense(const ProbeInput& input) {
  const int64_t stride = padded(probe_.inputs());
  x_.resize(input.steps * input.rows * stride);
  x_.fill(0.0F);
  for (int64_t row = 0; row < input.steps * input.rows; ++row) x_[row * stride + input.symbols[row]] = 1.0F;
  return {.steps = input.steps, .rows = input.rows, .x = x_.data()};
}

// The state of one sequence, for several.
nn::StackState<float> Explainer::repeated(nn::StackState<float>& state, int64_t rows) const {
  nn::StackState<float> out = probe_.new_state(rows);
  const bool begins = !state.begins().empty();
  const std::vector<Buffer<float>*> from = state.arrays(), to = out.arrays();
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t width = from[i]->size();
    for (int64_t b = 0; b < rows; ++b) std::copy_n(from[i]->data(), width, to[i]->data() + b * width);
  }
  if (!begins) out.begins().clear();
  return out;
}

void Explainer::find_gradients(const Decision& decision, nn::StackState<float>& state, Explanation& out) {
  Probe& probe = twin_ ? *twin_ : probe_;
  nn::StackState<float> from = repeated(state, 1);
  ProbeInput input = subject_.lay({decision.begin, decision.end, {-1}});
  if (twin_) input = dense(input);
  const float* y = probe.forward(input, from, nn::Pass::kGradients);
  d_y_.resize(input.steps * padded(subject_.network().width()));
  subject_.measure(decision, 1, y, &out.score, d_y_.data());
  const float* dx = probe.backward(d_y_.data());
  const int64_t I = probe.inputs(), stride = padded(I);
  for (int64_t at = decision.first; at < decision.last; ++at) {
    const float* d = dx + (at - decision.begin) * stride;
    const float* x = input.x + (at - decision.begin) * stride;
    double squares = 0.0, product = 0.0;
    for (int64_t j = 0; j < I; ++j) {
      squares += static_cast<double>(d[j]) * static_cast<double>(d[j]);
      product += static_cast<double>(d[j]) * static_cast<double>(x[j]);
    }
    out.gradient.push_back(static_cast<float>(std::sqrt(squares)));
    out.gradient_input.push_back(static_cast<float>(product));
  }
}

void Explainer::run_again(const Decision& decision, nn::StackState<float>& state, Explanation& out,
                          const std::function<void(int64_t)>& on_steps) {
  const int64_t T = decision.end - decision.begin;
  const int64_t at_once = std::max<int64_t>(kMostSteps / T, 2);
  std::vector<double> scores;
  for (int64_t next = decision.first; next < decision.last; next += at_once - 1) {
    SubjectRows rows{decision.begin, decision.end, {-1}};  // the first row is as it was
    for (int64_t at = next; at < std::min(next + at_once - 1, decision.last); ++at) rows.replaced.push_back(at);
    const auto B = static_cast<int64_t>(rows.replaced.size());
    nn::StackState<float> from = repeated(state, B);
    const float* y = probe_.forward(subject_.lay(rows), from, nn::Pass::kInference);
    scores.resize(rows.replaced.size());
    subject_.measure(decision, B, y, scores.data(), nullptr);
    for (size_t b = 1; b < scores.size(); ++b) out.replaced.push_back(static_cast<float>(scores[b] - scores[0]));
    if (on_steps) on_steps(B * T);
  }
}

Explanation Explainer::explain(const Decision& decision, nn::StackState<float>& state,
                               const std::function<void(int64_t)>& on_steps) {
  Explanation out{.decision = decision};
  find_gradients(decision, state, out);
  run_again(decision, state, out, on_steps);
  return out;
}

}  // namespace longhand::lab
