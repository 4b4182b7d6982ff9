#include "longhand/convert/keras_recurrent.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

struct CellFunction {
  const char* keras;
  const char* onnx;
  double alpha, beta;  // where ONNX's function has them
  bool has_alpha, has_beta;
};

constexpr CellFunction kCellFunctions[] = {
    {"tanh", "Tanh", 0, 0, false, false},         {"sigmoid", "Sigmoid", 0, 0, false, false},
    {"relu", "Relu", 0, 0, false, false},         {"linear", "Affine", 1.0, 0.0, true, true},
    {"softsign", "Softsign", 0, 0, false, false}, {"softplus", "Softplus", 0, 0, false, false},
    {"elu", "Elu", 1.0, 0, true, false},          {"hard_sigmoid", "HardSigmoid", 0, 0, true, true},
};

class RecurrentBuilder {
 public:
  RecurrentBuilder(NetworkBuilder& builder, const KerasRecurrent& layer) : builder_(builder), layer_(layer) {}

  KerasValue run(const KerasValue& x, const KerasArrays& arrays) {
    both_ = layer_.type == "Bidirectional";
    const Json* config = &layer_.config;
    type_ = layer_.type;
    if (both_) {
      const Json& inner = member(layer_.config, "layer", layer_.where);
      type_ = text_of(inner, "class_name", "", layer_.where);
      config = &member(inner, "config", layer_.where);
      read_merge();
      check_backward_layer();
    }
    config_ = config;
    read_flags();
    const size_t each = both_ ? arrays.size() / 2 : arrays.size();
    if (both_ && arrays.size() % 2 != 0) fail("expected as many arrays of both directions", "the file is damaged");
    const auto part = [&](size_t begin) {
      const auto first = arrays.begin() + static_cast<std::ptrdiff_t>(begin);
      return KerasArrays(first, first + static_cast<std::ptrdiff_t>(each));
    };
    cells_ = {cell_of(part(0))};
    if (both_) cells_.push_back(cell_of(part(each)));
    for (const KerasCell& cell : cells_) {
      if (cell.kernel.dims[0] != x.width) {
        fail(fmt::format("expected a kernel of {} rows, found {}", x.width, graph::shown(cell.kernel.dims)),
             "the file is damaged");
      }
    }
    const int64_t hidden = cells_[0].recurrent.dims[0];
    expect_units(hidden);
    KerasValue out{
        .name = {}, .width = (both_ && merge_ == "concat" ? 2 : 1) * hidden, .is_sequence = returns_, .steps = x.steps};
    out.name = is_gru() && !reset_after_ ? add_gru_reset_first(x) : add_node(x);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw input_error(fmt::format("{} ({}): {}", layer_.where, visible(layer_.type), problem), advice);
  }

  bool is_lstm() const { return type_ == "LSTM" || type_ == "CuDNNLSTM"; }
  bool is_gru() const { return type_ == "GRU" || type_ == "CuDNNGRU"; }
  bool flag(const char* name, bool otherwise) const {
    const auto found = config_->find(name);
    if (found == config_->end() || found->is_null()) return otherwise;
    if (!found->is_boolean()) fail(fmt::format("{}: expected true or false", name), "the file is damaged");
    return found->get<bool>();
  }

  void read_merge() {
    const auto found = layer_.config.find("merge_mode");
    if (found != layer_.config.end() && found->is_null()) {
      fail("expected a merge mode, found none: its outputs are two", "export it as ONNX instead");
    }
    merge_ = text_of(layer_.config, "merge_mode", "concat", layer_.where);
    if (merge_ != "concat" && merge_ != "sum" && merge_ != "mul" && merge_ != "ave") {
      fail(fmt::format("merge_mode: expected concat, sum, mul or ave, found '{}'", visible(merge_)), "it is damaged");
    }
  }

  // Newer versions write both layers; the second must be the first, backwards.
  void check_backward_layer() const {
    const auto found = layer_.config.find("backward_layer");
    if (found == layer_.config.end() || found->is_null()) return;
    const Json &forward = member(layer_.config, "layer", layer_.where)["config"],
               &back = member(*found, "config", layer_.where);
    for (const char* key :
         {"units", "activation", "recurrent_activation", "use_bias", "reset_after", "return_sequences"}) {
      if (forward.contains(key) && back.contains(key) && forward[key] != back[key]) {
        fail(fmt::format("expected two directions with the same {}", key), "export it as ONNX instead");
      }
    }
  }

  void read_flags() {
    if (!is_keras_recurrent(type_) || type_ == "Bidirectional") {
      fail(fmt::format("holds a '{}', which is not read", visible(type_)), "export it as ONNX instead");
    }
    returns_ = flag("return_sequences", false);
    backwards_ = flag("go_backwards", false);
    reset_after_ = flag("reset_after", type_ == "CuDNNGRU");
    if (flag("time_major", false)) fail("expected the batch before the time, found time_major", "export it as ONNX");
    if (both_ && backwards_) fail("expected a first direction that goes forward", "export it as ONNX instead");
    if (flag("return_state", false)) builder_.note(fmt::format("'{}': its states are no outputs here", layer_.layer));
    if (flag("stateful", false)) {
      builder_.note(fmt::format("'{}' is stateful: states go on from run to run until they are reset", layer_.layer));
    }
  }

  KerasCell cell_of(const KerasArrays& arrays) {
    bool cudnn = false;
    KerasCell out = keras_cell(builder_, layer_.layer, type_, arrays, cudnn);
    if (cudnn) {
      reset_after_ = true;
      builder_.note(fmt::format("'{}': weights in the layout of CuDNN, two biases", layer_.layer));
    }
    const int64_t gates = static_cast<int64_t>(gates_of(out.order).size()), rows = gates * out.recurrent.dims[0];
    const bool two = is_gru() && reset_after_;
    const auto biases = static_cast<int64_t>(out.bias.floats.size());
    if (biases != 0 && biases != (two || cudnn ? 2 : 1) * rows) {
      fail(fmt::format("expected a bias of {} numbers, found {}", (two ? 2 : 1) * rows, graph::shown(out.bias.dims)),
           "the file is damaged");
    }
    if (biases == 0 && flag("use_bias", true)) fail("expected a bias, found none", "the file is damaged");
    return out;
  }

  void expect_units(int64_t hidden) const {
    const char* key = config_->contains("units") ? "units" : "output_dim";
    const int64_t units = whole_of(member(*config_, key, layer_.where), 1, 1 << 20, layer_.where);
    if (units != hidden) fail(fmt::format("expected weights of {} units, found {}", units, hidden), "it is damaged");
  }

  std::string function(const char* key, const char* old_key, const char* otherwise) const {
    if (type_.starts_with("CuDNN")) return otherwise;
    return text_of(*config_, key, text_of(*config_, old_key, otherwise, layer_.where), layer_.where);
  }

  // Functions of the gates, the input and the output of the cell, where they are not the usual ones.
  void add_functions(NetworkBuilder::Attributes& attributes) const {
    const std::string before_3 = layer_.version == 1 ? "hard_sigmoid" : "sigmoid";
    const std::string gates = function("recurrent_activation", "inner_activation", before_3.c_str());
    const std::string cell = function("activation", "activation", "tanh");
    if (!is_lstm() && !is_gru()) {
      if (cell != "tanh" && cell != "relu")
        fail(fmt::format("activation '{}' is not known", visible(cell)), "it cannot be run");
      if (cell == "relu") attributes["activation"] = "relu";
      return;
    }
    if (gates == "sigmoid" && cell == "tanh") return;
    if (is_gru()) {
      fail(fmt::format("expected the activations sigmoid and tanh, found {} and {}", visible(gates), visible(cell)),
           "such cells cannot be run");
    }
    std::vector<std::string> names;
    std::vector<double> alpha, beta;
    for (size_t direction = 0; direction < cells_.size(); ++direction) {
      for (const std::string& each : {gates, cell, cell}) add_function(each, names, alpha, beta);
    }
    attributes["activations"] = names;
    if (!alpha.empty()) attributes["activation_alpha"] = alpha;
    if (!beta.empty()) attributes["activation_beta"] = beta;
    builder_.note(fmt::format("'{}': gates by {}, cell by {}{}", layer_.layer, gates, cell,
                              gates == "hard_sigmoid" ? fmt::format(" as Keras {} defines it", layer_.version) : ""));
  }

  void add_function(const std::string& name, std::vector<std::string>& names, std::vector<double>& alpha,
                    std::vector<double>& beta) const {
    for (const CellFunction& row : kCellFunctions) {
      if (name != row.keras) continue;
      names.emplace_back(row.onnx);
      const auto hard = keras_hard_sigmoid(layer_.version);
      const bool is_hard = name == "hard_sigmoid";
      if (row.has_alpha) alpha.push_back(is_hard ? hard.first : row.alpha);
      if (row.has_beta) beta.push_back(is_hard ? hard.second : row.beta);
      return;
    }
    fail(fmt::format("activation '{}' is not known", visible(name)), "it cannot be run");
  }

  std::string add_node(const KerasValue& x) {
    NetworkBuilder::Attributes attributes;
    NetworkBuilder::Weights weights;
    add_functions(attributes);
    for (size_t d = 0; d < cells_.size(); ++d) {
      add_keras_cell(builder_, layer_.layer, cells_[d], d == 0 ? "_l0" : "_l0_reverse", weights);
    }
    if (both_) {
      attributes["bidirectional"] = int64_t{1};
      if (merge_ != "concat") attributes["merge"] = merge_;
    }
    if (backwards_) attributes["go_backwards"] = int64_t{1};
    if (!returns_) attributes["return"] = "last";
    return builder_.add(is_lstm()  ? "lstm"
                        : is_gru() ? "gru"
                                   : "rnn",
                        layer_.layer, {x.name}, attributes, std::move(weights));
  }

  // A GRU whose reset gate comes before the product, which ONNX's operator has: gates z r h as in Keras.
  std::string add_gru_reset_first(const KerasValue& x) {
    NetworkBuilder::Attributes functions;
    add_functions(functions);
    if (merge_ != "concat")
      fail(fmt::format("expected the merge mode concat, found '{}'", merge_), "export it as ONNX");
    const auto D = static_cast<int64_t>(cells_.size()), H = cells_[0].recurrent.dims[0];
    std::vector<float> w, r, b;
    for (const KerasCell& cell : cells_) {
      const graph::Array rows = transposed(cell.kernel), recurrent = transposed(cell.recurrent);
      w.insert(w.end(), rows.floats.begin(), rows.floats.end());
      r.insert(r.end(), recurrent.floats.begin(), recurrent.floats.end());
      std::vector<float> bias = cell.bias.floats;
      bias.resize(static_cast<size_t>(6 * H), 0.0F);
      b.insert(b.end(), bias.begin(), bias.end());
    }
    const std::string name = layer_.layer;
    const std::vector<std::string> inputs = {x.name, builder_.array(name + ".W", graph::array({D, 3 * H, x.width}, w)),
                                             builder_.array(name + ".R", graph::array({D, 3 * H, H}, r)),
                                             builder_.array(name + ".B", graph::array({D, 6 * H}, b))};
    NetworkBuilder::Attributes attributes = {{"layout", int64_t{1}}, {"hidden_size", H}};
    attributes["direction"] = both_ ? "bidirectional" : backwards_ ? "reverse" : "forward";
    if (!both_ && !backwards_) attributes["keep_state"] = int64_t{1};
    builder_.note(fmt::format("'{}': the reset gate comes before the product", name));
    if (!returns_)
      return builder_.add("Flatten", name + ".last", {builder_.add_second("GRU", name, inputs, attributes)});
    const std::string y = builder_.add("GRU", name, inputs, attributes);
    const std::string rows = builder_.add("flatten", name + ".rows", {y});
    return backwards_ ? builder_.add("reverse", name + ".reverse", {rows}) : rows;
  }

  NetworkBuilder& builder_;
  const KerasRecurrent& layer_;
  const Json* config_ = nullptr;
  std::string type_, merge_ = "concat";
  bool both_ = false, returns_ = false, backwards_ = false, reset_after_ = false;
  std::vector<KerasCell> cells_;
};

}  // namespace

bool is_keras_recurrent(const std::string& type) {
  return type == "LSTM" || type == "GRU" || type == "SimpleRNN" || type == "CuDNNLSTM" || type == "CuDNNGRU" ||
         type == "Bidirectional";
}

std::pair<double, double> keras_hard_sigmoid(int version) {
  return version < 3 ? std::pair(0.2, 0.5) : std::pair(1.0 / 6.0, 0.5);
}

KerasValue add_keras_recurrent(NetworkBuilder& builder, const KerasRecurrent& layer, const KerasValue& x,
                               const KerasArrays& arrays) {
  return RecurrentBuilder(builder, layer).run(x, arrays);
}

}  // namespace longhand::convert
