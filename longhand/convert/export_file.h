// A network of layers in the format of another program, whatever it is.
#pragma once

#include <string>
#include <vector>

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// A format, a row each.
struct ExportFormat {
  const char* name;    ///< of --to
  const char* ending;  ///< of the first file, with the dot
  const char* help;
  bool has_int8;  ///< whether it can keep matrices as int8, and computes a number of steps a call: C
  /// Throws an input error of two lines that names what of the model the format cannot hold.
  Exported (*write)(const ExportModel& model, const ExportOptions& options);
};

const std::vector<ExportFormat>& export_formats();
/// Throws a usage error that lists the formats.
const ExportFormat& export_format(const std::string& name);

/// The paths of the files, which lie beside each other. `path` is that of the first one; the others differ from it in
/// their ending. Throws a usage error where two would be one.
std::vector<std::string> exported_paths(const Exported& exported, const std::string& path);
/// Writes the files, and returns their paths. Throws an input error where the disk does not take a file.
std::vector<std::string> write_exported(const Exported& exported, const std::string& path);

}  // namespace longhand::convert
