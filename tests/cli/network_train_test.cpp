// `longhand train network` as a user meets it: WAV, CSV and .npz, resuming, training further, and what is wrong with
// data and configurations.
#include <fmt/core.h>

#include <cmath>

#include "longhand/convert/npz.h"
#include "longhand/io/wav.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

const std::string kLayers =
    "[[inputs]]\nname = \"x\"\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"lstm\"\nunits = 8\n[[layers]]\ntype = "
    "\"linear\"\nname = \"y\"\nunits = 1\n";

// Some sound and the same through a clipping amplifier with a filter.
void write_sound(const TemporaryFolder& folder, const std::string& name, int frames, int rate = 8000,
                 int channels = 1) {
  std::vector<float> in, out;
  double low = 0.0;
  for (int t = 0; t < frames; ++t) {
    const double x = 0.5 * std::sin(0.05 * t) * std::sin(0.0031 * t) + 0.2 * std::sin(0.31 * t);
    low += 0.3 * (std::tanh(3.0 * x) - low);
    for (int c = 0; c < channels; ++c) in.push_back(static_cast<float>(x));
    for (int c = 0; c < channels; ++c) out.push_back(static_cast<float>(low));
  }
  const io::WavFormat format{.channels = channels, .sample_rate = rate, .encoding = io::WavEncoding::kPcm16};
  io::write_wav(folder / (name + "-in.wav"), format, in);
  io::write_wav(folder / (name + "-out.wav"), format, out);
}

void write_table(const TemporaryFolder& folder, const std::string& name, int rows) {
  std::string table = "rain,temperature,flow\n";
  double store = 1000.0;
  for (int t = 0; t < rows; ++t) {
    const double rain = (t * 7919 % 101) < 12 ? (t * 31 % 17) : 0;
    store += rain - 0.05 * (store - 900.0);
    table += std::to_string(rain) + "," + std::to_string(10.0 + 5.0 * std::sin(0.01 * t)) + "," +
             std::to_string(0.05 * (store - 900.0) + 5000.0) + "\n";
  }
  write_file(folder / name, table);
}

const Words kSound = {"train", "network", "--config", "net.toml", "--data", "a-in.wav", "--target", "a-out.wav"};
const Words kQuick = {"--segment", "400", "--bptt", "100", "--burn-in", "50", "--batch", "8", "--epochs", "4"};

TEST(TrainNetwork, LearnsAnAmplifierFromSound) {
  const TemporaryFolder folder;
  write_file(folder / "net.toml", "loss = \"esr\"\npre-emphasis = 0.5\n" + kLayers);
  write_sound(folder, "a", 12000);
  write_sound(folder, "b", 3000);
  const Result train =
      run(folder, with(with(kSound, kQuick), {"--epochs", "12", "--lr", "0.02", "--test", "b-in.wav", "--test-target",
                                              "b-out.wav", "--out", "amp", "--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("8000 Hz"), std::string::npos) << train.err;
  const nlohmann::json report = nlohmann::json::parse(train.out);
  EXPECT_LT(report["test_esr"], 0.05);
  EXPECT_TRUE(report["baseline"]["esr"].is_number());
  EXPECT_NE(read_file(folder / "amp/report.html").find("prediction minus target"), std::string::npos);
  const nlohmann::json eval =
      nlohmann::json::parse(run(folder, {"eval", "amp", "--data", "b-in.wav", "--target", "b-out.wav", "--json"}).out);
  EXPECT_NEAR(eval["esr"].get<double>(), report["test_esr"].get<double>(), 0.01);
  // The model makes sound of sound, and knows its rate.
  ASSERT_EQ(run(folder, {"run", "amp", "--input", "b-in.wav", "--output", "made.wav"}).code, 0);
  EXPECT_EQ(io::read_wav(folder / "made.wav").samples.shape[0], 3000);
  write_sound(folder, "c", 3000, 44100);
  expect_error(run(folder, {"run", "amp", "--input", "c-in.wav", "--output", "made.wav"}), 1, "8000");
  EXPECT_NE(run(folder, {"info", "amp"}).out.find("lstm"), std::string::npos);
  // Trained further.
  const Result more = run(folder, {"train", "network", "--from", "amp", "--loss", "esr", "--data", "a-in.wav",
                                   "--target", "a-out.wav", "--epochs", "1", "--out", "more", "--json"});
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_LT(nlohmann::json::parse(more.out)["valid_esr"], 0.05);
  // With a layer that stays as it is.
  const Words frozen = {"train",    "network",   "--from",   "amp", "--loss",   "esr",  "--data",  "a-in.wav",
                        "--target", "a-out.wav", "--epochs", "1",   "--frozen", "lstm", "--batch", "4"};
  const Result part = run(folder, with(frozen, {"--out", "part"}));
  ASSERT_EQ(part.code, 0) << part.err;
  const io::Safetensors was = io::Safetensors::read(folder / "amp/model.safetensors");
  const io::Safetensors is = io::Safetensors::read(folder / "part/model.safetensors");
  EXPECT_EQ(was.tensors().at("lstm.weight_hh_l0").bytes, is.tensors().at("lstm.weight_hh_l0").bytes);
  EXPECT_NE(was.tensors().at("y.weight").bytes, is.tensors().at("y.weight").bytes);
  expect_error(run(folder, with(frozen, {"--frozen", "lsmt", "--out", "none"})), 2, "lsmt");
}

TEST(TrainNetwork, TheSameBitsWhenResumedAndOnOtherThreads) {
  const TemporaryFolder folder;
  write_file(folder / "net.toml", "loss = \"esr\"\npre-emphasis = 0.9\n" + kLayers);
  write_sound(folder, "a", 12000);
  const Words words = with(with(kSound, kQuick), {"--epochs", "6", "--checkpoint-seconds", "0", "--quiet"});
  ASSERT_EQ(run(folder, with(words, {"--out", "whole", "--threads", "1"})).code, 0);
  const Result stopped =
      run(folder, with(words, {"--out", "parts", "--threads", "3"}),
          {.signal = SIGINT, .checkpoint = "parts/checkpoint.safetensors", .trained = true, .milliseconds = 30});
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  std::filesystem::remove(folder / "net.toml");  // the run has the network
  const Result resumed = run(folder, {"train", "network", "--resume", "parts", "--threads", "2"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(read_file(folder / "whole/model.safetensors"), read_file(folder / "parts/model.safetensors"));
}

TEST(TrainNetwork, LearnsFromATableInItsUnits) {
  const TemporaryFolder folder;
  write_file(
      folder / "net.toml",
      "input = \"rain,temperature\"\ntarget = \"flow\"\n[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nunits = "
      "8\n[[layers]]\ntype = \"linear\"\nunits = 1\n");
  write_table(folder, "river.csv", 3000);
  const Result train =
      run(folder, {"train", "network", "--config", "net.toml", "--data", "river.csv", "--segment", "200", "--bptt",
                   "50", "--burn-in", "100", "--batch", "4", "--epochs", "8", "--out", "river", "--json"});
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_GT(nlohmann::json::parse(train.out)["valid_nse"], 0.5);
  const Result eval = run(folder, {"eval", "river", "--data", "river.csv", "--json"});
  ASSERT_EQ(eval.code, 0) << eval.err;
  EXPECT_GT(nlohmann::json::parse(eval.out)["nse"], 0.5);
  // Raw units in and out.
  write_file(folder / "weather.csv", "0,10\n12,10\n0,10\n");
  const Result made = run(folder, {"run", "river", "--input", "weather.csv", "--output", "-"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NEAR(std::stod(made.out), 5000.0, 50.0);
}

TEST(TrainNetwork, ReadsTheSequencesOfATableAgainAsInItsTraining) {
  const TemporaryFolder folder;
  write_file(folder / "net.toml", kLayers);
  std::string rows = "id,a,b\n";
  for (int n = 0; n < 12; ++n) {
    for (int t = 0; t < 30; ++t) rows += fmt::format("{},{},{}\n", n, (n + t) % 3, t);
  }
  write_file(folder / "many.csv", rows);
  ASSERT_EQ(run(folder, {"train", "network", "--config", "net.toml", "--input", "a", "--target", "b", "--group", "id",
                         "--data", "many.csv", "--epochs", "1", "--out", "run", "--quiet"})
                .code,
            0);
  const Result eval = run(folder, {"eval", "run", "--data", "many.csv"});
  ASSERT_EQ(eval.code, 0) << eval.err;
  EXPECT_NE(eval.err.find("12 sequences, 360 steps"), std::string::npos) << eval.err;
  expect_error(run(folder, {"eval", "run", "--data", "many.csv", "--group", "no"}), 1, "'no'");
}

TEST(TrainNetwork, LearnsClassesOfSequencesFromArrays) {
  const TemporaryFolder folder;
  write_file(
      folder / "net.toml",
      "loss = \"cross-entropy\"\n[[inputs]]\nsize = 1\n[[layers]]\ntype = \"gru\"\nunits = 8\nreturn = \"last\"\n"
      "[[layers]]\ntype = \"linear\"\nunits = 2\n[[layers]]\ntype = \"softmax\"\n");
  std::vector<float> x;
  std::vector<int64_t> classes, lengths;
  for (int n = 0; n < 120; ++n) {
    for (int t = 0; t < 12; ++t)
      x.push_back(std::sin((n % 2 == 0 ? 0.5F : 1.1F) * static_cast<float>(t) + 0.7F * static_cast<float>(n)));
    classes.push_back(n % 2);
    lengths.push_back(8 + n % 5);
  }
  convert::write_npz(folder / "waves.npz", {{"input", io::make_array({120, 12, 1}, std::span<const float>(x))},
                                            {"lengths", io::make_array({120}, std::span<const int64_t>(lengths))},
                                            {"target", io::make_array({120}, std::span<const int64_t>(classes))}});
  const Result train = run(folder, {"train", "network", "--config", "net.toml", "--data", "waves.npz", "--epochs", "25",
                                    "--batch", "10", "--lr", "0.02", "--out", "waves", "--json"});
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_GT(nlohmann::json::parse(train.out)["valid_accuracy"], 85.0);
}

TEST(TrainNetwork, SaysWhatIsWrongAndWritesNothing) {
  const TemporaryFolder folder;
  write_file(folder / "net.toml", kLayers);
  write_sound(folder, "a", 6000);
  write_sound(folder, "short", 1000);
  write_sound(folder, "fast", 6000, 44100);
  write_sound(folder, "stereo", 6000, 8000, 2);
  write_table(folder, "river.csv", 500);
  const auto refused = [&](const Words& words, int code, const std::string& fragment) {
    SCOPED_TRACE(fragment);
    expect_error(run(folder, with(with({"train", "network"}, words), {"--out", "none", "--quiet"})), code, fragment);
    EXPECT_FALSE(io::exists(folder / "none"));
  };
  const auto net = [&](const Words& words) { return with({"--config", "net.toml"}, words); };
  refused({"--data", "a-in.wav"}, 2, "--network");
  refused(net({"--data", "a-in.wav"}), 2, "--target");
  refused(net({"--data", "a-in.wav", "--target", "short-out.wav"}), 1, "expected 6000 frames");
  refused(net({"--data", "a-in.wav", "--target", "fast-out.wav"}), 1, "frames a second");
  refused(net({"--data", "stereo-in.wav", "--target", "a-out.wav"}), 1, "channels");
  refused(net({"--data", "a-in.wav", "--target", "gone.wav"}), 1, "gone.wav");
  refused(net({"--data", "a-in.wav", "--target", "river.csv"}), 1, "river.csv");
  const Words sound = {"--data", "a-in.wav", "--target", "a-out.wav"};
  refused(net(with(sound, {"--valid", "fast-in.wav", "--valid-target", "fast-out.wav"})), 1, "as in the training data");
  refused(net(with(sound, {"--test", "short-in.wav", "--test-target", "short-out.wav", "--burn-in", "2000"})), 1,
          "too short to measure on");
  refused(net({"--data", "river.csv"}), 2, "--input");
  refused(net({"--data", "river.csv", "--input", "rain", "--target", "level"}), 1, "level");
  refused(net({"--data", "river.csv", "--input", "rain,temperature", "--target", "flow"}), 2, "one column");
  refused(net({"--data", "river.csv,a-in.wav", "--input", "rain", "--target", "flow"}), 2, "one kind");
  refused(net({"--data", "river.csv", "--input", "rain", "--target", "flow", "--loss", "cross-entropy"}), 1, "class");
  refused(net({"--data", "river.csv", "--input", "rain", "--target", "flow", "--burn-in", "600"}), 1, "too short");
  refused(net({"--data", "river.csv", "--input", "rain", "--target", "flow", "--ahead", "600"}), 1, "too short");
  refused(net({"--data", "river.csv", "--input", "rain", "--target", "flow", "--dc", "1"}), 2, "--dc");
  write_file(folder / "gap.csv", "rain,flow\n1,2\n,3\n");
  refused(net({"--data", "gap.csv", "--input", "rain", "--target", "flow"}), 1, "gap.csv:3");
  write_file(folder / "huge.csv", "rain,flow\n1,2\n1e300,3\n");
  refused(net({"--data", "huge.csv", "--input", "rain", "--target", "flow"}), 1, "huge.csv:3");
  const std::vector<float> odd = {1.0F, NAN, 2.0F}, good = {1.0F, 2.0F, 3.0F};
  convert::write_npz(folder / "nan.npz", {{"input", io::make_array({3, 1}, std::span<const float>(odd))},
                                          {"target", io::make_array({3, 1}, std::span<const float>(good))}});
  refused(net({"--data", "nan.npz"}), 1, "finite");
  convert::write_npz(folder / "other.npz", {{"input", io::make_array({3, 1}, std::span<const float>(good))},
                                            {"result", io::make_array({3, 1}, std::span<const float>(good))}});
  refused(net({"--data", "other.npz"}), 1, "'target'");
  const auto layers = [&](const std::string& text, const std::string& fragment, int code) {
    write_file(folder / "odd.toml", text);
    refused({"--config", "odd.toml", "--data", "a-in.wav", "--target", "a-out.wav"}, code, fragment);
  };
  layers("loss = \"mse\"\nlos = 1\n" + kLayers, "los", 2);
  layers("loss = \"best\"\n" + kLayers, "loss", 2);
  layers(kLayers + "[[layers]]\ntype = \"max-pool1d\"\nname = \"pooled\"\nkernel = 2\n", "pooled", 1);
  layers(kLayers + "[[layers]]\ntype = \"conv1d\"\nunits = 1\nkernel = 3\n", "an answer for each step", 1);
  layers("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 0\n", "lstm_1", 2);
  layers("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 100000\n", "weights", 2);
  layers("[[inputs]\nsize = 1\n", "odd.toml", 2);
  layers("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = -4\n", "units: expected a whole number from 1 to",
         2);
  layers("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 1.5\n", "found 1.5", 2);
  layers("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\n", "expected `units`, found none", 2);
  layers("[[inputs]]\nsize = 1\n", "expected a [[layers]] table, found none", 2);
  layers("[[inputs]]\nsize = 1\n[[layer]]\ntype = \"lstm\"\nunits = 4\n", "did you mean layers?", 2);
  layers("[[input]]\nsize = 1\n" + kLayers, "found [[input]]", 2);
  layers(kLayers + "[[layers]]\ntype = \"linear\"\nname = \"z\"\nunits = 1\nfrom = \"lstm\"\n",
         "'y' leads to no output", 2);
  layers("[[inputs]]\nname = \"w\"\nsize = 1\n" + kLayers, "'w' leads to no output", 2);
  // Options that do not apply to the data, and two descriptions of a network.
  refused(net(with(sound, {"--decimal", "comma"})), 2, "--decimal: expected tables");
  refused(net(with(sound, {"--input", "x"})), 2, "--input: expected tables or .npz files");
  refused(net({"--data", "other.npz", "--target", "result", "--group", "g"}), 2, "--group: expected tables");
  refused(net(with(sound, {"--network", "odd.toml"})), 2, "expected one description");
  refused(net({"--data", "river.csv", "--input", "rain,rain", "--target", "flow"}), 2, "'rain' twice");
  refused(net({"--data", "river.csv", "--input", "flow", "--target", "flow"}), 1, "or give --ahead");
  write_file(folder / "mixed.csv", "id,rain,flow\n1,1,2\n2,3,3\n1,1,2\n");
  refused(net({"--data", "mixed.csv", "--input", "rain", "--target", "flow", "--group", "id"}), 1,
          "sort the table by that column\n");
  // Targets of the wrong shape.
  const auto shapes = [&](std::vector<int64_t> target, const std::string& fragment) {
    const std::vector<float> zeros(1000, 0.0F);
    int64_t n = 1;
    for (const int64_t extent : target) n *= extent;
    convert::write_npz(
        folder / "shapes.npz",
        {{"input", io::make_array({5, 8, 1}, std::span<const float>(zeros).first(40))},
         {"target", io::make_array(std::move(target), std::span<const float>(zeros).first(static_cast<size_t>(n)))}});
    refused(net({"--data", "shapes.npz"}), 1, fragment);
  };
  shapes({5}, "return = \"last\"");
  shapes({5, 8, 3}, "`units` = 3");
  shapes({8, 5}, "expected a number a step for 5 sequences of 8 steps, [5, 8, 1], found [8, 5]");
  // Bidirectional layers need whole sequences.
  write_file(folder / "both.toml",
             "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 4\nbidirectional = true\n[[layers]]\ntype = "
             "\"linear\"\nunits = 1\n");
  refused({"--config", "both.toml", "--data", "a-in.wav", "--target", "a-out.wav", "--bptt", "100"}, 2,
          "bidirectional");
  expect_error(run(folder, {"compare", "network", "cells", "--config", "net.toml", "--data", "a-in.wav", "--target",
                            "a-out.wav", "--out", "compared"}),
               2, "cells");
  // Not a model of a network.
  ASSERT_EQ(run(folder, {"train", "lm", "--data", "tale", "--max-tokens", "2000", "--hidden", "8", "--epochs", "1",
                         "--quiet", "--out", "text"})
                .code,
            0);
  refused({"--from", "text", "--data", "a-in.wav", "--target", "a-out.wav"}, 1, "network of layers");
}

TEST(TrainNetwork, TheExamplesTrain) {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& name, const Words& words) {
    const std::string config = std::string(LONGHAND_SOURCE_DIR) + "/examples/" + name + ".toml";
    const Result result =
        run(folder,
            with({"train", "network", "--config", config, "--out", name, "--epochs", "1", "--no-baseline", "--json"},
                 words));
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_LT(nlohmann::json::parse(result.out)["valid_loss"], 2.0) << name;
  };
  ASSERT_EQ(run(folder, {"data", "make", "amplifier", "--seconds", "2", "--out", "guitar"}).code, 0);
  train("amplifier", {"--data", "guitar-input.wav", "--target", "guitar-target.wav"});
  ASSERT_EQ(run(folder, {"data", "make", "river", "--years", "1", "--out", "river.csv"}).code, 0);
  train("river", {"--data", "river.csv", "--burn-in", "500"});
  ASSERT_EQ(run(folder, {"data", "make", "vibration", "--seconds", "10", "--out", "healthy.csv"}).code, 0);
  train("vibration", {"--data", "healthy.csv"});
}

TEST(DataMake, ComputesTheSameEveryTime) {
  const TemporaryFolder folder;
  for (const char* name : {"one", "two"}) {
    const std::string out = name;
    ASSERT_EQ(run(folder, {"data", "make", "amplifier", "--seconds", "1", "--out", out}).code, 0);
    ASSERT_EQ(run(folder, {"data", "make", "river", "--years", "1", "--out", out + "-river.csv"}).code, 0);
    ASSERT_EQ(run(folder, {"data", "make", "catchments", "--years", "1", "--catchments", "4", "--step-hours", "24",
                           "--out", out + "-c.csv"})
                  .code,
              0);
    ASSERT_EQ(
        run(folder, {"data", "make", "vibration", "--seconds", "20", "--anomalies", "8", "--out", out + "-v.csv"}).code,
        0);
  }
  for (const char* end : {"-input.wav", "-target.wav", "-river.csv", "-c.csv", "-v.csv"}) {
    EXPECT_EQ(read_file(folder / (std::string("one") + end)), read_file(folder / (std::string("two") + end))) << end;
  }
  EXPECT_EQ(io::read_wav(folder / "one-input.wav").samples.shape[0], 48000);
  const std::string river = read_file(folder / "one-river.csv"), catchments = read_file(folder / "one-c.csv");
  EXPECT_EQ(std::count(river.begin(), river.end(), '\n'), 8761);
  EXPECT_EQ(std::count(catchments.begin(), catchments.end(), '\n'), 4 * 365 + 1);
  ASSERT_EQ(run(folder, {"data", "make", "river", "--years", "1", "--seed", "9", "--out", "other.csv"}).code, 0);
  EXPECT_NE(read_file(folder / "other.csv"), river);
  expect_error(run(folder, {"data", "make", "river"}), 2, "--out");
}

}  // namespace
}  // namespace longhand::cli
