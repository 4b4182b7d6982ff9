// Training runs: learning, resuming bit for bit, patience, and what happens when the numbers blow up.
#include "longhand/train/trainer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/data/builtin.h"
#include "longhand/io/safetensors.h"
#include "longhand/lab/report.h"
#include "longhand/tasks/language_model_task.h"
#include "tests/testing.h"

namespace longhand::train {
namespace {

using testing::TemporaryFolder;

struct Recipe {
  tasks::LanguageModelOptions model;
  TrainOptions training;
  std::string text;
  int64_t batch = 4;
  int64_t bptt = 12;
  double valid_fraction = 0.2;
  nn::Engine engine = nn::Engine::kFused;
};

std::string some_prose() { return std::string(data::find_builtin("tale")->text.substr(0, 1500)); }
std::string some_verse() { return std::string(data::find_builtin("quatrains")->text.substr(0, 85 * 40)); }

// One sitting: a fresh model on fresh threads, as a process would have them. Stops after `stop_after` updates in all.
TrainResult sitting(const Recipe& recipe, const std::string& folder, bool resume, int threads,
                    int64_t stop_after = INT64_MAX) {
  const data::TextOptions& text = recipe.model.text;
  const data::Vocabulary vocabulary = data::build_vocabulary(recipe.text, text);
  tasks::LanguageModel model(recipe.model, vocabulary);
  data::Corpus corpus = data::encode(recipe.text, text, vocabulary, data::Unknown::kError, "test");
  data::Corpus valid;
  if (recipe.valid_fraction > 0.0) valid = data::split_off(corpus, recipe.valid_fraction, text.lines);
  model.initialise(9);
  kernels::Context context(threads);
  tasks::LanguageModelTask task(
      model, corpus, valid, {.batch = recipe.batch, .bptt = recipe.bptt, .seed = 9, .engine = recipe.engine}, context);
  int64_t steps = 0;
  Trainer trainer(task, recipe.training, folder, context,
                  {.on_step = [&](const Progress& p) { steps = p.step; },
                   .on_evaluation = {},
                   .should_stop = [&] { return steps >= stop_after; }});
  if (resume) trainer.resume();
  return trainer.run();
}

// The lines of metrics.jsonl without what is measured in seconds.
std::vector<std::string> metrics(const std::string& folder) {
  std::vector<std::string> out;
  std::ifstream file(RunFiles(folder).metrics);
  for (std::string line; std::getline(file, line);) {
    nlohmann::json row = nlohmann::json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_second");
    out.push_back(row.dump());
  }
  return out;
}

std::vector<float> values(const std::string& path, const std::string& name) {
  const io::Safetensors file = io::Safetensors::read(path);
  std::vector<float> out(static_cast<size_t>(file.tensors().at(name).shape.at(0)));
  file.copy_floats(name, file.tensors().at(name).shape, out);
  return out;
}

std::vector<Recipe> recipes() {
  Recipe adam{.model = {.lstm = {.hidden = 20, .layers = 2, .dropout = 0.2}, .embed = 6},
              .training = {.epochs = 4, .optimizer = {.learning_rate = 0.01}},
              .text = some_prose()};
  Recipe sgd{.model = {.lstm = {.hidden = 24}, .embed = 0},
             .training = {.epochs = 4, .optimizer = {.optimizer = "sgd", .learning_rate = 1.0}},
             .text = some_prose(),
             .valid_fraction = 0.0};
  Recipe lines{.model = {.text = {.lines = true}, .lstm = {.hidden = 20}, .embed = 6},
               .training = {.epochs = 3, .optimizer = {.learning_rate = 0.01}},
               .text = some_verse()};
  Recipe options = adam;
  options.model.lstm = {.hidden = 20,
                        .layers = 2,
                        .proj = 8,
                        .layer_norm = true,
                        .train_initial_state = true,
                        .dropout = 0.1,
                        .variational = true,
                        .dropout_recurrent = 0.2,
                        .weight_drop = 0.2,
                        .zoneout = 0.1,
                        .zoneout_cell = 0.1};
  Recipe both = adam;
  both.model.lstm = {.hidden = 12, .bidirectional = true, .dropout_recurrent = 0.2};
  Recipe gru = adam, rnn = adam;  // the cells that only the tape has
  gru.model.lstm = {.cell = "gru", .hidden = 12, .layers = 2, .train_initial_state = true, .dropout = 0.1};
  rnn.model.lstm = {.cell = "rnn", .hidden = 12, .dropout = 0.1, .weight_drop = 0.2};
  gru.engine = rnn.engine = nn::Engine::kAutograd;
  return {adam, sgd, lines, options, both, gru, rnn};
}

TEST(Trainer, ResumesBitForBitAtAnyStep) {
  for (const Recipe& recipe : recipes()) {
    const TemporaryFolder whole;
    const TrainResult expected = sitting(recipe, whole.string(), false, 1);
    ASSERT_EQ(expected.outcome, Outcome::kFinished);
    const int64_t steps = expected.progress.step;
    for (const int64_t stop : {int64_t{1}, steps / 4, steps / 2 - 1, steps - 1}) {
      const TemporaryFolder stopped;
      EXPECT_EQ(sitting(recipe, stopped.string(), false, 2, stop).outcome, Outcome::kInterrupted);
      EXPECT_EQ(sitting(recipe, stopped.string(), true, 1, stop + 2).progress.step, std::min(stop + 2, steps));
      const TrainResult result = sitting(recipe, stopped.string(), true, 3);
      EXPECT_EQ(result.progress.step, steps);
      EXPECT_EQ(result.progress.loss_sum, expected.progress.loss_sum);
      EXPECT_EQ(values(RunFiles(stopped.string()).checkpoint, "values"),
                values(RunFiles(whole.string()).checkpoint, "values"));
      EXPECT_EQ(io::read_file(RunFiles(stopped.string()).model), io::read_file(RunFiles(whole.string()).model));
      EXPECT_EQ(metrics(stopped.string()), metrics(whole.string()));
    }
  }
}

TEST(Trainer, GoesOnWhereAFinishedRunEnded) {
  Recipe recipe = recipes()[0];
  const TemporaryFolder whole, extended;
  sitting(recipe, whole.string(), false, 1);
  recipe.training.epochs = 2;
  sitting(recipe, extended.string(), false, 1);
  recipe.training.epochs = 4;
  sitting(recipe, extended.string(), true, 1);
  EXPECT_EQ(values(RunFiles(whole.string()).checkpoint, "values"),
            values(RunFiles(extended.string()).checkpoint, "values"));
  EXPECT_EQ(metrics(whole.string()), metrics(extended.string()));
}

TEST(Trainer, HasNothingToDoInACompleteRunAndRefusesFewerEpochs) {
  Recipe recipe = recipes()[0];
  const TemporaryFolder folder;
  const int64_t steps = sitting(recipe, folder.string(), false, 1).progress.step;
  EXPECT_EQ(sitting(recipe, folder.string(), true, 1).progress.step, steps);
  recipe.training.epochs = 2;
  try {
    sitting(recipe, folder.string(), true, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("expected at least 4"), std::string::npos) << e.what();
  }
}

TEST(Trainer, RefusesACheckpointOfOtherData) {
  const Recipe recipe = recipes()[0];
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 3);
  Recipe more = recipe, alphabet = recipe, batch = recipe;
  more.text += " more";
  std::replace(alphabet.text.begin(), alphabet.text.end(), 'e', '$');  // the same indices for other symbols
  batch.batch = 5;
  for (const Recipe& other : {more, alphabet, batch}) {
    try {
      sitting(other, folder.string(), true, 1);
      FAIL();
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("belongs to other data"), std::string::npos);
      EXPECT_EQ(std::string(e.what()).find("expected batch 5") != std::string::npos, other.batch == 5) << e.what();
    }
  }
}

TEST(Trainer, GoesOnWithoutTheMetricsOfBefore) {
  const Recipe recipe = recipes()[0];
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 15);
  std::filesystem::remove(RunFiles(folder.string()).metrics);
  sitting(recipe, folder.string(), true, 1);
  EXPECT_GT(metrics(folder.string()).size(), 0U);
}

TEST(Trainer, LeavesAModelWhereverItStops) {
  const Recipe recipe = recipes()[0];
  for (const int64_t stop : {0, 1}) {
    const TemporaryFolder folder, whole;
    sitting(recipe, folder.string(), false, 1, stop);
    EXPECT_NO_THROW(tasks::LanguageModel::load(folder.string()));
    sitting(recipe, folder.string(), true, 1);
    sitting(recipe, whole.string(), false, 1);
    EXPECT_EQ(io::read_file(RunFiles(folder.string()).model), io::read_file(RunFiles(whole.string()).model));
  }
}

TEST(Trainer, DoesNotSaveWeightsThatAreNotFinite) {
  Recipe recipe = recipes()[1];
  recipe.training.epochs = 1;
  recipe.batch = 300;  // one step: its update is the last thing that happens
  recipe.training.optimizer = {.optimizer = "sgd", .learning_rate = 1e39, .clip_norm = 0.0};
  const TemporaryFolder folder;
  EXPECT_THROW(sitting(recipe, folder.string(), false, 1), Error);
  EXPECT_NO_THROW(tasks::LanguageModel::load(folder.string()));
}

TEST(Trainer, RefusesADamagedCheckpoint) {
  const Recipe recipe = recipes()[0];
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 3);
  const std::string path = RunFiles(folder.string()).checkpoint;
  const std::string whole = io::read_file(path);
  for (const size_t size : {size_t{0}, size_t{7}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    io::write_file(path, std::string_view(whole).substr(0, size));
    EXPECT_THROW(sitting(recipe, folder.string(), true, 1), Error) << size;
  }
  for (const auto& [name, value] : {std::pair<std::string, nlohmann::json>{"index", -1000000},
                                    {"index", 1000000},
                                    {"epoch", -1},
                                    {"epoch", 0},
                                    {"metrics_bytes", -5},
                                    {"step", "many"},
                                    {"best", 3},
                                    {"fingerprint", 3},
                                    {"format", 2}}) {
    io::write_file(path, whole);
    const io::Safetensors file = io::Safetensors::read(path);
    nlohmann::json state = nlohmann::json::parse(file.text("state"));
    state[name] = value;
    std::vector<std::vector<float>> data;
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [tensor_name, tensor] : file.tensors()) data.push_back(values(path, tensor_name));
    size_t i = 0;
    for (const auto& [tensor_name, tensor] : file.tensors()) tensors.push_back({tensor_name, tensor.shape, data[i++]});
    io::write_safetensors(path, {{"state", state.dump()}}, tensors);
    EXPECT_THROW(sitting(recipe, folder.string(), true, 1), Error) << name << " " << value;
  }
}

TEST(Trainer, StopsBeforeALossThatIsNotFiniteTouchesAWeight) {
  Recipe recipe = recipes()[1];
  recipe.training.optimizer = {.optimizer = "sgd", .learning_rate = 1e38, .clip_norm = 0.0};
  const TemporaryFolder folder;
  try {
    sitting(recipe, folder.string(), false, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    EXPECT_NE(std::string(e.what()).find("not finite"), std::string::npos) << e.what();
    EXPECT_NE(e.advice().find("--lr"), std::string::npos);
  }
  for (const float v : values(RunFiles(folder.string()).checkpoint, "values")) ASSERT_TRUE(std::isfinite(v));
}

TEST(Trainer, KeepsTheBestModelAndStopsWhenPatienceIsOut) {
  Recipe recipe = recipes()[0];
  recipe.model.lstm.dropout = 0.0;
  recipe.training.epochs = 200;
  recipe.training.patience = 3;
  recipe.training.optimizer.learning_rate = 0.02;  // overfits 1,200 characters soon
  const TemporaryFolder folder;
  const TrainResult result = sitting(recipe, folder.string(), false, 2);
  EXPECT_EQ(result.outcome, Outcome::kOutOfPatience);
  EXPECT_EQ(result.progress.epoch, result.best_epoch + 3);
  const auto best = tasks::LanguageModel::load(folder.string());
  const data::TextOptions& text = recipe.model.text;
  data::Corpus corpus = data::encode(recipe.text, text, best->vocabulary(), data::Unknown::kError, "test");
  const data::Corpus valid = data::split_off(corpus, 0.2, false);
  kernels::Context context(1);
  EXPECT_EQ(best->evaluate(valid, {.rows = 1}, nn::Engine::kFused, context).nats_per_symbol(),
            result.valid.front().value);
}

TEST(Trainer, AFolderThatCannotBeWrittenIsFoundFirst) {
  const TemporaryFolder folder;
  EXPECT_THROW(sitting(recipes()[0], folder / "none", false, 1), Error);
}

// What a small model must learn: a text of 1,500 characters by heart.
TEST(Learning, AdamMemorisesAShortText) {
  Recipe recipe{.model = {.text = {.lowercase = true, .letters_only = true}, .lstm = {.hidden = 64}, .embed = 0},
                .training = {.epochs = 250, .optimizer = {.learning_rate = 0.01}},
                .text = {},
                .batch = 8,
                .bptt = 30,
                .valid_fraction = 0.0};
  recipe.text = data::normalise(some_prose(), recipe.model.text, "tale");
  const TemporaryFolder folder;
  const TrainResult result = sitting(recipe, folder.string(), false, 2);
  EXPECT_LT(std::exp(result.progress.loss()), 1.15);
}

TEST(Report, ShowsTheRunAndNeedsNothingElse) {
  const Recipe recipe = recipes()[0];
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1);
  io::write_file(RunFiles(folder.string()).config, "hidden = 20\n");
  lab::write_report(folder.string(), "a <sample>");
  const std::string html = io::read_file(RunFiles(folder.string()).report);
  EXPECT_NE(html.find("a &lt;sample&gt;"), std::string::npos);
  EXPECT_NE(html.find("<polyline"), std::string::npos);
  EXPECT_NE(html.find("hidden = 20"), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);
  io::write_file(RunFiles(folder.string()).metrics, "{\n");
  EXPECT_THROW(lab::write_report(folder.string(), ""), Error);
}

}  // namespace
}  // namespace longhand::train
