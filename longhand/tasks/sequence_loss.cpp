#include "longhand/tasks/sequence_loss.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand::tasks {

void SequenceLossOptions::add_to(OptionTable& table) {
  table.add(
      "loss", loss,
      "what is minimised: mse, mae, esr (error-to-signal ratio, for sound) or cross-entropy (targets are classes, "
      "whole numbers from 0 on)",
      one_of({"mse", "mae", "esr", "cross-entropy"}));
  table.add("pre-emphasis", pre_emphasis,
            "coefficient a of the filter x_t - a x_(t-1) before the error-to-signal ratio (0.85 or 0.95 for guitar "
            "amplifiers); 0: none",
            between(0.0, 0.9999));
  table.add("dc", dc, "factor of a term of the error-to-signal ratio for the mean error; 0: none", between(0.0, 1e6));
}

void SequenceLossOptions::check() const {
  if (loss == "esr") return;
  const char* name = pre_emphasis != 0.0 ? "pre-emphasis" : dc != 0.0 ? "dc" : nullptr;
  if (name == nullptr) return;
  throw usage_error(std::string("`") + name + "`: expected `loss` esr with it, found " + loss,
                    "leave one of the two out");
}

SequenceLoss SequenceLossOptions::kind() const {
  return loss == "mae"             ? SequenceLoss::kMae
         : loss == "esr"           ? SequenceLoss::kEsr
         : loss == "cross-entropy" ? SequenceLoss::kCrossEntropy
                                   : SequenceLoss::kMse;
}

// The loss of one sequence of a batch.
template <class T>
class RowLoss {
 public:
  RowLoss(const SequenceLossOptions& options, const LossInput<T>& in) : options_(options), in_(in) {}

  LossSums of(int64_t b) const {
    switch (options_.kind()) {
      case SequenceLoss::kCrossEntropy: return cross_entropy(b);
      case SequenceLoss::kEsr: return esr(b);
      default: return mean(b);
    }
  }

 private:
  const T* y(int64_t t, int64_t b) const { return in_.y + (t * in_.batch + b) * in_.stride; }
  T* dy(int64_t t, int64_t b) const { return in_.dy + (t * in_.batch + b) * in_.stride; }
  double error(int64_t t, int64_t b, int64_t o) const {
    const auto target = static_cast<double>(in_.targets[(t * in_.batch + b) * in_.outputs + o]);
    return in_.scales[static_cast<size_t>(o)].deviation * (static_cast<double>(y(t, b)[o]) - target);
  }

  LossSums mean(int64_t b) const {
    const bool squared = options_.kind() == SequenceLoss::kMse;
    const double share = 1.0 / static_cast<double>(in_.outputs);
    LossSums out;
    for (int64_t t = in_.counted[static_cast<size_t>(b)].begin; t < in_.counted[static_cast<size_t>(b)].end; ++t) {
      for (int64_t o = 0; o < in_.outputs; ++o) {
        const double spread = in_.spread[static_cast<size_t>(o)];
        const double e = error(t, b, o) / spread;
        out.loss += share * (squared ? e * e : std::abs(e));
        if (in_.dy == nullptr) continue;
        const double slope = squared ? 2.0 * e : e > 0.0 ? 1.0 : e < 0.0 ? -1.0 : 0.0;
        dy(t, b)[o] = static_cast<T>(in_.scale * share * slope * in_.scales[static_cast<size_t>(o)].deviation / spread);
      }
    }
    return out;
  }

  // With f_t = e_t - a e_{t-1}, the derivative of the sum of f^2 by e_t is 2 (f_t - a f_{t+1}); f after the batch is 0.
  LossSums esr(int64_t b) const {
    const double a = options_.pre_emphasis;
    const Range counted = in_.counted[static_cast<size_t>(b)];
    LossSums out;
    for (int64_t o = 0; o < in_.outputs; ++o) {
      T* kept = in_.before == nullptr ? nullptr : in_.before + b * in_.outputs + o;
      const double deviation = in_.scales[static_cast<size_t>(o)].deviation;
      const auto at = [&](int64_t t) {
        return t >= 0 ? error(t, b, o) : kept == nullptr ? 0.0 : static_cast<double>(*kept);
      };
      double sum = 0.0, before = counted.size() > 0 ? at(counted.begin - 1) : 0.0;
      for (int64_t t = counted.begin; t < counted.end; ++t) {
        const double e = error(t, b, o), filtered = e - a * before;
        out.loss += filtered * filtered;
        sum += e;
        if (in_.dy != nullptr) {
          dy(t, b)[o] = static_cast<T>(2.0 * in_.scale * deviation * filtered);
          if (t > 0) dy(t - 1, b)[o] -= static_cast<T>(2.0 * in_.scale * deviation * a * filtered);
        }
        before = e;
      }
      if (counted.size() > 0) {
        const double mean_error = sum / static_cast<double>(counted.size());
        out.dc += static_cast<double>(counted.size()) * mean_error * mean_error;
        for (int64_t t = counted.begin; in_.dy != nullptr && in_.dc_scale != 0.0 && t < counted.end; ++t) {
          dy(t, b)[o] += static_cast<T>(2.0 * in_.dc_scale * deviation * mean_error);
        }
      }
      if (kept != nullptr && in_.steps > 0) *kept = static_cast<T>(error(in_.steps - 1, b, o));
    }
    return out;
  }

  LossSums cross_entropy(int64_t b) const {
    LossSums out;
    for (int64_t t = in_.counted[static_cast<size_t>(b)].begin; t < in_.counted[static_cast<size_t>(b)].end; ++t) {
      const T* logits = y(t, b);
      const int64_t target = in_.classes[t * in_.batch + b];
      const auto largest = static_cast<double>(*std::max_element(logits, logits + in_.outputs));
      double sum = 0.0;
      for (int64_t o = 0; o < in_.outputs; ++o) sum += std::exp(static_cast<double>(logits[o]) - largest);
      out.loss += largest + std::log(sum) - static_cast<double>(logits[target]);
      for (int64_t o = 0; in_.dy != nullptr && o < in_.outputs; ++o) {
        const double p = std::exp(static_cast<double>(logits[o]) - largest) / sum;
        dy(t, b)[o] = static_cast<T>(in_.scale * (p - (o == target ? 1.0 : 0.0)));
      }
    }
    return out;
  }

  const SequenceLossOptions& options_;
  const LossInput<T>& in_;
};

template <class T>
LossSums sequence_loss(const SequenceLossOptions& options, const LossInput<T>& input, std::vector<LossSums>& rows,
                       ThreadPool& pool) {
  rows.assign(static_cast<size_t>(input.batch), {});
  const RowLoss<T> loss(options, input);
  constexpr int64_t kWorthIt = 8192;
  pool.run(
      [&](int part, int parts) {
        const Range range = split(input.batch, parts, part);
        for (int64_t b = range.begin; b < range.end; ++b) {
          for (int64_t t = 0; input.dy != nullptr && t < input.steps; ++t) {
            std::fill_n(input.dy + (t * input.batch + b) * input.stride, input.stride, T(0));
          }
          rows[static_cast<size_t>(b)] = loss.of(b);
        }
      },
      std::max<int64_t>(1, input.steps * input.batch * input.outputs * 4 / kWorthIt));
  LossSums out;
  for (const LossSums& row : rows) {
    out.loss += row.loss;
    out.dc += row.dc;
  }
  return out;
}

template LossSums sequence_loss(const SequenceLossOptions&, const LossInput<float>&, std::vector<LossSums>&,
                                ThreadPool&);
template LossSums sequence_loss(const SequenceLossOptions&, const LossInput<double>&, std::vector<LossSums>&,
                                ThreadPool&);

TargetEnergy target_energy(const SequenceLossOptions& options, std::span<const float> targets,
                           std::span<const data::Scale> scales, const Range& counted) {
  const auto O = static_cast<int64_t>(scales.size());
  TargetEnergy out;
  const auto at = [&](int64_t t, int64_t o) {
    return t < 0 ? 0.0
                 : scales[static_cast<size_t>(o)].undo(static_cast<double>(targets[static_cast<size_t>(t * O + o)]));
  };
  for (int64_t t = counted.begin; t < counted.end; ++t) {
    for (int64_t o = 0; o < O; ++o) {
      const double y = at(t, o), filtered = y - options.pre_emphasis * at(t - 1, o);
      out.filtered += filtered * filtered;
      out.plain += y * y;
    }
  }
  return out;
}

}  // namespace longhand::tasks
