// A call of a Keras layer while it becomes nodes: what it reads, its configuration, its arrays. A type of layers is a
// function of it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/convert/keras_graph.h"
#include "longhand/convert/network_builder.h"

namespace longhand::convert {

/// What flows between layers.
struct KerasValue {
  std::string name;
  graph::Dims dims;         ///< without the batch: [T, C] of a sequence, [C] of a row; -1: open
  bool is_symbols = false;  ///< integers
  std::string mask{};       ///< [B, T] truth values of the steps that are there; empty: all are

  bool is_sequence() const { return dims.size() >= 2; }
  int64_t width() const { return dims.empty() ? 1 : dims.back(); }
  int64_t steps() const { return is_sequence() ? dims.front() : 1; }
};
using KerasValues = std::vector<KerasValue>;

/// A value that a call is given, or what the configuration says in its place.
struct KerasOperand {
  std::optional<KerasValue> value;
  nlohmann::json constant;
};

class KerasSite {
 public:
  NetworkBuilder& builder;
  const KerasConfig& keras;
  std::string name, type;
  const nlohmann::json& config;
  std::vector<KerasOperand> operands;                      ///< all that it is called with, in order
  std::map<std::string, std::vector<KerasOperand>> named;  ///< those with a name
  const KerasArrays* arrays = nullptr;                     ///< null: it has none
  bool per_step = false;                                   ///< held by TimeDistributed: of each time step alone
  bool* took_arrays = nullptr;

  [[noreturn]] void fail(const std::string& problem, const std::string& advice = "export it as ONNX instead") const;
  /// Begins errors.
  std::string where() const;

  /// Values that it reads; fails where one is something else.
  KerasValues inputs() const;
  KerasValue only_input() const;
  /// The values of a named argument, none where it is absent.
  KerasValues take_named(const std::string& key) const;
  /// A named argument that says true.
  bool is_on(const std::string& key) const;

  /// The layer's arrays, as many as it must have.
  const KerasArrays& take(size_t least, size_t most) const;
  std::string text(const char* key, const std::string& otherwise) const;
  double number(const char* key, double otherwise) const;
  bool flag(const char* key, bool otherwise) const;
  /// A whole number, or the first of a list.
  int64_t first(const char* key, int64_t otherwise) const;
  std::vector<int64_t> list(const char* key) const;

  /// The number of steps must be known: fixes it in the network's inputs.
  void expect_steps(const KerasValue& x) const;
  /// A constant of the network.
  std::string numbers(const std::string& suffix, graph::Dims dims, std::vector<float> values) const;
  std::string whole(const std::string& suffix, std::vector<int64_t> values) const;
  /// A node that is called as the layer; returns its output.
  std::string add(const std::string& node, std::vector<std::string> inputs, NetworkBuilder::Attributes attributes = {},
                  NetworkBuilder::Weights weights = {}) const;
  /// The same, called NAME.suffix.
  std::string part(const std::string& node, const std::string& suffix, std::vector<std::string> inputs,
                   NetworkBuilder::Attributes attributes = {}, NetworkBuilder::Weights weights = {}) const;
  /// value, after the function that `activation` names.
  KerasValue activated(KerasValue value, const std::string& function) const;
  KerasValue activated(KerasValue value) const { return activated(std::move(value), text("activation", "")); }
  /// [B, ...] in another shape of each of the batch.
  KerasValue reshaped(const KerasValue& x, const graph::Dims& dims, const std::string& suffix) const;
};

/// The functions of types, each in the file that its name says.
using KerasFunction = KerasValues (*)(const KerasSite& site);
using KerasTable = std::map<std::string, KerasFunction>;
/// Null where the table has no such type.
KerasFunction find_in(const KerasTable& table, const std::string& type);
KerasFunction find_simple_layer(const std::string& type);
KerasFunction find_normalisation_layer(const std::string& type);
KerasFunction find_window_layer(const std::string& type);
KerasFunction find_merge_layer(const std::string& type);
KerasFunction find_attention_layer(const std::string& type);
KerasFunction find_recurrent_layer(const std::string& type);
KerasFunction find_operation(const std::string& type);

/// Adds the inputs of the whole model, in order. Throws an input error that names one whose shape cannot be read.
KerasValues add_keras_inputs(NetworkBuilder& builder, const KerasConfig& keras, const KerasWeights& weights);

/// Whether a merge layer is an operation of version 3 with a number in it, and that operation.
bool is_scalar_operation(const KerasSite& site);
KerasValues add_scalar_operation(const KerasSite& site);

/// alpha and beta of hard_sigmoid(x) = max(0, min(1, alpha x + beta)): 0.2 and 0.5 in versions 1 and 2, 1/6 and 0.5 in
/// version 3.
std::pair<double, double> keras_hard_sigmoid(int version);

}  // namespace longhand::convert
