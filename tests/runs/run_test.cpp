// Runs without the command line: sources, the registry, and what all runs share.
#include "longhand/runs/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/runs/registry.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

using testing::TemporaryFolder;

TEST(HoldOut, TakesOfEveryClassWhateverTheOrder) {
  std::vector<int> items(400);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<int> out = hold_out(items, 0.1);
  EXPECT_EQ(out.size(), 40U);
  EXPECT_EQ(items.size(), 360U);
  for (const int period : {2, 3, 5}) {  // of lines whose classes take turns
    const auto first = std::count_if(out.begin(), out.end(), [&](int i) { return i % period == 0; });
    EXPECT_GE(first, 20 / period);
    EXPECT_LE(first, 60 / period + 3);
  }
  std::vector<int> all = items;
  all.insert(all.end(), out.begin(), out.end());
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 400; ++i) EXPECT_EQ(all[static_cast<size_t>(i)], i);
  EXPECT_TRUE(hold_out(items, 0.0).empty());
}

TEST(Sources, AreFilesBuiltInNamesAndWhatIsFound) {
  const TemporaryFolder folder;
  io::write_file(folder / "some.txt", "words\n");
  io::write_file(folder / "empty.txt", "");
  std::vector<std::string> notes;
  Sources sources(
      [&](const std::string& name) { return name == "set" ? std::optional(folder / "some.txt") : std::nullopt; },
      [&](const std::string& note) { notes.push_back(note); });
  EXPECT_EQ(sources.file(folder / "some.txt"), "words\n");
  EXPECT_EQ(sources.text("set"), "words\n");
  EXPECT_GT(sources.text("tale").size(), 1000U);
  EXPECT_TRUE(sources.table("sines").find(',') != std::string::npos);
  EXPECT_THROW(sources.file(folder / "empty.txt"), Error);
  EXPECT_THROW(sources.file(folder / "none.txt"), Error);
  EXPECT_THROW(sources.text("tail"), Error);
  EXPECT_TRUE(notes.empty());
}

// As a program would train: a row of the registry, its options by name, a folder.
TEST(Registry, EveryTaskTrainsMeasuresAndDescribesItself) {
  const TemporaryFolder folder;
  io::write_file(folder / "tags.txt", "The D\ncat N\nsleeps V\n\nA D\ndog N\nbarks V\n\nThe D\ndog N\nsleeps V\n\n");
  std::string reviews;
  for (int i = 0; i < 20; ++i) reviews += i % 2 == 0 ? "__label__good a lovely film\n" : "__label__bad a dull film\n";
  io::write_file(folder / "reviews.txt", reviews);
  std::string pairs = "a,b\n";
  for (int t = 0; t < 60; ++t) pairs += fmt::format("{},{}\n", t % 7, t % 5);
  io::write_file(folder / "pairs.csv", pairs);
  io::write_file(folder / "net.toml", "[[inputs]]\nname = \"x\"\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 1\n");
  const std::vector<std::string> data = {"tale", folder / "tags.txt", folder / "reviews.txt", "linear",
                                         folder / "pairs.csv"};
  ASSERT_EQ(task_rows().size(), data.size());
  for (size_t i = 0; i < data.size(); ++i) {
    const TaskRow& task = task_rows()[i];
    const std::unique_ptr<Settings> settings = task.settings();
    OptionTable table;
    settings->add_to(table);
    const auto set = [&](const char* name, const std::string& value) { table.set(*table.find(name), value, name); };
    set("data", data[i]);
    const bool is_network = task.verb == std::string("network");
    set("epochs", "1");
    if (is_network) {
      set("network", folder / "net.toml");
      set("input", "a");
      set("target", "b");
    } else {
      set("hidden", "8");
    }
    if (task.verb == std::string("lm")) set("max-tokens", "2000");
    EXPECT_TRUE(settings->notes(table).empty()) << task.verb;
    Sources sources;
    const std::unique_ptr<Settings> copied = settings->copy();
    const std::unique_ptr<runs::Run> run = task.run(*copied, sources);
    const std::string out = folder / task.verb;
    io::make_folder(out);
    const RunResult result = run->train({.folder = out});
    EXPECT_EQ(result.training.progress.epoch, 1) << task.verb;
    EXPECT_TRUE(io::exists(out + "/report.html"));
    const tasks::ModelFile file = tasks::ModelFile::read(out);
    EXPECT_EQ(&task_of(file), &task);
    // The file of a network has the scales of its data, too, and a second bias.
    EXPECT_EQ(task.summary(file).parameters - run->parameters().count(), is_network ? 4 + 4 : 0);
    EvaluateOptions evaluation_options{.data = data[i], .unknown = "skip"};
    if (is_network) {
      evaluation_options.input = "a";
      evaluation_options.target = "b";
    }
    const Evaluation evaluation = task.evaluate(file, evaluation_options, sources);
    EXPECT_FALSE(evaluation.text.empty());
    EXPECT_EQ(evaluation.json.front(), '{');
  }
}

// The options that follow from a model are known before the run is made; the run then takes the model that was read.
TEST(StartingPoint, ReadsEachModelOnce) {
  const TemporaryFolder folder;
  tasks::LanguageModelOptions options;
  options.embed = 5;
  options.lstm.hidden = 6;
  options.text.level = "word";
  tasks::LanguageModel model(options, data::build_vocabulary("a film and a play\n", options.text));
  model.initialise(1);
  const std::string path = folder / "from.safetensors";
  model.save(path, model.parameters().values());
  const std::unique_ptr<Settings> settings = task_rows()[0].settings();
  OptionTable table;
  settings->add_to(table);
  table.set(*table.find("from"), path, "from");
  settings->resolve(table);
  EXPECT_EQ(table.find("hidden")->text(), "6");
  const std::unique_ptr<Settings> copied = settings->copy();
  std::filesystem::remove(path);
  const StartingPoint start(copied->start, "");
  EXPECT_NE(start.fill(model).find("from " + path), std::string::npos);
  EXPECT_THROW(StartingPoint(settings->start, ""), Error) << "it was taken";
}

}  // namespace
}  // namespace longhand::runs
