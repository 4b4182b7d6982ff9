#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "longhand/convert/audio_json.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/network_builder.h"

namespace longhand::convert {
namespace {

// {"dim": [rows, columns], "data": [numbers]}
graph::Array icu_matrix(const nlohmann::json& json, const char* name, const std::string& file) {
  const std::string where = file + ": " + name;
  const nlohmann::json& matrix = member(json, name, file);
  graph::Array out = numbers_of(member(matrix, "data", where), where);
  graph::Dims dims;
  for (const nlohmann::json& extent : member(matrix, "dim", where)) dims.push_back(whole_of(extent, 1, 1 << 24, where));
  if (dims.empty() || dims.size() > 2 || out.dims.size() != 1 || graph::count(dims) != out.dims[0]) {
    NetworkBuilder(file).fail(fmt::format("{}: expected as many numbers as dim says, {}, found {}", name,
                                          graph::shown(dims), graph::shown(out.dims)),
                              "the file is damaged");
  }
  out.dims = dims;
  return out;
}

}  // namespace

Imported icu_to_graph(const nlohmann::json& json, const std::string& file) {
  NetworkBuilder builder(file);
  const auto matrix = [&](const char* name) { return icu_matrix(json, name, file); };
  const graph::Array table = matrix("mat1");
  const nlohmann::json& dictionary = member(json, "dic", file);
  const auto known = static_cast<int64_t>(dictionary.size());
  if (table.dims.size() != 2 || !dictionary.is_object() || table.dims[0] != known + 1) {
    builder.fail(fmt::format("mat1: expected a row for each of {} texts of dic and one for all others, found {}", known,
                             graph::shown(table.dims)),
                 "the file is damaged");
  }
  std::vector<std::string> symbols(static_cast<size_t>(known) + 1);
  symbols.back() = "\xEF\xBF\xBD";  // U+FFFD stands for all others
  for (const auto& [text, number] : dictionary.items()) {
    std::string& to = symbols[static_cast<size_t>(whole_of(number, 0, known - 1, file + ": dic"))];
    if (!to.empty() || text.empty()) builder.fail("dic: expected each number once, found one again", "it is damaged");
    to = text;
  }
  std::string last = builder.add("embedding", "embedding", {builder.symbols("symbols")}, {}, {{"weight", table}});
  NetworkBuilder::Weights weights;
  add_keras_cell(builder, "lstm", {GateOrder::kKerasLstm, matrix("mat2"), matrix("mat3"), matrix("mat4")}, "_l0",
                 weights);
  add_keras_cell(builder, "lstm", {GateOrder::kKerasLstm, matrix("mat5"), matrix("mat6"), matrix("mat7")},
                 "_l0_reverse", weights);
  last = builder.add("lstm", "lstm", {last}, {{"bidirectional", int64_t{1}}}, std::move(weights));
  const graph::Array dense = matrix("mat8"), bias = matrix("mat9");
  if (dense.dims.size() != 2) builder.fail("mat8: expected a matrix, found another", "the file is damaged");
  last = builder.add("linear", "dense", {last}, {}, {{"weight", transposed(dense)}, {"bias", bias}});
  last = builder.add("softmax", "softmax", {last});
  builder.note(fmt::format("{} texts are symbols; all others are symbol {}", known, known));
  Imported out = builder.finish({last});
  out.graph.symbols = std::move(symbols);
  return out;
}

}  // namespace longhand::convert
