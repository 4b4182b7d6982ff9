#include "longhand/exporters/node_attributes.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::exporters {

const graph::Attribute* NodeAttributes::find(const std::string& name) const {
  const auto found = attributes_of_.attributes.find(name);
  return found == attributes_of_.attributes.end() ? nullptr : &found->second;
}

void NodeAttributes::wrong_type(const std::string& name, const char* expected) const {
  throw input_error(fmt::format("node '{}' ({}): attribute '{}': expected {}, found another type",
                                visible(attributes_of_.name), visible(attributes_of_.type), name, expected),
                    "correct the network");
}

bool NodeAttributes::is_text(const std::string& name) const {
  const graph::Attribute* found = find(name);
  return found != nullptr && std::holds_alternative<std::string>(*found);
}

int64_t NodeAttributes::integer(const std::string& name, int64_t otherwise) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return otherwise;
  if (const auto* whole = std::get_if<int64_t>(found)) return *whole;
  wrong_type(name, "an integer");
}

double NodeAttributes::number(const std::string& name, double otherwise) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return otherwise;
  if (const auto* whole = std::get_if<int64_t>(found)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(found)) return *real;
  wrong_type(name, "a number");
}

std::string NodeAttributes::text(const std::string& name, const std::string& otherwise) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return otherwise;
  if (const auto* text = std::get_if<std::string>(found)) return *text;
  wrong_type(name, "a text");
}

std::vector<int64_t> NodeAttributes::integers(const std::string& name, const std::vector<int64_t>& otherwise) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return otherwise;
  if (const auto* whole = std::get_if<int64_t>(found)) return {*whole};
  if (const auto* all = std::get_if<std::vector<int64_t>>(found)) return *all;
  wrong_type(name, "integers");
}

std::vector<double> NodeAttributes::numbers(const std::string& name) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return {};
  if (const auto* real = std::get_if<double>(found)) return {*real};
  if (const auto* all = std::get_if<std::vector<double>>(found)) return *all;
  const std::vector<int64_t> whole = integers(name);
  return {whole.begin(), whole.end()};
}

std::vector<std::string> NodeAttributes::texts(const std::string& name) const {
  const graph::Attribute* found = find(name);
  if (found == nullptr) return {};
  if (const auto* all = std::get_if<std::vector<std::string>>(found)) return *all;
  wrong_type(name, "texts");
}

}  // namespace longhand::exporters
