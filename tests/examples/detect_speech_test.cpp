// examples/audio/detect_speech.cpp with networks that hear loudness, and with Silero VAD on its own sound.
#include <sstream>

#include "examples/audio/segments.h"
#include "tests/examples/programs.h"

namespace longhand::examples {
namespace {

// The sigmoid of 400 times the mean absolute value of samples `begin` to `end`, less 20: 0.5 where the mean is 0.05.
std::string loudness(int begin, int end) {
  const std::string n = std::to_string(end - begin);
  return "[[layers]]\ntype = \"slice\"\nstart = " + std::to_string(begin) + "\nend = " + std::to_string(end) +
         "\n[[layers]]\ntype = \"abs\"\n[[layers]]\ntype = \"reshape\"\nshape = [" + n +
         ", 1]\n[[layers]]\ntype = \"pool\"\nkind = \"mean\"\n[[layers]]\ntype = \"flatten\"\n"
         "[[layers]]\ntype = \"scale\"\nscale = 400\nshift = -20\n[[layers]]\ntype = \"sigmoid\"\n";
}

std::vector<float> lines_of(const std::string& path) {
  std::istringstream in(read_file(path));
  std::vector<float> out;
  for (float x = 0.0F; in >> x;) out.push_back(x);
  return out;
}

// Frames 20 to 39 of 60, and 200 samples more.
std::vector<float> sound_in_the_middle() {
  std::vector<float> x = sines(60 * 512 + 200, {17.0});
  std::fill_n(x.begin(), 20 * 512, 0.0F);
  std::fill(x.begin() + 40 * 512, x.end(), 0.0F);
  return x;
}

using DetectSpeech = AudioPrograms;

TEST_F(DetectSpeech, PrintsSecondsForFilesAndPipes) {
  const std::string model = network("loud", 512, loudness(0, 512));
  const std::vector<float> x = sound_in_the_middle();
  const std::string expected = "0.610\t1.310\n";  // 20 * 512 - 480 and 40 * 512 + 480 of 16,000 samples a second
  for (const io::WavEncoding encoding : {io::WavEncoding::kPcm16, io::WavEncoding::kFloat32}) {
    const std::string wav = write_sound("x.wav", x, {.channels = 1, .sample_rate = 16000, .encoding = encoding});
    const Result file = run("detect_speech", {model, wav});
    EXPECT_EQ(file.code, 0) << file.err;
    EXPECT_EQ(file.out, expected);
    EXPECT_TRUE(file.err.starts_with("1 segments, 0.700 s of speech in 1.933 s of sound; ")) << file.err;
    EXPECT_EQ(run("detect_speech", {model, "-"}, read_file(wav)).out, expected);
  }
  EXPECT_EQ(run("detect_speech", {model, "-", "--format", "f32"}, bytes_of(x)).out, expected);
  std::vector<float> both;  // one loud channel of two: the mean is half as loud, and still above the threshold
  for (const float each : x) both.insert(both.end(), {each, 0.0F});
  const std::string stereo = write_sound("2.wav", both, {.channels = 2, .sample_rate = 16000});
  EXPECT_EQ(run("detect_speech", {model, stereo}).out, expected);
  EXPECT_EQ(run("detect_speech", {model, "-", "--format", "s16"}).out, "");
}

TEST_F(DetectSpeech, TheLastFrameMayBeShort) {
  const std::string model = network("loud", 512, loudness(0, 512));
  std::vector<float> x = sines(10 * 512 + 100, {17.0});
  std::fill_n(x.begin(), 10 * 512, 0.5F);
  const Result result =
      run("detect_speech", {model, "-", "--format", "f32", "--probabilities", folder / "p"}, bytes_of(x));
  EXPECT_EQ(result.out, "0.000\t0.326\n") << result.err;  // all 5,220 samples
  const std::vector<float> found = lines_of(folder / "p");
  ASSERT_EQ(found.size(), 11U);
  double sum = 0.0;
  for (size_t i = 10 * 512; i < x.size(); ++i) sum += std::abs(double{x[i]});
  EXPECT_NEAR(found.back(), 1.0 / (1.0 + std::exp(20.0 - 400.0 * sum / 512.0)), 1e-5);  // zeros follow the sound
}

TEST_F(DetectSpeech, OptionsAreThoseOfTheRule) {
  const std::string model = network("loud", 512, loudness(0, 512));
  const std::string x = bytes_of(sound_in_the_middle());
  const auto found = [&](const std::vector<std::string>& options) {
    return run("detect_speech", cli::with({model, "-", "--format", "f32"}, options), x).out;
  };
  EXPECT_EQ(found({"--pad-ms", "0"}), "0.640\t1.280\n");
  EXPECT_EQ(found({"--min-speech-ms", "639", "--pad-ms", "0"}), "0.640\t1.280\n");
  EXPECT_EQ(found({"--min-speech-ms", "640"}), "");
  EXPECT_EQ(found({"--min-silence-ms", "1000", "--pad-ms", "0"}), "0.640\t1.933\n");
}

TEST_F(DetectSpeech, AFrameFollowsTheEndOfTheFrameBefore) {
  for (const auto& [context, frame, rate] : {std::array<int, 3>{64, 512, 16000}, {32, 256, 8000}}) {
    // Hears the context alone: the probability of a frame says how loud the end of the one before was.
    const std::string model = network("end", context + frame, loudness(0, context));
    std::vector<float> x(static_cast<size_t>(frame) * 12);
    for (size_t i = 0; i < x.size(); ++i) x[i] = i % 7 == 0 ? 0.07F * static_cast<float>(i / 64 % 9) : 0.01F;
    const std::string wav =
        write_sound("x.wav", x, {.channels = 1, .sample_rate = rate, .encoding = io::WavEncoding::kFloat32});
    const Result result = run("detect_speech", {model, wav, "--probabilities", folder / "p"});
    EXPECT_EQ(result.code, 0) << result.err;
    std::vector<float> expected;
    for (int t = 0; t < 12; ++t) {
      double sum = 0.0;
      for (int i = t * frame - context; t > 0 && i < t * frame; ++i) sum += std::abs(double{x[static_cast<size_t>(i)]});
      expected.push_back(static_cast<float>(1.0 / (1.0 + std::exp(20.0 - 400.0 * sum / context))));
    }
    EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0.5F);
    // 400 times the rounding errors of a mean of 64 numbers.
    EXPECT_LE(largest_difference(lines_of(folder / "p"), expected), 1e-5);
    expect_error(run("detect_speech", {model, write_sound("y.wav", x, {.channels = 1, .sample_rate = 24000 - rate})}),
                 1, "samples a second");
  }
}

TEST_F(DetectSpeech, WhatIsWrongIsSaid) {
  const std::string model = network("loud", 512, loudness(0, 512));
  const std::string wav = write_sound("x.wav", sines(2000, {3.0}), {.channels = 1, .sample_rate = 16000});
  const auto expect_fault = [&](const std::vector<std::string>& words, const std::string& input,
                                const std::string& fragment, int code = 1) {
    cli::expect_error(run("detect_speech", words, input), code, fragment);
  };
  expect_fault({model, folder / "none.wav"}, "", "cannot be read");
  expect_fault({model, folder.string()}, "", "cannot be read");
  expect_fault({model, model}, "", "expected a WAV file");
  expect_fault({model, "-"}, read_file(wav).substr(0, 30), "ends in its header");
  expect_fault({model, "-"}, read_file(wav).substr(0, 3001), "ends after 1478 samples");
  expect_fault({model, "-", "--format", "f32"}, std::string(2049, '\0'), "ends after 512 samples");
  expect_fault({model, "-", "--format", "f32"}, bytes_of({0.0F, std::nanf("")}), "sample 1 is not a finite number");
  expect_fault({network("other", 100, loudness(0, 100)), wav}, "", "found one that reads 100");
  expect_fault({network("many", 512, "[[layers]]\ntype = \"abs\"\n"), wav}, "", "expected a model with 1 outputs");
  expect_fault({model, wav, "--threshold", "0.3", "--neg-threshold", "0.4"}, "", "is above", 2);
  expect_fault({model, wav, "--probabilities", folder / "none/p"}, "", "cannot be written");
  const std::string deep = write_sound("24.wav", sines(99, {3.0}),
                                       {.channels = 1, .sample_rate = 16000, .encoding = io::WavEncoding::kPcm24});
  expect_fault({model, deep}, "", "expected samples of 16 bits or float32");
  EXPECT_EQ(run("detect_speech", {model}).code, 2);
  EXPECT_EQ(run("detect_speech", {model, wav, "--threshold", "2"}).code, 2);
  EXPECT_EQ(run("detect_speech", {"--help"}).code, 0);
}

// The description of its layers that docs/network.md shows.
std::string silero_description() {
  const std::string page = read_file(std::string(LONGHAND_SOURCE_DIR) + "/docs/network.md");
  const size_t begin = page.find("```toml\n") + 8;
  return page.substr(begin, page.find("```", begin) - begin);
}

// The segments of probabilities, as the program prints them.
std::string printed(const std::vector<float>& probabilities, int64_t samples) {
  std::string out;
  sound::SpeechSegments speech({}, 512, [&](const sound::Segment& s) {
    char line[64];
    std::snprintf(line, sizeof line, "%.3f\t%.3f\n", static_cast<double>(s.begin) / 16000,
                  static_cast<double>(s.end) / 16000);
    out += line;
  });
  for (const float p : probabilities) speech.push(static_cast<double>(p));
  speech.finish(samples);
  return out;
}

TEST_F(DetectSpeech, SileroOnItsSound) {
  const std::string models = kModels + "silero_vad/";
  if (!is_here(models)) return;
  const std::vector<float> x = npy(models + "input.npy");
  write_file(folder / "silero.toml", silero_description());
  const auto check = [&](const std::string& model, const std::string& expected_file, double bound) {
    const std::vector<float> expected = npy(models + expected_file);
    const Result result =
        run("detect_speech", {model, "-", "--format", "f32", "--probabilities", folder / "p"}, bytes_of(x));
    EXPECT_EQ(result.code, 0) << result.err;
    const double difference = largest_difference(lines_of(folder / "p"), expected);
    std::cout << model << ": largest difference " << difference << ", at most " << bound << "\n" << result.out;
    EXPECT_LE(difference, bound);
    EXPECT_EQ(result.out, printed(expected, static_cast<int64_t>(x.size())));
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 3);
  };
  check(imported("op15", {models + "silero_vad_16k_op15.onnx", "--set", "sr=16000", "--dims", "input=*x576"}),
        "expected_probs.npy", 2e-5);
  check(imported("sequence", {models + "silero_vad_16k_sequence.onnx"}), "expected_probs.npy", 2e-5);
  check(imported("torch", {models + "silero_vad_16k.safetensors", "--network", folder / "silero.toml"}),
        "expected_probs_safetensors.npy", 7e-6);
}

}  // namespace
}  // namespace longhand::examples
