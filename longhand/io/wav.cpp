#include "longhand/io/wav.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::io {
namespace {

constexpr uint32_t kUnknownSize = 0xFFFFFFFFU;
// Writers to pipes use the largest size, 0, or a round number a little below 2^31.
constexpr uint32_t kSizeOfPipes = 0x7FFFF000U;
constexpr uint16_t kPcmTag = 1, kFloatTag = 3, kExtensibleTag = 0xFFFE;
constexpr int64_t kWavBlock = 1 << 16;  // frames that whole files are read in

struct EncodingRow {
  WavEncoding encoding;
  const char* name;
  uint16_t tag, bits;
};
// In the order of WavEncoding.
constexpr std::array<EncodingRow, 6> kEncodings = {{{WavEncoding::kPcm8, "8-bit PCM", kPcmTag, 8},
                                                    {WavEncoding::kPcm16, "16-bit PCM", kPcmTag, 16},
                                                    {WavEncoding::kPcm24, "24-bit PCM", kPcmTag, 24},
                                                    {WavEncoding::kPcm32, "32-bit PCM", kPcmTag, 32},
                                                    {WavEncoding::kFloat32, "32-bit float", kFloatTag, 32},
                                                    {WavEncoding::kFloat64, "64-bit float", kFloatTag, 64}}};

const EncodingRow& row_of(WavEncoding encoding) { return kEncodings[static_cast<size_t>(encoding)]; }

Error bad_wav(const std::string& name, const std::string& problem) {
  return input_error(
      name + ": not a valid WAV file: " + problem,
      "it is truncated, altered or of another format; convert it to WAV with 16-bit PCM or float samples");
}

template <class T>
T little(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

float decoded(const char* at, WavEncoding encoding) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  switch (encoding) {
    case WavEncoding::kPcm8: return static_cast<float>(int{bytes[0]} - 128) / 128.0F;
    case WavEncoding::kPcm16: return static_cast<float>(little<int16_t>({at, 2}, 0)) / 32768.0F;
    case WavEncoding::kPcm24: {
      const uint32_t upper = uint32_t{bytes[0]} << 8 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 24;
      return static_cast<float>(static_cast<int32_t>(upper)) / 2147483648.0F;
    }
    case WavEncoding::kPcm32: return static_cast<float>(little<int32_t>({at, 4}, 0)) / 2147483648.0F;
    case WavEncoding::kFloat32: return little<float>({at, 4}, 0);
    case WavEncoding::kFloat64: break;
  }
  const auto value = little<double>({at, 8}, 0);
  constexpr double kLargest = 3.4028234663852886e38;  // beyond it the conversion is undefined
  return static_cast<float>(std::isfinite(value) ? std::clamp(value, -kLargest, kLargest) : value);
}

void encode(std::string& out, float sample, WavEncoding encoding) {
  if (encoding == WavEncoding::kFloat32) return put(out, sample);
  if (encoding == WavEncoding::kFloat64) return put(out, static_cast<double>(sample));
  const int bits = row_of(encoding).bits;
  const double scale = std::ldexp(1.0, bits - 1);
  const double scaled = std::isnan(sample) ? 0.0 : std::nearbyint(static_cast<double>(sample) * scale);
  const auto value = static_cast<int64_t>(std::clamp(scaled, -scale, scale - 1.0)) + (bits == 8 ? 128 : 0);
  for (int byte = 0; byte < bits / 8; ++byte) out.push_back(static_cast<char>((value >> (8 * byte)) & 0xFF));
}

std::string wav_header(const WavFormat& format, uint32_t data_bytes) {
  const EncodingRow& row = row_of(format.encoding);
  const auto frame = static_cast<uint16_t>(format.channels * row.bits / 8);
  std::string out = "RIFF";
  put(out, data_bytes == kUnknownSize ? kUnknownSize : data_bytes + (data_bytes & 1U) + 36);
  out += "WAVEfmt ";
  put(out, uint32_t{16});
  put(out, row.tag);
  put(out, static_cast<uint16_t>(format.channels));
  put(out, static_cast<uint32_t>(format.sample_rate));
  put(out, static_cast<uint32_t>(format.sample_rate * frame));
  put(out, frame);
  put(out, row.bits);
  out += "data";
  put(out, data_bytes);
  return out;
}

Wav read_whole(InputStream& input) {
  WavReader reader(input);
  Wav wav{reader.format(), {DType::kF32, {0, reader.format().channels}, {}}};
  if (input.size() && reader.frames()) {
    const uint64_t samples = static_cast<uint64_t>(*reader.frames()) * static_cast<uint64_t>(wav.format.channels);
    wav.samples.bytes.reserve(std::min(samples, *input.size()) * sizeof(float));
  }
  for (;;) {
    const std::vector<float> block = reader.read(kWavBlock);
    if (block.empty()) return wav;
    wav.samples.shape[0] += static_cast<int64_t>(block.size()) / wav.format.channels;
    wav.samples.bytes.append(reinterpret_cast<const char*>(block.data()), block.size() * sizeof(float));
  }
}

}  // namespace

const char* name_of(WavEncoding encoding) { return row_of(encoding).name; }

Wav read_wav(const std::string& path) {
  InputStream input(path);
  return read_whole(input);
}

Wav read_wav(const std::string& name, std::string_view bytes) {
  InputStream input(name, bytes);
  return read_whole(input);
}

void write_wav(const std::string& path, const WavFormat& format, std::span<const float> samples) {
  OutputStream output(path);
  WavWriter writer(output, format);
  writer.write(samples);
  writer.finish();
  output.finish();
}

WavReader::WavReader(InputStream& input) : input_(input) {
  std::array<char, 12> head{};
  const size_t got = input_.read(head);
  const std::string_view text(head.data(), got);
  const bool large = text.substr(0, 4) == "RF64" || text.substr(0, 4) == "BW64";
  if (got < head.size() || (!large && text.substr(0, 4) != "RIFF") || text.substr(8) != "WAVE") {
    throw bad_wav(input_.name(), "it does not begin with RIFF and WAVE");
  }
  find_samples(large);
}

void WavReader::find_samples(bool large) {
  std::optional<uint64_t> large_size;
  for (;;) {
    std::array<char, 8> head{};
    const size_t got = input_.read(head);
    if (got < head.size()) throw bad_wav(input_.name(), "it ends before the samples (a data chunk)");
    const std::string_view text(head.data(), got);
    const std::string_view id = text.substr(0, 4);
    const auto size = little<uint32_t>(text, 4);
    if (id == "data") {
      if (frame_bytes_ == 0) throw bad_wav(input_.name(), "expected the format (a fmt chunk) before the samples");
      const bool unknown = size == kUnknownSize || (size == 0 && !input_.size()) || size >= kSizeOfPipes;
      left_ = size == kUnknownSize && large_size ? *large_size : size;
      open_ended_ = unknown && !(size == kUnknownSize && large_size);
      if (open_ended_) left_ = UINT64_MAX;
      promised_ = left_;
      if (!open_ended_ && left_ % static_cast<uint64_t>(frame_bytes_) != 0) {
        throw bad_wav(input_.name(), fmt::format("{} bytes of samples are no whole number of frames of {} bytes", left_,
                                                 frame_bytes_));
      }
      return;
    }
    const uint64_t padded = uint64_t{size} + (size & 1U);
    if (id == "fmt ") {
      if (frame_bytes_ != 0) throw bad_wav(input_.name(), "it has its format (a fmt chunk) twice");
      read_format(padded);
    } else if (large && id == "ds64" && size >= 24) {
      std::array<char, 24> sizes{};
      input_.read_all_of(sizes, "the sizes of an RF64 file");
      large_size = little<uint64_t>({sizes.data(), sizes.size()}, 8);
      input_.skip(padded - sizes.size());
    } else if (input_.skip(padded) < padded) {
      throw bad_wav(input_.name(), fmt::format("its chunk '{}' should have {} bytes", visible(id), size));
    }
  }
}

void WavReader::read_format(uint64_t size) {
  std::array<char, 40> head{};
  if (size < 16) throw bad_wav(input_.name(), fmt::format("its format has {} bytes", size));
  const auto length = static_cast<size_t>(std::min<uint64_t>(size, head.size()));
  input_.read_all_of(std::span(head).first(length), "the format of a WAV file");
  input_.skip(size - length);
  const std::string_view text(head.data(), head.size());
  auto tag = little<uint16_t>(text, 0);
  const auto bits = little<uint16_t>(text, 14);
  if (tag == kExtensibleTag) {
    constexpr std::string_view kGuidEnd("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14);
    if (length < 40 || text.substr(26) != kGuidEnd) throw bad_wav(input_.name(), "its extended format is not known");
    tag = little<uint16_t>(text, 24);
  }
  const auto* row = std::find_if(kEncodings.begin(), kEncodings.end(),
                                 [&](const EncodingRow& r) { return r.tag == tag && r.bits == bits; });
  if (row == kEncodings.end()) {
    throw bad_wav(input_.name(), fmt::format("expected PCM of 8, 16, 24 or 32 bits or float of 32 or 64, found {} bits "
                                             "of format {}",
                                             bits, tag));
  }
  format_ = {
      .channels = little<uint16_t>(text, 2), .sample_rate = little<uint32_t>(text, 4), .encoding = row->encoding};
  const int64_t frame = int64_t{format_.channels} * bits / 8;
  if (frame == 0 || frame != little<uint16_t>(text, 12)) {
    throw bad_wav(input_.name(), fmt::format("{} channels of {} bits do not make frames of {} bytes", format_.channels,
                                             bits, little<uint16_t>(text, 12)));
  }
  frame_bytes_ = frame;
}

std::optional<int64_t> WavReader::frames() const {
  if (open_ended_) return std::nullopt;
  return static_cast<int64_t>(promised_ / static_cast<uint64_t>(frame_bytes_));
}

std::vector<float> WavReader::read(int64_t max) {
  const auto frame = static_cast<uint64_t>(frame_bytes_);
  const uint64_t wanted =
      std::min<uint64_t>(static_cast<uint64_t>(std::clamp<int64_t>(max, 0, kWavBlock)), left_ / frame);
  std::string bytes(static_cast<size_t>(wanted * frame), '\0');
  const size_t got = input_.read(bytes);
  if (got < bytes.size() && (!open_ended_ || got % frame != 0)) {
    throw bad_wav(input_.name(), open_ended_ ? "it ends within a frame"
                                             : fmt::format("expected {} more bytes of samples, found {}", left_, got));
  }
  left_ = got < bytes.size() ? 0 : left_ - got;
  const auto sample = static_cast<size_t>(row_of(format_.encoding).bits / 8);
  std::vector<float> out(got / sample);
  for (size_t i = 0; i < out.size(); ++i) out[i] = decoded(bytes.data() + i * sample, format_.encoding);
  return out;
}

WavWriter::WavWriter(OutputStream& output, const WavFormat& format)
    : output_(output), format_(format), header_at_(output.position()) {
  const int64_t frame = int64_t{format.channels} * row_of(format.encoding).bits / 8;
  if (format.channels < 1 || frame > 65535 || format.sample_rate < 1 || format.sample_rate > 0xFFFFFFFF / frame) {
    throw input_error(fmt::format("{}: a WAV file cannot have {} channels of {} at {} frames a second", output.name(),
                                  format.channels, name_of(format.encoding), format.sample_rate),
                      "give another number of channels or another sample rate, or write .npy");
  }
  output.write(wav_header(format, kUnknownSize));
}

void WavWriter::write(std::span<const float> samples) {
  LONGHAND_CHECK(samples.size() % static_cast<size_t>(format_.channels) == 0);
  constexpr size_t kPiece = 1 << 14;
  constexpr uint64_t kLargest = 0xFFFFFFFFU - 64;
  while (!samples.empty()) {
    const std::span<const float> piece = samples.first(std::min(samples.size(), kPiece));
    samples = samples.subspan(piece.size());
    std::string bytes;
    for (const float sample : piece) encode(bytes, sample, format_.encoding);
    bytes_ += bytes.size();
    if (bytes_ > kLargest && output_.can_rewrite()) {
      throw input_error(output_.name() + ": a WAV file cannot be larger than 4 GiB", "write .npy or raw float32");
    }
    output_.write(bytes);
  }
}

void WavWriter::finish() {
  if (bytes_ % 2 != 0) output_.write(std::string_view("\0", 1));
  if (output_.can_rewrite()) output_.rewrite(header_at_, wav_header(format_, static_cast<uint32_t>(bytes_)));
}

}  // namespace longhand::io
