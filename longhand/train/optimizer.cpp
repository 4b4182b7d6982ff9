#include "longhand/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "longhand/base/error.h"

namespace longhand::train {
namespace {

using kernels::UpdateRule;

UpdateRule parse_rule(const std::string& name) {
  static const std::map<std::string, UpdateRule> kRules = {
      {"sgd", UpdateRule::kSgd},           {"asgd", UpdateRule::kSgd},        {"momentum", UpdateRule::kMomentum},
      {"nesterov", UpdateRule::kNesterov}, {"adagrad", UpdateRule::kAdagrad}, {"adadelta", UpdateRule::kAdadelta},
      {"rmsprop", UpdateRule::kRmsprop},   {"adam", UpdateRule::kAdam},       {"adamw", UpdateRule::kAdam},
      {"nadam", UpdateRule::kNadam}};
  const auto found = kRules.find(name);
  LONGHAND_CHECK(found != kRules.end());
  return found->second;
}

bool keeps_m(UpdateRule rule) {
  return rule != UpdateRule::kSgd && rule != UpdateRule::kAdagrad && rule != UpdateRule::kRmsprop;
}

bool keeps_v(UpdateRule rule) {
  return rule != UpdateRule::kSgd && rule != UpdateRule::kMomentum && rule != UpdateRule::kNesterov;
}

double own_epsilon(UpdateRule rule) {
  return rule == UpdateRule::kAdagrad ? 1e-10 : rule == UpdateRule::kAdadelta ? 1e-6 : 1e-8;
}

double own_beta2(UpdateRule rule) {
  return rule == UpdateRule::kAdadelta ? 0.9 : rule == UpdateRule::kRmsprop ? 0.99 : 0.999;
}

}  // namespace

void OptimizerOptions::add_to(OptionTable& table) {
  const auto or_own = [](OptionCheck check) {
    check.also = -1.0;
    return check;
  };
  table.add(
      "optimizer", optimizer, "optimizer",
      one_of({"sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "asgd"}));
  table.add("lr", learning_rate, "learning rate", more_than(0.0));
  table.add("momentum", momentum, "momentum coefficient of momentum and nesterov", fraction());
  table.add("beta1", beta1, "decay rate of the mean gradient in adam, adamw and nadam", fraction());
  table.add(
      "beta2", beta2,
      "decay rate of the mean squared gradient; -1: 0.999 in adam, adamw and nadam, 0.99 in rmsprop, 0.9 in adadelta",
      or_own(fraction()));
  table.add("epsilon", epsilon,
            "value added to the root of the mean squared gradient; -1: 1e-8, but 1e-10 in adagrad and 1e-6 in adadelta",
            or_own(more_than(0.0)));
  table.add("l2", l2, "L2 penalty coefficient: half of it times the sum of squared weights is added to the loss",
            at_least(0.0));
  table.add("weight-decay", weight_decay, "decoupled weight decay coefficient; -1: 0.01 in adamw, else 0",
            or_own(at_least(0.0)));
  table.add("clip-norm", clip_norm, "largest global norm of the gradients (Pascanu et al. 2013); 0: no clipping",
            at_least(0.0));
  table.add("clip-value", clip_value, "largest magnitude of a gradient, applied before `clip-norm`; 0: no clipping",
            at_least(0.0));
  table.add("average-after", average_after,
            "asgd: updates before averaging starts; -1: averaging starts when the held-out loss stops improving",
            at_least(-1));
  table.add("average-trigger", average_trigger,
            "asgd: non-monotone interval of the averaging trigger, in evaluations (Merity et al. 2018)", at_least(0));
  table.add("asgd-lambda", asgd_lambda, "asgd: decay coefficient (lambda) of the weights and of the learning rate",
            at_least(0.0));
  table.add(
      "average", average,
      "average of the weights that is evaluated and saved; ema: exponential (`average-decay`); swa: equal, of the "
      "weights after each update since `average-start` (Izmailov et al. 2018); not with asgd, which has its own",
      one_of({"none", "ema", "swa"}));
  table.add("average-decay", average_decay,
            "ema: decay rate of the average; in update t at most (1 + t) / (10 + t), so that it starts fast",
            fraction());
  table.add("average-start", average_start, "swa: fraction of the run after which averaging starts", fraction());
}

int64_t OptimizerOptions::moments() const {
  const UpdateRule rule = parse_rule(optimizer);
  return (keeps_m(rule) ? 1 : 0) + (keeps_v(rule) ? 1 : 0);
}

Optimizer::Optimizer(const OptimizerOptions& options, int64_t n,
                     const std::function<void(std::span<float>)>& on_moments)
    : options_(options), asgd_(options.optimizer == "asgd"), rule_(parse_rule(options.optimizer)) {
  if (options_.beta2 < 0.0) options_.beta2 = own_beta2(rule_);
  if (options_.epsilon < 0.0) options_.epsilon = own_epsilon(rule_);
  // The kernels have these in single precision, in which 1 - 0.999 is off by 1e-5: the corrections must be of the same.
  options_.beta1 = static_cast<double>(static_cast<float>(options_.beta1));
  options_.beta2 = static_cast<double>(static_cast<float>(options_.beta2));
  if (options_.weight_decay < 0.0) options_.weight_decay = options.optimizer == "adamw" ? 0.01 : 0.0;
  const auto take = [&](Buffer<float>& moments) {
    moments.resize(n);
    if (on_moments) on_moments(moments.span());
  };
  if (keeps_m(rule_)) take(m_);
  if (keeps_v(rule_)) take(v_);
  if (options_.keeps_average()) averages_.resize(n);
}

bool Optimizer::waits_for_trigger() const { return asgd_ && averaging_since_ < 0 && options_.average_after < 0; }

bool Optimizer::starts_averaging(double done) const {
  return options_.average == "swa" && averaging_since_ < 0 && done >= options_.average_start;
}

void Optimizer::begin_averaging(int64_t step, std::span<const float> values) {
  averaging_since_ = step;
  std::copy(values.begin(), values.end(), averages_.data());
}

std::span<float> Optimizer::averages() { return averaging_since_ >= 0 ? averages_.span() : std::span<float>(); }

// Nadam's momentum of step t = 1, 2, ...: it grows from beta1 / 2 to beta1 (Dozat 2016; the constants are PyTorch's).
double Optimizer::nesterov_momentum(int64_t t) const {
  return options_.beta1 * (1.0 - 0.5 * std::pow(0.96, 0.004 * static_cast<double>(t)));
}

// The product of the momentums of the first steps.
double Optimizer::nesterov_product(int64_t since, int64_t steps) {
  MomentumProduct& known = momentum_[since];
  // From the beginning in a resumed run; what is this small is nothing beside 1.
  for (; known.steps < steps && known.product > 1e-30; ++known.steps) {
    known.product *= nesterov_momentum(known.steps + 1);
  }
  return known.product;
}

bool Optimizer::clip_values(std::span<float> gradients, std::span<const Range> where, kernels::Context& context) const {
  if (options_.clip_value == 0.0) return false;
  kernels::clip_values(gradients.data(), where, static_cast<float>(options_.clip_value), context);
  return true;
}

void Optimizer::update(std::span<float> values, std::span<const float> gradients, std::span<const RatedPart> parts,
                       std::span<const Range> averaged, double norm, double rate, int64_t step,
                       kernels::Context& context) {
  const double scale = options_.clip_norm > 0.0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1.0;
  if (asgd_ && options_.average_after >= 0 && averaging_since_ < 0 && step >= options_.average_after) {
    begin_averaging(options_.average_after, values);
  }
  if (options_.average == "ema" && averaging_since_ < 0) begin_averaging(step, values);
  for (const RatedPart& part : parts) {
    update_part(values, gradients, part, scale, part.factor * rate, step - part.since, context);
  }
  if (averaging_since_ < 0) return;
  kernels::update_average(averages_.data(), values.data(), averaged, static_cast<float>(average_share(step)), context);
}

void Optimizer::update(std::span<float> values, std::span<float> gradients, double norm, double rate, int64_t step,
                       kernels::Context& context) {
  const RatedPart all{.where = std::vector<Range>{{0, static_cast<int64_t>(values.size())}}};
  if (clip_values(gradients, all.where, context)) {
    norm = std::sqrt(kernels::squared_norm(gradients.data(), all.where, context));
  }
  update(values, gradients, {&all, 1}, all.where, norm, rate, step, context);
}

// `step` counts from the part's first.
void Optimizer::update_part(std::span<float> values, std::span<const float> gradients, const RatedPart& part,
                            double scale, double rate, int64_t step, kernels::Context& context) {
  double l2 = options_.l2, keep = 1.0 - rate * options_.weight_decay;
  if (asgd_ && options_.asgd_lambda > 0.0) {
    rate /= std::pow(1.0 + options_.asgd_lambda * rate * static_cast<double>(step), 0.75);
    keep *= 1.0 - options_.asgd_lambda * rate;
  }
  double v_scale = 1.0, d_rate = 0.0;
  const auto t = static_cast<double>(step + 1);
  if (rule_ == UpdateRule::kSgd) {  // one factor instead of two; and decay is decay
    keep -= rate * l2;
    rate *= scale;
    scale = 1.0;
    l2 = 0.0;
  } else if (rule_ == UpdateRule::kAdam) {
    rate /= 1.0 - std::pow(options_.beta1, t);
    v_scale = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t));
  } else if (rule_ == UpdateRule::kNadam) {
    const double product = nesterov_product(part.since, step + 1);
    const double next = nesterov_momentum(step + 2);
    d_rate = rate * (1.0 - nesterov_momentum(step + 1)) / (1.0 - product);
    rate *= next / (1.0 - product * next);
    v_scale = 1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t));
  }
  const bool has_momentum = rule_ == UpdateRule::kMomentum || rule_ == UpdateRule::kNesterov;
  kernels::update_parameters({.rule = rule_,
                              .where = part.where,
                              .w = values.data(),
                              .dw = gradients.data(),
                              .m = m_.data(),
                              .v = v_.data(),
                              .gradient_scale = static_cast<float>(scale),
                              .l2 = static_cast<float>(l2),
                              .keep = static_cast<float>(keep),
                              .rate = static_cast<float>(rate),
                              .beta1 = static_cast<float>(has_momentum ? options_.momentum : options_.beta1),
                              .beta2 = static_cast<float>(options_.beta2),
                              .epsilon = static_cast<float>(options_.epsilon),
                              .v_scale = static_cast<float>(v_scale),
                              .d_rate = static_cast<float>(d_rate)},
                             context);
}

// The share of the weights after this update in their average.
double Optimizer::average_share(int64_t step) const {
  const auto t = static_cast<double>(step - averaging_since_);
  if (options_.average == "ema") return 1.0 - std::min(options_.average_decay, (1.0 + t) / (10.0 + t));
  if (options_.average == "swa") return 1.0 / (1.0 + t);
  return 1.0 / std::max(1.0, t);  // as PyTorch counts: the first two weights after the start are taken whole
}

std::vector<std::pair<std::string, Buffer<float>*>> Optimizer::state() {
  std::vector<std::pair<std::string, Buffer<float>*>> out;
  if (m_.size() > 0) out.emplace_back("optimizer.m", &m_);
  if (v_.size() > 0) out.emplace_back("optimizer.v", &v_);
  if (options_.keeps_average()) out.emplace_back("optimizer.average", &averages_);
  return out;
}

bool non_monotone(const std::vector<double>& losses, int64_t patience) {
  if (static_cast<int64_t>(losses.size()) <= patience + 1) return false;
  return losses.back() > *std::min_element(losses.begin(), losses.end() - 1 - patience);
}

}  // namespace longhand::train
