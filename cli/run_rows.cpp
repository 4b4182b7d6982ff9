#include "cli/run_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/number_table.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"

namespace longhand::cli {
namespace {

// Numbers between commas, semicolons, tabs or spaces. A first line without a number is a header.
class CsvReader : public RowReader {
 public:
  CsvReader(const std::string& path, int64_t width) : file_(path), width_(width) {}

  int64_t read(int64_t most, std::vector<float>& rows) override {
    int64_t n = 0;
    std::string line;
    while (n < most && next_line(line)) {
      ++number_;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (number_ == 1 && is_header(line)) continue;
      read_line(line, rows);
      ++n;
    }
    return n;
  }

 private:
  static constexpr size_t kLongestLine = size_t{1} << 26;

  bool next_line(std::string& line) {
    line.clear();
    while (true) {
      const size_t end = pending_.find('\n', at_);
      if (end != std::string::npos) {
        line.assign(pending_, at_, end - at_);
        at_ = end + 1;
        return true;
      }
      pending_.erase(0, at_);
      at_ = 0;
      if (pending_.size() > kLongestLine) fail("expected a line of less than 64 MiB", "is it a file of text?");
      const size_t before = pending_.size();
      pending_.resize(before + 65536);
      pending_.resize(before + file_.read_some({pending_.data() + before, 65536}));
      if (pending_.size() > before) continue;
      std::swap(line, pending_);
      return !line.empty();
    }
  }

  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw input_error(fmt::format("{}:{}: {}", file_.name(), number_, problem), advice);
  }

  static bool is_header(const std::string& line) {
    const size_t at = line.find_first_not_of(" \t\"+-");
    return at != std::string::npos && std::strchr("0123456789.,;", line[at]) == nullptr && line[at] != 'i' &&
           line[at] != 'n';
  }

  void read_line(const std::string& line, std::vector<float>& rows) {
    if (line.find(',') != std::string::npos && line.find_first_of(";\t") != std::string::npos) {
      fail("expected one kind of separator, found commas beside semicolons or tabs",
           "write decimal points instead of decimal commas");
    }
    int64_t found = 0;
    const char *at = line.data(), *end = at + line.size();
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (true) {
      while (at < end && is_space(*at)) ++at;
      if (at == end) break;
      if (*at == '+') ++at;
      float value = 0.0F;
      const auto [after, error] = std::from_chars(at, end, value);
      if (error != std::errc() || !std::isfinite(value)) {
        const std::string_view rest(at, static_cast<size_t>(end - at));
        fail(fmt::format("expected a finite number, found '{}'", visible(rest.substr(0, 20))), "write rows of numbers");
      }
      rows.push_back(value);
      ++found;
      at = after;
      while (at < end && is_space(*at)) ++at;
      if (at < end && (*at == ',' || *at == ';')) ++at;
    }
    if (found != width_)
      fail(fmt::format("expected {} numbers, found {}", width_, found), "write one time step a line");
  }

  io::InputStream file_;
  int64_t width_, number_ = 0;
  std::string pending_;
  size_t at_ = 0;
};

// Numbers of arrays and sounds, which become rows of `width`: rows of the file as they are, or numbers one by one, the
// last row filled with zeros.
class NumbersReader : public RowReader {
 public:
  NumbersReader(const std::string& path, int64_t width) : file_(path), width_(width) {}

  int64_t read(int64_t most, std::vector<float>& rows) override {
    while (!ended_ && static_cast<int64_t>(pending_.size()) < most * width_) {
      const std::vector<float> more = next(most * width_ - static_cast<int64_t>(pending_.size()));
      ended_ = more.empty();
      pending_.insert(pending_.end(), more.begin(), more.end());
    }
    if (ended_)
      pending_.resize((pending_.size() + static_cast<size_t>(width_) - 1) / static_cast<size_t>(width_) *
                      static_cast<size_t>(width_));
    const int64_t n = std::min(most, static_cast<int64_t>(pending_.size()) / width_);
    const auto end = pending_.begin() + n * width_;
    if (!std::all_of(pending_.begin(), end, [](float v) { return std::isfinite(v); })) {
      throw input_error(file_.name() + ": holds numbers that are not finite", "leave them out");
    }
    rows.insert(rows.end(), pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    return n;
  }

 protected:
  /// Some of the next numbers, about so many: a pipe may be live, and is read no further than it must. None at the end.
  virtual std::vector<float> next(int64_t numbers) = 0;
  void expect_width(int64_t found) const {
    if (found == width_) return;
    throw input_error(fmt::format("{}: expected rows of {} numbers, found {}", file_.name(), width_, found),
                      "give one row for each time step");
  }

  io::InputStream file_;
  int64_t width_;

 private:
  std::vector<float> pending_;
  bool ended_ = false;
};

// [n] numbers one by one, or [..., width] rows.
class NpyRows : public NumbersReader {
 public:
  NpyRows(const std::string& path, int64_t width) : NumbersReader(path, width), array_(file_) {
    const std::vector<int64_t>& shape = array_.header().shape;
    if (shape.size() > 1 || width == 1) expect_width(shape.size() > 1 ? shape.back() : 1);
    for (size_t axis = 1; axis < shape.size(); ++axis) row_ *= std::max<int64_t>(shape[axis], 1);
  }

 private:
  std::vector<float> next(int64_t numbers) override {
    return io::floats(array_.read(std::max<int64_t>(numbers / row_, 1)), file_.name());
  }
  io::NpyReader array_;
  int64_t row_ = 1;
};

// One channel sample by sample, or a row for the channels of each frame.
class WavRows : public NumbersReader {
 public:
  WavRows(const std::string& path, int64_t width) : NumbersReader(path, width), sound_(file_) {
    if (sound_.format().channels > 1) expect_width(sound_.format().channels);
  }

 private:
  std::vector<float> next(int64_t numbers) override {
    return sound_.read(std::max<int64_t>(numbers / sound_.format().channels, 1));
  }
  io::WavReader sound_;
};

class RawRows : public NumbersReader {
 public:
  using NumbersReader::NumbersReader;

 private:
  std::vector<float> next(int64_t numbers) override {
    return io::read_raw_rows(file_, width_, std::max<int64_t>(numbers / width_, 1));
  }
};

class RowsOut : public RowWriter {
 public:
  RowsOut(const std::string& path, const std::string& format, int64_t width)
      : file_(path), text_(format == "csv"), width_(width) {
    if (format == "npy") array_.emplace(file_, io::DType::kF32, std::vector<int64_t>{-1, width});
  }

  void write(const float* rows, int64_t n) override {
    const std::span<const float> values(rows, static_cast<size_t>(n * width_));
    if (text_) {
      convert::write_number_rows(file_, width_, values);
    } else if (array_) {
      array_->write({reinterpret_cast<const char*>(rows), values.size_bytes()});
    } else {
      io::write_raw_floats(file_, values);
    }
  }

  void finish() override {
    if (array_) array_->finish();
    file_.finish();
  }

 private:
  io::OutputStream file_;
  bool text_;
  int64_t width_;
  std::optional<io::NpyWriter> array_;
};

}  // namespace

std::vector<std::string> row_formats() { return {"auto", "csv", "raw", "npy", "wav"}; }

std::string format_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string end = dot == std::string::npos ? "" : path.substr(dot);
  if (end == ".csv" || end == ".txt" || end == ".tsv") return "csv";
  if (end == ".npy" || end == ".wav") return end.substr(1);
  return end == ".f32" || end == ".raw" || end == ".bin" ? "raw" : "";
}

std::unique_ptr<RowReader> RowReader::open(const std::string& path, const std::string& format, int64_t width) {
  if (format == "csv") return std::make_unique<CsvReader>(path, width);
  if (format == "npy") return std::make_unique<NpyRows>(path, width);
  if (format == "wav") return std::make_unique<WavRows>(path, width);
  return std::make_unique<RawRows>(path, width);
}

std::unique_ptr<RowWriter> RowWriter::open(const std::string& path, const std::string& format, int64_t width) {
  if (format == "wav") {
    throw usage_error(path + ": expected csv, raw or npy, found wav",
                      "write raw numbers; their sampling rate is not known");
  }
  return std::make_unique<RowsOut>(path, format, width);
}

}  // namespace longhand::cli
