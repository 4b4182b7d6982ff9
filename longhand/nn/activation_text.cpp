#include "longhand/nn/activation_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/options.h"

namespace longhand::nn {
namespace {

using Kind = kernels::ActivationKind;

struct NamedActivation {
  const char* name;
  int constants;  // how many of alpha and beta it has
  kernels::Activation usual;
};

constexpr NamedActivation kNamedActivations[] = {
    {"sigmoid", 0, {Kind::kSigmoid}},
    {"tanh", 0, {Kind::kTanh}},
    {"relu", 0, {Kind::kRelu}},
    {"hard-sigmoid", 2, {Kind::kHardSigmoid, 0.2, 0.5}},
    {"leaky-relu", 1, {Kind::kLeakyRelu, 0.01}},
    {"elu", 1, {Kind::kElu, 1.0}},
    {"thresholded-relu", 1, {Kind::kThresholdedRelu, 1.0}},
    {"affine", 2, {Kind::kAffine, 1.0, 0.0}},
    {"scaled-tanh", 2, {Kind::kScaledTanh, 1.0, 1.0}},
    {"softsign", 0, {Kind::kSoftsign}},
    {"softplus", 0, {Kind::kSoftplus}},
};

std::vector<std::string> names_of_activations() {
  std::vector<std::string> out;
  for (const NamedActivation& each : kNamedActivations) out.emplace_back(each.name);
  return out;
}

// The parts of a text between colons.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == ':') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

// A number that a float can hold, too.
bool read_constant(const std::string& text, double& out) {
  constexpr double kMost = 1e30;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && std::abs(out) <= kMost;
}

}  // namespace

std::string activation_names() {
  std::string out;
  for (const std::string& name : names_of_activations()) out += (out.empty() ? "" : ", ") + name;
  return out;
}

kernels::Activation parse_activation(const std::string& option, const std::string& text) {
  constexpr size_t kShown = 60;  // of what may be anything
  const std::string found = ", found '" + text.substr(0, kShown) + (text.size() > kShown ? "..." : "") + "'";
  const std::vector<std::string> parts = parts_of(text);
  const auto* const named = std::find_if(std::begin(kNamedActivations), std::end(kNamedActivations),
                                         [&](const NamedActivation& each) { return each.name == parts.front(); });
  if (named == std::end(kNamedActivations)) {
    throw usage_error("`" + option + "`: expected an activation function" + found,
                      "the functions are " + activation_names() + did_you_mean(parts.front(), names_of_activations()));
  }
  kernels::Activation out = named->usual;
  double* constants[] = {&out.alpha, &out.beta};
  bool good = static_cast<int>(parts.size()) <= 1 + named->constants;
  for (size_t i = 1; good && i < parts.size(); ++i) good = read_constant(parts[i], *constants[i - 1]);
  if (good) return out;
  const std::string form = std::string(named->name) + (named->constants == 2   ? " or " + parts.front() + ":ALPHA:BETA"
                                                       : named->constants == 1 ? " or " + parts.front() + ":ALPHA"
                                                                               : "");
  throw usage_error("`" + option + "`: expected " + form + found,
                    named->constants == 0 ? "this function has no constants; leave them out"
                                          : "its constants are numbers from -1e30 to 1e30, such as " +
                                                activation_text({named->usual.kind, 0.25, 0.5}));
}

std::string activation_text(const kernels::Activation& activation) {
  for (const NamedActivation& each : kNamedActivations) {
    if (each.usual.kind != activation.kind) continue;
    std::string out = each.name;
    if (activation == each.usual) return out;
    if (each.constants > 0) out += ":" + shortest(activation.alpha);
    if (each.constants > 1) out += ":" + shortest(activation.beta);
    return out;
  }
  LONGHAND_CHECK(false);
}

}  // namespace longhand::nn
