// examples/audio/suppress_noise.cpp with networks that pass everything or low sounds alone, and with DTLN on its own
// sound.
#include "tests/examples/programs.h"

namespace longhand::examples {
namespace {

class SuppressNoise : public AudioPrograms {
 protected:
  // A factor for the bins below `bins` and 0 for the others, whatever the magnitudes.
  std::string mask(const std::string& name, double factor, int bins = 257) {
    std::string shift;
    for (int i = 0; i < 257; ++i) shift += (i == 0 ? "" : ", ") + std::to_string(i < bins ? factor : 0.0);
    return network(name, 257, "[[layers]]\ntype = \"scale\"\nscale = 0\nshift = [" + shift + "]\n");
  }
  // A quarter of each sample, because four frames overlap.
  std::string quarter() { return network("quarter", 512, "[[layers]]\ntype = \"scale\"\nscale = 0.25\n"); }
  std::vector<float> suppressed(const std::string& first, const std::string& second, const std::vector<float>& x) {
    const Result result = run("suppress_noise", {first, second, "-", "-", "--format", "f32"}, bytes_of(x));
    EXPECT_EQ(result.code, 0) << result.err;
    return floats_of(result.out);
  }
};

// Rounding errors of a transform of 512 numbers below 1, forth and back.
constexpr double kRounding = 2e-6;

TEST_F(SuppressNoise, PassesWhatTheModelsPass) {
  const std::string all = mask("all", 1.0), half = mask("half", 0.5), frames = quarter();
  for (const size_t samples : {0U, 1U, 127U, 128U, 129U, 384U, 511U, 513U, 5000U}) {
    std::vector<float> x = testing::random_vector<float>(static_cast<int64_t>(samples), 0.9, 1);
    x.resize(samples);
    EXPECT_LE(largest_difference(suppressed(all, frames, x), x), kRounding) << samples;
    std::vector<float> quiet = suppressed(half, frames, x);
    for (float& each : quiet) each *= 2.0F;
    EXPECT_LE(largest_difference(quiet, x), 2.0 * kRounding) << samples;
  }
}

TEST_F(SuppressNoise, TheFirstModelSeesASpectrum) {
  const std::vector<float> low = sines(8000, {20.0}), both = sines(8000, {20.0, 100.0});
  const std::vector<float> found = suppressed(mask("low", 1.0, 64), quarter(), both);
  ASSERT_EQ(found.size(), both.size());
  // In the first and last frames the sines begin and end, and are not of one frequency.
  const auto middle = [](const std::vector<float>& x) { return std::span(x).subspan(1024, 5952); };
  EXPECT_LE(largest_difference(middle(found), middle(low)), kRounding);
  EXPECT_GT(largest_difference(middle(both), middle(low)), 0.2);

  // A mask that grows with the magnitude: the louder sine (256 * 0.5) stays, the quieter (256 * 0.05) goes.
  const std::string gate =
      network("gate", 257, "[[layers]]\ntype = \"scale\"\nscale = 4\nshift = -200\n[[layers]]\ntype = \"sigmoid\"\n");
  std::vector<float> mixed = sines(8000, {20.0}, 0.5);
  const std::vector<float> loud = mixed, quiet = sines(8000, {100.0}, 0.05);
  for (size_t i = 0; i < mixed.size(); ++i) mixed[i] += quiet[i];
  EXPECT_LE(largest_difference(middle(suppressed(gate, quarter(), mixed)), middle(loud)), kRounding);
}

TEST_F(SuppressNoise, KeepsTheFormatInFilesAndPipes) {
  const std::string all = mask("all", 1.0), frames = quarter();
  const std::vector<float> x = sines(3000, {7.3});
  for (const io::WavEncoding encoding : {io::WavEncoding::kPcm16, io::WavEncoding::kFloat32}) {
    const std::string in = write_sound("in.wav", x, {.channels = 1, .sample_rate = 16000, .encoding = encoding});
    const Result result = run("suppress_noise", {all, frames, in, folder / "out.wav"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find("real-time factor 0."), std::string::npos) << result.err;
    EXPECT_FALSE(io::exists(folder / "out.wav.part"));
    const io::Wav before = io::read_wav(in), after = io::read_wav(folder / "out.wav");
    EXPECT_EQ(after.format.encoding, encoding);
    EXPECT_EQ(after.format.sample_rate, 16000);
    // A sample of 16 bits may be rounded to its neighbour.
    const double step = encoding == io::WavEncoding::kPcm16 ? 1.0 / 32768.0 : 0.0;
    EXPECT_LE(largest_difference(io::floats(after.samples, "out"), io::floats(before.samples, "in")), kRounding + step);
    const std::string piped = run("suppress_noise", {all, frames, "-", "-"}, read_file(in)).out;
    EXPECT_EQ(io::floats(io::read_wav("pipe", piped).samples, "pipe"), io::floats(after.samples, "out"));
  }
}

TEST_F(SuppressNoise, WhatIsWrongIsSaidAndLeavesNothing) {
  const std::string all = mask("all", 1.0), frames = quarter();
  const std::string slow = write_sound("8.wav", sines(2000, {3.0}), {.channels = 1, .sample_rate = 8000});
  const std::string wav = write_sound("16.wav", sines(2000, {3.0}), {.channels = 1, .sample_rate = 16000});
  write_file(folder / "short.wav", read_file(wav).substr(0, 3000));
  write_file(folder / "out.wav", "what was there");
  const auto expect_fault = [&](const std::vector<std::string>& words, const std::string& fragment) {
    cli::expect_error(run("suppress_noise", words), 1, fragment);
    EXPECT_EQ(read_file(folder / "out.wav"), "what was there");
    EXPECT_FALSE(io::exists(folder / "out.wav.part"));
  };
  expect_fault({all, frames, slow, folder / "out.wav"}, "expected 16000 samples a second, found 8000");
  expect_fault({all, frames, folder / "short.wav", folder / "out.wav"}, "it ends after 1478 samples");
  expect_fault({frames, all, wav, folder / "out.wav"}, "expected a model with 257 inputs");
  expect_fault({all, frames, wav, folder / "none/out.wav"}, "cannot be written");
  expect_fault({all, frames, folder / "none.wav", folder / "out.wav"}, "cannot be read");
  EXPECT_EQ(run("suppress_noise", {all, frames, wav, "/dev/null"}).code, 0);
  EXPECT_FALSE(io::exists("/dev/null.part"));
}

TEST_F(SuppressNoise, DtlnOnItsSound) {
  const std::string models = kModels + "dtln/";
  if (!is_here(models)) return;
  const std::string first = imported("mask", {models + "model_1.onnx"}),
                    second = imported("frames", {models + "model_2.onnx"});
  const std::vector<float> found = suppressed(first, second, npy(models + "input.npy"));
  const std::vector<float> expected = npy(models + "expected_out.npy");
  // The expected sound is 384 samples late, and its last 384 are not computed.
  const size_t n = expected.size() - 768;
  ASSERT_EQ(found.size(), expected.size());
  const double difference = largest_difference(std::span(found).first(n), std::span(expected).subspan(384, n));
  std::cout << "DTLN: largest difference " << difference << ", at most 5e-6\n";
  EXPECT_LE(difference, 5e-6);
}

}  // namespace
}  // namespace longhand::examples
