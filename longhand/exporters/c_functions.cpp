#include "longhand/exporters/c_functions.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "longhand/base/error.h"

namespace longhand::exporters {
namespace {

struct Helper {
  const char* name;
  std::vector<const char*> calls;
  const char* text;
};

// Helper functions, each before its callers. They have no branches and no library calls, so that compilers can
// vectorise loops over them without -ffast-math. Polynomials are minimax fits (Remez) of our own.
const std::vector<Helper>& helpers() {
  static const std::vector<Helper> kHelpers = {
      {"bits", {}, R"(@INLINE uint32_t @bits(float x) {
  uint32_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}
)"},
      {"unbits", {}, R"(@INLINE float @unbits(uint32_t b) {
  float x;
  memcpy(&x, &b, sizeof x);
  return x;
}
)"},
      {"exp_parts",
       {"bits", "unbits"},
       R"(/* e^x = power + power * (the result), with a relative error below 3e-7. x is held within -87 to 87; what is no number
   counts as such a bound. */
@INLINE float @exp_parts(float x, float *power) {
  const uint32_t sign = @bits(x) & 0x80000000u;
  const int32_t size = (int32_t)(@bits(x) & 0x7fffffffu);
  const float held = @unbits((uint32_t)(size < 0x42ae0000 ? size : 0x42ae0000) | sign);
  const float t = held * 1.442695041f; /* e^x = 2^n e^r */
  const int32_t n = (int32_t)(t + @unbits(0x3f000000u | sign));
  const float r = held - (float)n * 0.693145752f - (float)n * 1.42860677e-6f;
  float q = 0.001381313892f;
  q = q * r + 0.008369418724f;
  q = q * r + 0.04166845687f;
  q = q * r + 0.1666651479f;
  q = q * r + 0.4999999305f;
  *power = @unbits((uint32_t)(n + 127) << 23);
  return q * r * r + r;
}
)"},
      {"expm1", {"exp_parts"}, R"(@INLINE float @expm1(float x) {
  float power;
  const float part = @exp_parts(x, &power);
  return part * power + (power - 1.0f);
}
)"},
      {"exp", {"exp_parts"}, R"(@INLINE float @exp(float x) {
  float power;
  const float part = @exp_parts(x, &power);
  return (part + 1.0f) * power;
}
)"},
      {"sigmoid", {"exp"}, R"(@INLINE float @sigmoid(float x) { return 1.0f / (1.0f + @exp(-x)); }
)"},
      {"tanh", {"expm1"}, R"(@INLINE float @tanh(float x) {
  const float e = @expm1(2.0f * x);
  return e / (e + 2.0f);
}
)"},
      {"log",
       {"bits", "unbits"},
       R"(/* The natural logarithm, with an absolute error below 3e-7 of numbers around 1. Below 1.2e-38, and for what is no
   number, it is that of a bound. */
@INLINE float @log(float x) {
  const uint32_t b = @bits(x);
  const uint32_t held = (b - 0x00800000u) < 0x7f000000u ? b : b < 0x80000000u && b > 0x7f000000u ? 0x7f7fffffu : 0x00800000u;
  const uint32_t n = (held + 0x004afb0du) >> 23; /* x = 2^(n - 127) m, m around 1 */
  const float m = @unbits(held - ((n - 127u) << 23));
  const float s = (m - 1.0f) / (m + 1.0f), u = s * s;
  const float series = 0.3333333433f + u * (0.2f + u * (0.1428571492f + u * 0.1111111119f));
  return (float)((int32_t)n - 127) * 0.6931471806f + 2.0f * (s + s * u * series);
}
)"},
      {"softplus", {"exp", "log"}, R"(@INLINE float @softplus(float x) {
  const float size = x < 0.0f ? -x : x;
  return (x > 0.0f ? x : 0.0f) + @log(1.0f + @exp(-size));
}
)"},
      {"erf", {"exp"}, R"(/* Abramowitz and Stegun 1964, 7.1.26: an absolute error below 2e-7. */
@INLINE float @erf(float x) {
  const float size = x < 0.0f ? -x : x, t = 1.0f / (1.0f + 0.3275911f * size);
  const float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float y = 1.0f - p * @exp(-size * size);
  return x < 0.0f ? -y : y;
}
)"},
      {"floor", {}, R"(@INLINE float @floor(float x) {
  float whole = x;
  if (x > -8388608.0f && x < 8388608.0f) {
    whole = (float)(int32_t)x;
    if (whole > x) whole -= 1.0f;
  }
  return whole;
}
)"},
      {"round", {"floor"}, R"(/* To the nearest whole number; of two, to the even one. */
@INLINE float @round(float x) {
  const float below = @floor(x), rest = x - below, half = 0.5f * below;
  const int up = rest > 0.5f || (rest >= 0.5f && @floor(half) < half);
  return up ? below + 1.0f : below;
}
)"},
      {"sqrt", {}, ""},  // from <math.h>
  };
  return kHelpers;
}

}  // namespace

std::set<std::string> helper_names() {
  std::set<std::string> out;
  for (const Helper& each : helpers()) out.insert(each.name);
  return out;
}

void use_helper(CProgram& program, const std::string& name) {
  const auto found =
      std::find_if(helpers().begin(), helpers().end(), [&](const Helper& each) { return each.name == name; });
  LONGHAND_CHECK(found != helpers().end());
  if (!program.helpers.insert(name).second) return;
  for (const char* called : found->calls) use_helper(program, called);
}

bool needs_math(const std::set<std::string>& names) { return names.contains("sqrt"); }

std::string helper_texts(const std::set<std::string>& names) {
  std::string out;
  for (const Helper& each : helpers()) {
    if (names.contains(each.name) && *each.text != 0) out += std::string(each.text) + "\n";
  }
  return out;
}

std::string c_function(CProgram& program, kernels::Function f, float alpha, float beta, const std::string& x) {
  using kernels::Function;
  const std::string a = c_float(alpha), b = c_float(beta);
  const auto call = [&](const char* name, const std::string& argument) {
    use_helper(program, name);
    return fmt::format("@{}({})", name, argument);
  };
  const auto fill = [&](std::string_view text) { return c_fill(text, {{"x", x}, {"a", a}, {"b", b}}); };
  switch (f) {
    case Function::kIdentity: return x;
    case Function::kRelu: return fill("($x > 0.0f ? $x : 0.0f)");
    case Function::kLeakyRelu: return fill("($x < 0.0f ? $a * $x : $x)");
    case Function::kThresholded: return fill("($x > $a ? $x : 0.0f)");
    case Function::kElu: return fill("($x < 0.0f ? $a * ") + call("expm1", x) + fill(" : $x)");
    case Function::kCelu: return fill("($x < 0.0f ? $a * ") + call("expm1", fill("$x / $a")) + fill(" : $x)");
    case Function::kSelu: return fill("$b * ($x > 0.0f ? $x : $a * ") + call("expm1", x) + ")";
    case Function::kGelu: return fill("0.5f * $x * (1.0f + ") + call("erf", fill("$x * 0.70710678f")) + ")";
    case Function::kGeluTanh:
      return fill("0.5f * $x * (1.0f + ") + call("tanh", fill("0.79788456f * ($x + 0.044715f * $x * $x * $x)")) + ")";
    case Function::kSigmoid: return call("sigmoid", x);
    case Function::kHardSigmoid:
      return fill("($a * $x + $b < 0.0f ? 0.0f : $a * $x + $b > 1.0f ? 1.0f : $a * $x + $b)");
    case Function::kHardSwish: return fill("($x < -3.0f ? 0.0f : $x > 3.0f ? $x : $x * ($x * 0.16666667f + 0.5f))");
    case Function::kSilu: return x + " * " + call("sigmoid", x);
    case Function::kMish: {
      const std::string softplus = call("softplus", x);
      return x + " * " + call("tanh", softplus);
    }
    case Function::kTanh: return call("tanh", x);
    case Function::kScaledTanh: return a + " * " + call("tanh", fill("$b * $x"));
    case Function::kSoftsign: return fill("$x / (1.0f + ($x < 0.0f ? -$x : $x))");
    case Function::kSoftplus: return call("softplus", x);
    case Function::kAffine: return fill("$a * $x + $b");
    case Function::kClip: return fill("($x < $a ? $a : $x > $b ? $b : $x)");
    case Function::kExp: return call("exp", x);
    case Function::kLog: return call("log", x);
    case Function::kSqrt: use_helper(program, "sqrt"); return fmt::format("sqrtf({})", x);
    case Function::kAbs: return fill("($x < 0.0f ? -$x : $x)");
    case Function::kNeg: return fmt::format("-{}", x);
    case Function::kReciprocal: return fmt::format("1.0f / {}", x);
    case Function::kFloor: return call("floor", x);
    case Function::kCeil: return fmt::format("-{}", call("floor", fmt::format("-{}", x)));
    case Function::kRound: return call("round", x);
    case Function::kSign: return fill("($x > 0.0f ? 1.0f : $x < 0.0f ? -1.0f : 0.0f)");
    case Function::kErf: return call("erf", x);
    case Function::kSin:
    case Function::kCos: break;
  }
  return "";
}

}  // namespace longhand::exporters
