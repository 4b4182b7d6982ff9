// Reads the attributes of a node. The site of each format derives from this class.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// All methods return `otherwise`, or an empty list, if the node has no such attribute. They throw an input error that
/// names the node and the attribute if it has another type. A single number also reads as a list of one number.
class NodeAttributes {
 public:
  /// `node` must outlive the object.
  explicit NodeAttributes(const graph::Node& node) : attributes_of_(node) {}

  bool has_attribute(const std::string& name) const { return attributes_of_.attributes.contains(name); }
  bool is_text(const std::string& name) const;
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string text(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name, const std::vector<int64_t>& otherwise = {}) const;
  std::vector<double> numbers(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;

 private:
  const graph::Attribute* find(const std::string& name) const;
  [[noreturn]] void wrong_type(const std::string& name, const char* expected) const;

  const graph::Node& attributes_of_;
};

}  // namespace longhand::exporters
