#include "longhand/baselines/ridge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "longhand/base/error.h"

namespace longhand::baselines {
namespace {

constexpr int64_t kMaxOutputs = 1 << 24;  // coefficients of a fit

// Exponents of ten, of the penalty for each window: whole ones first, then those between beside the best.
constexpr double kFirstExponent = -6.0, kLastExponent = 1.0;

struct Candidate {
  double penalty_per_window = 0.0;
  double error = std::numeric_limits<double>::infinity();  // mean of standardised squares
};

// What is fitted to, what chooses, and what the chosen fit is made of.
struct Split {
  Sums fitted, held_out, all;
};

Split split_of(const RidgeData& data, const Reading& reading) {
  Split out;
  out.all = sums_of(data.train, data.train_windows, reading);
  if (!data.valid_windows.empty()) {
    out.held_out = sums_of(data.valid, data.valid_windows, reading);
    out.fitted = out.all;
    return out;
  }
  const size_t last = std::max<size_t>(1, data.train_windows.size() / 10);
  out.held_out = sums_of(data.train, data.train_windows.last(last), reading);
  out.fitted = out.all;
  subtract(out.fitted, out.held_out);
  return out;
}

Candidate best_penalty(const Sums& fitted, const Sums& held_out) {
  Candidate best;
  const auto consider = [&](double exponent) {
    const double penalty = std::pow(10.0, exponent);
    const double error = squared_error(held_out, fit(fitted, penalty * static_cast<double>(fitted.count))) /
                         static_cast<double>(held_out.count * held_out.m);
    if (error < best.error) best = {penalty, error};
  };
  for (double e = kFirstExponent; e <= kLastExponent; e += 1.0) consider(e);
  if (!std::isfinite(best.error)) return best;
  const double whole = std::round(std::log10(best.penalty_per_window));
  if (whole > kFirstExponent) consider(whole - 0.5);
  if (whole < kLastExponent) consider(whole + 0.5);
  return best;
}

// Rows that can be read of a window with so many columns.
int64_t readable(int64_t window, size_t columns, int64_t outputs) {
  const int64_t most = std::min(kMaxRidgeInputs, kMaxOutputs / std::max<int64_t>(outputs, 1));
  return std::min(window, most / static_cast<int64_t>(std::max<size_t>(columns, 1)));
}

Ridge named(const RidgeData& data, const Reading& reading, double penalty, const Linear& linear) {
  const auto K = static_cast<int64_t>(linear.bias.size()), n = reading.inputs();
  Ridge out{.window = reading.window, .outputs = K, .penalty = penalty};
  for (const size_t c : reading.columns) out.columns.push_back(data.names[c]);
  out.coefficients.resize(static_cast<size_t>(n * K));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < K; ++k) {
      out.coefficients[static_cast<size_t>(k * n + i)] =
          static_cast<float>(linear.weight[static_cast<size_t>(i * K + k)]);
    }
  }
  for (const double b : linear.bias) out.intercept.push_back(static_cast<float>(b));
  return out;
}

}  // namespace

void Ridge::predict(const double* x, double* y) const {
  const size_t n = columns.size() * static_cast<size_t>(window);
  for (size_t k = 0; k < intercept.size(); ++k) {
    const float* w = coefficients.data() + k * n;
    double sum = static_cast<double>(intercept[k]);
    for (size_t i = 0; i < n; ++i) sum += static_cast<double>(w[i]) * x[i];
    y[k] = sum;
  }
}

void Ridge::write(BaselineWriter& file) const {
  file.add("window", std::to_string(window));
  file.add("outputs", std::to_string(outputs));
  file.add_numbers("penalty", std::vector<double>{penalty});
  file.add_texts("columns", columns);
  file.add_numbers("coefficients", coefficients);
  file.add_numbers("intercept", intercept);
  if (!deviations.empty()) file.add_numbers("deviations", deviations);
}

Ridge Ridge::read(const BaselineFile& file) {
  Ridge out;
  file.expect(file.kind() == kKind, "a ridge regression");
  out.window = file.number("window", 1, kMaxRidgeInputs);
  out.outputs = file.number("outputs", 1, kMaxOutputs);
  out.penalty = file.numbers<double>("penalty", 1).front();
  out.columns = file.texts("columns");
  file.expect(!out.columns.empty() && out.columns.size() <= static_cast<size_t>(kMaxRidgeInputs / out.window),
              "columns of numbers");
  out.intercept = file.numbers<float>("intercept", static_cast<size_t>(out.outputs));
  out.coefficients =
      file.numbers<float>("coefficients", out.intercept.size() * out.columns.size() * static_cast<size_t>(out.window));
  if (!file.has("deviations")) return out;  // of an earlier version
  out.deviations = file.numbers<float>("deviations", out.intercept.size());
  for (const float deviation : out.deviations) file.expect(deviation >= 0.0F, "deviations of at least 0");
  return out;
}

std::optional<RidgeFit> fit_ridge(const RidgeData& data, std::span<const RidgeChoice> choices) {
  std::optional<RidgeFit> best;
  Linear best_linear;
  const auto outputs = data.ahead * static_cast<int64_t>(data.train.y.size());
  if (data.train_windows.size() < 2) return best;
  for (const RidgeChoice& choice : choices) {
    const int64_t longest = readable(choice.window, choice.columns.size(), outputs);
    if (longest < 1 || choice.columns.empty()) continue;
    const Split whole = split_of(data, {choice.columns, longest, data.ahead});
    for (int64_t window = longest; window >= 1; window /= 2) {
      const Reading reading{choice.columns, window, data.ahead};
      const Sums fitted = shortened(whole.fitted, longest, window);
      const Candidate found = best_penalty(fitted, shortened(whole.held_out, longest, window));
      if (!best ? std::isfinite(found.error) : found.error < best->held_out_mse) {
        best = {{}, reading, found.error};
        const Sums all = shortened(whole.all, longest, window);
        const double penalty = found.penalty_per_window * static_cast<double>(all.count);
        best_linear = fit(all, penalty);
        best->ridge.penalty = penalty;
      }
      if (!choice.shorter) break;
    }
  }
  if (best) best->ridge = named(data, best->reading, best->ridge.penalty, best_linear);
  return best;
}

double ridge_work(const RidgeData& data, size_t columns, int64_t window) {
  const auto O = static_cast<double>(data.train.y.size()), A = static_cast<double>(data.ahead);
  const auto C = static_cast<double>(columns);
  const auto W = static_cast<double>(readable(window, columns, data.ahead * static_cast<int64_t>(data.train.y.size())));
  const auto N = static_cast<double>(data.train_windows.size() + data.valid_windows.size());
  const double n = C * W, sums = N * (C * (C + 1.0) * W + C * O * (W + A));
  // Each penalty: Cholesky's factors, two triangular systems and the error. Halves, quarters, ... of the window add a
  // seventh to what grows with n^3, and a third to what grows with n^2.
  const double penalties = kLastExponent - kFirstExponent + 3.0;
  return sums + penalties * (n * n * n / 6.0 * 8.0 / 7.0 + n * n * (2.0 * O * A + 1.0) * 4.0 / 3.0);
}

ChosenColumns choose_columns(const RidgeData& data, int64_t window, double min_gain, double most_work) {
  ChosenColumns out{.columns = {}, .window = window};
  std::vector<ChosenColumns::Column> left;  // with the errors when they were last tried, the smallest first
  for (size_t c = 0; c < data.names.size(); ++c) left.push_back({c, 0.0});
  const auto all = static_cast<double>(left.size());
  while (out.window > 1 && all * ridge_work(data, 1, out.window) > most_work / 3.0) out.window = (out.window + 1) / 2;
  std::vector<size_t> chosen;
  double error = std::numeric_limits<double>::infinity();
  while (!left.empty()) {
    const double work = ridge_work(data, chosen.size() + 1, out.window), rest = most_work - out.work;
    size_t tried = left.size();
    if (!chosen.empty() && work * static_cast<double>(tried) > rest / 2.0) {
      tried = std::min(tried, static_cast<size_t>(std::max(rest / 2.0 / work, 0.0)));
      if (tried == 0 && work <= rest) tried = 1;
    }
    out.tried_all = out.tried_all && tried == left.size();
    for (size_t i = 0; i < tried; ++i) {
      RidgeChoice choice{.columns = chosen, .window = out.window};
      choice.columns.push_back(left[i].column);
      const auto found = fit_ridge(data, {&choice, 1});
      left[i].held_out_mse = found ? found->held_out_mse : std::numeric_limits<double>::infinity();
      out.work += work;
      ++out.fits;
    }
    if (tried == 0) break;
    std::stable_sort(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(tried),
                     [](const auto& a, const auto& b) { return a.held_out_mse < b.held_out_mse; });
    if (!(left[0].held_out_mse < error * (1.0 - min_gain))) break;
    error = left[0].held_out_mse;
    chosen.push_back(left[0].column);
    out.columns.push_back(left[0]);
    left.erase(left.begin());
  }
  return out;
}

}  // namespace longhand::baselines
