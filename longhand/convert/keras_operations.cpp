// What is computed between layers: operations of version 3, and functions of TensorFlow in models of version 2.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

using Json = nlohmann::json;

// "multiply" of "Multiply", "math.multiply" and "__operators__.mul".
std::string function_of(const KerasSite& site) {
  std::string out = site.type;
  if (out == "TFOpLambda" || out == "SlicingOpLambda") out = site.text("function", "");
  const size_t dot = out.rfind('.');
  if (dot != std::string::npos) out.erase(0, dot + 1);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

struct OperationRow {
  const char* name;
  const char* node;
};
constexpr OperationRow kPairs[] = {{"add", "Add"},     {"subtract", "Sub"}, {"sub", "Sub"},    {"multiply", "Mul"},
                                   {"mul", "Mul"},     {"truediv", "Div"},  {"divide", "Div"}, {"truedivide", "Div"},
                                   {"maximum", "Max"}, {"minimum", "Min"},  {"power", "Pow"},  {"pow", "Pow"}};
constexpr OperationRow kSingles[] = {
    {"relu", "relu"},         {"sigmoid", "sigmoid"}, {"tanh", "tanh"},    {"exp", "exp"},          {"log", "log"},
    {"sqrt", "sqrt"},         {"abs", "abs"},         {"absolute", "abs"}, {"negative", "neg"},     {"neg", "neg"},
    {"softplus", "softplus"}, {"silu", "silu"},       {"elu", "elu"},      {"softsign", "softsign"}};
constexpr OperationRow kReductions[] = {
    {"mean", "ReduceMean"}, {"reduce_mean", "ReduceMean"}, {"sum", "ReduceSum"}, {"reduce_sum", "ReduceSum"},
    {"max", "ReduceMax"},   {"reduce_max", "ReduceMax"},   {"min", "ReduceMin"}, {"reduce_min", "ReduceMin"}};

template <size_t N>
const char* node_named(const OperationRow (&rows)[N], const std::string& name) {
  const auto* row =
      std::find_if(std::begin(rows), std::end(rows), [&](const OperationRow& r) { return name == r.name; });
  return row == std::end(rows) ? nullptr : row->node;
}

// The operands, also those with a name.
std::vector<KerasOperand> operands_of(const KerasSite& site, const std::vector<const char*>& names) {
  std::vector<KerasOperand> out = site.operands;
  for (const char* name : names) {
    const auto found = site.named.find(name);
    if (found != site.named.end()) out.insert(out.end(), found->second.begin(), found->second.end());
  }
  return out;
}

void expect_names(const KerasSite& site, const std::vector<std::string>& known) {
  for (const auto& [key, operands] : site.named) {
    const bool silent = operands.size() == 1 && !operands[0].value && operands[0].constant.is_null();
    if (silent || std::find(known.begin(), known.end(), key) != known.end()) continue;
    site.fail(fmt::format("is called with '{}', which is not read", visible(key)));
  }
}

KerasValues add_pair(const KerasSite& site, const char* node) {
  expect_names(site, {"x", "y", "x1", "x2", "name"});
  const std::vector<KerasOperand> all = operands_of(site, {"x", "x1", "y", "x2"});
  if (all.size() != 2) site.fail(fmt::format("expected two operands, found {}", all.size()));
  std::vector<std::string> names;
  KerasValue out;
  for (const KerasOperand& each : all) {
    if (!each.value) {
      if (!each.constant.is_number()) site.fail("is called with something other than layers and numbers");
      names.push_back(site.numbers("number", {1}, {each.constant.get<float>()}));
      continue;
    }
    if (each.value->is_symbols) site.fail("expected numbers, found symbols");
    if (!out.name.empty() && out.dims.size() != each.value->dims.size())
      site.fail("expected operands with as many axes");
    for (size_t i = 0; !out.name.empty() && i < out.dims.size(); ++i) {
      out.dims[i] = out.dims[i] == 1 ? each.value->dims[i] : out.dims[i];
    }
    const bool first = out.name.empty();
    if (first) out = *each.value;
    names.push_back(each.value->name);
  }
  if (out.name.empty()) site.fail("expected layers before it, found none");
  out.mask.clear();
  out.name = site.add(node, std::move(names));
  return {out};
}

KerasValues add_single(const KerasSite& site, const char* node) {
  expect_names(site, {"name"});
  KerasValue x = site.only_input();
  x.mask.clear();
  x.name = site.add(node, {x.name});
  return {x};
}

// What the configuration says, or the call.
Json setting(const KerasSite& site, const char* key) {
  const auto found = site.named.find(key);
  if (found != site.named.end() && found->second.size() == 1) return found->second[0].constant;
  return site.config.contains(key) ? site.config[key] : Json();
}

KerasValues add_reduction(const KerasSite& site, const char* node) {
  expect_names(site, {"axis", "keepdims", "name"});
  KerasValue x = site.only_input();
  const Json axis = setting(site, "axis");
  const auto rank = static_cast<int64_t>(x.dims.size()) + 1;
  const Json& one = axis.is_array() && axis.size() == 1 ? axis.front() : axis;
  if (!one.is_number_integer()) site.fail("expected one axis");
  int64_t at = whole_of(one, -rank, rank - 1, site.where());
  if (at < 0) at += rank;
  if (at == 0) site.fail("expected an axis after that of the batch");
  const bool keeps = setting(site, "keepdims") == true;
  if (at == 1 && rank == 3) {
    const std::string name = node;
    if (!keeps && (name == "ReduceMean" || name == "ReduceMax")) {
      return {
          {.name = site.add("pool", {x.name}, {{"kind", name == "ReduceMean" ? "mean" : "max"}}), .dims = {x.width()}}};
    }
    site.expect_steps(x);
  }
  x.name = site.add(node, {x.name, site.whole("axes", {at})}, {{"keepdims", int64_t{keeps ? 1 : 0}}});
  x.mask.clear();
  const auto place = x.dims.begin() + static_cast<std::ptrdiff_t>(at - 1);
  keeps ? (void)(*place = 1) : (void)x.dims.erase(place);
  return {x};
}

// One axis of x[...]: an index, or from `start` to before `stop`.
struct Part {
  bool whole = false, index = false;
  int64_t start = 0, stop = 0;
};

Part part_of(const KerasSite& site, const Json& json, int64_t extent) {
  const auto place = [&](const Json& given, int64_t otherwise) {
    if (given.is_null()) return otherwise;
    const int64_t at = whole_of(given, -(1 << 24), 1 << 24, site.where());
    if (at < 0 && extent < 0) site.fail("expected a number of steps that the model fixes, found none");
    return at < 0 ? at + extent : std::min(at, std::max<int64_t>(extent, at));
  };
  if (json.is_number_integer()) {
    if (json == -1 && extent < 0) return {.whole = false, .index = true, .start = -1, .stop = 0};
    const int64_t at = place(json, 0);
    return {.whole = false, .index = true, .start = at, .stop = at + 1};
  }
  const Json& inner = json.is_object() && json.contains("config") ? json["config"] : json;
  if (!inner.is_object() || !inner.contains("start")) site.fail("expected slices and indexes, found something else");
  if (inner.contains("step") && !inner["step"].is_null() && inner["step"] != 1)
    site.fail("expected slices without steps");
  const Json &start = inner["start"], &stop = inner.value("stop", Json());
  if ((start.is_null() || start == 0) && stop.is_null()) return {.whole = true};
  const int64_t end = extent < 0 ? place(stop, 1 << 24) : std::min(place(stop, extent), extent);
  return {.whole = false, .index = false, .start = place(start, 0), .stop = end};
}

KerasValues add_get_item(const KerasSite& site) {
  KerasOperand operand = site.operands.empty() ? KerasOperand() : site.operands[0];
  if (!operand.value) site.fail("expected a layer before it, found none");
  KerasValue x = *operand.value;
  Json parts = site.operands.size() > 1 ? site.operands[1].constant : Json();
  for (const char* key : {"slice_spec", "key"}) {
    const auto found = site.named.find(key);
    if (found != site.named.end() && found->second.size() == 1) parts = found->second[0].constant;
  }
  expect_names(site, {"slice_spec", "key", "name"});
  if (parts.is_object() && parts.contains("config") && parts["config"].is_array()) parts = parts["config"];
  if (!parts.is_array() || parts.empty() || parts.size() > x.dims.size() + 1 || x.is_symbols) {
    site.fail("expected slices and indexes of numbers");
  }
  if (!part_of(site, parts[0], -1).whole) site.fail("expected all of the batch");
  std::vector<int64_t> gone;
  graph::Dims dims = x.dims;
  for (size_t i = 1; i < parts.size(); ++i) {
    const int64_t extent = x.dims[i - 1];
    const Part part = part_of(site, parts[i], extent);
    if (part.whole) continue;
    const bool last_step = i == 1 && part.index && x.dims.size() == 2 && (part.start == -1 || part.start + 1 == extent);
    if (last_step && dims.size() == x.dims.size()) {
      x.name = site.part("pool", "last", {x.name}, {{"kind", "last"}});
      x.name = site.part("Unsqueeze", "step", {x.name, site.whole("axes_step", {1})});
      dims[0] = 1;
    } else {
      if (i == 1) site.expect_steps(x);
      if (part.start < 0 || part.start >= part.stop || (extent >= 0 && part.stop > extent)) {
        site.fail("expected a part that is there");
      }
      const std::string which = std::to_string(i);
      x.name = site.part("Slice", "part" + which,
                         {x.name, site.whole("starts" + which, {part.start}), site.whole("ends" + which, {part.stop}),
                          site.whole("axes" + which, {static_cast<int64_t>(i)})});
      dims[i - 1] = part.stop - part.start;
    }
    if (part.index) gone.push_back(static_cast<int64_t>(i));
  }
  x.mask.clear();
  x.dims.clear();
  for (size_t i = 0; i < dims.size(); ++i) {
    if (std::find(gone.begin(), gone.end(), static_cast<int64_t>(i) + 1) == gone.end()) x.dims.push_back(dims[i]);
  }
  if (!gone.empty()) x.name = site.add("Squeeze", {x.name, site.whole("axes_gone", gone)});
  return {x};
}

// Of tf.concat: the merge layer of the same name, with the call's axis.
KerasValues add_concat(const KerasSite& site) {
  Json config = {{"axis", setting(site, "axis")}};
  if (config["axis"].is_null()) site.fail("expected an axis");
  KerasSite merge{.builder = site.builder,
                  .keras = site.keras,
                  .name = site.name,
                  .type = "Concatenate",
                  .config = config,
                  .operands = site.operands,
                  .named = {}};
  return find_merge_layer("Concatenate")(merge);
}

// Truth values, of which masks are made.
KerasValues add_truth(const KerasSite& site, const std::string& function) {
  expect_names(site, {"y", "name", "axis"});
  const std::vector<KerasOperand> all = operands_of(site, {"y"});
  if (all.empty() || !all[0].value) site.fail("expected a layer before it, found none");
  KerasValue x = *all[0].value;
  if (function == "converttotensor") return {x};
  x.mask.clear();
  const bool was_symbols = x.is_symbols;
  x.is_symbols = true;
  if (function == "notequal" || function == "not_equal") {
    if (all.size() != 2 || !all[1].constant.is_number()) site.fail("expected a number to compare with");
    const double number = all[1].constant.get<double>();
    const std::string other = was_symbols ? site.whole("number", {static_cast<int64_t>(number)})
                                          : site.numbers("number", {1}, {static_cast<float>(number)});
    x.name = site.add("Not", {site.part("Equal", "same", {x.name, other})});
  } else if (function == "zeroslike" || function == "oneslike") {
    x.name = site.part("Equal", "ones", {x.name, x.name});
    if (function == "zeroslike") x.name = site.add("Not", {x.name});
  } else if (function == "logicalnot" || function == "logical_not") {
    x.name = site.add("Not", {x.name});
  } else if (function == "expanddims") {
    const Json axis = setting(site, "axis");
    if (!axis.is_null() && axis != -1) site.fail("expected the last axis");
    x.name = site.add("Unsqueeze", {x.name, site.whole("axes", {-1})});
    x.dims.push_back(1);
  } else if (function == "any") {
    if (setting(site, "axis") != -1 || x.dims.size() < 2) site.fail("expected the last axis");
    const std::string number = site.part("Cast", "number", {x.name}, {{"to", "float"}});
    const std::string most =
        site.part("ReduceMax", "most", {number, site.whole("axes", {-1})}, {{"keepdims", int64_t{0}}});
    x.name = site.add("Cast", {most}, {{"to", "bool"}});
    x.dims.pop_back();
  } else {
    if (all.size() != 2 || !all[1].value || !all[1].value->is_symbols || !was_symbols)
      site.fail("expected truth values");
    x.name = site.add(function.ends_with("or") ? "Or" : "And", {x.name, all[1].value->name});
    for (size_t i = 0; i < x.dims.size() && i < all[1].value->dims.size(); ++i) {
      if (x.dims[i] == 1) x.dims[i] = all[1].value->dims[i];
    }
  }
  return {x};
}

bool is_truth(const std::string& function) {
  static const std::array<const char*, 13> kNames = {
      "notequal", "not_equal", "zeroslike",  "oneslike",   "logicalnot",  "logical_not",    "expanddims",
      "any",      "logicalor", "logical_or", "logicaland", "logical_and", "converttotensor"};
  return std::find(kNames.begin(), kNames.end(), function) != kNames.end();
}

KerasValues add_operation(const KerasSite& site) {
  const std::string function = function_of(site);
  if (is_truth(function)) return add_truth(site, function);
  if (const char* node = node_named(kPairs, function)) return add_pair(site, node);
  if (const char* node = node_named(kSingles, function)) return add_single(site, node);
  if (const char* node = node_named(kReductions, function)) return add_reduction(site, node);
  if (function == "getitem") return add_get_item(site);
  if (function == "concat") return add_concat(site);
  site.fail(fmt::format("the function '{}' is not known", visible(function)),
            "replace it with layers, or export it as ONNX");
}

}  // namespace

KerasFunction find_operation(const std::string& type) {
  static const std::set<std::string> kTypes = {"TFOpLambda", "SlicingOpLambda",
                                               "GetItem",    "TrueDivide",
                                               "Divide",     "Mean",
                                               "Sum",        "Max",
                                               "Min",        "Relu",
                                               "Sigmoid",    "Tanh",
                                               "Exp",        "Log",
                                               "Sqrt",       "Abs",
                                               "Absolute",   "Negative",
                                               "Softplus",   "Silu",
                                               "Elu",        "Softsign",
                                               "Power",      "NotEqual",
                                               "ZerosLike",  "OnesLike",
                                               "LogicalNot", "LogicalOr",
                                               "LogicalAnd", "ExpandDims",
                                               "Any",        "ConvertToTensor"};
  return kTypes.contains(type) ? add_operation : nullptr;
}

bool is_scalar_operation(const KerasSite& site) {
  return std::any_of(site.operands.begin(), site.operands.end(),
                     [](const KerasOperand& each) { return !each.value && each.constant.is_number(); });
}

KerasValues add_scalar_operation(const KerasSite& site) { return add_operation(site); }

}  // namespace longhand::convert
