// longhand lab: what its experiments print and write.
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

TEST(Lab, GradientsPrintATableAndWritePageJsonCsvAndPictures) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"lab", "gradients", "--cells", "rnn,lstm-1", "--updates", "0,2", "--hidden", "8",
                                     "--reach", "20", "--sequences", "4", "--depths", "2", "--out", "g", "--pictures"});
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_NE(result.out.find("LSTM, forget bias 1"), std::string::npos);
  EXPECT_NE(result.out.find("report  g/gradients.html"), std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(read_file(folder / "g/gradients.json"));
  ASSERT_EQ(json["cells"].size(), 4U);
  EXPECT_EQ(json["cells"][3]["cell"], "lstm-1");
  EXPECT_EQ(json["cells"][3]["h"]["median"].size(), 21U);
  EXPECT_EQ(json["stacks"].size(), 8U);
  const std::string page = read_file(folder / "g/gradients.html");
  EXPECT_NE(page.find("longhand lab gradients --cells rnn,lstm-1 --updates 0,2"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_TRUE(read_file(folder / "g/gradients-gradient-by-h-at-initialisation.svg")
                  .starts_with("<svg xmlns='http://www.w3.org/2000/svg'"));
  EXPECT_TRUE(read_file(folder / "g/gradients.csv").starts_with("cell,updates,k,by,median,low,high\n"));
}

TEST(Lab, MemoryAndRemediesGiveJson) {
  const TemporaryFolder folder;
  const Result memory = run(folder, {"lab", "memory", "--task", "adding", "--cells", "gru", "--gaps", "4", "--seeds",
                                     "2", "--updates", "5", "--hidden", "4", "--json"});
  ASSERT_EQ(memory.code, 0) << memory.err;
  EXPECT_EQ(nlohmann::json::parse(memory.out)["runs"].size(), 2U);
  EXPECT_FALSE(read_file(folder / "runs/lab-memory/memory.html").empty());
  const Result remedies = run(folder, {"lab", "remedies", "--only", "dropout", "--seeds", "1", "--updates", "2",
                                       "--hidden", "4", "--reach", "5", "--json"});
  ASSERT_EQ(remedies.code, 0) << remedies.err;
  EXPECT_EQ(nlohmann::json::parse(remedies.out)["runs"].size(), 3U);
}

TEST(Lab, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  write_file(folder / "short.txt", "too short");
  const Result cell = run(folder, {"lab", "gradients", "--cells", "lsmt-1"});
  EXPECT_EQ(cell.code, 2);
  EXPECT_NE(cell.err.find("did you mean lstm-1"), std::string::npos) << cell.err;
  const Result text = run(folder, {"lab", "gradients", "--data", "short.txt"});
  EXPECT_EQ(text.code, 1);
  EXPECT_NE(text.err.find("short.txt: expected 2030 characters or more, found 9"), std::string::npos) << text.err;
  const Result reach = run(folder, {"lab", "gradients", "--reach", "2000", "--data", "quatrains", "--hidden", "2",
                                    "--cells", "rnn", "--updates", "0", "--depths", "0"});
  EXPECT_EQ(reach.code, 1);
  EXPECT_NE(reach.err.find("--reach"), std::string::npos) << reach.err;
  write_file(folder / "file", "");
  const Result out = run(folder, {"lab", "memory", "--out", "file"});
  EXPECT_EQ(out.code, 1) << out.err;
  const Result gaps = run(folder, {"lab", "memory", "--gaps", "5,-1"});
  EXPECT_EQ(gaps.code, 2);
  EXPECT_NE(gaps.err.find("found -1"), std::string::npos) << gaps.err;
}

}  // namespace
}  // namespace longhand::cli
