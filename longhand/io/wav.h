// WAV files: sound as samples.
//
// Format: "Multimedia Programming Interface and Data Specifications 1.0" (Microsoft and IBM, 1991); "Multiple Channel
// Audio Data and WAVE Files" (Microsoft, 2007) for WAVE_FORMAT_EXTENSIBLE; EBU Tech 3306 for RF64.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/array.h"
#include "longhand/io/byte_stream.h"

namespace longhand::io {

/// How a sample is stored. PCM samples of n bits stand for value / 2^(n-1), those of 8 bits for (value - 128) / 128.
enum class WavEncoding { kPcm8, kPcm16, kPcm24, kPcm32, kFloat32, kFloat64 };

/// "16-bit PCM"
const char* name_of(WavEncoding encoding);

struct WavFormat {
  int channels = 1;
  int64_t sample_rate = 0;  ///< frames a second
  WavEncoding encoding = WavEncoding::kPcm16;
};

struct Wav {
  WavFormat format;
  Array samples;  ///< float32 [frames, channels], from -1 to 1 where they are PCM
};

/// Throws an input error for a file that is truncated, altered, or compressed.
Wav read_wav(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
Wav read_wav(const std::string& name, std::string_view bytes);
/// `samples` is [frames, channels].
void write_wav(const std::string& path, const WavFormat& format, std::span<const float> samples);

/// Reads frames in blocks, as from a pipe.
class WavReader {
 public:
  /// Reads up to the first sample; chunks that are no sound are left out. `input` must outlive the reader.
  explicit WavReader(InputStream& input);

  const WavFormat& format() const { return format_; }
  /// Frames of the whole file; nothing where the file does not say, because its writer did not know.
  std::optional<int64_t> frames() const;
  /// The next frames, at most `max`, as [frames, channels]; empty at the end. Throws an input error where the end comes
  /// before what the file promised, or within a frame.
  std::vector<float> read(int64_t max);

 private:
  void read_format(uint64_t size);
  void find_samples(bool large);

  InputStream& input_;
  WavFormat format_;
  int64_t frame_bytes_ = 0;
  uint64_t left_ = 0;      // bytes of samples
  uint64_t promised_ = 0;  // the same at the beginning
  bool open_ended_ = false;
};

/// Writes frames in blocks.
class WavWriter {
 public:
  /// `output` must outlive the writer. To a pipe the sizes are written as not known (0xFFFFFFFF).
  WavWriter(OutputStream& output, const WavFormat& format);

  /// Whole frames, [frames, channels]. For PCM, a sample is rounded to the nearest value, and one beyond -1 to 1
  /// becomes the extreme. Throws an input error beyond 4 GiB, where the format ends.
  void write(std::span<const float> samples);
  /// Completes the header in a file. Does not finish the output.
  void finish();

 private:
  OutputStream& output_;
  WavFormat format_;
  uint64_t header_at_ = 0, bytes_ = 0;
};

}  // namespace longhand::io
