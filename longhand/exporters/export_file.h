// The table of export formats, and the writing of exported files.
#pragma once

#include <string>
#include <vector>

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// A row of the table of export formats.
struct ExportFormat {
  const char* name;    ///< value of --to
  const char* ending;  ///< extension of the first file, with the dot
  const char* help;
  bool has_int8;  ///< whether the format supports int8 weights and a number of steps per call (C only)
  /// Exports the model. Throws an input error of two lines that names a part of the model that the format cannot hold.
  Exported (*write)(const ExportModel& model, const ExportOptions& options);
  /// Throws a usage error if programs that use the format cannot load a first file of this path. Null: any path is
  /// valid.
  void (*check_path)(const std::string& path) = nullptr;
};

const std::vector<ExportFormat>& export_formats();
/// Throws a usage error that lists the formats.
const ExportFormat& export_format(const std::string& name);

/// Returns the paths of the exported files. `path` is the path of the first file; the others have the same stem and
/// another extension. Throws a usage error if two paths are equal.
std::vector<std::string> exported_paths(const Exported& exported, const std::string& path);
/// Writes the files, and returns their paths. Throws an input error if a file cannot be written.
std::vector<std::string> write_exported(const Exported& exported, const std::string& path);

}  // namespace longhand::exporters
