// TensorBoard's event files: scalars by step, which it plots. Written only, and nothing but scalars.
//
// Layout: records of the data's length (8 bytes, little-endian), the length's masked CRC-32C (4 bytes), the data, and
// the data's masked CRC-32C (4 bytes). The data is a protobuf message, Event: in the first record the version of the
// format, in the others a step, the time, and scalars by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "longhand/base/crc32c.h"
#include "longhand/io/file.h"

namespace longhand::io {

using longhand::crc32c;

/// An event file that grows by whole records. TensorBoard reads it where its name contains "tfevents".
class EventWriter {
 public:
  /// Keeps the first `keep_bytes` of what is there (or all of it, if that is less) and appends after them.
  EventWriter(std::string path, size_t keep_bytes);

  /// Appends a record of the named scalars, in one write; in an empty file, the version's record before it. `wall_time`
  /// is in seconds since 1970. The file holds the scalars in single precision. Throws an input error where the disk is
  /// full.
  void write(double wall_time, int64_t step, std::span<const std::pair<std::string, double>> scalars);
  /// Waits until what was written is on the disk.
  void flush();
  /// The length of the file: what a checkpoint remembers after a flush, to be given as `keep_bytes`.
  int64_t bytes() const;

 private:
  AppendFile file_;
};

}  // namespace longhand::io
