#include "longhand/exporters/onnx_site.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/gate_order.h"

namespace longhand::exporters {
void OnnxSite::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(
      fmt::format("{}: node '{}' ({}): {}", all_.where, visible(node_.name), visible(node_.type), problem), advice);
}

std::string OnnxSite::in(size_t input) const {
  const std::string& name = node_.inputs.at(input);
  const auto array = graph().arrays.find(name);
  if (array == graph().arrays.end()) return name;
  return all_.make.array(name, array->second);
}

std::vector<std::string> OnnxSite::all_inputs() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < node_.inputs.size(); ++i) out.push_back(has(i) ? in(i) : "");
  return out;
}

int64_t OnnxSite::width(size_t input) const {
  const graph::Dims extents = dims(input);
  if (extents.empty() || extents.back() < 0) fail("expected rows of a fixed width", "fix it when it is imported");
  return extents.back();
}

const graph::Array& OnnxSite::weight(const std::string& role) const {
  return graph().arrays.at(node_.weights.at(role));
}

std::string OnnxSite::weight_value(const std::string& role) { return make.array(node_.weights.at(role), weight(role)); }

std::string OnnxSite::transposed_weight(const std::string& role) {
  const std::string& name = node_.weights.at(role);
  // Transposes an array at run time if other nodes use it, too (a tied embedding), so that the file stores it once.
  if (all_.uses.at(name) > 1) return make.transpose(weight_value(role), {1, 0});
  return make.array(name + ".transposed", convert::transposed(weight(role)));
}

std::string OnnxSite::begin_state(const std::string& name, const graph::Dims& dims, std::vector<float> initial) {
  all_.states.push_back({.input = make.unique(name + "_in"),
                         .output = make.unique(name + "_out"),
                         .dims = dims,
                         .initial = std::move(initial)});
  make.set_type(all_.states.back().input, io::DType::kF32);
  return all_.states.back().input;
}

void OnnxSite::end_state(const std::string& input, const std::string& next) {
  for (const OnnxState& state : all_.states) {
    if (state.input == input) make.op("Identity", {next}, {}, state.output);
  }
}

}  // namespace longhand::exporters
