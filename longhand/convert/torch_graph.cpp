#include "longhand/convert/torch_graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/utf8.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/torch_return.h"
#include "longhand/graph/description.h"
#include "longhand/io/safetensors.h"

namespace longhand::convert {
namespace {

constexpr const char* kDescribe = "describe the layers in a TOML file, and give it with --network (docs/import.md)";

// A module of a state dict: the tensors whose names begin alike.
struct TorchModule {
  std::string name;                                           // "" at the top
  std::vector<std::pair<std::string, graph::Array>> tensors;  // by the last part of their names

  const graph::Array* find(const std::string& role) const {
    for (const auto& [key, array] : tensors) {
      if (key == role) return &array;
    }
    return nullptr;
  }
};

// "weight_ih" of a single cell is what "weight_ih_l0" is of layers.
std::string layer_role(const std::string& role) {
  for (const char* of_cell : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
    if (role == of_cell) return role + "_l0";
  }
  return role;
}

// "rnns.10.lstm" as its words, "rnns.lstm", and its numbers, 10.
struct NumberedName {
  std::string words;
  std::vector<int> numbers;
};
NumberedName numbered(const std::string& name) {
  NumberedName out;
  for (size_t at = 0; at < name.size();) {
    size_t end = at;
    while (end < name.size() && end - at < 6 && name[end] >= '0' && name[end] <= '9') ++end;
    if (end > at) {
      out.numbers.push_back(std::stoi(name.substr(at, end - at)));
      at = end;
    } else if (name[at] != '_' && name[at] != '.') {
      out.words += name[at++];
    } else {
      ++at;
    }
  }
  return out;
}

bool is_recurrent_module(const TorchModule& m) {
  return std::any_of(m.tensors.begin(), m.tensors.end(),
                     [](const auto& t) { return t.first.starts_with("weight_hh"); });
}

class TorchChain {
 public:
  TorchChain(const NamedTensors& tensors, const std::string& file, NameOrder order) : builder_(file), order_(order) {
    split(tensors);
  }

  Imported run() {
    std::vector<const TorchModule*> recurrent, linear, tables, encoders;
    for (const TorchModule& m : modules_) {
      if (is_recurrent_module(m)) {
        recurrent.push_back(&m);
      } else if (is_table(m)) {
        tables.push_back(&m);
      } else if (is_encoder(m)) {
        encoders.push_back(&m);
      } else {
        expect_linear(m);
        linear.push_back(&m);
      }
    }
    auto& of_encoders = linear.empty() ? linear : tables;  // one alone is rather a linear layer without bias
    of_encoders.insert(of_encoders.end(), encoders.begin(), encoders.end());
    if (recurrent.empty()) {
      builder_.fail("expected recurrent layers (weight_ih_l0, weight_hh_l0), found none", kDescribe);
    }
    if (linear.size() > 1) {
      builder_.fail(
          fmt::format("'{}' and '{}' are linear layers, and a state dict does not say what stands between them",
                      visible(linear[0]->name), visible(linear[1]->name)),
          kDescribe);
    }
    recurrent = in_sequence(std::move(recurrent));
    if (!linear.empty()) expect_after(*linear.front(), *recurrent.front(), *recurrent.back());
    begin(tables, *recurrent.front());
    for (const TorchModule* m : recurrent) add_recurrent(*m);
    for (const TorchModule* m : linear) add_linear(*m);
    if (linear.empty()) builder_.note("the outputs are those of the last recurrent layer");
    if (!linear.empty()) builder_.note("the linear layer is at every position, and no activation follows");
    return builder_.finish({last_});
  }

 private:
  void split(const NamedTensors& tensors) {
    for (const auto& [name, array] : tensors) {
      const size_t point = name.rfind('.');
      const std::string module = point == std::string::npos ? "" : name.substr(0, point);
      const std::string role = layer_role(point == std::string::npos ? name : name.substr(point + 1));
      if (role == "num_batches_tracked") continue;
      if (array.type != graph::ElementType::kFloat) {
        builder_.fail(fmt::format("'{}': expected floats, found integers", visible(name)), kDescribe);
      }
      auto found = std::find_if(modules_.begin(), modules_.end(), [&](const auto& m) { return m.name == module; });
      if (found == modules_.end()) {
        modules_.push_back({module, {}});
        found = std::prev(modules_.end());
      }
      found->tensors.emplace_back(role, array);
    }
  }

  // A table of symbols: a matrix without bias whose name says so.
  static bool is_table(const TorchModule& m) {
    const graph::Array* weight = m.find("weight");
    return m.tensors.size() == 1 && weight != nullptr && weight->dims.size() == 2 &&
           m.name.find("emb") != std::string::npos;
  }

  // A matrix without bias before the recurrent layers, with a row for each symbol: nn.Embedding, whatever its name.
  bool is_encoder(const TorchModule& m) const {
    const graph::Array* weight = m.find("weight");
    if (order_ != NameOrder::kOfModules || m.tensors.size() != 1 || weight == nullptr || weight->dims.size() != 2) {
      return false;
    }
    const auto next = std::find_if(modules_.begin(), modules_.end(), is_recurrent_module);
    const graph::Array* w = next == modules_.end() || next < find(m) ? nullptr : next->find("weight_ih_l0");
    return w != nullptr && w->dims.size() == 2 && weight->dims[1] == w->dims[1] && weight->dims[0] != w->dims[1];
  }
  std::vector<TorchModule>::const_iterator find(const TorchModule& m) const {
    return modules_.begin() + (&m - modules_.data());
  }

  // Recurrent modules one above the other: their names are alike but for numbers, which are their order.
  std::vector<const TorchModule*> in_sequence(std::vector<const TorchModule*> recurrent) const {
    std::vector<std::pair<NumberedName, const TorchModule*>> named;
    for (const TorchModule* m : recurrent) named.emplace_back(numbered(m->name), m);
    for (const auto& [name, m] : named) {
      if (name.words == named.front().first.words) continue;
      builder_.fail(
          fmt::format("'{}' and '{}' are recurrent layers, and a state dict does not say how they are connected",
                      visible(named.front().second->name), visible(m->name)),
          kDescribe);
    }
    std::stable_sort(named.begin(), named.end(),
                     [](const auto& a, const auto& b) { return a.first.numbers < b.first.numbers; });
    for (size_t i = 0; i < named.size(); ++i) recurrent[i] = named[i].second;
    return recurrent;
  }

  // Throws where the linear layer may as well stand before the recurrent ones.
  void expect_after(const TorchModule& linear, const TorchModule& first, const TorchModule& last) const {
    const graph::Array *w = first.find("weight_ih_l0"), *r = last.find("weight_hh_l0"), &own = *linear.find("weight");
    if (w == nullptr || r == nullptr || w->dims.size() != 2 || r->dims.size() != 2) return;  // an error elsewhere
    const bool both_directions = last.find("weight_ih_l0_reverse") != nullptr;
    const bool after = own.dims[1] == (both_directions ? 2 : 1) * r->dims[1], before = own.dims[0] == w->dims[1];
    if (!after || !before) return;
    if (order_ == NameOrder::kOfModules ? &linear > &first : own.dims[0] != own.dims[1]) return;
    builder_.fail(
        fmt::format("'{}' is a linear layer that fits before the recurrent layers and after them, and a state "
                    "dict does not say which",
                    visible(linear.name)),
        kDescribe);
  }

  void expect_linear(const TorchModule& m) const {
    const graph::Array *weight = m.find("weight"), *bias = m.find("bias");
    const bool alone = m.tensors.size() == (bias == nullptr ? 1U : 2U);
    if (weight != nullptr && weight->dims.size() == 2 && alone &&
        (bias == nullptr || bias->dims == graph::Dims{weight->dims[0]})) {
      return;
    }
    const auto& [role, array] = m.tensors.front();
    builder_.fail(fmt::format("'{}{}{}' {}: expected an embedding, recurrent layers or a linear layer, found another",
                              visible(m.name), m.name.empty() ? "" : ".", visible(role), graph::shown(array.dims)),
                  kDescribe);
  }

  void begin(const std::vector<const TorchModule*>& tables, const TorchModule& first) {
    const graph::Array* w = first.find("weight_ih_l0");
    if (w == nullptr || w->dims.size() != 2) {
      builder_.fail(fmt::format("'{}': expected a matrix weight_ih_l0, found none", visible(first.name)), kDescribe);
    }
    width_ = w->dims[1];
    if (tables.size() > 1) {
      builder_.fail(fmt::format("expected one embedding, found '{}' and '{}'", visible(tables[0]->name),
                                visible(tables[1]->name)),
                    kDescribe);
    }
    if (tables.empty()) {
      last_ = builder_.input("input", width_);
      return;
    }
    const graph::Array& table = *tables.front()->find("weight");
    builder_.note(
        fmt::format("embedding '{}': {} symbols, {} numbers each", tables.front()->name, table.dims[0], table.dims[1]));
    last_ = builder_.add("embedding", tables.front()->name, {builder_.symbols("symbols")}, {}, {{"weight", table}});
    width_ = table.dims[1];
  }

  void add_recurrent(const TorchModule& m) {
    const graph::Array *w = m.find("weight_ih_l0"), *r = m.find("weight_hh_l0");
    if (w == nullptr || r == nullptr || w->dims.size() != 2 || r->dims.size() != 2 || r->dims[1] < 1) {
      builder_.fail(fmt::format("'{}': expected weight_ih_l0 and weight_hh_l0, found others", visible(m.name)),
                    kDescribe);
    }
    if (w->dims[1] != width_) {
      builder_.fail(fmt::format("'{}.weight_ih_l0' {}: expected {} columns, as the layer before has outputs",
                                visible(m.name), graph::shown(w->dims), width_),
                    kDescribe);
    }
    const graph::Array* projection = m.find("weight_hr_l0");
    const bool projects = projection != nullptr && projection->dims.size() == 2;
    const int64_t hidden = projects ? projection->dims[1] : r->dims[1];
    const int64_t gates = hidden < 1 ? 0 : r->dims[0] / hidden;
    const char* type = gates == 4 ? "lstm" : gates == 3 ? "gru" : gates == 1 ? "rnn" : nullptr;
    if (type == nullptr || r->dims[0] != gates * hidden) {
      builder_.fail(fmt::format("'{}.weight_hh_l0': expected 4, 3 or 1 rows for each of {} units, found {}",
                                visible(m.name), hidden, graph::shown(r->dims)),
                    kDescribe);
    }
    NetworkBuilder::Attributes attributes;
    int64_t layers = 1;
    while (m.find(fmt::format("weight_ih_l{}", layers)) != nullptr) ++layers;
    const bool both = m.find("weight_ih_l0_reverse") != nullptr;
    if (layers > 1) attributes["layers"] = layers;
    if (both) attributes["bidirectional"] = int64_t{1};
    builder_.note(fmt::format("{} '{}': {} layer{} of {} units{}{}", type, m.name, layers, layers == 1 ? "" : "s",
                              hidden, both ? ", bidirectional" : "", projects ? ", with a projection" : ""));
    if (type == std::string_view("rnn")) builder_.note("its activation is tanh, which a state dict does not say");
    const std::string called = m.name.empty() ? type : m.name;
    last_ = builder_.add(type, called, {last_}, attributes, {m.tensors.begin(), m.tensors.end()});
    width_ = (both ? 2 : 1) * r->dims[1];
  }

  void add_linear(const TorchModule& m) {
    const graph::Array& w = *m.find("weight");
    if (w.dims[1] != width_) {
      builder_.fail(fmt::format("'{}.weight' {}: expected {} columns, as the layer before has outputs", visible(m.name),
                                graph::shown(w.dims), width_),
                    kDescribe);
    }
    builder_.note(fmt::format("linear '{}': {} outputs", m.name, w.dims[0]));
    last_ = builder_.add("linear", m.name, {last_}, {}, {m.tensors.begin(), m.tensors.end()});
    width_ = w.dims[0];
  }

  NetworkBuilder builder_;
  NameOrder order_;
  std::vector<TorchModule> modules_;
  std::string last_;
  int64_t width_ = 0;
};

}  // namespace

Imported state_dict_to_graph(NamedTensors tensors, const std::string& file, const ImportOptions& options,
                             NameOrder order) {
  join_weight_norms(tensors, file);
  if (is_exported_module(options.description)) {
    const io::Safetensors module = io::Safetensors::parse(options.description_path, options.description);
    Imported out = returned_graph(module.text(kReturningKey), options.description_path, tensors, file);
    fix_extents(out.graph, options.dims);
    return out;
  }
  if (options.description.empty()) return TorchChain(tensors, file, order).run();
  const graph::Description description = graph::read_description(options.description, options.description_path);
  std::map<std::string, graph::Array> arrays;
  for (auto& [name, array] : tensors) {
    if (!name.ends_with("num_batches_tracked")) arrays[name] = std::move(array);
  }
  Imported out{.graph = graph::with_arrays(description, std::move(arrays), file), .notes = {}};
  graph::check(out.graph, file);
  return out;
}

}  // namespace longhand::convert
