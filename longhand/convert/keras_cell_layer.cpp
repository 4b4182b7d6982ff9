#include "longhand/convert/keras_cell_layer.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

struct CellFunction {
  const char* keras;
  const char* here;
  double alpha, beta;  // where the function has them
  bool has_alpha, has_beta;
};

constexpr CellFunction kCellFunctions[] = {
    {"tanh", "Tanh", 0, 0, false, false},
    {"sigmoid", "Sigmoid", 0, 0, false, false},
    {"relu", "Relu", 0, 0, false, false},
    {"linear", "Affine", 1.0, 0.0, true, true},
    {"softsign", "Softsign", 0, 0, false, false},
    {"softplus", "Softplus", 0, 0, false, false},
    {"elu", "Elu", 1.0, 0, true, false},
    {"hard_sigmoid", "HardSigmoid", 0, 0, true, true},
    {"leaky_relu", "LeakyRelu", 0.2, 0, true, false},
    {"selu", "Selu", 0, 0, false, false},
    {"gelu", "Gelu", 0, 0, false, false},
    {"swish", "Silu", 0, 0, false, false},
    {"silu", "Silu", 0, 0, false, false},
    {"mish", "Mish", 0, 0, false, false},
    {"exponential", "Exp", 0, 0, false, false},
    {"hard_silu", "HardSwish", 0, 0, false, false},
    {"hard_swish", "HardSwish", 0, 0, false, false},
};

bool flag_of(const KerasSite& site, const Json& config, const char* key, bool otherwise) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) site.fail(fmt::format("{}: expected true or false", key), "the file is damaged");
  return found->get<bool>();
}

std::string cell_function(const KerasSite& site, const Json& config, const char* key, const char* old_key,
                          const std::string& otherwise) {
  const std::string out = text_of(config, key, text_of(config, old_key, otherwise, site.where()), site.where());
  return out.empty() ? "linear" : out;
}

void add_function(const KerasSite& site, const std::string& name, std::vector<std::string>& names,
                  std::vector<double>& alpha, std::vector<double>& beta) {
  const auto* row = std::find_if(std::begin(kCellFunctions), std::end(kCellFunctions),
                                 [&](const CellFunction& each) { return name == each.keras; });
  if (row == std::end(kCellFunctions)) {
    site.fail(fmt::format("activation '{}' is not known", visible(name)), "it cannot be run");
  }
  names.emplace_back(row->here);
  const auto hard = keras_hard_sigmoid(site.keras.version);
  const bool is_hard = name == "hard_sigmoid";
  if (row->has_alpha) alpha.push_back(is_hard ? hard.first : row->alpha);
  if (row->has_beta) beta.push_back(is_hard ? hard.second : row->beta);
}

}  // namespace

bool is_cell_layer(const std::string& type) {
  return type == "LSTM" || type == "GRU" || type == "SimpleRNN" || type == "CuDNNLSTM" || type == "CuDNNGRU";
}

CellLayer read_cell_layer(const KerasSite& site, const std::string& type, const Json& config,
                          const KerasArrays& arrays) {
  const bool was_cudnn = type.starts_with("CuDNN");
  CellLayer out;
  out.type = was_cudnn ? type.substr(5) : type;
  bool cudnn = false;
  out.cell = keras_cell(site.builder, site.name, type, arrays, cudnn);
  out.reset_after = flag_of(site, config, "reset_after", was_cudnn) || cudnn;
  if (cudnn) site.builder.note(fmt::format("'{}': weights in the layout of CuDNN, two biases", visible(site.name)));
  const int64_t H = out.cell.recurrent.dims[0], rows = static_cast<int64_t>(gates_of(out.cell.order).size()) * H;
  const bool two = (out.is_gru() && out.reset_after) || cudnn;
  const auto biases = static_cast<int64_t>(out.cell.bias.floats.size());
  if (biases != 0 && biases != (two ? 2 : 1) * rows) {
    site.fail(
        fmt::format("expected a bias of {} numbers, found {}", (two ? 2 : 1) * rows, graph::shown(out.cell.bias.dims)),
        "the file is damaged");
  }
  if (biases == 0 && flag_of(site, config, "use_bias", true))
    site.fail("expected a bias, found none", "the file is damaged");
  const char* key = config.contains("units") ? "units" : "output_dim";
  out.units = whole_of(member(config, key, site.where()), 1, 1 << 20, site.where());
  if (out.units != H) site.fail(fmt::format("expected weights of {} units, found {}", out.units, H), "it is damaged");
  const std::string usual = site.keras.version == 1 ? "hard_sigmoid" : "sigmoid";
  out.gates = was_cudnn ? "sigmoid" : cell_function(site, config, "recurrent_activation", "inner_activation", usual);
  out.candidate = was_cudnn ? "tanh" : cell_function(site, config, "activation", "activation", "tanh");
  return out;
}

// Functions of the gates, the input and the output of the cell, where they are not the usual ones.
void add_cell_functions(const KerasSite& site, const std::vector<CellLayer>& layers,
                        NetworkBuilder::Attributes& attributes) {
  const CellLayer& one = layers.front();
  const bool plain = !one.is_lstm() && !one.is_gru();
  if ((plain || one.gates == "sigmoid") && one.candidate == "tanh") return;
  if (plain && one.candidate == "relu") return (void)(attributes["activation"] = "relu");
  std::vector<std::string> names;
  std::vector<double> alpha, beta;
  for (size_t direction = 0; direction < layers.size(); ++direction) {
    if (!plain) add_function(site, one.gates, names, alpha, beta);
    add_function(site, one.candidate, names, alpha, beta);
    if (one.is_lstm()) add_function(site, one.candidate, names, alpha, beta);
  }
  if (plain) {
    attributes["activation"] = names.front();
  } else {
    attributes["activations"] = names;
  }
  if (!alpha.empty()) attributes["activation_alpha"] = alpha;
  if (!beta.empty()) attributes["activation_beta"] = beta;
  const bool hard = one.gates == "hard_sigmoid" && !plain;
  site.builder.note(fmt::format("'{}': {}cell by {}{}", visible(site.name),
                                plain ? "" : fmt::format("gates by {}, ", one.gates), one.candidate,
                                hard ? fmt::format("; hard_sigmoid as Keras {} defines it", site.keras.version) : ""));
}

}  // namespace longhand::convert
