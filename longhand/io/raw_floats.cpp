#include "longhand/io/raw_floats.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::io {

std::vector<float> read_raw_floats(const std::string& path) {
  return read_raw_floats(path == "-" ? "standard input" : path, read_file(path));
}

std::vector<float> read_raw_floats(const std::string& name, std::string_view bytes) {
  if (bytes.size() % sizeof(float) != 0) {
    throw input_error(fmt::format("{}: expected float32 numbers of 4 bytes, found {} bytes", name, bytes.size()),
                      "the file is truncated or has other numbers; write it with numpy.astype('<f4').tofile");
  }
  std::vector<float> out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::vector<float> read_raw_rows(InputStream& input, int64_t columns, int64_t max_rows) {
  LONGHAND_CHECK(columns > 0 && max_rows > 0);
  constexpr size_t kAtOnce = size_t{1} << 20;  // memory is taken as numbers come
  const auto wanted = static_cast<size_t>(columns * max_rows);
  std::vector<float> out;
  size_t got = 0;
  while (got == out.size() * sizeof(float) && out.size() < wanted) {
    const size_t before = out.size();
    out.resize(std::min(wanted, before + kAtOnce));
    got += input.read({reinterpret_cast<char*>(out.data() + before), (out.size() - before) * sizeof(float)});
  }
  const size_t row = static_cast<size_t>(columns) * sizeof(float);
  if (got % row != 0) {
    throw input_error(fmt::format("{}: expected rows of {} float32 numbers ({} bytes), found {} bytes more at byte {}",
                                  input.name(), columns, row, got % row, input.position() - got % row),
                      "send whole rows, each number with 4 bytes, little-endian");
  }
  out.resize(got / sizeof(float));
  return out;
}

void write_raw_floats(OutputStream& output, std::span<const float> values) {
  output.write({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

}  // namespace longhand::io
