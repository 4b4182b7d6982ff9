// `longhand run` on training files: columns found by name, sequences by a column, arrays among others.
#include <fmt/core.h>

#include <cmath>
#include <sstream>

#include "longhand/convert/npz.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

const std::string kLayers =
    "[[inputs]]\nname = \"weather\"\nsize = 2\n[[layers]]\ntype = \"lstm\"\nunits = 4\n[[layers]]\ntype = \"linear\"\n"
    "name = \"y\"\nunits = 1\n";

// One row of the tables: inputs a and b, and the target.
struct Row {
  double a, b, y;
};

std::vector<Row> some_rows(int n) {
  std::vector<Row> out;
  double store = 0.0;
  for (int t = 0; t < n; ++t) {
    const double a = (t * 7919 % 101) / 25.0, b = 10.0 + 5.0 * std::sin(0.05 * t);
    store += 0.1 * (a - store);
    out.push_back({a, b, 3.0 * store + 0.1 * b});
  }
  return out;
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(std::stod(line));
  return out;
}

double mse(const std::vector<double>& made, const std::vector<Row>& rows) {
  EXPECT_EQ(made.size(), rows.size());
  double out = 0.0;
  for (size_t i = 0; i < std::min(made.size(), rows.size()); ++i) out += std::pow(made[i] - rows[i].y, 2);
  return out / static_cast<double>(rows.size());
}

class RunColumns : public ::testing::Test {
 protected:
  // Writes a table: sequences g0, g1, ... of 40 rows, dates, the inputs in reverse order, the target.
  void write_table(const std::string& name) {
    std::string text = "id,date,b,a,y\n";
    for (size_t t = 0; t < rows.size(); ++t) {
      text += fmt::format("g{},2024-01-{:02},{},{},{}\n", t / 40, t % 28 + 1, rows[t].b, rows[t].a, rows[t].y);
    }
    write_file(folder / name, text);
  }
  void train(const Words& more, const std::string& layers = kLayers) {
    write_file(folder / "net.toml", layers);
    const Result result = run(folder, with({"train", "network", "--config", "net.toml", "--epochs", "3", "--lr", "0.02",
                                            "--out", "model", "--quiet", "--no-baseline", "--overwrite"},
                                           more));
    ASSERT_EQ(result.code, 0) << result.err;
  }
  void train_on_table(const Words& more = {}, const std::string& layers = kLayers) {
    write_table("t.csv");
    train(with({"--data", "t.csv", "--input", "a,b", "--target", "y"}, more), layers);
  }
  Result done(Words words, const std::string& input = "") {
    words.insert(words.begin(), {"run", "model"});
    const Result result = run(folder, words, {.input = input});
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
  }
  void refused(Words words, int code, const std::string& fragment, const std::string& input = "") {
    words.insert(words.begin(), {"run", "model"});
    expect_error(run(folder, words, {.input = input}), code, fragment);
  }
  double evaluated(const std::string& data, const std::string& name, const Words& more = {}) {
    const Result result = run(folder, with({"eval", "model", "--data", data, "--json"}, more));
    EXPECT_EQ(result.code, 0) << result.err;
    return nlohmann::json::parse(result.out)[name];
  }

  TemporaryFolder folder;
  std::vector<Row> rows = some_rows(400);
};

TEST_F(RunColumns, AreFoundByNameInAnyOrder) {
  train_on_table();
  const Result made = done({"--input", "t.csv"});
  EXPECT_NE(made.err.find("columns a, b; not read: id, date, y"), std::string::npos) << made.err;
  EXPECT_NEAR(mse(numbers_of(made.out), rows) / evaluated("t.csv", "mse"), 1.0, 1e-4);
  // Only the model's columns; a pipe; quoted names, semicolons and decimal commas; no header.
  std::string plain = "a,b\n", semicolons = "\xEF\xBB\xBFsep=;\r\n\"y, m3\";\"b\";\"te\nxt\";\"a\"\r\n", bare;
  for (const Row& row : rows) {
    plain += fmt::format("{},{}\n", row.a, row.b);
    bare += fmt::format("{},{}\n", row.a, row.b);
    std::string line = fmt::format("{:.4f};{};\"a ; \"\"b\";{}\r\n", row.y, row.b, row.a);
    std::replace(line.begin(), line.end(), '.', ',');
    semicolons += line;
  }
  write_file(folder / "semicolons.csv", semicolons);
  EXPECT_EQ(done({}, plain).out, made.out);
  EXPECT_EQ(done({"--block", "1"}, plain).out, made.out);
  EXPECT_EQ(done({"--input", "semicolons.csv"}).out, made.out);
  EXPECT_EQ(done({}, semicolons).out, made.out);
  const Result by_place = done({}, bare);
  EXPECT_EQ(by_place.out, made.out);
  EXPECT_NE(by_place.err.find("no header; columns are read in the order a, b"), std::string::npos) << by_place.err;
  EXPECT_EQ(done({}, plain).err, "400 steps read\n");
}

TEST_F(RunColumns, ThatAreMissingOrWrongAreNamed) {
  train_on_table();
  refused({}, 1, "standard input:1: expected a column 'a', found b, c", "b,c\n1,2\n");
  refused({}, 1, "in the header as in training\n", "a,c\n1,2\n");
  refused({}, 1, "found 'a' twice", "a,b,a\n1,2,3\n");
  refused({}, 1, ":3: column 'b': expected a number, found an empty cell", "a,b\n1,2\n3,\n");
  refused({}, 1, ":2: column 'b': expected a number, found '2020-01-02'", "b,a\n2020-01-02,1\n");
  refused({}, 1, ":3: expected 2 columns, as in the header, found 3", "b,a\n1,2\n1,2,3\n");
  refused({}, 1, "float32", "b,a\n1,1e60\n");
  refused({}, 1, ":1: expected 2 numbers (a, b), found 3", "1,2,3\n4,5,6\n");
  refused({}, 1, "expected a closing quote", "b,a\n1,\"2\n3\n");
  refused({}, 1, "UTF-8", "b,a\n1,\xFF\n");
  refused({}, 1, "expected at least one step", "b,a\n");
  write_file(folder / "odd.csv", "a;b\n1,234;5,678\n");
  refused({"--input", "odd.csv"}, 1, "decimal separator or a thousands separator");
  EXPECT_EQ(done({"--input", "odd.csv", "--decimal", "comma"}).out, done({}, "a,b\n1.234,5.678\n").out);
}

TEST_F(RunColumns, SequencesAreThoseOfTheTrainingsColumn) {
  train_on_table({"--group", "id"});
  const Result made = done({"--input", "t.csv"});
  EXPECT_NE(made.err.find("sequences by id; not read: date, y"), std::string::npos) << made.err;
  EXPECT_NE(made.err.find("10 sequences, 400 steps read"), std::string::npos) << made.err;
  const double expected = evaluated("t.csv", "mse");
  EXPECT_NEAR(mse(numbers_of(made.out), rows) / expected, 1.0, 1e-4);
  // Each group begins with the initial state, and has a final state of its own.
  done({"--input", "t.csv", "--state-out", "all"});
  EXPECT_EQ(io::Safetensors::read(folder / "all").tensors().begin()->second.shape[0], 10);
  const Result one = done({"--output", "-"}, "a,b\n1,2\n3,4\n");
  EXPECT_NE(one.err.find("without the column 'id', all rows are one sequence"), std::string::npos) << one.err;
  EXPECT_EQ(done({}, "id,a,b\n1,1,2\n1,3,4\n2,1,2\n2,3,4\n").out, one.out + one.out);
  refused({"--output", "y.csv"}, 1, ":4: expected the rows of each sequence together, found '1' in 'id' again",
          "id,a,b\n1,1,2\n2,1,2\n1,3,4\n");
  refused({"--sequence", "20", "--input", "t.csv"}, 2, "the column 'id'");
  done({"--input", "t.csv", "--output", "y.npz"});
  EXPECT_EQ(convert::read_npz(folder / "y.npz")[1].second.shape, (std::vector<int64_t>{10, 40, 1}));
  // A bidirectional network, which needs whole sequences.
  std::string both = kLayers;
  both.replace(both.find("units = 4"), 9, "units = 4\nbidirectional = true");
  train_on_table({"--group", "id"}, both);
  EXPECT_NEAR(mse(numbers_of(done({"--input", "t.csv"}).out), rows) / evaluated("t.csv", "mse"), 1.0, 1e-4);
}

TEST_F(RunColumns, OfSeveralInputs) {
  const std::string layers =
      "[[inputs]]\nname = \"a\"\nsize = 1\n[[inputs]]\nname = \"b\"\nsize = 1\n[[layers]]\ntype = \"concat\"\nfrom = "
      "[\"a\", \"b\"]\n[[layers]]\ntype = \"lstm\"\nunits = 4\n[[layers]]\ntype = \"linear\"\nunits = 1\n";
  train_on_table({}, layers);
  const Result made = done({"--input", "t.csv"});
  EXPECT_NEAR(mse(numbers_of(made.out), rows) / evaluated("t.csv", "mse"), 1.0, 1e-4);
  EXPECT_EQ(done({"--input", "a=t.csv,b=t.csv"}).out, made.out);
  // Input names are column names, also if the network was not trained on a table.
  ASSERT_EQ(run(folder, {"import", "--network", "net.toml", "--seed", "1", "--out", "model/model.safetensors"}).code,
            0);
  EXPECT_EQ(done({}, "b,c,a\n1,9,2\n").out, done({}, "a,b\n2,1\n").out);
  EXPECT_EQ(done({}, "x,y\n2,1\n").out, done({}, "2,1\n").out);
}

TEST_F(RunColumns, OfRegressors) {
  write_table("t.csv");
  ASSERT_EQ(run(folder, {"train", "regressor", "--data", "t.csv", "--target", "y", "--inputs", "a,b", "--hidden", "4",
                         "--epochs", "1", "--no-baseline", "--quiet", "--out", "model"})
                .code,
            0);
  const std::string made = done({"--input", "t.csv"}).out;
  EXPECT_EQ(numbers_of(made).size(), rows.size());
  EXPECT_EQ(done({}, "b,a\n10,1\n12,2\n").out, done({}, "a,b\n1,10\n2,12\n").out);
  EXPECT_EQ(done({}, "1,10\n2,12\n").out, done({}, "a,b\n1,10\n2,12\n").out);
  refused({}, 1, "expected a column 'a'", "b,c\n10,1\n");
}

// Without a header, columns are identified by number.
TEST_F(RunColumns, AreNumberedWithoutAHeader) {
  std::string text;
  for (const Row& row : rows) text += fmt::format("{},{},{}\n", row.y, row.b, row.a);
  write_file(folder / "t.csv", text);
  ASSERT_EQ(run(folder, {"train", "regressor", "--data", "t.csv", "--no-header", "--target", "1", "--inputs", "3,2",
                         "--hidden", "4", "--epochs", "1", "--no-baseline", "--quiet", "--out", "model"})
                .code,
            0);
  EXPECT_EQ(done({}, "7,10,1\n8,12,2\n").out, done({}, "0,10,1\n0,12,2\n").out);
  EXPECT_NE(done({}, "7,10,1\n8,12,2\n").out, done({}, "7,1,10\n8,2,12\n").out);
}

TEST_F(RunColumns, ArraysAreThoseOfTheTraining) {
  std::vector<double> x, y;
  std::vector<int64_t> lengths;
  for (int n = 0; n < 12; ++n) {
    lengths.push_back(9 + n);
    for (int t = 0; t < 20; ++t) {
      const Row& row = rows[static_cast<size_t>(20 * n + t)];
      const bool padding = t >= lengths.back();
      x.insert(x.end(), {padding ? NAN : row.a, padding ? NAN : row.b});
      y.push_back(padding ? NAN : row.y);
    }
  }
  const io::Array input = io::make_array({12, 20, 2}, std::span<const double>(x)),
                  target = io::make_array({12, 20}, std::span<const double>(y)),
                  sizes = io::make_array({12}, std::span<const int64_t>(lengths));
  convert::write_npz(folder / "t.npz", {{"input", input}, {"target", target}, {"lengths", sizes}});
  train({"--data", "t.npz"});
  const Result made = done({"--input", "t.npz", "--output", "y.npz"});
  EXPECT_NE(made.err.find("t.npz: not read: target"), std::string::npos) << made.err;
  const convert::NamedArrays answers = convert::read_npz(folder / "y.npz");
  ASSERT_EQ(answers[1].second.shape, (std::vector<int64_t>{12, 20, 1}));
  const std::vector<float> values = io::floats(answers[1].second, "y");
  double error = 0.0, count = 0.0;
  for (size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i])) continue;
    error += std::pow(static_cast<double>(values[i]) - y[i], 2);
    count += 1.0;
  }
  EXPECT_NEAR(error / count / evaluated("t.npz", "mse"), 1.0, 1e-4);
  // Arrays with other names.
  convert::write_npz(folder / "u.npz", {{"x", input}, {"y", target}, {"lengths", sizes}, {"id", sizes}});
  train({"--data", "u.npz", "--input", "x", "--target", "y"});
  EXPECT_NE(done({"--input", "u.npz", "--output", "y.npz"}).err.find("not read: id, y"), std::string::npos);
  // NaN within a sequence.
  x[0] = NAN;
  convert::write_npz(
      folder / "bad.npz",
      {{"input", io::make_array({12, 20, 2}, std::span<const double>(x))}, {"target", target}, {"lengths", sizes}});
  expect_error(run(folder, {"train", "network", "--config", "net.toml", "--data", "bad.npz", "--out", "none"}), 1,
               "bad.npz: input [0, 0, 0]: expected finite numbers, found nan");
  refused({"--input", "bad.npz", "--output", "y.npz"}, 1, "sequence 0 [0, 0]: expected finite numbers");
}

}  // namespace
}  // namespace longhand::cli
