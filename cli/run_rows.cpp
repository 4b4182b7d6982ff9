#include "cli/run_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cli/run_table.h"
#include "longhand/base/error.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"

namespace longhand::cli {
namespace {

// Numbers of arrays and sounds, which become rows of `width`: rows of the file as they are, or numbers one by one, the
// last row filled with zeros.
class NumbersReader : public RowReader {
 public:
  NumbersReader(const std::string& path, const RowLayout& layout) : file_(path), width_(layout.width) {}

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
      const auto bad = std::find_if(pending_.begin(), end, [](float v) { return !std::isfinite(v); });
      throw input_error(fmt::format("{}: step {}: expected finite numbers, found another", file_.name(),
                                    read_ + (bad - pending_.begin()) / width_),
                        "leave out or fill in what is missing");
    }
    rows.insert(rows.end(), pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    read_ += n;
    return n;
  }

 protected:
  /// Some of the next numbers, about so many: a pipe may be live, and is read no further than it must. None at the end.
  virtual std::vector<float> next(int64_t numbers) = 0;

  io::InputStream file_;
  int64_t width_;

 private:
  std::vector<float> pending_;
  int64_t read_ = 0;
  bool ended_ = false;
};

// [n] numbers one by one, or [steps, numbers of a step...].
class NpyRows : public NumbersReader {
 public:
  NpyRows(const std::string& path, const RowLayout& layout) : NumbersReader(path, layout), array_(file_, true) {
    const std::vector<int64_t>& shape = array_.header().shape;
    for (size_t axis = 1; axis < shape.size(); ++axis) row_ *= std::max<int64_t>(shape[axis], 1);
    const bool fits = shape.size() == 1 || (shape.size() > 1 && row_ == width_);
    is_whole_ = !array_.has_rows() || (!fits && layout.arrays);
    if (fits || is_whole_) return;
    throw input_error(
        fmt::format("{}: expected an array [steps, {}], found {}", file_.name(), width_, io::describe(shape)),
        "give one row for each time step");
  }

  std::optional<io::Array> whole() override {
    if (!is_whole_) return std::nullopt;
    return array_.read_all();
  }

 private:
  std::vector<float> next(int64_t numbers) override {
    if (array_.rows_left() == 0 && file_.size().value_or(0) > file_.position()) {
      throw input_error(
          fmt::format("{}: not a valid .npy file: expected {} and no more, found {} bytes after it", file_.name(),
                      io::describe(array_.header().shape), *file_.size() - file_.position()),
          "it is altered; write it again with numpy.save");
    }
    return io::floats(array_.read(std::max<int64_t>(numbers / row_, 1)), file_.name());
  }
  io::NpyReader array_;
  int64_t row_ = 1;
  bool is_whole_ = false;
};

// One channel sample by sample, or a row for the channels of each frame.
class WavRows : public NumbersReader {
 public:
  WavRows(const std::string& path, const RowLayout& layout) : NumbersReader(path, layout), sound_(file_) {
    const int channels = sound_.format().channels;
    if (channels == 1 || channels == width_) return;
    throw input_error(fmt::format("{}: expected {}, found {} channels", file_.name(),
                                  width_ == 1 ? "1 channel" : fmt::format("1 or {} channels", width_), channels),
                      "mix the sound down to one channel first");
  }

  std::optional<int64_t> sample_rate() const override { return sound_.format().sample_rate; }

 private:
  std::vector<float> next(int64_t numbers) override {
    return sound_.read(std::max<int64_t>(numbers / sound_.format().channels, 1));
  }
  io::WavReader sound_;
};

// Symbols of a text that is one sequence.
class TextRows : public RowReader {
 public:
  TextRows(const std::string& path, const convert::SymbolReader& symbols) : file_(path), symbols_(symbols) {}

  int64_t read(int64_t most, std::vector<float>& rows) override {
    while (static_cast<int64_t>(pending_.size()) < most && !ended_) {
      if (!pending_.empty() && !file_.size()) break;  // a pipe may be live
      const size_t before = text_.size(), piece = 1 << 14;
      text_.resize(before + piece);
      const size_t got = file_.read_some({text_.data() + before, piece});
      text_.resize(before + got);
      ended_ = got == 0;
      const std::string place = fmt::format("{}: symbol {}", file_.name(), read_ + pending_.size());
      text_.erase(0, symbols_.read(text_, ended_, place, pending_));
    }
    const auto n = std::min(most, static_cast<int64_t>(pending_.size()));
    rows.insert(rows.end(), pending_.begin(), pending_.begin() + n);
    pending_.erase(pending_.begin(), pending_.begin() + n);
    read_ += static_cast<size_t>(n);
    return n;
  }

 private:
  io::InputStream file_;
  const convert::SymbolReader& symbols_;
  std::string text_;  // that was not read as symbols yet
  std::vector<int64_t> pending_;
  size_t read_ = 0;
  bool ended_ = false;
};

class RawRows : public NumbersReader {
 public:
  using NumbersReader::NumbersReader;

 private:
  std::vector<float> next(int64_t numbers) override {
    return io::read_raw_rows(file_, width_, std::max<int64_t>(numbers / width_, 1));
  }
};

}  // namespace

std::vector<std::string> input_formats() { return {"auto", "csv", "raw", "npy", "npz", "wav", "text", "json"}; }
std::vector<std::string> output_formats() { return {"auto", "csv", "raw", "npy", "npz", "wav"}; }

std::string format_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string end = dot == std::string::npos ? "" : path.substr(dot);
  if (end == ".csv" || end == ".txt" || end == ".tsv") return "csv";
  for (const char* each : {".npy", ".npz", ".wav", ".json"}) {
    if (end == each) return end.substr(1);
  }
  return end == ".f32" || end == ".raw" || end == ".bin" ? "raw" : "";
}

std::unique_ptr<RowReader> RowReader::open(const std::string& path, const std::string& format,
                                           const RowLayout& layout) {
  if (format == "csv") return open_table(path, layout);
  if (format == "npy") return std::make_unique<NpyRows>(path, layout);
  if (format == "wav") return std::make_unique<WavRows>(path, layout);
  if (format == "text") {
    LONGHAND_CHECK(layout.symbols != nullptr);
    return std::make_unique<TextRows>(path, *layout.symbols);
  }
  return std::make_unique<RawRows>(path, layout);
}

}  // namespace longhand::cli
