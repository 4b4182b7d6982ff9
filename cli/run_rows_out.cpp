#include <optional>
#include <span>

#include "cli/console.h"
#include "cli/run_rows.h"
#include "longhand/base/error.h"
#include "longhand/convert/number_table.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"

namespace longhand::cli {
namespace {

class RowsOut : public RowWriter {
 public:
  RowsOut(const std::string& path, const std::string& format, int64_t width, int64_t sample_rate)
      : file_(path), text_(format == "csv"), width_(width) {
    if (format == "npy") array_.emplace(file_, io::DType::kF32, std::vector<int64_t>{-1, width});
    if (format == "wav") {
      const auto channels = static_cast<int>(std::min<int64_t>(width, 1 << 20));
      sound_.emplace(file_, io::WavFormat{channels, sample_rate, io::WavEncoding::kFloat32});
    }
  }

  void write(const float* rows, int64_t n) override {
    const std::span<const float> values(rows, static_cast<size_t>(n * width_));
    unless_ended([&] {
      if (text_) {
        convert::write_number_rows(file_, width_, values);
      } else if (array_) {
        array_->write({reinterpret_cast<const char*>(rows), values.size_bytes()});
      } else if (sound_) {
        sound_->write(values);
      } else {
        io::write_raw_floats(file_, values);
      }
    });
  }

  void begin_sequence() override {
    if (text_) unless_ended([&] { file_.write("\n"); });
  }

  void finish() override {
    if (array_) array_->finish();
    if (sound_) sound_->finish();
    file_.finish();
  }

 private:
  template <class Work>
  void unless_ended(const Work& work) {
    try {
      work();
    } catch (const Error&) {
      if (file_.reader_ended()) throw OutputEnded{};
      throw;
    }
  }

  io::OutputStream file_;
  bool text_;
  int64_t width_;
  std::optional<io::NpyWriter> array_;
  std::optional<io::WavWriter> sound_;
};

}  // namespace

std::unique_ptr<RowWriter> RowWriter::open(const std::string& path, const std::string& format, int64_t width,
                                           int64_t sample_rate) {
  if (format == "wav" && sample_rate == 0) {
    throw usage_error(path + ": a WAV file needs its sample rate, and the input is no sound that has one",
                      "give it with --sample-rate");
  }
  return std::make_unique<RowsOut>(path, format, width, sample_rate);
}

}  // namespace longhand::cli
