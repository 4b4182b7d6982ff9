#include "cli/run_rows.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "cli/console.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/file.h"

namespace longhand::cli {
namespace {

// A file or standard input, in pieces.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : name_(path == "-" ? "standard input" : path) {
    if (path == "-") {
      file_ = stdin;
      return;
    }
    if (io::is_folder(path)) throw input_error(path + ": expected a file, found a folder", "give a file");
    file_ = std::fopen(path.c_str(), "rb");
    if (file_ == nullptr) throw input_error(path + ": " + std::strerror(errno), "check the path and its permissions");
  }
  ~InputFile() {
    if (file_ != stdin) std::fclose(file_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& name() const { return name_; }
  size_t read(char* to, size_t most) {
    const size_t n = std::fread(to, 1, most, file_);
    if (n < most && std::ferror(file_) != 0)
      throw input_error(name_ + ": cannot be read", "check the disk or the pipe");
    return n;
  }

 private:
  std::string name_;
  std::FILE* file_ = nullptr;
};

class RawReader : public RowReader {
 public:
  RawReader(const std::string& path, int64_t width) : file_(path), width_(width) {}

  int64_t read(int64_t most, std::vector<float>& rows) override {
    const size_t before = rows.size(), row = static_cast<size_t>(width_) * sizeof(float);
    rows.resize(before + static_cast<size_t>(most * width_));
    const size_t bytes = file_.read(reinterpret_cast<char*>(rows.data() + before), static_cast<size_t>(most) * row);
    if (bytes % row != 0) {
      throw input_error(fmt::format("{}: expected rows of {} numbers of 4 bytes, found {} bytes more", file_.name(),
                                    width_, bytes % row),
                        "give whole steps; pad the last with zeros");
    }
    const auto n = static_cast<int64_t>(bytes / row);
    rows.resize(before + static_cast<size_t>(n * width_));
    for (size_t i = before; i < rows.size(); ++i) {
      if (std::isfinite(rows[i])) continue;
      throw input_error(fmt::format("{}: number {}: expected a finite number", file_.name(),
                                    read_ + static_cast<int64_t>(i - before)),
                        "is it float32, little-endian?");
    }
    read_ += n * width_;
    return n;
  }

 private:
  InputFile file_;
  int64_t width_, read_ = 0;
};

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
      pending_.resize(before + file_.read(pending_.data() + before, 65536));
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

  InputFile file_;
  int64_t width_, number_ = 0;
  std::string pending_;
  size_t at_ = 0;
};

// Standard output, or a file that is complete or not there: it grows beside its place.
class RowsOut : public RowWriter {
 public:
  RowsOut(const std::string& path, bool text, int64_t width) : path_(path), text_(text), width_(width) {
    if (path_ == "-") return;
    temporary_ = path_ + ".part";
    file_ = std::make_unique<io::AppendFile>(temporary_, 0);
  }
  ~RowsOut() override {
    file_.reset();
    if (!temporary_.empty()) std::remove(temporary_.c_str());
  }

  void write(const float* rows, int64_t n) override {
    std::string bytes;
    if (text_) {
      for (int64_t i = 0; i < n * width_; ++i) {
        fmt::format_to(std::back_inserter(bytes), "{:.9g}{}", rows[i], (i + 1) % width_ == 0 ? '\n' : ',');
      }
    } else {
      bytes.assign(reinterpret_cast<const char*>(rows), static_cast<size_t>(n * width_) * sizeof(float));
    }
    file_ ? file_->append(bytes) : write_output(bytes);
  }

  void finish() override {
    if (!file_) return;
    file_->flush();
    file_.reset();
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      throw input_error(path_ + ": " + std::strerror(errno), "choose another place for the output");
    }
    temporary_.clear();
  }

 private:
  std::string path_, temporary_;
  bool text_;
  int64_t width_;
  std::unique_ptr<io::AppendFile> file_;
};

}  // namespace

std::vector<std::string> row_formats() { return {"auto", "csv", "raw"}; }

std::string format_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string end = dot == std::string::npos ? "" : path.substr(dot);
  if (end == ".csv" || end == ".txt" || end == ".tsv") return "csv";
  return end == ".f32" || end == ".raw" || end == ".bin" ? "raw" : "";
}

std::unique_ptr<RowReader> RowReader::open(const std::string& path, const std::string& format, int64_t width) {
  if (format == "csv") return std::make_unique<CsvReader>(path, width);
  return std::make_unique<RawReader>(path, width);
}

std::unique_ptr<RowWriter> RowWriter::open(const std::string& path, const std::string& format, int64_t width) {
  return std::make_unique<RowsOut>(path, format == "csv", width);
}

}  // namespace longhand::cli
