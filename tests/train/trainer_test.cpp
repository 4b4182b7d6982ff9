// Training runs: learning, patience, what is kept, what is refused, and what happens when the numbers blow up.
#include "longhand/train/trainer.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/runs/report.h"
#include "tests/tasks/model_checks.h"
#include "tests/train/sitting.h"

namespace longhand::train {
namespace {

using testing::TemporaryFolder;

Recipe prose() {
  return {.model = {.lstm = {.hidden = 20, .layers = 2, .dropout = 0.2}, .embed = 6},
          .training = {.epochs = 4, .optimizer = {.learning_rate = 0.01}},
          .text = some_prose()};
}

Recipe without_held_out() {
  return {.model = {.lstm = {.hidden = 24}, .embed = 0},
          .training = {.epochs = 4, .optimizer = {.optimizer = "sgd", .learning_rate = 1.0}},
          .text = some_prose(),
          .valid_fraction = 0.0};
}

TEST(Trainer, ContinuesAFinishedRun) {
  Recipe recipe = prose();
  const TemporaryFolder whole, extended;
  sitting(recipe, whole.string(), false, 1);
  recipe.training.epochs = 2;
  sitting(recipe, extended.string(), false, 1);
  recipe.training.epochs = 4;
  sitting(recipe, extended.string(), true, 1);
  EXPECT_EQ(arrays(whole.string()), arrays(extended.string()));
  EXPECT_EQ(metrics(whole.string()), metrics(extended.string()));
}

TEST(Trainer, HasNothingToDoInACompleteRunAndRefusesFewerEpochs) {
  Recipe recipe = prose();
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
  const Recipe recipe = prose();
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 3);
  Recipe more = recipe, alphabet = recipe, batch = recipe;
  more.text += " more";
  std::replace(alphabet.text.begin(), alphabet.text.end(), 'e', '$');  // the same indices for other symbols
  batch.how.groups.batch = 5;
  for (const Recipe& other : {more, alphabet, batch}) {
    try {
      sitting(other, folder.string(), true, 1);
      FAIL();
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("belongs to other data"), std::string::npos);
      EXPECT_EQ(std::string(e.what()).find("expected batch 5") != std::string::npos, other.how.groups.batch == 5)
          << e.what();
    }
  }
}

TEST(Trainer, ContinuesWithoutEarlierMetrics) {
  const Recipe recipe = prose();
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 15);
  std::filesystem::remove(RunFiles(folder.string()).metrics);
  sitting(recipe, folder.string(), true, 1);
  EXPECT_GT(metrics(folder.string()).size(), 0U);
}

TEST(Trainer, LeavesAModelWhereverItStops) {
  const Recipe recipe = prose();
  for (const int64_t stop : {0, 1}) {
    const TemporaryFolder folder, whole;
    sitting(recipe, folder.string(), false, 1, stop);
    EXPECT_NO_THROW(tasks::LanguageModel::load(folder.string()));
    sitting(recipe, folder.string(), true, 1);
    sitting(recipe, whole.string(), false, 1);
    EXPECT_EQ(io::read_file(RunFiles(folder.string()).model), io::read_file(RunFiles(whole.string()).model));
  }
}

TEST(Trainer, DoesNotSaveNonFiniteWeights) {
  Recipe recipe = without_held_out();
  recipe.training.epochs = 1;
  recipe.how.groups.batch = 300;  // one step: its update is the last thing that happens
  recipe.training.optimizer = {.optimizer = "sgd", .learning_rate = 1e39, .clip_norm = 0.0};
  const TemporaryFolder folder;
  EXPECT_THROW(sitting(recipe, folder.string(), false, 1), Error);
  EXPECT_NO_THROW(tasks::LanguageModel::load(folder.string()));
}

TEST(Trainer, RefusesADamagedCheckpoint) {
  const Recipe recipe = prose();
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1, 3);
  const std::string path = RunFiles(folder.string()).checkpoint;
  const std::string whole = io::read_file(path);
  for (const size_t size : {size_t{0}, size_t{7}, size_t{200}, whole.size() / 2, whole.size() - 1}) {
    io::write_file(path, std::string_view(whole).substr(0, size));
    EXPECT_THROW(sitting(recipe, folder.string(), true, 1), Error) << size;
  }
  for (const auto& [name, value] :
       {std::pair<std::string, nlohmann::json>{"index", -1000000},
        {"index", 1000000},
        {"epoch", -1},
        {"epoch", 0},
        {"metrics_bytes", -5},
        {"step", "many"},
        {"best", 3},
        {"fingerprint", 3},
        {"averaging_since", 1},
        {"averaging_since", "soon"},
        {"losses", "many"},
        {"schedule", nlohmann::json::object()},
        {"schedule", {{"scale", 2.0}, {"best", 1.0}, {"bad", 0}, {"cooling", 0}, {"warm_at", 0.0}}},
        {"schedule", {{"scale", 1.0}, {"best", 1.0}, {"bad", 0}, {"cooling", 0}, {"warm_at", 1.0}}},
        {"format", 1}}) {
    io::write_file(path, whole);
    const io::Safetensors file = io::Safetensors::read(path);
    nlohmann::json state = nlohmann::json::parse(file.text("state"));
    state[name] = value;
    const std::map<std::string, std::vector<float>> data = arrays(folder.string());
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [tensor_name, tensor] : file.tensors()) {
      tensors.push_back({tensor_name, tensor.shape, data.at(tensor_name)});
    }
    io::write_safetensors(path, {{"state", state.dump()}}, tensors);
    EXPECT_THROW(sitting(recipe, folder.string(), true, 1), Error) << name << " " << value;
  }
}

// A checkpoint of version 0.1: no checksum, and a fingerprint that lacks the options that came later.
TEST(Trainer, ResumesWhatAnOlderVersionWrote) {
  const Recipe recipe = without_held_out();
  const TemporaryFolder folder;
  sitting(recipe, folder.string(), false, 1);
  const std::string path = folder / "checkpoint.safetensors", whole = io::read_file(path);
  const auto rewrite = [&](const std::string& from, const std::string& to) {
    io::write_file(path, whole);
    const io::Safetensors file = io::Safetensors::read(path);
    nlohmann::json state = nlohmann::json::parse(file.text("state"));
    std::string fingerprint = state.at("fingerprint");
    const size_t at = fingerprint.find(from);
    ASSERT_NE(at, std::string::npos) << fingerprint;
    state["fingerprint"] = fingerprint.replace(at, from.size(), to);
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [name, tensor] : file.tensors())
      tensors.emplace_back(name, tensor.shape, tensor.dtype, tensor.bytes);
    const std::string text = state.dump();
    io::write_safetensors(path, {{"state", text}}, tensors);
  };
  rewrite(", zoneout-cell 0,", ",");
  EXPECT_NO_THROW(sitting(recipe, folder.string(), true, 1));
  rewrite(", zoneout-cell 0,", ", zoneout-cell 0.5,");
  EXPECT_THROW(sitting(recipe, folder.string(), true, 1), Error);
}

TEST(Trainer, StopsBeforeANonFiniteLossChangesWeights) {
  Recipe recipe = without_held_out();
  recipe.training.optimizer = {.optimizer = "sgd", .learning_rate = 1e38, .clip_norm = 0.0};
  const TemporaryFolder folder;
  try {
    sitting(recipe, folder.string(), false, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    EXPECT_NE(std::string(e.what()).find("not finite"), std::string::npos) << e.what();
    EXPECT_NE(e.advice().find("`lr`"), std::string::npos);
  }
  const auto kept = arrays(folder.string());
  for (const float v : kept.at("values")) ASSERT_TRUE(std::isfinite(v));
}

TEST(Trainer, KeepsTheBestModelAndStopsWhenPatienceIsOut) {
  Recipe recipe = prose();
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
  EXPECT_EQ(best->evaluate(valid, {.rows = 1}, tasks::Using(*best, nn::Engine::kFused, context)).nats_per_symbol(),
            result.valid.front().value);
}

// As metrics.jsonl has them. The plateau's rate is so small that no loss is better than the first: it is reduced after
// every second one.
TEST(Trainer, TheRateAndTheBatchFollowTheirSchedules) {
  Recipe exponential = prose(), plateau = prose(), cosine = prose();
  exponential.training.schedule = {.schedule = "exponential", .factor = 0.25};
  exponential.how.groups.every = 1;
  exponential.how.groups.factor = 2.0;
  exponential.how.groups.accumulate = 2;
  plateau.training.epochs = 8;
  plateau.training.optimizer.learning_rate = 1e-12;
  plateau.training.schedule = {.schedule = "plateau", .factor = 0.5, .patience = 1, .threshold = 1e-3};
  cosine.training.schedule = {.schedule = "cosine", .warmup = 10};
  const auto column = [](const Recipe& recipe, const char* name) {
    const TemporaryFolder folder;
    sitting(recipe, folder.string(), false, 1);
    std::vector<double> out;
    for (const nlohmann::json& row : metrics(folder.string())) out.push_back(row.at(name));
    return out;
  };
  EXPECT_EQ(column(exponential, "learning_rate"), (std::vector<double>{0.01, 0.01 / 4, 0.01 / 16, 0.01 / 64}));
  EXPECT_EQ(column(exponential, "batch"), (std::vector<double>{8, 16, 32, 64}));
  EXPECT_EQ(column(plateau, "learning_rate"),
            (std::vector<double>{1e-12, 1e-12, 1e-12, 5e-13, 5e-13, 2.5e-13, 2.5e-13, 1.25e-13}));
  EXPECT_EQ(column(plateau, "batch"), std::vector<double>(8, 4.0));

  std::vector<Progress> updates;
  const TemporaryFolder folder;
  const int64_t steps = sitting(cosine, folder.string(), false, 1, INT64_MAX, [&](const Progress& p) {
                          updates.push_back(p);
                        }).progress.step;
  ASSERT_EQ(static_cast<int64_t>(updates.size()), steps);
  const auto share = [&](size_t step) {  // of the run that lies before an update; epochs are not equally long
    const Progress& p = updates[step];
    return (static_cast<double>(p.epoch - 1) +
            static_cast<double>(p.index - 1) / static_cast<double>(p.steps_in_epoch)) /
           4;
  };
  for (size_t step = 0; step < updates.size(); ++step) {
    const double done = step < 10 ? 0.0 : (share(step) - share(10)) / (1.0 - share(10));
    const double expected =
        step < 10 ? 0.001 * static_cast<double>(step + 1) : 0.005 * (1.0 + std::cos(std::acos(-1.0) * done));
    EXPECT_NEAR(updates[step].learning_rate, expected, 1e-15) << step;
  }
}

// The parameters of a run's model, as the arena has them.
std::vector<float> kept_model(const std::string& folder) {
  const auto model = tasks::LanguageModel::load(folder);
  const std::span<const float> values = model->parameters().values();
  return {values.begin(), values.end()};
}

TEST(Trainer, KeepsTheAverageAndMeasuresIt) {
  Recipe recipe = prose();
  recipe.training.epochs = 3;
  recipe.training.optimizer = {.optimizer = "asgd", .learning_rate = 2.0, .average_after = 20};
  for (const double valid_fraction : {0.2, 0.0}) {
    recipe.valid_fraction = valid_fraction;
    const TemporaryFolder folder;
    const TrainResult result = sitting(recipe, folder.string(), false, 2);
    const auto checkpoint = arrays(folder.string());
    EXPECT_EQ(state(folder.string()).at("averaging_since"), 20);
    EXPECT_EQ(kept_model(folder.string()), checkpoint.at("optimizer.average"));
    EXPECT_NE(checkpoint.at("values"), checkpoint.at("optimizer.average"));
    if (valid_fraction == 0.0) continue;
    ASSERT_EQ(result.best_epoch, 3);  // so that the last average is what is compared above
    const auto best = tasks::LanguageModel::load(folder.string());
    data::Corpus corpus =
        data::encode(recipe.text, recipe.model.text, best->vocabulary(), data::Unknown::kError, "test");
    const data::Corpus valid = data::split_off(corpus, 0.2, false);
    kernels::Context context(1);
    EXPECT_EQ(best->evaluate(valid, {.rows = 1}, tasks::Using(*best, nn::Engine::kFused, context)).nats_per_symbol(),
              result.valid.front().value);
    EXPECT_EQ(metrics(folder.string()).back().at("valid_loss"), result.valid.front().value);
  }
}

TEST(Trainer, KeepsTheAverageOfAnyOptimizer) {
  for (const std::string average : {"ema", "swa"}) {
    Recipe recipe = prose(), plain = prose();
    recipe.training.epochs = plain.training.epochs = 3;
    recipe.training.optimizer.average = average;
    recipe.training.optimizer.average_start = 0.5;
    recipe.training.optimizer.average_decay = 0.9;
    const TemporaryFolder folder, other;
    const TrainResult result = sitting(recipe, folder.string(), false, 2);
    sitting(plain, other.string(), false, 1);
    const auto checkpoint = arrays(folder.string());
    ASSERT_EQ(result.best_epoch, 3);
    EXPECT_EQ(kept_model(folder.string()), checkpoint.at("optimizer.average"));
    EXPECT_EQ(checkpoint.at("values"), arrays(other.string()).at("values"));  // training is as without
    EXPECT_NE(checkpoint.at("values"), checkpoint.at("optimizer.average"));
    const int64_t steps = result.progress.step, since = state(folder.string()).at("averaging_since");
    EXPECT_LE(std::llabs(2 * since - (average == "ema" ? 0 : steps)), 1);

    recipe.training.optimizer.optimizer = "asgd";
    recipe.training.optimizer.average_after = 3;
    EXPECT_NE(testing::error_of([&] { sitting(recipe, folder.string(), false, 1); }, ExitCode::kUsage)
                  .find("`average` " + average),
              std::string::npos);
  }
}

TEST(Trainer, RefusesTheAsgdTriggerWithoutValidation) {
  Recipe recipe = without_held_out();
  recipe.training.optimizer.optimizer = "asgd";
  const TemporaryFolder folder;
  try {
    sitting(recipe, folder.string(), false, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(e.what()).find("`optimizer` asgd: "), std::string::npos) << e.what();
    EXPECT_NE(e.advice().find("`average-after`"), std::string::npos) << e.advice();
  }
  recipe.training.optimizer.average_after = 3;
  EXPECT_EQ(sitting(recipe, folder.string(), false, 1).outcome, Outcome::kFinished);
}

TEST(Trainer, AFolderThatCannotBeWrittenIsFoundFirst) {
  const TemporaryFolder folder;
  EXPECT_THROW(sitting(prose(), folder / "none", false, 1), Error);
}

// What a small model must learn: a text of 900 characters by heart.
TEST(Learning, AdamMemorisesAShortText) {
  Recipe recipe{.model = {.text = {.lowercase = true, .letters_only = true}, .lstm = {.hidden = 64}, .embed = 0},
                .training = {.epochs = 200, .optimizer = {.learning_rate = 0.01}},
                .text = {},
                .how = {.groups = {.batch = 6, .seed = 9}, .bptt = 30},
                .valid_fraction = 0.0};
  recipe.text = data::normalise(some_prose(900), recipe.model.text, "tale");
  const TemporaryFolder folder;
  const TrainResult result = sitting(recipe, folder.string(), false, 2);
  EXPECT_LT(std::exp(result.progress.loss()), 1.05);
}

// The report reads what the trainer writes.
TEST(Report, ShowsARunAsItIsOnTheDisk) {
  const TemporaryFolder folder;
  sitting(prose(), folder.string(), false, 1);
  io::write_file(RunFiles(folder.string()).config, "hidden = 20\n");
  runs::write_report(folder.string(), {});
  const std::string html = io::read_file(RunFiles(folder.string()).report);
  EXPECT_NE(html.find("<polyline"), std::string::npos);
  EXPECT_NE(html.find("training perplexity"), std::string::npos);
  EXPECT_NE(html.find("hidden = 20"), std::string::npos);
}

}  // namespace
}  // namespace longhand::train
