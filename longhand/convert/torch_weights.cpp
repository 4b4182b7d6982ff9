// Weights that PyTorch keeps in parts: torch.nn.utils.weight_norm, parametrizations and pruning.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/torch_graph.h"

namespace longhand::convert {
namespace {

// What the length and the direction of `name` are called, by weight_norm() and by its successor among the
// parametrizations. `name` is what the length is called; nothing where it is called otherwise.
struct NormNames {
  std::string length, direction, whole;
};
std::optional<NormNames> norm_names(const std::string& name) {
  if (name.ends_with("_g")) {
    const std::string whole = name.substr(0, name.size() - 2);
    return NormNames{name, whole + "_v", whole};
  }
  constexpr std::string_view kInner = "parametrizations.", kLength = ".original0";
  const size_t at = name.find(kInner);
  if (at == std::string::npos || !name.ends_with(kLength)) return std::nullopt;
  const std::string path = name.substr(0, name.size() - kLength.size());
  return NormNames{name, path + ".original1", path.substr(0, at) + path.substr(at + kInner.size())};
}

// w = g v / |v|, a length for each row of v, or one for all (Salimans and Kingma 2016).
graph::Array joined(const graph::Array& g, const graph::Array& v, const std::string& where) {
  const auto rows = static_cast<int64_t>(g.floats.size());
  const bool by_row = !v.dims.empty() && g.dims.size() == v.dims.size() && g.dims[0] == v.dims[0] && rows == g.dims[0];
  if ((!by_row && rows != 1) || v.floats.empty()) {
    throw input_error(fmt::format("{}: expected a length of weight_norm for each row of {}, found {}", where,
                                  graph::shown(v.dims), graph::shown(g.dims)),
                      "in Python: remove_weight_norm(module), then torch.save(model.state_dict(), 'weights.pt')");
  }
  graph::Array out = v;
  const size_t each = v.floats.size() / static_cast<size_t>(rows);
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    double sum = 0.0;
    for (size_t i = row * each; i < (row + 1) * each; ++i) {
      sum += static_cast<double>(v.floats[i]) * static_cast<double>(v.floats[i]);
    }
    const double scale = sum == 0.0 ? 0.0 : static_cast<double>(g.floats[row]) / std::sqrt(sum);
    for (size_t i = row * each; i < (row + 1) * each; ++i) {
      out.floats[i] = static_cast<float>(scale * static_cast<double>(v.floats[i]));
    }
  }
  return out;
}

void refuse_other_parts(const NamedTensors& tensors, const std::string& file) {
  for (const auto& [name, array] : tensors) {
    if (name.find("parametrizations.") != std::string::npos) {
      throw input_error(fmt::format("{}: '{}': expected weights, found a parametrization that is not weight_norm", file,
                                    visible(name)),
                        "in Python: torch.nn.utils.parametrize.remove_parametrizations(module, 'weight'), then save");
    }
    if (name.ends_with("_orig")) {
      throw input_error(
          fmt::format("{}: '{}': expected weights, found the part of pruned or normalised ones", file, visible(name)),
          "in Python: torch.nn.utils.prune.remove(module, 'weight') or remove_spectral_norm, then save");
    }
  }
}

}  // namespace

void join_weight_norms(NamedTensors& tensors, const std::string& file) {
  const auto find = [&](const std::string& name) {
    return std::find_if(tensors.begin(), tensors.end(), [&](const auto& each) { return each.first == name; });
  };
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto names = norm_names(tensors[i].first);
    if (!names) continue;
    const auto direction = find(names->direction);
    if (direction == tensors.end() || find(names->whole) != tensors.end()) continue;
    const graph::Array whole =
        joined(tensors[i].second, direction->second, fmt::format("{}: '{}'", file, visible(names->length)));
    tensors[i] = {names->whole, whole};
    if (direction - tensors.begin() < static_cast<std::ptrdiff_t>(i)) --i;
    tensors.erase(direction);
  }
  refuse_other_parts(tensors, file);
}

}  // namespace longhand::convert
