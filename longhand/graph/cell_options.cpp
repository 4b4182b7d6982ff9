#include "longhand/graph/cell_options.h"

#include <algorithm>

namespace longhand::graph {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

}  // namespace

void read_cell_options(NodeBuild& node, int64_t directions) {
  const char* const usual[] = {"sigmoid", "tanh", "tanh"};
  const std::vector<std::string> activations = node.texts("activations");
  bool plain = activations.empty() || static_cast<int64_t>(activations.size()) == 3 * directions;
  for (size_t i = 0; i < activations.size(); ++i) plain = plain && lower(activations[i]) == usual[i % 3];
  if (!plain) node.fail("expected the activations sigmoid, tanh and tanh, found others");
  if (node.number("clip", 0.0) != 0.0) node.fail("expected a cell without clipping");
  if (node.integer("input_forget", 0) != 0) node.fail("expected a cell whose input and forget gates are not coupled");
}

}  // namespace longhand::graph
