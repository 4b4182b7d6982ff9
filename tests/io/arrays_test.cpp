// Arrays, and the files that hold one: .npy, WAV and raw float32.
#include <fmt/core.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <thread>

#include "longhand/io/array.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"
#include "tests/io/hostile.h"
#include "tests/testing.h"

namespace longhand::io {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Array, EveryTypeBecomesFloats) {
  const std::vector<std::pair<DType, std::string>> cases = {{DType::kF16, bytes_of<uint16_t>({0x3E00, 0xC000})},
                                                            {DType::kBf16, bytes_of<uint16_t>({0x3FC0, 0xC000})},
                                                            {DType::kF32, bytes_of<float>({1.5F, -2.0F})},
                                                            {DType::kF64, bytes_of<double>({1.5, -2.0})}};
  for (const auto& [dtype, bytes] : cases) {
    const Array array{dtype, {2}, bytes};
    EXPECT_EQ(floats(array, "x"), (std::vector<float>{1.5F, -2.0F})) << name_of(dtype);
    EXPECT_EQ(doubles(array, "x"), (std::vector<double>{1.5, -2.0})) << name_of(dtype);
    EXPECT_NE(error_of([&] { integers(array, "x"); }).find("x: element [0]"), std::string::npos) << name_of(dtype);
    EXPECT_EQ(dtype_of(name_of(dtype)), dtype);
  }
  EXPECT_EQ(integers({DType::kI8, {2}, bytes_of<int8_t>({-3, 4})}, "x"), (std::vector<int64_t>{-3, 4}));
  EXPECT_EQ(integers({DType::kU16, {1}, bytes_of<uint16_t>({65535})}, "x"), (std::vector<int64_t>{65535}));
  EXPECT_EQ(floats({DType::kBool, {2}, bytes_of<uint8_t>({0, 1})}, "x"), (std::vector<float>{0, 1}));
  EXPECT_EQ(dtype_of("complex64"), std::nullopt);
}

// Half precision: subnormal numbers, the largest, infinity, and the sign of zero.
TEST(Array, HalfPrecisionIsExact) {
  const Array halves{DType::kF16, {6}, bytes_of<uint16_t>({0x0001, 0x03FF, 0x0400, 0x7BFF, 0xFC00, 0x8000})};
  const std::vector<float> values = floats(halves, "x");
  EXPECT_EQ(values[0], std::ldexp(1.0F, -24));
  EXPECT_EQ(values[1], std::ldexp(1023.0F, -24));
  EXPECT_EQ(values[2], std::ldexp(1.0F, -14));
  EXPECT_EQ(values[3], 65504.0F);
  EXPECT_EQ(values[4], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(values[5]));
  EXPECT_EQ(first_non_finite(halves), 4);
}

TEST(Array, RefusesWhatATypeCannotHold) {
  const Array large = make_array({2}, std::vector<int64_t>{1, (int64_t{1} << 53) + 1});
  EXPECT_NE(error_of([&] { floats(large, "w"); }).find("w: element [1] of int64 [2] is 9007199254740993"),
            std::string::npos);
  EXPECT_NE(error_of([&] { doubles(large, "w"); }), "");
  EXPECT_EQ(integers(large, "w")[1], (int64_t{1} << 53) + 1);
  EXPECT_NE(error_of([&] { floats(make_array({1}, std::vector<double>{1e39}), "w"); }), "");
  EXPECT_NE(error_of([&] { integers(make_array({1}, std::vector<double>{9223372036854775808.0}), "w"); }), "");
  EXPECT_NE(error_of([&] { integers(make_array({1}, std::vector<double>{std::nan("")}), "w"); }), "");
  EXPECT_NE(error_of([&] { integers({DType::kU64, {1}, bytes_of<uint64_t>({UINT64_MAX})}, "w"); }), "");
  EXPECT_NE(error_of([&] { doubles({DType::kU64, {1}, bytes_of<uint64_t>({UINT64_MAX})}, "w"); }), "");
}

TEST(Array, NamesTheFirstNumberThatIsNotFinite) {
  const Array array = make_array({2, 3}, std::vector<float>{0, 1, 2, 3, NAN, INFINITY});
  EXPECT_EQ(first_non_finite(array), 4);
  EXPECT_EQ(position_of(array.shape, 4), "[1, 1]");
  EXPECT_EQ(first_non_finite(make_array({1}, std::vector<int64_t>{7})), std::nullopt);
  EXPECT_EQ(describe(array), "float32 [2, 3]");
}

TEST(Array, SizesDoNotOverflow) {
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(byte_size(DType::kF32, Shape{2, 3}), 24U);
  EXPECT_EQ(byte_size(DType::kF32, Shape{}), 4U);
  EXPECT_EQ(byte_size(DType::kF32, Shape{0, 5}), 0U);
  EXPECT_EQ(byte_size(DType::kF32, Shape{-1}), std::nullopt);
  EXPECT_EQ(byte_size(DType::kF32, Shape{int64_t{1} << 32, int64_t{1} << 32}), std::nullopt);
  EXPECT_EQ(byte_size(DType::kF32, Shape{0, int64_t{1} << 40, int64_t{1} << 40}), std::nullopt);
  EXPECT_EQ(byte_size(DType::kF32, Shape(33, 1)), std::nullopt);
}

// As numpy.save(numpy.arange(6).reshape(2, 3)) writes them, in each version and order.
std::string npy_file(int version, const std::string& header, const std::string& data) {
  std::string out = "\x93NUMPY";
  out += {static_cast<char>(version), '\0'};
  const auto length = static_cast<uint32_t>(header.size());
  out.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
  return out + header + data;
}

TEST(Npy, ReadsVersionsAndOrders) {
  const std::string data = bytes_of<float>({0, 1, 2, 3, 4, 5});
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n";
  for (const int version : {1, 2, 3}) {
    const Array array = read_npy("x", npy_file(version, header, data));
    EXPECT_EQ(describe(array), "float32 [2, 3]");
    EXPECT_EQ(floats(array, "x"), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  }
  const std::string fortran = "{\"shape\": (2L, 3L), 'fortran_order': True, 'descr': '>i2'}";
  std::string big = bytes_of<int16_t>({0, 3, 1, 4, 2, 5});
  swap_bytes(big, 2);
  EXPECT_EQ(integers(read_npy("x", npy_file(1, fortran, big)), "x"), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  const std::string scalar = "{'descr': '|b1', 'fortran_order': False, 'shape': (), }";
  EXPECT_EQ(describe(read_npy("x", npy_file(1, scalar, "\x01"))), "bool []");
  EXPECT_EQ(describe(read_npy("x", npy_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0), }", ""))),
            "float64 [3, 0]");
}

TEST(Npy, RefusesWhatIsNoArrayOfNumbers) {
  const auto error = [](const std::string& descr) {
    return error_of([&] {
      read_npy("x", npy_file(1, "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", "12345678"));
    });
  };
  EXPECT_EQ(error("'<f8'"), "");
  EXPECT_NE(error("'|O'").find("Python objects, which are never executed"), std::string::npos);
  EXPECT_NE(error("[('a', '<f4'), ('b', '<f4')]").find("a structured array"), std::string::npos);
  EXPECT_NE(error("'<c8'").find("'<c8'"), std::string::npos);
  EXPECT_NE(error("'<U2'"), "");
  EXPECT_NE(error("'f8'"), "");
  for (const char* shape :
       {"(-1,)", "(1", "(99999999999999999999,)", "(4294967296, 4294967296)", "1", "(1,,)", "(x,)"}) {
    const std::string header = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}", shape);
    EXPECT_NE(error_of([&] { read_npy("x", npy_file(1, header, "12345678")); }), "") << shape;
  }
  EXPECT_NE(error_of([] { read_npy("x", npy_file(4, "{}", "")); }).find("version"), std::string::npos);
}

TEST(Npy, RoundTripsAndRefusesDamage) {
  const TemporaryFolder folder;
  const Array array = make_array({2, 2}, std::vector<double>{1, -2.5, 3, 1e300});
  write_npy(folder / "a.npy", array);
  const std::string whole = read_file(folder / "a.npy");
  EXPECT_EQ(whole.size() % 64, 32U);  // the elements begin at a multiple of 64
  EXPECT_EQ(whole, npy_bytes(array));
  const Array back = read_npy(folder / "a.npy");
  EXPECT_EQ(back.bytes, array.bytes);
  EXPECT_EQ(back.shape, array.shape);
  const auto read = [](std::string_view bytes) { read_npy("x", bytes); };
  testing::expect_no_prefix(whole, read);
  testing::expect_no_crash(whole, read);
  EXPECT_NE(error_of([&] { read(whole + "x"); }), "");
  EXPECT_NE(error_of([&] { npy_bytes({DType::kBf16, {1}, "12"}); }), "");
}

// Through a pipe, in blocks that do not divide the rows.
TEST(Npy, StreamsInBlocks) {
  const TemporaryFolder folder;
  std::vector<float> values = testing::random_vector<float>(70, 1.0, 1);
  values.resize(70);
  for (const int64_t promised : {int64_t{35}, int64_t{-1}}) {
    OutputStream output(folder / "s.npy");
    NpyWriter writer(output, DType::kF32, {promised, 2});
    for (size_t row = 0; row < 35; row += 5) writer.write(bytes_of(values).substr(row * 8, 5 * 8));
    writer.finish();
    output.finish();
    InputStream input(folder / "s.npy");
    NpyReader reader(input);
    EXPECT_EQ(reader.header().shape, (std::vector<int64_t>{35, 2}));
    std::string all;
    while (reader.rows_left() > 0) all += reader.read(4).bytes;
    EXPECT_EQ(all, bytes_of(values));
    EXPECT_EQ(read_npy(folder / "s.npy").bytes, all);
  }
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string pipe = "/proc/self/fd/" + std::to_string(ends[1]);
  {
    OutputStream output(pipe);
    EXPECT_NE(error_of([&] { NpyWriter(output, DType::kF32, {-1, 2}); }, ExitCode::kUsage), "");
  }
  ::close(ends[0]);
  ::close(ends[1]);
  const std::string whole = read_file(folder / "s.npy");
  InputStream cut("x", std::string_view(whole).substr(0, whole.size() - 3));
  NpyReader reader(cut);
  EXPECT_NE(error_of([&] { reader.read(1000); }).find("expected"), std::string::npos);
}

TEST(Npy, AStreamOfAnyOrderIsReadAsAWhole) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  std::string bytes = npy_bytes(make_array({2, 3}, std::span<const float>(values)));
  bytes.replace(bytes.find("False"), 5, "True ");
  InputStream refused("x", bytes);
  EXPECT_NE(error_of([&] { NpyReader reader(refused); }).find("Fortran"), std::string::npos);
  InputStream input("x", bytes);
  NpyReader reader(input, true);
  EXPECT_FALSE(reader.has_rows());
  EXPECT_EQ(floats(reader.read_all(), "x"), (std::vector<float>{1, 3, 5, 2, 4, 6}));
  const std::string scalar = npy_bytes(make_array({}, std::vector<float>{7}));
  InputStream one("x", scalar);
  EXPECT_EQ(floats(NpyReader(one, true).read_all(), "x"), std::vector<float>{7});
  for (const std::string& bad : {bytes + "x", bytes.substr(0, bytes.size() - 1)}) {
    InputStream stream("x", bad);
    NpyReader other(stream, true);
    EXPECT_NE(error_of([&] { other.read_all(); }), "");
  }
}

TEST(OutputStream, SaysWhenNobodyReadsThePipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  OutputStream output("/proc/self/fd/" + std::to_string(ends[1]));
  EXPECT_FALSE(output.reader_ended());
  ::close(ends[0]);
  ::close(ends[1]);
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_NE(error_of([&] { output.write("x"); }), "");
  std::signal(SIGPIPE, before);
  EXPECT_TRUE(output.reader_ended());
}

TEST(OutputStream, LeavesTheOldFileUntilItIsFinished) {
  const TemporaryFolder folder;
  write_file(folder / "f", "old");
  {
    OutputStream output(folder / "f");
    output.write("new");
    EXPECT_EQ(read_file(folder / "f"), "old");
  }
  EXPECT_EQ(read_file(folder / "f"), "old");
  OutputStream output(folder / "f");
  output.write("new!");
  output.rewrite(1, "E");
  output.finish();
  EXPECT_EQ(read_file(folder / "f"), "nEw!");
  EXPECT_NE(error_of([&] { OutputStream(folder / "no/such"); }), "");
}

TEST(RawFloats, RoundTripAndRefuseAPartOfARow) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  OutputStream output(folder / "f");
  write_raw_floats(output, values);
  output.finish();
  EXPECT_EQ(read_raw_floats(folder / "f"), values);
  EXPECT_NE(error_of([] { read_raw_floats("x", "12345"); }), "");
  InputStream rows(folder / "f");
  EXPECT_EQ(read_raw_rows(rows, 3, 1), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(read_raw_rows(rows, 3, 10), (std::vector<float>{4, 5, 6}));
  EXPECT_TRUE(read_raw_rows(rows, 3, 10).empty());
  InputStream other(folder / "f");
  EXPECT_NE(error_of([&] { read_raw_rows(other, 4, 10); }).find("found 8 bytes more at byte 16"), std::string::npos);
}

const WavFormat kStereo{.channels = 2, .sample_rate = 16000, .encoding = WavEncoding::kPcm16};

TEST(Wav, EveryEncodingRoundTrips) {
  const TemporaryFolder folder;
  // Multiples of 1/128, which every encoding has.
  const std::vector<float> samples = {0, 1.0F / 128, -1, 127.0F / 128, 0.5F, -0.25F};
  for (const WavEncoding encoding : {WavEncoding::kPcm8, WavEncoding::kPcm16, WavEncoding::kPcm24, WavEncoding::kPcm32,
                                     WavEncoding::kFloat32, WavEncoding::kFloat64}) {
    write_wav(folder / "a.wav", {2, 44100, encoding}, samples);
    const Wav wav = read_wav(folder / "a.wav");
    EXPECT_EQ(wav.format.encoding, encoding);
    EXPECT_EQ(wav.format.sample_rate, 44100);
    EXPECT_EQ(describe(wav.samples), "float32 [3, 2]");
    EXPECT_EQ(floats(wav.samples, "x"), samples) << name_of(encoding);
    const std::string whole = read_file(folder / "a.wav");
    testing::expect_no_prefix(whole, [](std::string_view bytes) { read_wav("x", bytes); });
    testing::expect_no_crash(whole, [](std::string_view bytes) { read_wav("x", bytes); });
  }
  write_wav(folder / "a.wav", {1, 8000, WavEncoding::kPcm16}, std::vector<float>{2, -2, NAN, 0.99999F});
  EXPECT_EQ(floats(read_wav(folder / "a.wav").samples, "x"),
            (std::vector<float>{32767.0F / 32768, -1, 0, 32767.0F / 32768}));
}

std::string wav_file(uint32_t data_size, const std::string& chunks, const std::string& data) {
  const auto size = [](uint32_t n) { return std::string(reinterpret_cast<const char*>(&n), 4); };
  return "RIFF" + size(data_size) + "WAVE" + chunks + "data" + size(data_size) + data;
}

std::string pcm16_chunk() { return std::string("fmt \x10\0\0\0\x01\0\x02\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x10\0", 24); }

TEST(Wav, ReadsOtherChunksAndPipes) {
  const std::string data = bytes_of<int16_t>({16384, -16384, 0, 32767});
  const std::vector<float> samples = {0.5F, -0.5F, 0, 32767.0F / 32768};
  const std::string odd("LIST\x03\0\0\0abc\0", 12);
  const auto read = [](const std::string& bytes) { return floats(read_wav("x", bytes).samples, "x"); };
  EXPECT_EQ(read(wav_file(8, odd + pcm16_chunk() + odd, data)), samples);
  EXPECT_EQ(read(wav_file(8, pcm16_chunk(), data) + odd), samples);
  EXPECT_EQ(read(wav_file(0xFFFFFFFF, pcm16_chunk(), data)), samples);
  EXPECT_EQ(read(wav_file(0x7FFFF000, pcm16_chunk(), data)), samples);
  const std::string extensible =
      std::string("fmt \x28\0\0\0\xfe\xff\x02\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x10\0\x16\0\x10\0\x03\0\0\0\x01\0", 34) +
      std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14);
  EXPECT_EQ(read(wav_file(8, extensible, data)), samples);
  EXPECT_NE(error_of([&] { read(wav_file(0xFFFFFFFF, pcm16_chunk(), data + "x")); }).find("within a frame"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read(wav_file(8, "", data)); }).find("before the samples"), std::string::npos);
  std::string law = pcm16_chunk();
  law[8] = 7;
  EXPECT_NE(error_of([&] { read(wav_file(8, law, data)); }).find("of format 7"), std::string::npos);
}

// A writer that cannot go back says that it does not know the size, which a reader accepts.
TEST(Wav, GoesThroughAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::vector<float> samples(20000, 0.25F);
  std::thread sender([&] {
    OutputStream output("/proc/self/fd/" + std::to_string(ends[1]));
    ::close(ends[1]);
    WavWriter writer(output, kStereo);
    for (size_t at = 0; at < samples.size(); at += 4000) writer.write(std::span(samples).subspan(at, 4000));
    writer.finish();
    output.finish();
  });
  InputStream input("/proc/self/fd/" + std::to_string(ends[0]));
  WavReader reader(input);
  EXPECT_EQ(reader.frames(), std::nullopt);
  std::vector<float> all;
  for (;;) {
    const std::vector<float> block = reader.read(333);
    if (block.empty()) break;
    all.insert(all.end(), block.begin(), block.end());
  }
  sender.join();
  ::close(ends[0]);
  EXPECT_EQ(all, samples);
}

}  // namespace
}  // namespace longhand::io
