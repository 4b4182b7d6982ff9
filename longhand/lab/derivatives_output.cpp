#include "longhand/lab/derivatives_check.h"

namespace longhand::lab {
namespace {

constexpr int64_t kN = 3, kV = 6;  // targets and symbols

// Logits of inputs that are rows of a table, and the mean of the cross-entropy with their targets: (45) to (48), (51).
struct Output {
  double smoothing = 0.0;
  bool dropped = false;  // whole symbols
  std::vector<int32_t> picked = {4, 1, 4}, targets = {2, 5, 1};
  Vector table = random(kV * kI, 93), w = random(kV * kI, 94), b = random(kV, 95), m = random(kV, 96);
  // Results.
  std::vector<Vector> x;
  Vector logits;  // [kN, kV]
  // Gradients.
  Vector dl, dw, db, dtable;

  double mask(size_t n) const { return dropped ? m[static_cast<size_t>(picked[n])] : 1.0; }

  // How much of a target symbol v is.
  double share(size_t n, int64_t v) const { return (v == targets[n] ? 1.0 - smoothing : 0.0) + smoothing / kV; }

  Vector softmax(size_t n) const {
    Vector p = part(logits, static_cast<int64_t>(n) * kV, kV);
    double total = 0.0;
    for (double& e : p) total += e = std::exp(e);
    for (double& e : p) e /= total;
    return p;
  }

  double loss() {
    x.clear();
    logits.clear();
    for (size_t n = 0; n < kN; ++n) {
      x.push_back(part(table, picked[n] * kI, kI));
      for (double& e : x[n]) e *= mask(n);  // (51)
      const Vector l = plus(times(w, x[n]), b);
      logits.insert(logits.end(), l.begin(), l.end());
    }
    return from_logits();
  }
  double from_logits() const {
    double sum = 0.0;
    for (size_t n = 0; n < kN; ++n) {
      const Vector p = softmax(n);
      for (size_t v = 0; v < kV; ++v) sum -= share(n, static_cast<int64_t>(v)) * std::log(p[v]) / kN;
    }
    return sum;
  }

  void backward() {
    dl.clear();
    dw = Vector(w.size()), db = Vector(kV), dtable = Vector(table.size());
    for (size_t n = 0; n < kN; ++n) {
      Vector now = softmax(n);
      now[static_cast<size_t>(targets[n])] -= 1.0 - smoothing;  // (45)
      for (double& e : now) e = (e - smoothing / kV) / kN;      // (48)
      dl.insert(dl.end(), now.begin(), now.end());
      dw = plus(dw, outer(now, x[n]));                                                                     // (46)
      db = plus(db, now);                                                                                  // (46)
      const Vector dx = transposed_times(w, now);                                                          // (46)
      for (size_t j = 0; j < kI; ++j) dtable[static_cast<size_t>(picked[n] * kI) + j] += mask(n) * dx[j];  // (47) (51)
    }
  }
};

// The same on the tape.
struct OutputTape {
  Tape<double> tape;
  Var<double> table, w, b, logits;

  explicit OutputTape(const Output& o) {
    table = leaf(tape, o.table, kV), w = leaf(tape, o.w, kV), b = leaf(tape, o.b);
    Vector masks, shares;
    for (size_t n = 0; n < kN; ++n) {
      masks.push_back(o.mask(n));
      for (int64_t v = 0; v < kV; ++v) shares.push_back(o.share(n, v));
    }
    const Var<double> x = multiply_column(gather_rows(table, o.picked.data(), kN), tape.constant(kN, 1, masks.data()));
    logits = add_row(matmul_transposed(x, w), b);
    const Var<double> of_targets = row_sum(multiply(logits, tape.constant(kN, kV, shares.data())));
    const Vector mean(kN, 1.0 / kN);
    tape.seed(subtract(log(row_sum(exp(logits))), of_targets), mean.data());
    tape.backward();
  }
};

void check_cross_entropy(Checker& checker, Output o) {
  o.loss();
  o.backward();
  const OutputTape tape(o);
  const auto loss = [&o] { return o.loss(); };
  const auto from_logits = [&o] { return o.from_logits(); };
  if (o.dropped) {
    checker.check(51, "L by the embedding, dropped out", o.table, loss, o.dtable, gradient(tape.table));
  } else if (o.smoothing > 0.0) {
    checker.check(48, "L by the logits, smoothed", o.logits, from_logits, o.dl, gradient(tape.logits));
  } else {
    checker.check(45, "L by the logits", o.logits, from_logits, o.dl, gradient(tape.logits));
    checker.check(46, "L by W_o", o.w, loss, o.dw, gradient(tape.w));
    checker.check(46, "L by b_o", o.b, loss, o.db, gradient(tape.b));
    checker.check(47, "L by the embedding", o.table, loss, o.dtable, gradient(tape.table));
  }
}

// (49) and (50): outputs u of T steps, y = mask * u, L = sum over t of dy_t . y_t, and the penalties.
void check_activation_reg(Checker& checker) {
  constexpr double kAlpha = 4.0, kBeta = 7.0, kSize = kT * kI;  // n w
  Vector u = random(kT * kI, 97), y;
  const Vector mask = random(kT * kI, 98), dy = random(kT * kI, 99);
  const auto from_y = [&] { return dot(dy, y) + kAlpha / kSize * dot(y, y); };
  const auto loss = [&] {
    y = times_each(mask, u);
    double changes = 0.0;
    for (size_t k = kI; k < u.size(); ++k) changes += (u[k] - u[k - kI]) * (u[k] - u[k - kI]);
    return from_y() + kBeta / kSize * changes;
  };
  loss();
  Vector dy_all = dy;
  for (size_t k = 0; k < y.size(); ++k) dy_all[k] += 2.0 * kAlpha / kSize * y[k];  // (49)
  Vector du = times_each(mask, dy_all);
  for (size_t k = 0; k < u.size(); ++k) {  // (50)
    const double change = k >= kI ? u[k] - u[k - kI] : 0.0;
    const double next = k + kI < u.size() ? u[k + kI] - u[k] : 0.0;
    du[k] += 2.0 * kBeta / kSize * (change - next);
  }

  Tape<double> tape;
  const Var<double> outputs = leaf(tape, u, kT), dropped = multiply(outputs, tape.constant(kT, kI, mask.data()));
  const int32_t steps[] = {0, 1, 2, 3};
  static_assert(std::size(steps) == kT);
  const Var<double> change = subtract(gather_rows(outputs, steps + 1, kT - 1), gather_rows(outputs, steps, kT - 1));
  const double alpha = kAlpha / kSize, beta = kBeta / kSize;
  tape.seed(dropped, dy.data());
  tape.seed(sum(multiply(dropped, dropped)), &alpha);
  tape.seed(sum(multiply(change, change)), &beta);
  tape.backward();
  checker.check(49, "L by y_t, activation reg.", y, from_y, dy_all, gradient(dropped));
  checker.check(50, "L by u_t, temporal reg.", u, loss, du, gradient(outputs));
}

}  // namespace

void check_around_layers(Checker& checker) {
  check_cross_entropy(checker, {});
  check_cross_entropy(checker, {.smoothing = 0.3});
  check_activation_reg(checker);
  check_cross_entropy(checker, {.dropped = true});
}

}  // namespace longhand::lab
