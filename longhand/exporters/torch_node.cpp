// TorchNode: inputs and outputs of a node as expressions, its attributes and its submodule.
#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/exporters/torch_program.h"

namespace longhand::exporters {

bool TorchNode::wants(size_t output) const { return output < node_.outputs.size() && !node_.outputs[output].empty(); }

std::vector<int64_t> TorchNode::ints(size_t input, const char* attribute, const std::vector<int64_t>& otherwise) const {
  if (!has(input)) return integers(attribute, otherwise);
  const auto known = known_ints(input);
  if (!known) refuse(fmt::format("input {} is computed as the model runs", input + 1));
  return *known;
}

std::string TorchNode::out(size_t output) {
  const bool first = !released_;
  if (first) program_.release(node_);
  released_ = true;
  const std::string& value = node_.outputs.at(output);
  const std::string reused = first && !node_.inputs.empty() ? program_.reusable(node_.inputs.front()) : std::string();
  const bool free_x = output == 0 && program_.is_free("x");
  return program_.define(value, output == 0 ? node_.name : value, free_x ? "x" : reused);
}

void TorchNode::assign(const std::string& expression) {
  const std::string to = out();
  line(fmt::format("{} = {}", to, expression));
}

void TorchNode::pass_on() {
  const std::string x = in(0);
  program_.bind(node_.outputs.at(0), x);
  program_.release(node_);
}

std::string TorchNode::module() {
  if (module_.empty()) module_ = program_.attribute(node_.name);
  return module_;
}

void TorchNode::init(const std::string& expression) {
  program_.init(fmt::format("self.{} = {}", module(), expression));
}

void TorchNode::tensor(const std::string& role, const std::string& called) {
  const std::string name = module() + "." + called, &array = node_.weights.at(role);
  program_.tensor(name, weight(role));
  if (program_.tie(array, name)) return;
  program_.source(array, {.tensors = {name}});
}

const graph::Array& TorchNode::weight(const std::string& role) const {
  return program_.graph().arrays.at(node_.weights.at(role));
}

int64_t TorchNode::axis(const char* name, int64_t otherwise, size_t rank) const {
  const int64_t given = integer(name, otherwise);
  return given < 0 ? given + static_cast<int64_t>(rank) : given;
}

void TorchNode::refuse(const std::string& what) const {
  throw input_error(fmt::format("node '{}' ({}): {}", node_.name, node_.type, what),
                    "it has no form in PyTorch's module; export to onnx, or run the model with longhand");
}

}  // namespace longhand::exporters
