// Raw float32: little-endian numbers without a header, as programs send them through pipes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/byte_stream.h"

namespace longhand::io {

/// Every number of a file, or of standard input where `path` is "-". Throws an input error where the file ends within a
/// number.
std::vector<float> read_raw_floats(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
std::vector<float> read_raw_floats(const std::string& name, std::string_view bytes);

/// The next rows of `columns` numbers, at most `max_rows`; empty at the end. Throws an input error where the input ends
/// within a row.
std::vector<float> read_raw_rows(InputStream& input, int64_t columns, int64_t max_rows);

void write_raw_floats(OutputStream& output, std::span<const float> values);

}  // namespace longhand::io
