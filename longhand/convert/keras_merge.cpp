// Keras's layers that join several: sums, products, concatenation, dot products.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

// "Add"; of Merge, in version 1, its mode.
std::string kind_of(const KerasSite& site) {
  if (site.type != "Merge") return site.type;
  static const std::map<std::string, const char*> kModes = {
      {"sum", "Add"},     {"mul", "Multiply"},       {"ave", "Average"},
      {"max", "Maximum"}, {"concat", "Concatenate"}, {"dot", "Dot"}};
  const std::string mode = site.text("mode", "concat");
  const auto found = kModes.find(mode);
  if (found == kModes.end()) site.fail(fmt::format("mode '{}' is not known", visible(mode)));
  return found->second;
}

// Which steps the result has: in version 3 those that one of all has, where all have masks; before, those that all
// have.
std::string joined_mask(const KerasSite& site, const KerasValues& all, bool concat) {
  std::vector<std::string> masks;
  for (const KerasValue& each : all) {
    if (!each.mask.empty()) masks.push_back(each.mask);
  }
  const bool any = site.keras.version == 3 && !concat;
  if (masks.empty() || (any && masks.size() < all.size())) return "";
  std::string out = masks[0];
  for (size_t i = 1; i < masks.size(); ++i) {
    if (masks[i] != out) out = site.part(any ? "Or" : "And", "mask", {out, masks[i]});
  }
  return out;
}

// Extents as they are where one is known.
void join_dims(const KerasSite& site, KerasValue& out, const KerasValue& other) {
  if (out.dims.size() != other.dims.size()) site.fail("expected layers with as many axes");
  for (size_t i = 0; i < out.dims.size(); ++i) {
    int64_t& a = out.dims[i];
    const int64_t b = other.dims[i];
    if (a >= 0 && b >= 0 && a != b && a != 1 && b != 1) site.fail("expected layers of one size");
    a = a < 0 || b < 0 ? (a == 1 ? b : b == 1 ? a : std::max(a, b)) : std::max(a, b);
  }
}

KerasValues add_elementwise(const KerasSite& site) {
  const std::string kind = kind_of(site);
  static const std::map<std::string, const char*> kNodes = {{"Add", "add"},     {"Multiply", "multiply"},
                                                            {"Average", "add"}, {"Subtract", "subtract"},
                                                            {"Maximum", "max"}, {"Minimum", "min"}};
  const KerasValues all = site.inputs();
  if (all.size() < 2) site.fail("expected several layers before it");
  KerasValue out = all[0];
  std::vector<std::string> names;
  for (const KerasValue& each : all) {
    join_dims(site, out, each);
    if (each.is_symbols) site.fail("expected numbers, found symbols");
    names.push_back(each.name);
  }
  out.mask = joined_mask(site, all, false);
  out.name = site.add(kNodes.at(kind), std::move(names));
  if (kind == "Average") {
    out.name = site.part("scale", "mean", {out.name}, {{"scale", 1.0 / static_cast<double>(all.size())}});
  }
  return {out};
}

KerasValues add_concatenate(const KerasSite& site) {
  const KerasValues all = site.inputs();
  if (all.size() < 2) site.fail("expected several layers before it");
  const std::vector<int64_t> given = site.list(site.config.contains("axis") ? "axis" : "concat_axis");
  KerasValue out = all[0];
  const auto rank = static_cast<int64_t>(out.dims.size()) + 1;
  int64_t axis = given.empty() ? -1 : given[0];
  if (axis < 0) axis += rank;
  if (axis < 1 || axis >= rank) site.fail("expected an axis after that of the batch");
  const auto at = static_cast<size_t>(axis - 1);
  std::vector<std::string> names = {out.name};
  for (size_t i = 1; i < all.size(); ++i) {
    KerasValue other = all[i];
    if (other.dims.size() != out.dims.size() || other.is_symbols != out.is_symbols) {
      site.fail("expected sequences, or rows, alone");
    }
    if (axis + 1 != rank && (out.dims[at] < 0 || other.dims[at] < 0)) {
      site.expect_steps(out);
      site.expect_steps(other);
    }
    const int64_t together = out.dims[at] + other.dims[at];
    out.dims[at] = other.dims[at] = 1;
    join_dims(site, out, other);
    out.dims[at] = together;
    names.push_back(other.name);
  }
  const bool over_steps = axis + 1 != rank;
  if (over_steps) {
    site.expect_steps(out);
    for (const KerasValue& each : all) {
      if (!each.mask.empty()) site.fail("expected sequences without masks, one after the other");
    }
    out.name = site.add("Concat", std::move(names), {{"axis", axis}});
    return {out};
  }
  out.mask = joined_mask(site, all, true);
  out.name = site.add("concat", std::move(names));
  return {out};
}

// x / |x| over an axis (of the batch's, with it).
std::string unit_rows(const KerasSite& site, const std::string& x, int64_t axis) {
  const std::string squares = site.part("Mul", "squares", {x, x});
  const std::string sum =
      site.part("ReduceSum", "sum", {squares, site.whole("axes", {axis})}, {{"keepdims", int64_t{1}}});
  const std::string safe = site.part("Max", "safe", {sum, site.numbers("least", {1}, {1e-12F})});
  return site.part("Div", "unit", {x, site.part("Sqrt", "norm", {safe})});
}

// Sums of products over one axis of each: of rows a number, of sequences a matrix.
KerasValues add_dot(const KerasSite& site) {
  const KerasValues all = site.inputs();
  if (all.size() != 2) site.fail("expected two layers before it");
  std::vector<int64_t> axes = site.list(site.config.contains("axes") ? "axes" : "dot_axes");
  if (site.type == "Merge" && site.config.contains("dot_axes") && site.config["dot_axes"].is_array() && axes.empty()) {
    site.fail("expected axes", "it is damaged");
  }
  if (axes.empty()) axes = {-1};
  if (axes.size() == 1) axes.push_back(axes[0]);
  for (size_t i = 0; i < 2; ++i) {
    const auto rank = static_cast<int64_t>(all[i].dims.size()) + 1;
    if (axes[i] < 0) axes[i] += rank;
    if (axes[i] < 1 || axes[i] >= rank || rank > 3 || all[i].is_symbols)
      site.fail("expected axes of rows or sequences");
  }
  const int64_t a_size = all[0].dims[static_cast<size_t>(axes[0] - 1)],
                b_size = all[1].dims[static_cast<size_t>(axes[1] - 1)];
  if (a_size != b_size) site.fail(fmt::format("expected axes of one size, found {} and {}", a_size, b_size));
  // The steps become the width of what follows.
  const bool open = std::any_of(all.begin(), all.end(), [](const KerasValue& x) { return x.dims[0] < 0; });
  if (a_size < 0 || !open) {
    site.expect_steps(all[0]);
    site.expect_steps(all[1]);
  }
  std::string a = all[0].name, b = all[1].name;
  if (site.flag("normalize", false)) {
    a = unit_rows(site, a, axes[0]);
    b = unit_rows(site, b, axes[1]);
  }
  const std::vector<int64_t> turn = {0, 2, 1};
  // [B, ..., K] and [B, K, ...]
  KerasValue out;
  if (all[0].dims.size() == 1) {
    a = site.part("Unsqueeze", "row", {a, site.whole("axes_row", {1})});
  } else {
    if (axes[0] == 1) a = site.part("Transpose", "first", {a}, {{"perm", turn}});
    out.dims.push_back(all[0].dims[axes[0] == 1 ? 1 : 0]);
  }
  if (all[1].dims.size() == 1) {
    b = site.part("Unsqueeze", "column", {b, site.whole("axes_column", {2})});
  } else {
    if (axes[1] == 2) b = site.part("Transpose", "second", {b}, {{"perm", turn}});
    out.dims.push_back(all[1].dims[axes[1] == 1 ? 1 : 0]);
  }
  out.name = site.add("MatMul", {a, b});
  std::vector<int64_t> single;
  if (all[0].dims.size() == 1 && all[1].dims.size() == 1) {
    single = {2};
    out.dims = {1};
  } else if (all[0].dims.size() == 1) {
    single = {1};
  } else if (all[1].dims.size() == 1) {
    single = {2};
  }
  if (!single.empty()) out.name = site.part("Squeeze", "row", {out.name, site.whole("axes_single", single)});
  return {out};
}

KerasValues add_merge(const KerasSite& site) {
  if (is_scalar_operation(site)) return add_scalar_operation(site);
  const std::string kind = kind_of(site);
  return kind == "Concatenate" ? add_concatenate(site) : kind == "Dot" ? add_dot(site) : add_elementwise(site);
}

}  // namespace

KerasFunction find_merge_layer(const std::string& type) {
  for (const char* each :
       {"Add", "Multiply", "Average", "Subtract", "Maximum", "Minimum", "Concatenate", "Dot", "Merge"}) {
    if (type == each) return add_merge;
  }
  return nullptr;
}

}  // namespace longhand::convert
