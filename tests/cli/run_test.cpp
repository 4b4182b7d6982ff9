// `longhand run` on arrays, sounds, texts and pipes, and on models of other tasks.
#include <fmt/core.h>

#include "longhand/convert/npz.h"
#include "longhand/io/npy.h"
#include "longhand/io/wav.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

const char* const kSound =
    "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 4\n[[layers]]\ntype = \"linear\"\n"
    "name = \"o\"\nunits = 1\n";
const char* const kTwo =
    "outputs = [\"o\", \"r\"]\n[[inputs]]\nname = \"x\"\nsize = 2\n[[inputs]]\nname = \"y\"\nsize = 1\n[[layers]]\n"
    "type = \"concat\"\nname = \"c\"\nfrom = [\"x\", \"y\"]\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 3\n"
    "[[layers]]\ntype = \"linear\"\nname = \"o\"\nunits = 2\n";
const char* const kOnce =
    "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 4\nreturn = \"last\"\n";
const char* const kLetters =
    "[[inputs]]\nsymbols = [\"a\", \"b\", \"c\"]\n[[layers]]\ntype = \"one-hot\"\nclasses = 3\n[[layers]]\n"
    "type = \"lstm\"\nname = \"r\"\nunits = 2\nbidirectional = true\n";

std::vector<float> wave(int64_t n) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<float>((i * 37) % 101 - 50) / 64.0F);
  return out;
}

io::Array array(std::vector<int64_t> shape) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return io::make_array(std::move(shape), wave(n));
}

std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class RunCommand : public ::testing::Test {
 protected:
  std::string model(const std::string& name, const std::string& description) {
    write_file(folder / (name + ".toml"), description);
    const Result made = run(folder, {"import", "--network", name + ".toml", "--out", name});
    EXPECT_EQ(made.code, 0) << made.err;
    return name;
  }
  Result done(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "run");
    const Result result = run(folder, words, {.input = input});
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  void refused(std::vector<std::string> words, int code, const std::string& fragment, const std::string& input = "") {
    words.insert(words.begin(), "run");
    expect_error(run(folder, words, {.input = input}), code, fragment);
  }
  std::vector<float> npy(const std::string& name) { return io::floats(io::read_npy(folder / name), name); }
  convert::NamedArrays npz(const std::string& name) { return convert::read_npz(folder / name); }

  TemporaryFolder folder;
};

TEST_F(RunCommand, ArraysInFilesAndOnPipes) {
  model("m", kSound);
  io::write_npy(folder / "x.npy", array({50, 1}));
  convert::write_npz(folder / "x.npz", {{"input", array({50, 1})}});
  done({"m", "--input", "x.npy", "--output", "y.npy"});
  const std::vector<float> rows = npy("y.npy");
  ASSERT_EQ(rows.size(), 50U);
  done({"m", "--input", "x.npz", "--output", "y.npz"});
  EXPECT_EQ(npz("y.npz").at(0).first, "o");
  EXPECT_EQ(npz("y.npz").at(0).second.shape, (std::vector<int64_t>{50, 1}));
  EXPECT_EQ(io::floats(npz("y.npz").at(0).second, ""), rows);
  const Result piped = done({"m", "--input-format", "npz", "--output-format", "npz"}, read_file(folder / "x.npz"));
  EXPECT_EQ(piped.out, read_file(folder / "y.npz"));
  const Result npy_piped = done({"m", "--input-format", "npy", "--output-format", "npy"}, read_file(folder / "x.npy"));
  EXPECT_EQ(io::floats(io::read_npy("out", npy_piped.out), ""), rows);
  // Other types of numbers, and Fortran order.
  io::Array wide = io::make_array({50, 1}, std::vector<double>(50, 0.5));
  io::write_npy(folder / "wide.npy", wide);
  done({"m", "--input", "wide.npy", "--output", "wide_y.npy"});
  std::string header = read_file(folder / "x.npy");
  header.replace(header.find("False"), 5, "True ");
  write_file(folder / "fortran.npy", header);
  done({"m", "--input", "fortran.npy", "--output", "fortran_y.npy"});
  EXPECT_EQ(npy("fortran_y.npy"), rows);
}

TEST_F(RunCommand, SeveralSequencesOfOneFile) {
  model("m", kSound);
  const std::vector<int64_t> lengths = {7, 3};
  convert::write_npz(folder / "batch.npz", {{"input", array({2, 7, 1})},
                                            {"lengths", io::make_array({2}, std::span<const int64_t>(lengths))}});
  done({"m", "--input", "batch.npz", "--output", "batch_y.npz", "--state-out", "states"});
  const convert::NamedArrays batch = npz("batch_y.npz");
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch[0].first, "lengths");
  EXPECT_EQ(batch[1].second.shape, (std::vector<int64_t>{2, 7, 1}));
  const std::vector<float> all = wave(14), answers = io::floats(batch[1].second, "");
  for (size_t s = 0; s < 2; ++s) {
    const auto n = static_cast<std::ptrdiff_t>(lengths[s]);
    const std::vector<float> own(all.begin() + static_cast<std::ptrdiff_t>(7 * s),
                                 all.begin() + static_cast<std::ptrdiff_t>(7 * s) + n);
    io::write_npy(folder / "one.npy", io::make_array({n, 1}, std::span<const float>(own)));
    done({"m", "--input", "one.npy", "--output", "one_y.npy"});
    const std::vector<float> one = npy("one_y.npy");
    EXPECT_TRUE(std::equal(one.begin(), one.end(), answers.begin() + static_cast<std::ptrdiff_t>(7 * s)));
  }
  EXPECT_EQ(answers[7 + 3], 0.0F);
  // States of both, and sequences by name.
  done({"m", "--input", "batch.npz", "--state-in", "states", "--output", "again.npz"});
  EXPECT_NE(io::floats(npz("again.npz")[1].second, ""), answers);
  refused({"m", "--input", "one.npy", "--state-in", "states"}, 1, "found those of 2");
  convert::write_npz(folder / "named.npz", {{"a", array({5, 1})}, {"b", array({2, 1})}});
  done({"m", "--input", "named.npz", "--output", "named_y.npz"});
  EXPECT_EQ(npz("named_y.npz").at(1).first, "b");
  EXPECT_EQ(npz("named_y.npz").at(1).second.shape, (std::vector<int64_t>{2, 1}));
  const std::string rows = done({"m", "--input", "named.npz"}).out;
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 8);  // an empty line between them
  refused({"m", "--input", "named.npz", "--output", "n.npy"}, 2, "expected .npz for 2 sequences");
  io::write_npy(folder / "batch.npy", array({2, 7, 1}));
  done({"m", "--input", "batch.npy", "--output", "batch_y.npy"});
  EXPECT_EQ(io::read_npy(folder / "batch_y.npy").shape, (std::vector<int64_t>{2, 7, 1}));
}

TEST_F(RunCommand, AFileForEachInputAndOutput) {
  model("m", kTwo);
  io::write_npy(folder / "x.npy", array({6, 2}));
  io::write_npy(folder / "y.npy", array({6, 1}));
  const Result together = done({"m", "--input", "x=x.npy", "--input", "y=y.npy"});
  EXPECT_EQ(done({"m", "--input", "x=x.npy,y=y.npy"}).out, together.out);
  convert::write_npz(folder / "both.npz", {{"x", array({6, 2})}, {"y", array({6, 1})}});
  EXPECT_EQ(done({"m", "--input", "both.npz"}).out, together.out);
  done({"m", "--input", "both.npz", "--output", "o=o.npy,r=r.csv"});
  EXPECT_EQ(io::read_npy(folder / "o.npy").shape, (std::vector<int64_t>{6, 2}));
  const std::string first = together.out.substr(0, together.out.find('\n')), r = read_file(folder / "r.csv");
  EXPECT_TRUE(first.ends_with(fmt::format(",{}", r.substr(0, r.find('\n'))))) << first << "\n" << r;
  refused({"m", "--input", "x=x.npy"}, 1, "expected an array 'y'");
  refused({"m", "--input", "z=x.npy"}, 2, "expected one of the inputs (x, y), found 'z'");
  refused({"m", "--input", "x=x.npy", "--input", "x=y.npy"}, 2, "once for each input");
  refused({"m", "--input", "both.npz", "--output", "q=o.npy"}, 2, "expected one of the outputs (o, r), found 'q'");
  refused({"m", "--input", "both.npz", "--output", "o.npy"}, 2, "expected .npz for 2 outputs");
  EXPECT_FALSE(io::exists(folder / "q=o.npy"));
}

TEST_F(RunCommand, ANetworkThatAnswersOnceDoesSo) {
  model("m", kOnce);
  write_file(folder / "x.csv", "1\n2\n3\n4\n");
  const std::string once = done({"m", "--input", "x.csv"}).out;
  EXPECT_EQ(std::count(once.begin(), once.end(), '\n'), 1);
  EXPECT_EQ(done({"m", "--input", "x.csv", "--block", "1"}).out, once);
  const std::string each = done({"m", "--input", "x.csv", "--each-step"}).out;
  EXPECT_EQ(std::count(each.begin(), each.end(), '\n'), 4);
  EXPECT_TRUE(each.ends_with(once));
  done({"m", "--input", "x.csv", "--sequence", "2", "--output", "y.npz"});
  EXPECT_EQ(npz("y.npz").at(0).second.shape, (std::vector<int64_t>{2, 4}));
}

TEST_F(RunCommand, Sounds) {
  model("m", kSound);
  const std::vector<float> samples = wave(300);
  io::write_wav(folder / "f.wav", {1, 44100, io::WavEncoding::kFloat32}, samples);
  io::write_wav(folder / "i.wav", {1, 44100, io::WavEncoding::kPcm24}, samples);
  io::write_wav(folder / "s.wav", {2, 44100, io::WavEncoding::kPcm16}, samples);
  done({"m", "--input", "f.wav", "--output", "f.npy"});
  done({"m", "--input", "i.wav", "--output", "i.npy"});
  EXPECT_EQ(npy("f.npy"), npy("i.npy"));  // the samples are multiples of 1/64
  done({"m", "--input", "f.wav", "--output", "o.wav"});
  const io::Wav out = io::read_wav(folder / "o.wav");
  EXPECT_EQ(out.format.sample_rate, 44100);
  EXPECT_EQ(io::floats(out.samples, ""), npy("f.npy"));
  refused({"m", "--input", "s.wav"}, 1, "expected 1 channel, found 2 channels");
  refused({"m", "--input", "f.npy", "--output", "p.wav"}, 2, "needs its sample rate");
  done({"m", "--input", "f.npy", "--output", "p.wav", "--sample-rate", "8000"});
  EXPECT_EQ(io::read_wav(folder / "p.wav").format.sample_rate, 8000);
  done({"m", "--input", "f.wav", "--output", "f.wav"});  // in its place
  EXPECT_EQ(read_file(folder / "f.wav"), read_file(folder / "o.wav"));
}

TEST_F(RunCommand, ASoundOfAnotherRateIsRefused) {
  model("m", std::string("sample_rate = 48000\n") + kSound);
  EXPECT_NE(run(folder, {"info", "m"}).out.find("sound   48000 frames a second\n"), std::string::npos);
  io::write_wav(folder / "f.wav", {1, 44100, io::WavEncoding::kFloat32}, wave(30));
  io::write_wav(folder / "g.wav", {1, 48000, io::WavEncoding::kFloat32}, wave(30));
  refused({"m", "--input", "f.wav", "--output", "o.wav"}, 1, "expected sound of 48000 frames a second, found 44100");
  refused({"m", "--input", "input=f.wav", "--output", "o.wav"}, 1, "expected sound of 48000 frames a second");
  EXPECT_FALSE(io::exists(folder / "o.wav"));
  done({"m", "--input", "f.wav", "--output", "o.wav", "--sample-rate", "44100"});
  EXPECT_EQ(io::read_wav(folder / "o.wav").format.sample_rate, 44100);
  done({"m", "--input", "g.wav", "--output", "p.npy"});
  done({"m", "--input", "p.npy", "--output", "p.wav"});  // numbers are sound of the model's rate
  EXPECT_EQ(io::read_wav(folder / "p.wav").format.sample_rate, 48000);
  write_file(folder / "bad.toml", std::string("sample_rate = -1\n") + kSound);
  expect_error(run(folder, {"import", "--network", "bad.toml"}), 2, "sample_rate: expected frames a second");
}

TEST_F(RunCommand, TextsOfSymbols) {
  model("m", kLetters);
  write_file(folder / "t.txt", "abc\n\nba\n");
  const std::string out = done({"m", "--input", "t.txt"}).out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 6);  // five symbols, and an empty line
  EXPECT_EQ(done({"m", "--input-format", "text"}, "abc\nba").out, out);
  write_file(folder / "t.json", R"({"s": "abc", "t": [1, 0]})");
  EXPECT_EQ(done({"m", "--input", "t.json"}).out, out);
  EXPECT_EQ(done({"m"}, "0\n1\n2\n").out, out.substr(0, out.find("\n\n") + 1));
  refused({"m", "--input-format", "text"}, 1, "standard input:2: expected symbols of the network, found 'x'",
          "ab\nax\n");
  refused({"m"}, 1, "--input-format text", "abc\n");
  refused({"m"}, 1, "found 7", "0\n7\n");
}

TEST_F(RunCommand, HostileAndEmptyInputsLeaveNothing) {
  model("m", kSound);
  const std::string npy_file = io::npy_bytes(array({5, 1})),
                    npz_file = convert::npz_bytes("x", {{"input", array({5, 1})}});
  const auto refuse = [&](const std::string& format, const std::string& bytes, const std::string& fragment) {
    for (const char* out : {"o.npy", "o.npz", "o.csv", "o.f32"}) {
      refused({"m", "--input-format", format, "--output", out}, 1, fragment, bytes);
      EXPECT_FALSE(io::exists(folder / out)) << format << " " << out;
    }
  };
  refuse("csv", "", "expected at least one step, found none");
  refuse("raw", "", "expected at least one step, found none");
  refuse("npy", "", "expected 8 bytes");
  refuse("npy", npy_file.substr(0, npy_file.size() - 1), "the elements of [5, 1]");
  refuse("npy", io::npy_bytes(array({5, 2, 3})), "expected [*, 1] or [*, *, 1] for input 'input', found [5, 2, 3]");
  refuse("npz", npz_file.substr(0, npz_file.size() / 2), "not a valid zip archive");
  refuse("raw", std::string(7, '\0'), "expected rows of 1 float32 numbers");
  refuse("raw", bytes_of({1.0F, std::nanf("")}), "step 1: expected finite numbers");
  refuse("csv", "1\n2,3\n", "expected 1 number, found 2");
  refused({"m", "--output", "none/o.npz", "--input-format", "npz"}, 1, "cannot be written", npz_file);
}

TEST_F(RunCommand, TablesAreReadAsOthersWriteThem) {
  model("m", kSound);
  const std::string plain = done({"m"}, "1\n2\n").out;
  for (const char* text : {"\xEF\xBB\xBF"
                           "1\n2\n",
                           "in1\n1\n2\n", "name\n1\n2\n", "\n\nx\n1\n2\n", "\"i\"\r\n+1\r\n2 \r\n"}) {
    EXPECT_EQ(done({"m"}, text).out, plain) << text;
  }
  refused({"m"}, 1, "expected a number, found '1.2.3'", "1.2.3\n");
  refused({"m"}, 1, "expected a number, found '2020-01-02'", "2020-01-02\n");
  refused({"m"}, 1, "expected a finite number, found 'nan'", "nan\n");
  refused({"m"}, 1, "expected at least one step", "foo\n");
  refused({"m"}, 1, ":2: expected a finite number, found 'foo'", "1\nfoo\n");
}

TEST_F(RunCommand, ALivePipeIsAnsweredAtOnceAndItsEndIsNoError) {
  model("m", kSound);
  const auto shell = [&](const std::string& script) {
    write_file(folder / "script", script);
    const std::string command = fmt::format("cd '{}' && timeout 60 sh script >said", folder.string());
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_file(folder / "said");
  };
  const std::string binary = LONGHAND_BINARY;
  EXPECT_EQ(shell("mkfifo a b\n'" + binary +
                  "' run m --input a --input-format raw --output b --output-format raw "
                  "--block 1 2>err &\nexec 3<>a 4<>b\n"
                  "for i in 1 2 3; do printf '\\0\\0\\0\\0' >&3; head -c 4 <&4 | wc -c; done\nexec 3>&-\nwait\n"),
            "4\n4\n4\n");
  const std::string first = shell("head -c 4000000 /dev/zero >z.f32\n{ '" + binary +
                                  "' run m --input z.f32 2>err; echo $? >code; } | head -1\n");
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 1);
  EXPECT_EQ(read_file(folder / "err"), "");
  EXPECT_EQ(read_file(folder / "code"), "0\n");
}

TEST_F(RunCommand, ModelsThatLonghandTrained) {
  const std::string text = "the mill and the weir\nand the mill\n";
  write_file(folder / "tale.txt", text);
  ASSERT_EQ(run(folder, {"train", "lm", "--data", "tale", "--max-tokens", "1500", "--hidden", "6", "--embed", "4",
                         "--epochs", "1", "--no-baseline", "--out", "lm"})
                .code,
            0);
  const std::string out = done({"lm", "--input", "tale.txt"}).out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), static_cast<std::ptrdiff_t>(text.size()));
  EXPECT_EQ(done({"lm"}, text).out, out);
  EXPECT_EQ(done({"lm", "--block", "1"}, text).out, out);
  const std::string first = done({"lm", "--state-out", "s"}, text.substr(0, 10)).out;
  EXPECT_EQ(first + done({"lm", "--state-in", "s"}, text.substr(10)).out, out);
  refused({"lm"}, 1, "does not know the symbol", "the \xE2\x82\xAC mill");
  EXPECT_EQ(done({"lm", "--unknown", "skip"}, "\xE2\x82\xAC" + text).out, out);
  refused({"lm", "--input", "tale.txt", "--output", "x.npz"}, 2, "expected csv, raw or npy for a language model");
  std::string table = "a,b,t\n", inputs = "a,b\n";
  for (int i = 0; i < 80; ++i) {
    table += fmt::format("{},{},{}\n", i % 7, i % 3, 0.5 * (i % 7));
    inputs += fmt::format("{},{}\n", i % 7, i % 3);
  }
  write_file(folder / "t.csv", table);
  ASSERT_EQ(run(folder, {"train", "regressor", "--data", "t.csv", "--target", "t", "--inputs", "a,b", "--hidden", "4",
                         "--epochs", "1", "--no-baseline", "--out", "reg"})
                .code,
            0);
  const std::string predicted = done({"reg"}, inputs).out;
  EXPECT_EQ(std::count(predicted.begin(), predicted.end(), '\n'), 80);
  EXPECT_EQ(done({"reg"}, table).out, predicted);  // the target is not read
  write_file(folder / "tags.txt", "the DT\nmill NN\n\nthe DT\nweir NN\n\n");
  ASSERT_EQ(run(folder, {"train", "tagger", "--data", "tags.txt", "--hidden", "4", "--epochs", "1", "--no-baseline",
                         "--out", "tag"})
                .code,
            0);
  refused({"tag"}, 1, "found a tagger", "the\n");
}

}  // namespace
}  // namespace longhand::cli
