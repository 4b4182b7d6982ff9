// LSTM cells that an exporter wrote out as products, Split, Sigmoid and Tanh.
//
//   a = x W + h R + b;  four parts of a, in any order: i, f, g, o
//   c' = sigmoid(f) c + sigmoid(i) tanh(g)
//   h' = sigmoid(o) tanh(c')
#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "longhand/convert/gate_order.h"
#include "longhand/convert/onnx_graph.h"

namespace longhand::convert {
namespace {

using graph::Graph;
using graph::Node;

// What makes and what uses the values of a graph, outside of branches.
class GraphIndex {
 public:
  explicit GraphIndex(const Graph& graph) : graph_(graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& output : graph.nodes[i].outputs) made_by_[output] = i;
    }
  }

  const Node* maker(const std::string& value, const char* type) const {
    const auto found = made_by_.find(value);
    if (found == made_by_.end() || graph_.nodes[found->second].type != type) return nullptr;
    return &graph_.nodes[found->second];
  }
  size_t place(const std::string& value) const { return made_by_.at(value); }
  bool is_made(const std::string& value) const { return made_by_.contains(value); }
  const graph::Array* array(const std::string& name) const {
    const auto found = graph_.arrays.find(name);
    return found == graph_.arrays.end() ? nullptr : &found->second;
  }

 private:
  const Graph& graph_;
  std::map<std::string, size_t> made_by_;
};

// A product whose other factor is trained: [B, I] x [I, 4H], or Gemm with the factor as it is or transposed.
struct CellProduct {
  std::string of;
  graph::Array rows;  // [4H, I]
};

struct FoundCell {
  std::string c_before, c_after, h_after;
  std::vector<CellProduct> products;
  graph::Array bias;  // [4H]
  std::string split_input;
  std::vector<size_t> places;  // where i, f, g and o are in the parts
  std::vector<float> added;    // to each of i, f, g and o before the sigmoid, as TensorFlow's forget bias
};

class CellSearch {
 public:
  explicit CellSearch(const Graph& graph) : index_(graph) {}

  // Of h' = sigmoid(o) tanh(c'), the node `h`.
  std::optional<FoundCell> find(const Node& h) const {
    if (h.type != "Mul" || h.inputs.size() != 2) return std::nullopt;
    for (size_t turn = 0; turn < 2; ++turn) {
      FoundCell cell;
      const Node* tanh = index_.maker(h.inputs[1 - turn], "Tanh");
      if (tanh == nullptr) continue;
      cell.h_after = h.outputs[0];
      cell.c_after = tanh->inputs[0];
      const auto o = gate(h.inputs[turn], "Sigmoid");
      const Node* sum = index_.maker(cell.c_after, "Add");
      if (!o || sum == nullptr) continue;
      if (find_gates(*sum, *o, cell) && find_products(cell)) return cell;
    }
    return std::nullopt;
  }

 private:
  struct Gate {
    const Node* split;
    size_t place;
    float added;
  };

  std::optional<Gate> gate(const std::string& value, const char* function) const {
    const Node* node = index_.maker(value, function);
    if (node == nullptr) return std::nullopt;
    std::string from = node->inputs[0];
    float added = 0.0F;
    if (const Node* add = index_.maker(from, "Add")) {
      for (size_t turn = 0; turn < 2; ++turn) {
        const graph::Array* one = index_.array(add->inputs[turn]);
        if (one == nullptr || one->floats.size() != 1) continue;
        added = one->floats[0];
        from = add->inputs[1 - turn];
      }
    }
    const Node* split = index_.maker(from, "Split");
    if (split == nullptr || split->outputs.size() != 4 || !splits_evenly(*split)) return std::nullopt;
    const auto at = std::find(split->outputs.begin(), split->outputs.end(), from);
    return Gate{split, static_cast<size_t>(at - split->outputs.begin()), added};
  }

  // Into four equal parts of the last of two axes.
  bool splits_evenly(const Node& split) const {
    const auto axis = split.attributes.find("axis");
    if (axis == split.attributes.end() ||
        (axis->second != graph::Attribute(int64_t{1}) && axis->second != graph::Attribute(int64_t{-1}))) {
      return false;
    }
    std::vector<int64_t> sizes;
    if (const auto given = split.attributes.find("split"); given != split.attributes.end()) {
      if (const auto* list = std::get_if<std::vector<int64_t>>(&given->second)) sizes = *list;
    }
    if (split.inputs.size() > 1) {
      const graph::Array* given = index_.array(split.inputs[1]);
      if (given == nullptr) return false;
      sizes = given->ints;
    }
    return sizes.empty() ||
           (sizes.size() == 4 && std::all_of(sizes.begin(), sizes.end(), [&](int64_t n) { return n == sizes[0]; }));
  }

  // c' = sigmoid(f) c + sigmoid(i) tanh(g), factors and terms in any order.
  bool find_gates(const Node& sum, const Gate& o, FoundCell& cell) const {
    for (size_t turn = 0; turn < 2; ++turn) {
      const Node* kept = index_.maker(sum.inputs[turn], "Mul");
      const Node* news = index_.maker(sum.inputs[1 - turn], "Mul");
      if (kept == nullptr || news == nullptr) continue;
      for (size_t a = 0; a < 2; ++a) {
        for (size_t b = 0; b < 2; ++b) {
          const auto f = gate(kept->inputs[a], "Sigmoid");
          const auto i = gate(news->inputs[b], "Sigmoid");
          const auto g = gate(news->inputs[1 - b], "Tanh");
          if (!f || !i || !g) continue;
          const std::set<const Node*> splits = {f->split, i->split, g->split, o.split};
          const std::set<size_t> places = {f->place, i->place, g->place, o.place};
          if (splits.size() != 1 || places.size() != 4) continue;
          cell.c_before = kept->inputs[1 - a];
          cell.split_input = o.split->inputs[0];
          cell.places = {i->place, f->place, g->place, o.place};
          cell.added = {i->added, f->added, g->added, o.added};
          return true;
        }
      }
    }
    return false;
  }

  // The terms of a: two products, and trained rows, in any order.
  bool find_products(FoundCell& cell) const {
    std::vector<std::string> terms = {cell.split_input};
    for (size_t at = 0; at < terms.size(); ++at) {
      if (terms.size() > 16) return false;
      const std::string term = terms[at];
      if (const Node* add = index_.maker(term, "Add")) {
        terms.insert(terms.end(), add->inputs.begin(), add->inputs.end());
      } else if (const Node* product = index_.maker(term, "MatMul")) {
        const graph::Array* w = index_.array(product->inputs[1]);
        if (w == nullptr || w->dims.size() != 2) return false;
        cell.products.push_back({product->inputs[0], transposed(*w)});
      } else if (const Node* gemm = index_.maker(term, "Gemm")) {
        if (!add_gemm(*gemm, cell)) return false;
      } else if (const graph::Array* bias = index_.array(term)) {
        if (!add_bias(*bias, cell)) return false;
      } else {
        return false;
      }
    }
    if (cell.products.size() != 2) return false;
    const int64_t G = cell.products[0].rows.dims[0];
    if (cell.bias.floats.empty()) cell.bias = graph::array({G}, std::vector<float>(static_cast<size_t>(G), 0.0F));
    return cell.products[1].rows.dims[0] == G && G % 4 == 0 && cell.bias.dims[0] == G;
  }

  bool add_gemm(const Node& gemm, FoundCell& cell) const {
    const auto whole = [&](const char* name) {
      const auto found = gemm.attributes.find(name);
      return found != gemm.attributes.end() && found->second == graph::Attribute(int64_t{1});
    };
    for (const char* factor : {"alpha", "beta"}) {
      const auto found = gemm.attributes.find(factor);
      if (found != gemm.attributes.end() && found->second != graph::Attribute(1.0)) return false;
    }
    const graph::Array* w = index_.array(gemm.inputs[1]);
    if (w == nullptr || w->dims.size() != 2 || whole("transA")) return false;
    cell.products.push_back({gemm.inputs[0], whole("transB") ? *w : transposed(*w)});
    if (gemm.inputs.size() < 3 || gemm.inputs[2].empty()) return true;
    const graph::Array* bias = index_.array(gemm.inputs[2]);
    return bias != nullptr && add_bias(*bias, cell);
  }

  static bool add_bias(const graph::Array& bias, FoundCell& cell) {
    if (bias.dims.empty() || bias.dims.back() != static_cast<int64_t>(bias.floats.size())) return false;
    if (cell.bias.floats.empty()) {
      cell.bias = graph::array({bias.dims.back()}, bias.floats);
      return true;
    }
    if (cell.bias.floats.size() != bias.floats.size()) return false;
    for (size_t k = 0; k < bias.floats.size(); ++k) cell.bias.floats[k] += bias.floats[k];
    return true;
  }

  GraphIndex index_;
};

// Which of the two products is of h: the one with H columns where the other has not, or the one whose factor is moved
// from where c is moved from. Both have H: the one that is an earlier cell's h, or made of a state as c is.
size_t product_of_h(const Graph& graph, const GraphIndex& index, const FoundCell& cell,
                    const std::set<std::string>& cell_outputs) {
  const int64_t H = cell.bias.dims[0] / 4;
  const bool first = cell.products[0].rows.dims[1] == H, second = cell.products[1].rows.dims[1] == H;
  if (first != second) return first ? 0 : 1;
  // The value that a chain of moves begins with.
  const auto origin = [&](std::string value) {
    for (bool moved = true; moved;) {
      moved = false;
      for (const char* type : {"Squeeze", "Unsqueeze", "Slice", "Gather", "Identity", "Reshape", "Split"}) {
        if (const Node* node = index.maker(value, type)) {
          value = node->inputs[0];
          moved = true;
        }
      }
    }
    return value;
  };
  const std::string c = origin(cell.c_before);
  const std::string a = origin(cell.products[0].of), b = origin(cell.products[1].of);
  if ((a == c) != (b == c)) return a == c ? 0 : 1;
  const auto is_port = [&](const std::string& value) {
    return std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const auto& p) { return p.name == value; });
  };
  if (cell_outputs.contains(c) || graph.arrays.contains(c)) {
    if (cell_outputs.contains(a) != cell_outputs.contains(b)) return cell_outputs.contains(a) ? 0 : 1;
    if (graph.arrays.contains(a) != graph.arrays.contains(b)) return graph.arrays.contains(a) ? 0 : 1;
  }
  // States of their own: h is an input of the graph where x is computed.
  if (is_port(c) && is_port(a) != is_port(b)) return is_port(a) ? 0 : 1;
  return 2;
}

graph::Array with_first_axis(graph::Array array) {
  array.dims.insert(array.dims.begin(), 1);
  return array;
}

// Puts the cells' LSTM nodes in the places of what made their new c and h.
class CellWriter {
 public:
  explicit CellWriter(Graph& graph) : graph_(graph) {}

  // The LSTM node and the moves around it.
  std::vector<Node> nodes_of(const FoundCell& cell, size_t of_h, const std::string& name) {
    const auto in_onnx = [&](const graph::Array& rows) {
      return with_first_axis(to_order(GateOrder::kOnnxLstm, permuted(rows, cell.places)));
    };
    graph::Array bias = cell.bias;
    const size_t H = bias.floats.size() / 4;
    for (size_t gate = 0; gate < 4; ++gate) {
      for (size_t k = 0; k < H; ++k) bias.floats[cell.places[gate] * H + k] += cell.added[gate];
    }
    bias = in_onnx(bias);
    bias.floats.resize(8 * H, 0.0F);
    bias.dims = {1, static_cast<int64_t>(8 * H)};
    const std::string w = named(name + ".W", in_onnx(cell.products[1 - of_h].rows));
    const std::string r = named(name + ".R", in_onnx(cell.products[of_h].rows));
    const std::string b = named(name + ".B", std::move(bias));
    const std::string axes = named(name + ".axes", graph::array_of_ints({1}, {0}));
    const auto move = [&](const char* type, const std::string& from, const std::string& to) {
      return Node{.type = type, .name = to + ".move", .inputs = {from, axes}, .outputs = {to}};
    };
    return {move("Unsqueeze", cell.products[1 - of_h].of, name + ".x"),
            move("Unsqueeze", cell.products[of_h].of, name + ".h"),
            move("Unsqueeze", cell.c_before, name + ".c"),
            Node{.type = "LSTM",
                 .name = name,
                 .inputs = {name + ".x", w, r, b, "", name + ".h", name + ".c"},
                 .outputs = {"", name + ".Y_h", name + ".Y_c"},
                 .attributes = {{"hidden_size", static_cast<int64_t>(H)}}},
            move("Squeeze", name + ".Y_h", cell.h_after),
            move("Squeeze", name + ".Y_c", cell.c_after)};
  }

 private:
  // The cells of a sequence that was written out step by step have the same weights: they are kept once.
  std::string named(const std::string& name, graph::Array array) {
    for (const std::string& earlier : made_) {
      const graph::Array& other = graph_.arrays.at(earlier);
      if (other.dims == array.dims && other.floats == array.floats && other.ints == array.ints) return earlier;
    }
    graph_.arrays[name] = std::move(array);
    made_.push_back(name);
    return name;
  }

  Graph& graph_;
  std::vector<std::string> made_;
};

}  // namespace

void recognise_cells(Graph& graph, std::vector<std::string>& notes) {
  constexpr size_t kMostNotes = 4;
  const CellSearch search(graph);
  const GraphIndex index(graph);
  std::map<size_t, const Node*> found;  // what makes h', by the place of the node that makes c'
  std::set<std::string> outputs;
  for (const Node& node : graph.nodes) {
    const auto cell = search.find(node);
    if (!cell) continue;
    outputs.insert({cell->h_after, cell->c_after});
    found.emplace(index.place(cell->c_after), &node);
  }
  std::set<std::string> replaced;
  std::vector<std::pair<size_t, std::vector<Node>>> cells;
  CellWriter writer(graph);
  for (const auto& [place, node] : found) {  // one after the other, since their weights may be large
    const FoundCell cell = *search.find(*node);
    const size_t of_h = product_of_h(graph, index, cell, outputs);
    if (of_h == 2) continue;
    const std::string name = fmt::format("lstm_cell_{}", cells.size() + 1);
    if (cells.size() < kMostNotes) {
      notes.push_back(fmt::format("node '{}' and those before it are an LSTM cell of {} units, '{}'", cell.h_after,
                                  cell.bias.dims[0] / 4, name));
    }
    cells.emplace_back(place, writer.nodes_of(cell, of_h, name));
    replaced.insert({cell.h_after, cell.c_after});
  }
  if (cells.size() > kMostNotes) notes.push_back(fmt::format("{} more LSTM cells", cells.size() - kMostNotes));
  std::vector<Node> nodes;
  auto next = cells.begin();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (next != cells.end() && next->first == i) {
      for (Node& node : next->second) nodes.push_back(std::move(node));
      ++next;
    }
    if (!replaced.contains(graph.nodes[i].outputs.front())) nodes.push_back(std::move(graph.nodes[i]));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace longhand::convert
