#include "longhand/convert/tensorflow_graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/network_builder.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/raw_floats.h"

namespace longhand::convert {
namespace {

bool is_manifest(const nlohmann::json& json) {
  return json.is_object() && !json.empty() && std::all_of(json.begin(), json.end(), [](const nlohmann::json& each) {
           return each.is_object() && each.contains("filename") && each.contains("shape");
         });
}

class ManifestReader {
 public:
  ManifestReader(const std::string& path, const nlohmann::json& json)
      : path_(path), folder_(std::filesystem::path(path).parent_path()), json_(json), builder_(path) {}

  Imported run() {
    sort_names();
    if (cells_.empty()) builder_.fail("expected cells '.../basic_lstm_cell/weights', found none", "docs/import.md");
    const graph::Array first = read(cells_.front().first);
    std::string last;
    int64_t width = 0;
    if (!embedding_.empty()) {
      graph::Array table = read(embedding_);
      expect(table.dims.size() == 2, embedding_, "a matrix", table);
      width = table.dims[1];
      vocabulary_ = table.dims[0];
      last = builder_.add("embedding", "embedding", {builder_.symbols("symbols")}, {}, {{"weight", std::move(table)}});
    } else {
      expect(first.dims.size() == 2 && first.dims[1] % 4 == 0, cells_.front().first, "[I + H, 4 H]", first);
      width = first.dims[0] - first.dims[1] / 4;
      if (width < 1) builder_.fail("expected cells with inputs, found none", "the file is damaged");
      last = builder_.input("input", width);
    }
    for (size_t k = 0; k < cells_.size(); ++k) last = add_cell(k, last, width);
    if (!softmax_w_.empty()) {
      const graph::Array w = read(softmax_w_);
      expect(w.dims.size() == 2 && w.dims[0] == width, softmax_w_, fmt::format("[{}, outputs]", width), w);
      NetworkBuilder::Weights weights = {{"weight", transposed(w)}};
      if (!softmax_b_.empty()) weights["bias"] = read(softmax_b_);
      last = builder_.add("linear", "softmax", {last}, {}, std::move(weights));
      builder_.note("the outputs are those of the linear layer, before a softmax");
    }
    Imported out = builder_.finish({last});
    read_vocabulary(out);
    return out;
  }

 private:
  void expect(bool good, const std::string& name, const std::string& what, const graph::Array& found) const {
    if (good) return;
    builder_.fail(fmt::format("'{}': expected {}, found {}", visible(name), what, graph::shown(found.dims)),
                  "the file is damaged, or its model is another");
  }

  // Cells in the order of their numbers, each with the name of its bias.
  void sort_names() {
    std::map<int64_t, std::pair<std::string, std::string>> cells;
    for (const auto& [name, entry] : json_.items()) {
      const size_t last = name.rfind('/');
      const std::string end = last == std::string::npos ? name : name.substr(last + 1);
      const size_t cell = name.find("basic_lstm_cell/");
      if (cell != std::string::npos && (end == "weights" || end == "kernel" || end == "biases" || end == "bias")) {
        const size_t number = name.find("cell_");
        int64_t k = 0;
        if (number != std::string::npos && number < cell) {
          for (size_t i = number + 5; i < cell && name[i] >= '0' && name[i] <= '9' && k < 1000; ++i)
            k = 10 * k + name[i] - '0';
        }
        std::string& to = end[0] == 'b' ? cells[k].second : cells[k].first;
        if (!to.empty()) builder_.fail(fmt::format("'{}' and '{}' are of one cell", to, name), "it is damaged");
        to = name;
      } else if (end == "embedding") {
        embedding_ = name;
      } else if (end == "softmax_w") {
        softmax_w_ = name;
      } else if (end == "softmax_b") {
        softmax_b_ = name;
      } else if (entry["shape"] == nlohmann::json::array()) {
        builder_.note(fmt::format("'{}' is left out: one number, which counts the training's steps", visible(name)));
      } else {
        builder_.fail(fmt::format("'{}' has no place in a network of BasicLSTMCell", visible(name)),
                      "docs/import.md says what is read");
      }
    }
    for (auto& [number, names] : cells) {
      if (names.first.empty() || names.second.empty()) {
        builder_.fail(fmt::format("cell {}: expected weights and biases, found one of them", number), "it is damaged");
      }
      cells_.push_back(std::move(names));
    }
  }

  graph::Array read(const std::string& name) const {
    const nlohmann::json& entry = json_[name];
    const std::string where = fmt::format("{}: '{}'", path_, visible(name));
    const std::string file = text_of(entry, "filename", "", where);
    const bool plain = !file.empty() && file != "." && file != ".." && file.find_first_of("/\\") == std::string::npos;
    if (!plain)
      builder_.fail(fmt::format("'{}': expected a file beside it, found '{}'", name, visible(file)), "correct it");
    graph::Dims dims;
    for (const nlohmann::json& extent : entry["shape"]) dims.push_back(whole_of(extent, 1, 1 << 24, where));
    std::vector<float> values = io::read_raw_floats((folder_ / file).string());
    if (graph::count(dims) != static_cast<int64_t>(values.size())) {
      builder_.fail(fmt::format("'{}': expected {}, found a file of {} numbers", visible(name), graph::shown(dims),
                                values.size()),
                    "the file is damaged");
    }
    return graph::array(std::move(dims), std::move(values));
  }

  std::string add_cell(size_t k, const std::string& input, int64_t& width) {
    const graph::Array w = read(cells_[k].first), bias = read(cells_[k].second);
    const int64_t H = w.dims.size() == 2 ? w.dims[1] / 4 : 0;
    expect(H > 0 && w.dims[1] == 4 * H && w.dims[0] == width + H, cells_[k].first, fmt::format("[{} + H, 4 H]", width),
           w);
    expect(bias.dims == graph::Dims{4 * H}, cells_[k].second, fmt::format("[{}]", 4 * H), bias);
    graph::Array b = from_order(GateOrder::kBasicLstm, bias);
    for (int64_t j = H; j < 2 * H; ++j) b.floats[static_cast<size_t>(j)] += 1.0F;
    builder_.note(
        fmt::format("cell {}: {} units; 1 is added to the forget gate's bias, as TensorFlow does at run time", k, H));
    NetworkBuilder::Weights weights;
    weights["weight_ih_l0"] = from_order(GateOrder::kBasicLstm, transposed(rows_of(w, 0, width)));
    weights["weight_hh_l0"] = from_order(GateOrder::kBasicLstm, transposed(rows_of(w, width, width + H)));
    weights["bias_ih_l0"] = std::move(b);
    width = H;
    return builder_.add("lstm", fmt::format("cell_{}", k), {input}, {}, std::move(weights));
  }

  void read_vocabulary(Imported& out) const {
    const std::string vocabulary = (folder_ / "vocab.json").string();
    if (embedding_.empty() || !io::exists(vocabulary)) return;
    const nlohmann::json words = io::parse_json(io::read_file(vocabulary), vocabulary);
    std::vector<std::string> symbols(static_cast<size_t>(vocabulary_));
    std::vector<bool> seen(symbols.size());
    if (!words.is_object() || words.size() != symbols.size()) {
      throw input_error(fmt::format("{}: expected {} texts with numbers, found others", vocabulary, symbols.size()),
                        "give the vocabulary of this model, or remove it");
    }
    for (const auto& [text, number] : words.items()) {
      const auto at = static_cast<size_t>(whole_of(number, 0, vocabulary_ - 1, vocabulary));
      if (seen[at]) throw input_error(fmt::format("{}: number {} is there twice", vocabulary, at), "correct it");
      seen[at] = true;
      symbols[at] = text;
    }
    out.graph.symbols = std::move(symbols);
    out.notes.push_back(fmt::format("the {} symbols are those of vocab.json", vocabulary_));
  }

  const std::string& path_;
  std::filesystem::path folder_;
  const nlohmann::json& json_;
  NetworkBuilder builder_;
  std::vector<std::pair<std::string, std::string>> cells_;
  std::string embedding_, softmax_w_, softmax_b_;
  int64_t vocabulary_ = 0;
};

}  // namespace

Imported manifest_to_graph(const std::string& path, const std::string& text) {
  const nlohmann::json json = io::parse_json(text, path);
  if (!is_manifest(json))
    throw input_error(path + ": expected a manifest of arrays, found other JSON", "docs/import.md");
  return ManifestReader(path, json).run();
}

bool looks_like_manifest(const std::string& text, const std::string& path) {
  return text.find("\"filename\"") != std::string::npos && is_manifest(io::parse_json(text, path));
}

}  // namespace longhand::convert
