// What the metadata of a model say about its inputs and outputs (`ports` of tasks::model_texts).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

struct PortText {
  std::string what;
  std::vector<std::string> columns;  ///< a name for each number of the last axis, or of an output
  std::vector<std::string> values;   ///< of a text as an index: the texts

  /// Returns one line, such as "rows of the window: price, sales". Long lists are shortened.
  std::string line() const;
};

/// By the name of the input or output; empty if the model has no such texts.
std::map<std::string, PortText> port_texts(const ExportModel& model);

}  // namespace longhand::exporters
