// Descriptions of inputs and outputs in a model's metadata (`ports` of tasks::model_texts).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

struct PortText {
  std::string what;
  std::vector<std::string> columns;  ///< name of each element of the last axis
  std::vector<std::string> values;   ///< texts that the integers 0, 1, ... of an input stand for

  /// Returns one line, such as "rows of the window: price, sales". Long lists are shortened.
  std::string line() const;
};

/// Returns the descriptions by the name of the input or output; empty if the metadata have none.
std::map<std::string, PortText> port_texts(const ExportModel& model);

}  // namespace longhand::exporters
