// However often a run is stopped and resumed, and on however many threads, what it leaves is the same to the last bit.
#include <algorithm>
#include <filesystem>
#include <set>

#include "longhand/io/file.h"
#include "tests/train/sitting.h"

namespace longhand::train {
namespace {

using testing::TemporaryFolder;

struct Resumed {
  std::string name;
  Recipe recipe;
  bool at_every_step = false;
};

// GoogleTest prints the parameters of tests.
void PrintTo(const Resumed& resumed, std::ostream* out) { *out << resumed.name; }

// A small model of 560 symbols, about twelve updates an epoch.
Recipe small(const OptimizerOptions& optimizer, const ScheduleOptions& schedule) {
  return {.model = {.lstm = {.hidden = 12}, .embed = 6},
          .training = {.epochs = 3, .optimizer = optimizer, .schedule = schedule},
          .text = some_prose(700)};
}

std::vector<Resumed> recipes_of_models() {
  const Recipe adam{.model = {.lstm = {.hidden = 20, .layers = 2, .dropout = 0.2}, .embed = 6},
                    .training = {.epochs = 4, .optimizer = {.learning_rate = 0.01}},
                    .text = some_prose()};
  Recipe options = adam, both = adam, gru = adam, rnn = adam, relu = adam, tape = adam, lines = adam, one_hot = adam,
         bf16 = adam, sparse = adam;
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
  both.model.lstm = {.hidden = 12, .bidirectional = true, .dropout_recurrent = 0.2};
  gru.model.lstm = {.cell = "gru", .hidden = 12, .layers = 2, .train_initial_state = true, .dropout = 0.1};
  rnn.model.lstm = {.cell = "rnn", .hidden = 12, .dropout = 0.1, .weight_drop = 0.2};
  relu.model.lstm = {.cell = "rnn-relu", .hidden = 12, .bidirectional = true, .dropout = 0.1};
  tape.model.lstm = gru.model.lstm;
  tape.how.engine = nn::Engine::kAutograd;
  tape.text = some_prose(700);
  lines.model = {.text = {.lines = true}, .lstm = {.hidden = 20}, .embed = 6};
  lines.text = some_verse();
  one_hot.model = {.lstm = {.hidden = 24}, .embed = 0};
  one_hot.training.optimizer = {.optimizer = "sgd", .learning_rate = 1.0};
  one_hot.valid_fraction = 0.0;
  bf16.precision = kernels::Precision::kBf16;
  sparse.sparse_embedding = true;
  sparse.how.groups.accumulate = 2;
  return {{"Adam", adam},
          {"Sgd", one_hot},
          {"Lines", lines},
          {"EveryOptionOfTheLayers", options},
          {"Bidirectional", both},
          {"Gru", gru},
          {"Rnn", rnn},
          {"RnnRelu", relu},
          {"GruOnTheTape", tape},
          {"Bf16", bf16},
          {"SparseEmbedding", sparse}};
}

std::vector<Resumed> recipes_of_training() {
  Recipe momentum = small({.optimizer = "momentum", .learning_rate = 0.1, .l2 = 1e-4, .clip_value = 0.05},
                          {.schedule = "step", .every = 1, .after = 2});
  momentum.how.groups.accumulate = 2;
  Recipe nesterov = small({.optimizer = "nesterov", .learning_rate = 0.1, .weight_decay = 0.01},
                          {.schedule = "exponential", .factor = 0.7});
  nesterov.model.tie_weights = true;
  Recipe adagrad = small({.optimizer = "adagrad", .learning_rate = 0.3},
                         {.schedule = "plateau", .patience = 1, .threshold = 0.3, .cooldown = 1, .warmup = 3});
  adagrad.training.epochs = 6;
  Recipe adadelta = small({.optimizer = "adadelta", .learning_rate = 1.0}, {.schedule = "cosine", .warmup = 7});
  adadelta.model.dropout_embedding = 0.2;
  Recipe rmsprop = small({.optimizer = "rmsprop", .learning_rate = 0.005}, {.schedule = "inverse-sqrt", .warmup = 5});
  rmsprop.how.label_smoothing = 0.1;
  rmsprop.how.groups.every = 1;
  rmsprop.how.groups.factor = 2.0;
  Recipe adamw = small({.optimizer = "adamw", .learning_rate = 0.01}, {.schedule = "one-cycle"});
  adamw.model.lstm.activation_reg = 2.0;
  adamw.model.lstm.temporal_reg = 1.0;
  adamw.how.groups.batch = 9;
  adamw.how.groups.every = 1;
  adamw.how.groups.factor = 1.0 / 3.0;
  Recipe nadam = small({.optimizer = "nadam", .learning_rate = 0.01}, {.schedule = "cosine", .min = 1e-4, .warmup = 5});
  nadam.model.text.lines = true;
  nadam.model.lstm.train_initial_state = true;
  nadam.text = some_verse(16);
  nadam.how.groups.accumulate = 2;
  Recipe whole = small({.learning_rate = 0.02}, {.schedule = "one-cycle", .warmup = 2});
  whole.training.epochs = 6;
  whole.how.groups.whole = true;
  // A rate at which the held-out loss soon gets worse.
  Recipe trigger = small({.optimizer = "asgd", .learning_rate = 30.0, .average_trigger = 0}, {});
  trigger.training.epochs = 8;
  trigger.text = some_prose(400);
  Recipe after = small({.optimizer = "asgd", .learning_rate = 2.0, .average_after = 10, .asgd_lambda = 1e-3}, {});
  after.training.tensorboard = true;
  after.training.epochs = 2;
  Recipe swa = small({.optimizer = "nadam", .learning_rate = 0.01, .average = "swa", .average_start = 0.4}, {});
  Recipe ema = small({.learning_rate = 0.01, .average = "ema", .average_decay = 0.9}, {.schedule = "cosine"});
  Recipe sparse_ema = ema, sparse_swa = swa;
  sparse_ema.sparse_embedding = sparse_swa.sparse_embedding = true;
  sparse_swa.valid_fraction = 0.0;
  Recipe together =
      small({.optimizer = "nadam", .learning_rate = 0.01, .clip_value = 0.02}, {.schedule = "one-cycle", .warmup = 4});
  together.model.tie_weights = true;
  together.model.dropout_embedding = 0.1;
  together.model.lstm = {.hidden = 12,
                         .layers = 2,
                         .dropout = 0.2,
                         .variational = true,
                         .weight_drop = 0.2,
                         .activation_reg = 2.0,
                         .temporal_reg = 1.0};
  together.how = {.groups = {.batch = 2, .accumulate = 3, .every = 1, .factor = 2.0, .seed = 9},
                  .bptt = 12,
                  .label_smoothing = 0.1};
  together.training.tensorboard = true;
  Recipe moving = small({.learning_rate = 0.01}, {});
  moving.how.stream = {.moving = true, .reset = 0.5, .epochs = 3};
  moving.model.lstm.train_initial_state = true;
  Recipe moving_growing = moving;
  moving_growing.how.groups.accumulate = 2;
  moving_growing.how.groups.every = 2;
  moving_growing.how.groups.factor = 2.0;
  moving_growing.training.epochs = moving_growing.how.stream.epochs = 4;
  Recipe moving_whole = whole;
  moving_whole.how.stream = {.moving = true, .reset = 0.5, .epochs = 6};
  // The layers are thawed one after the other, in three epochs.
  Recipe thawed = small({.optimizer = "nadam", .learning_rate = 0.02}, {.schedule = "slanted-triangular"});
  thawed.training.layers = {.rate_divisor = 2.6, .thaw_every = 1};
  thawed.model.lstm = {.hidden = 12, .layers = 2, .residual = true, .dropout = 0.2, .weight_drop = 0.1};
  thawed.training.epochs = 4;
  Recipe thawed_sparse = thawed;
  thawed_sparse.sparse_embedding = true;
  thawed_sparse.training.layers.frozen = "layer-0";
  thawed_sparse.training.optimizer = {.optimizer = "adamw", .learning_rate = 0.02};
  return {{"ThawedWithRatesOfTheirOwn", thawed, true},
          {"ThawedSparse", thawed_sparse},
          {"MovingRowsReset", moving, true},
          {"MovingRowsGrowing", moving_growing, true},
          {"MovingRowsOfTheWholeSet", moving_whole, true},
          {"MomentumInStepsAccumulated", momentum},
          {"NesterovExponentialTied", nesterov},
          {"AdagradOnPlateaus", adagrad},
          {"AdadeltaWarmCosine", adadelta},
          {"RmspropInverseRootGrowing", rmsprop},
          {"AdamwOneCycleShrinking", adamw},
          {"NadamLinesAccumulated", nadam},
          {"WholeSet", whole, true},
          {"AsgdByItsTrigger", trigger},
          {"AsgdAfterSomeSteps", after, true},
          {"EqualAverage", swa, true},
          {"EqualAverageOfSparseRows", sparse_swa},
          {"ExponentialAverage", ema, true},
          {"ExponentialAverageOfSparseRows", sparse_ema},
          {"EverythingTogether", together, true}};
}

std::vector<Resumed> recipes() {
  std::vector<Resumed> out = recipes_of_models();
  for (Resumed& resumed : recipes_of_training()) out.push_back(std::move(resumed));
  return out;
}

void expect_same_run(const std::string& actual, const std::string& expected) {
  EXPECT_EQ(arrays(actual), arrays(expected));
  EXPECT_EQ(state(actual), state(expected));
  EXPECT_EQ(io::read_file(RunFiles(actual).model), io::read_file(RunFiles(expected).model));
  EXPECT_EQ(metrics(actual), metrics(expected));
  std::error_code none;  // of the events only the times differ, and records are as long as ever
  EXPECT_EQ(std::filesystem::file_size(RunFiles(actual).events, none),
            std::filesystem::file_size(RunFiles(expected).events, none));
}

class Resume : public ::testing::TestWithParam<Resumed> {};

TEST_P(Resume, IsBitIdenticalAtAnyStep) {
  const Recipe& recipe = GetParam().recipe;
  const TemporaryFolder whole;
  const TrainResult expected = sitting(recipe, whole.string(), false, 1);
  ASSERT_EQ(expected.outcome, Outcome::kFinished);
  EXPECT_EQ(std::filesystem::exists(RunFiles(whole.string()).events), recipe.training.tensorboard);
  const int64_t steps = expected.progress.step;
  std::vector<int64_t> stops = {1, steps / 4, steps / 2 - 1, steps - 1};
  if (GetParam().at_every_step) {
    stops.clear();
    for (int64_t stop = 0; stop < steps; ++stop) stops.push_back(stop);
  }
  for (const int64_t stop : stops) {
    SCOPED_TRACE(stop);
    const TemporaryFolder stopped;
    EXPECT_EQ(sitting(recipe, stopped.string(), false, 2, stop).outcome, Outcome::kInterrupted);
    if (!GetParam().at_every_step) {
      EXPECT_EQ(sitting(recipe, stopped.string(), true, 1, stop + 2).progress.step, std::min(stop + 2, steps));
    }
    const TrainResult result = sitting(recipe, stopped.string(), true, 3);
    EXPECT_EQ(result.progress.step, steps);
    EXPECT_EQ(result.progress.loss_sum, expected.progress.loss_sum);
    EXPECT_EQ(result.best_epoch, expected.best_epoch);
    EXPECT_EQ(result.valid, expected.valid);
    expect_same_run(stopped.string(), whole.string());
  }
  // What is resumed here did happen in the run.
  const nlohmann::json last = state(whole.string());
  EXPECT_EQ(last.at("averaging_since") == 0, recipe.training.optimizer.average == "ema");
  if (recipe.training.optimizer.optimizer == "asgd" || recipe.training.optimizer.average == "swa") {
    EXPECT_GT(last.at("averaging_since"), 0);
    EXPECT_LT(last.at("averaging_since"), steps - 2);
  }
  EXPECT_EQ(last.at("schedule").at("scale") < 1.0, recipe.training.schedule.schedule == "plateau");
  EXPECT_EQ(last.at("schedule").at("warm_at") > 0.0, recipe.training.schedule.warmup > 0);
}

INSTANTIATE_TEST_SUITE_P(Models, Resume, ::testing::ValuesIn(recipes_of_models()),
                         [](const auto& test) { return test.param.name; });
INSTANTIATE_TEST_SUITE_P(Training, Resume, ::testing::ValuesIn(recipes_of_training()),
                         [](const auto& test) { return test.param.name; });

// So that a new rule or schedule gets a recipe above.
TEST(ResumeRecipes, HaveEveryOptimizerAndSchedule) {
  TrainOptions options;
  OptionTable table;
  options.add_to(table);
  for (const auto& [name, of_recipe] : {std::pair<const char*, std::string (*)(const TrainOptions&)>{
                                            "optimizer", [](const TrainOptions& o) { return o.optimizer.optimizer; }},
                                        {"average", [](const TrainOptions& o) { return o.optimizer.average; }},
                                        {"schedule", [](const TrainOptions& o) { return o.schedule.schedule; }}}) {
    std::set<std::string> tested;
    for (const Resumed& resumed : recipes()) tested.insert(of_recipe(resumed.recipe.training));
    const std::vector<std::string>& choices = table.find(name)->check.choices;
    EXPECT_EQ(tested, std::set<std::string>(choices.begin(), choices.end())) << name;
  }
}

}  // namespace
}  // namespace longhand::train
