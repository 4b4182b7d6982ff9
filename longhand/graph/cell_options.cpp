#include "longhand/graph/cell_options.h"

#include <algorithm>
#include <iterator>

namespace longhand::graph {
namespace {

using Kind = kernels::ActivationKind;

struct OnnxActivation {
  const char* name;  // ONNX ignores case
  bool has_alpha, has_beta;
  kernels::Activation usual;
};

constexpr OnnxActivation kOnnxActivations[] = {
    {"Sigmoid", false, false, {Kind::kSigmoid}},
    {"Tanh", false, false, {Kind::kTanh}},
    {"Relu", false, false, {Kind::kRelu}},
    {"Softsign", false, false, {Kind::kSoftsign}},
    {"Softplus", false, false, {Kind::kSoftplus}},
    {"LeakyRelu", true, false, {Kind::kLeakyRelu, 0.01}},
    {"Elu", true, false, {Kind::kElu, 1.0}},
    {"ThresholdedRelu", true, false, {Kind::kThresholdedRelu, 1.0}},
    {"Affine", true, true, {Kind::kAffine, 1.0, 0.0}},
    {"ScaledTanh", true, true, {Kind::kScaledTanh, 1.0, 1.0}},
    {"HardSigmoid", true, true, {Kind::kHardSigmoid, 0.2, 0.5}},
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Constants that functions take one after the other.
class Constants {
 public:
  Constants(NodeBuild& node, const char* attribute)
      : node_(node), attribute_(attribute), values_(node.numbers(attribute)) {}

  void take(bool has, double& value) {
    if (has && next_ < values_.size()) value = values_[next_++];
  }
  void expect_all_taken() const {
    if (next_ == values_.size()) return;
    node_.fail(std::string(attribute_) + ": expected " + std::to_string(next_) +
               " constants for these functions, found " + std::to_string(values_.size()));
  }

 private:
  NodeBuild& node_;
  const char* attribute_;
  std::vector<double> values_;
  size_t next_ = 0;
};

std::vector<kernels::Activation> read_activations(NodeBuild& node, size_t number) {
  const std::vector<std::string> names = node.texts("activations");
  if (names.size() != number) {
    node.fail("activations: expected " + std::to_string(number) + " functions, found " + std::to_string(names.size()));
  }
  Constants alphas(node, "activation_alpha"), betas(node, "activation_beta");
  std::vector<kernels::Activation> out;
  for (const std::string& name : names) {
    const auto* const found = std::find_if(std::begin(kOnnxActivations), std::end(kOnnxActivations),
                                           [&](const OnnxActivation& each) { return lower(each.name) == lower(name); });
    if (found == std::end(kOnnxActivations)) node.fail("activations: '" + name + "' is not known for an LSTM's cell");
    kernels::Activation& function = out.emplace_back(found->usual);
    alphas.take(found->has_alpha, function.alpha);
    betas.take(found->has_beta, function.beta);
  }
  alphas.expect_all_taken();
  betas.expect_all_taken();
  return out;
}

}  // namespace

std::vector<kernels::LstmCell> read_cell_options(NodeBuild& node, int64_t directions) {
  std::vector<kernels::LstmCell> out(static_cast<size_t>(directions));
  std::vector<kernels::Activation> functions;
  if (node.has_attribute("activations")) functions = read_activations(node, 3 * out.size());
  const double clip = node.number("clip", 0.0);
  if (clip < 0.0) node.fail("clip: expected a bound of 0 or more");
  for (size_t d = 0; d < out.size(); ++d) {
    if (!functions.empty()) {
      out[d].gate = functions[3 * d];
      out[d].candidate = functions[3 * d + 1];
      out[d].output = functions[3 * d + 2];
    }
    out[d].gate_clip = clip;
    out[d].coupled = node.integer("input_forget", 0) != 0;
  }
  return out;
}

void write_cell_options(const kernels::LstmCell& cell, int64_t directions, Node& node) {
  if (cell.gate_clip > 0.0) node.attributes["clip"] = cell.gate_clip;
  if (cell.cell_clip > 0.0) node.attributes["cell_clip"] = cell.cell_clip;
  if (cell.coupled) node.attributes["input_forget"] = int64_t{1};
  const kernels::LstmCell standard;
  if (cell.gate == standard.gate && cell.candidate == standard.candidate && cell.output == standard.output) return;
  std::vector<std::string> names;
  std::vector<double> alphas, betas;
  for (int64_t d = 0; d < directions; ++d) {
    for (const kernels::Activation& f : {cell.gate, cell.candidate, cell.output}) {
      const auto* const row = std::find_if(std::begin(kOnnxActivations), std::end(kOnnxActivations),
                                           [&](const OnnxActivation& each) { return each.usual.kind == f.kind; });
      LONGHAND_CHECK(row != std::end(kOnnxActivations));
      names.emplace_back(row->name);
      if (row->has_alpha) alphas.push_back(f.alpha);
      if (row->has_beta) betas.push_back(f.beta);
    }
  }
  node.attributes["activations"] = names;
  if (!alphas.empty()) node.attributes["activation_alpha"] = alphas;
  if (!betas.empty()) node.attributes["activation_beta"] = betas;
}

}  // namespace longhand::graph
