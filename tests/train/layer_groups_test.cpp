// Groups of layers: which parameter is in which, when it is trained, and with what rate.
#include "longhand/train/layer_groups.h"

#include "tests/testing.h"

namespace longhand::train {
namespace {

using testing::error_of;

ParameterArena tagger_arena() {
  ParameterArena arena;
  const Initialiser zeros = [](std::span<float>, const CounterRng&) {};
  for (const char* name : {"embedding.weight", "shapes.weight", "characters.lstm.weight_ih_l0", "lstm.weight_ih_l0",
                           "lstm.weight_ih_l0_reverse", "lstm.weight_hh_l1", "output.weight", "crf.transitions"}) {
    arena.declare(name, {3, 5}, zeros);  // 15 numbers on 16
  }
  arena.allocate();
  arena.allocate_gradients();
  return arena;
}

// What is trained in an epoch: the factor of each parameter's rate, 0 for none.
std::vector<double> factors(LayerGroups& groups, ParameterArena& arena) {
  std::vector<double> out(arena.parameters().size());
  for (const RatedPart& part : groups.parts(arena.touched())) {
    for (const Range& range : part.where) {
      for (size_t i = 0; i < out.size(); ++i) {
        const int64_t begin = arena.parameters()[i].offset;
        if (begin >= range.begin && begin < range.end) out[i] = part.factor;
      }
    }
  }
  return out;
}

TEST(LayerGroups, RatesFallFromTheOutputToTheEncoder) {
  ParameterArena arena = tagger_arena();
  LayerGroups groups({.rate_divisor = 2.0}, arena);
  groups.begin_epoch(0, 0);
  EXPECT_EQ(factors(groups, arena), (std::vector<double>{0.125, 0.125, 0.125, 0.25, 0.25, 0.5, 1.0, 1.0}));
  int64_t covered = 0;
  for (const RatedPart& part : groups.parts(arena.touched())) {
    for (const Range& range : part.where) covered += range.size();
  }
  EXPECT_EQ(covered, static_cast<int64_t>(arena.values().size()));
}

TEST(LayerGroups, WithoutOptionsAllIsOnePart) {
  ParameterArena arena = tagger_arena();
  LayerGroups groups({}, arena);
  groups.begin_epoch(0, 0);
  const std::vector<RatedPart>& parts = groups.parts(arena.touched());
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].factor, 1.0);
  EXPECT_EQ(parts[0].where.size(), 1U);
}

TEST(LayerGroups, ThawsFromTheOutputDown) {
  ParameterArena arena = tagger_arena();
  LayerGroups groups({.thaw_every = 2}, arena);
  const std::vector<std::vector<double>> expected = {
      {0, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 0, 0, 0, 1, 1, 1}, {0, 0, 0, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}};
  for (int64_t epoch = 0; epoch < 10; ++epoch) {
    groups.begin_epoch(epoch, 7 * epoch);
    EXPECT_EQ(factors(groups, arena), expected[static_cast<size_t>(std::min<int64_t>(3, epoch / 2))]) << epoch;
  }
  EXPECT_EQ(groups.thawed(), (std::vector<int64_t>{0, 14, 28, 42}));
  LayerGroups resumed({.thaw_every = 2}, arena);
  EXPECT_TRUE(resumed.set_thawed({0, 14, -1, -1}, 20));
  resumed.begin_epoch(3, 99);
  EXPECT_EQ(resumed.thawed(), (std::vector<int64_t>{0, 14, -1, -1}));
  EXPECT_FALSE(resumed.set_thawed({0, 14, -1}, 20));
  EXPECT_FALSE(resumed.set_thawed({0, 21, -1, -1}, 20));
}

TEST(LayerGroups, FrozenLayersAreNoGradient) {
  ParameterArena arena = tagger_arena();
  std::fill(arena.gradients().begin(), arena.gradients().end(), 1.0F);
  LayerGroups groups({.frozen = "embedding, layer-0"}, arena);
  groups.begin_epoch(0, 0);
  EXPECT_EQ(factors(groups, arena), (std::vector<double>{0, 1, 1, 0, 0, 1, 1, 1}));
  for (const float gradient : arena.gradients()) EXPECT_EQ(gradient, 0.0F);  // those of before are gone
  int64_t trained = 0;
  for (const Range& range : arena.touched()) trained += range.size();
  EXPECT_EQ(trained, 5 * 16);
}

TEST(LayerGroups, SparseRowsOfATrainedEmbeddingAloneAreTouched) {
  for (const bool frozen : {false, true}) {
    ParameterArena arena = tagger_arena();
    arena.make_sparse(0);
    LayerGroups groups({.rate_divisor = 2.0, .frozen = frozen ? "encoder" : ""}, arena);
    groups.begin_epoch(0, 0);
    arena.touch(0, 2);
    const std::vector<RatedPart>& parts = groups.parts(arena.touched());
    ASSERT_EQ(parts.size(), 4U);
    int64_t encoder = 0;
    for (const Range& range : parts[3].where) encoder += range.size();
    EXPECT_EQ(encoder, frozen ? 0 : 5 + 2 * 16);
  }
}

TEST(LayerGroups, RefusesNamesThatTheModelLacks) {
  const ParameterArena arena = tagger_arena();
  EXPECT_EQ(layer_names(arena),
            (std::vector<std::string>{"encoder", "embedding", "shapes", "characters", "layer-0", "layer-1", "output"}));
  const auto refusal = [&](const std::string& frozen) {
    return error_of([&] { LayerOptions{.frozen = frozen}.check(arena); }, ExitCode::kUsage);
  };
  EXPECT_EQ(refusal("layer-2"), "`frozen`: expected names of the model's layers, found 'layer-2'");
  EXPECT_EQ(refusal("encoder,layer-0,layer-1,output"), "`frozen`: expected a layer that is left to train, found none");
  EXPECT_EQ(refusal("encoder , output"), "");
  EXPECT_EQ(refusal(""), "");
}

// A group that is thawed begins as a run does: with the bias corrections of a first step, and no decay before it.
TEST(LayerGroups, AGroupThatIsThawedTakesTheStepsOfANewRun) {
  for (const std::string rule : {"adam", "adamw", "nadam", "momentum", "adadelta"}) {
    const OptimizerOptions options{.optimizer = rule, .learning_rate = 0.1, .clip_norm = 0.0};
    kernels::Context context(1);
    std::vector<float> late = {0.0F, 1.0F}, fresh = {1.0F};
    Optimizer of_late(options, 2), of_fresh(options, 1);
    for (int64_t step = 0; step < 9; ++step) {
      std::vector<float> gradients = {0.5F, 0.1F * static_cast<float>(step)};
      std::vector<RatedPart> parts = {{.where = {{0, 1}}}, {.factor = 0.5, .since = 4}};
      if (step >= 4) parts[1].where.push_back({1, 2});
      of_late.update(late, gradients, parts, {}, 0.0, 0.1, step, context);
      if (step < 4) {
        EXPECT_EQ(late[1], 1.0F) << rule;
        continue;
      }
      std::vector<float> gradient = {gradients[1]};
      of_fresh.update(fresh, gradient, 0.0, 0.05, step - 4, context);
      EXPECT_EQ(late[1], fresh[0]) << rule << ' ' << step;
    }
    EXPECT_NE(late[1], 1.0F);
  }
}

}  // namespace
}  // namespace longhand::train
