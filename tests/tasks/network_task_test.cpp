// Networks of layers in training: losses, scales, segments with carried state, shards, scores.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "longhand/tasks/network_task.h"

namespace longhand::tasks {
namespace {

double noise(uint64_t i, uint64_t of = 0) { return CounterRng(8, of, RngPlace::kSample).normal(i); }

const std::string kNetwork =
    "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"lstm\"\nunits = 6\n[[layers]]\ntype = "
    "\"linear\"\nname = "
    "\"out\"\nunits = 1\n";

graph::Graph network_of(const std::string& text) {
  return graph::with_drawn_weights(graph::read_description(text, "net.toml"), 2, "net.toml");
}

SequenceLossOptions loss_of(const std::string& name, double pre_emphasis = 0.0, double dc = 0.0) {
  SequenceLossOptions out;
  out.loss = name;
  out.pre_emphasis = pre_emphasis;
  out.dc = dc;
  return out;
}

// Recordings whose target is a filter of the input.
data::RecordingSet recordings(std::vector<int64_t> lengths) {
  data::RecordingSet out{.widths = {1}, .targets = 1};
  for (const int64_t steps : lengths) {
    data::Recording recording{.name = fmt::format("r{}", out.list.size()), .steps = steps};
    recording.inputs.resize(1);
    double state = 0.0;
    for (int64_t t = 0; t < steps; ++t) {
      const double x = noise(static_cast<uint64_t>(t), out.list.size());
      state = 0.8 * state + 0.2 * x;
      recording.inputs[0].doubles.push_back(10.0 + 3.0 * x);
      recording.targets.doubles.push_back(100.0 + 20.0 * std::tanh(state));
    }
    out.list.push_back(std::move(recording));
  }
  return out;
}

struct Prepared {
  explicit Prepared(const SequenceLossOptions& loss, NetworkTaskOptions options = {.groups = {.batch = 4}, .bptt = 10},
                    int threads = 1, data::CutOptions cut = {.segment = 40, .warm_up = 8},
                    const std::string& text = kNetwork)
      : set(recordings({200, 130, 77})), context(threads) {
    model =
        std::make_unique<TrainedNetwork>(network_of(text), "net.toml", NetworkScaling{}, NetworkPurpose{.loss = loss});
    const std::vector<data::Stretch> all = data::whole_recordings(set);
    NetworkScaling scaling{.inputs = {data::input_scales(set, all, 0)}, .targets = data::target_scales(set, all)};
    std::vector<double> spread = {scaling.targets[0].deviation};
    model->set_data(std::move(scaling), std::move(spread), 0);
    model->scale(set);
    task = std::make_unique<NetworkTask>(*model, set, data::cut_stretches(all, cut), set, all, options, context);
  }

  // Some epochs of plain descent. Returns the mean loss of the last.
  double descend(int epochs, float rate) {
    uint64_t step = 0;
    StepResult sum;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      task->begin_epoch(epoch);
      sum = {};
      for (int64_t i = 0; i < task->steps(); ++i) {
        const StepResult result = task->train_step(i, step++);
        sum.loss_sum += result.loss_sum;
        sum.count += result.count;
        const auto gradients = task->parameters().gradients();
        for (size_t k = 0; k < gradients.size(); ++k) task->parameters().values()[k] -= rate * gradients[k];
        task->parameters_changed();
      }
    }
    return sum.loss_sum / static_cast<double>(sum.count);
  }

  data::RecordingSet set;
  kernels::Context context;
  std::unique_ptr<TrainedNetwork> model;
  std::unique_ptr<NetworkTask> task;
};

void check_loss(const SequenceLossOptions& options) {
  SCOPED_TRACE(options.loss);
  constexpr int64_t T = 6, B = 3, O = 2, kStride = 4;
  std::vector<double> y(T * B * kStride), dy(y.size()), before(B * O), start(B * O);
  std::vector<float> targets(T * B * O);
  std::vector<int32_t> classes(T * B);
  for (size_t i = 0; i < y.size(); ++i) y[i] = noise(i, 1);
  for (size_t i = 0; i < targets.size(); ++i) targets[i] = static_cast<float>(noise(i, 2));
  for (size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<int32_t>(i % O);
  for (size_t i = 0; i < start.size(); ++i) start[i] = noise(i, 3);
  const std::vector<Range> counted = {{0, 6}, {2, 5}, {3, 3}};
  const std::vector<data::Scale> scales = {{1.0, 2.0}, {-3.0, 0.5}};
  const std::vector<double> spread = {1.5, 0.25};
  ThreadPool pool(2);
  std::vector<LossSums> rows;
  const auto run = [&](bool gradient) {
    before = start;
    LossInput<double> input{.steps = T,
                            .batch = B,
                            .outputs = O,
                            .y = y.data(),
                            .stride = kStride,
                            .targets = targets.data(),
                            .classes = classes.data(),
                            .counted = counted,
                            .scales = scales,
                            .spread = spread,
                            .scale = 0.7,
                            .dc_scale = 0.3 * options.dc,
                            .dy = gradient ? dy.data() : nullptr,
                            .before = before.data()};
    const LossSums sums = sequence_loss(options, input, rows, pool);
    return 0.7 * sums.loss + 0.3 * options.dc * sums.dc;
  };
  run(true);
  for (size_t i = 0; i < y.size(); ++i) {
    if (i % kStride >= O) continue;
    constexpr double kStep = 1e-6;
    const double value = y[i];
    y[i] = value + kStep;
    const double above = run(false);
    y[i] = value - kStep;
    const double below = run(false);
    y[i] = value;
    EXPECT_NEAR(dy[i], (above - below) / (2.0 * kStep), 1e-6) << i;
  }
}

TEST(SequenceLoss, DerivativesAreThoseOfCentralDifferences) {
  check_loss(loss_of("mse"));
  check_loss(loss_of("mae"));
  check_loss(loss_of("esr"));
  check_loss(loss_of("esr", 0.9, 2.0));
  check_loss(loss_of("cross-entropy"));
}

TEST(SequenceLoss, TheErrorToSignalRatioIsThatOfItsDefinition) {
  // Errors 1, 2, 3 of targets 4, 5, 6, with a = 0.5: filtered 1, 1.5, 2 and 4, 3, 3.5.
  const SequenceLossOptions options = loss_of("esr", 0.5, 1.0);
  const std::vector<double> y = {5.0, 7.0, 9.0};
  const std::vector<float> targets = {4.0F, 5.0F, 6.0F};
  const std::vector<Range> counted = {{0, 3}};
  const std::vector<data::Scale> scales(1);
  const std::vector<double> spread = {1.0};
  ThreadPool pool(1);
  std::vector<LossSums> rows;
  const LossSums sums = sequence_loss<double>(options,
                                              {.steps = 3,
                                               .batch = 1,
                                               .outputs = 1,
                                               .y = y.data(),
                                               .stride = 1,
                                               .targets = targets.data(),
                                               .counted = counted,
                                               .scales = scales,
                                               .spread = spread},
                                              rows, pool);
  EXPECT_DOUBLE_EQ(sums.loss, 1.0 + 2.25 + 4.0);
  EXPECT_DOUBLE_EQ(sums.dc, 3.0 * 4.0);
  const TargetEnergy energy = target_energy(options, targets, scales, {0, 3});
  EXPECT_DOUBLE_EQ(energy.filtered, 16.0 + 9.0 + 12.25);
  EXPECT_DOUBLE_EQ(energy.plain, 16.0 + 25.0 + 36.0);
}

TEST(Recordings, SegmentsCountEachStepOnce) {
  const data::RecordingSet set = recordings({200, 130, 7});
  const std::vector<data::Stretch> segments =
      data::cut_stretches(data::whole_recordings(set), {.segment = 40, .warm_up = 8});
  std::vector<int> counts(200);
  for (const data::Stretch& s : segments) {
    EXPECT_EQ(s.count - s.read, 8);
    EXPECT_LE(s.counted(), 40);
    for (int64_t t = s.count; s.recording == 0 && t < s.end; ++t) ++counts[static_cast<size_t>(t)];
    EXPECT_NE(s.recording, 2);  // shorter than its warm-up
  }
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0), 192);
  EXPECT_EQ(*std::max_element(counts.begin(), counts.end()), 1);
}

TEST(Recordings, TheEndIsHeldOut) {
  const data::RecordingSet set = recordings({200, 130});
  const data::SplitStretches split = data::split_recordings(set, 0.1, 30);
  ASSERT_EQ(split.train.size(), 2U);
  EXPECT_EQ(split.train[0].end, 180);
  EXPECT_EQ(split.valid[0].read, 150);
  EXPECT_EQ(split.valid[0].count, 180);
  EXPECT_EQ(split.valid[0].end, 200);
  const data::SplitStretches many = data::split_recordings(recordings(std::vector<int64_t>(30, 5)), 0.1, 0);
  EXPECT_TRUE(many.by_sequence);
  EXPECT_EQ(many.valid.size(), 3U);
}

TEST(NetworkTask, LearnsAFilter) {
  for (const SequenceLossOptions& loss : {loss_of("mse"), loss_of("mae"), loss_of("esr", 0.5, 1.0)}) {
    SCOPED_TRACE(loss.loss);
    Prepared setup(loss);
    const double before = find_metric(setup.task->validate(), "mse")->value;
    setup.descend(60, loss.loss == "esr" ? 20.0F : 0.3F);
    const std::vector<Metric> after = setup.task->validate();
    EXPECT_LT(find_metric(after, "mse")->value, 0.35 * before);
    EXPECT_GT(find_metric(after, "nse")->value, 0.7);
  }
}

TEST(NetworkTask, TheSameBitsOnAnyNumberOfThreads) {
  Prepared one(loss_of("mse")), three(loss_of("mse"), {.groups = {.batch = 4}, .bptt = 10}, 3);
  one.descend(2, 0.1F);
  three.descend(2, 0.1F);
  const auto a = one.task->parameters().values(), b = three.task->parameters().values();
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
}

TEST(NetworkTask, ShardsSumUpToTheWhole) {
  for (const SequenceLossOptions& loss : {loss_of("mse"), loss_of("esr", 0.9, 1.0)}) {
    Prepared whole(loss), parts(loss, {.groups = {.batch = 4, .shards = 2}, .bptt = 10});
    whole.task->begin_epoch(0);
    parts.task->begin_epoch(0);
    ASSERT_EQ(whole.task->steps(), parts.task->steps());
    for (int64_t i = 0; i < whole.task->steps(); ++i) {
      const StepResult all = whole.task->train_step(i, static_cast<uint64_t>(i));
      std::vector<float> sum(whole.task->parameters().gradients().size());
      double loss_sum = 0.0;
      int64_t count = 0;
      for (int64_t s = 0; s < 2; ++s) {
        const StepResult part = parts.task->train_shard(i, static_cast<uint64_t>(i), {s, 2});
        loss_sum += part.loss_sum;
        count += part.count;
        for (size_t k = 0; k < sum.size(); ++k) sum[k] += parts.task->parameters().gradients()[k];
      }
      EXPECT_EQ(count, all.count);
      EXPECT_NEAR(loss_sum, all.loss_sum, 1e-4 * std::abs(all.loss_sum) + 1e-6);
      for (size_t k = 0; k < sum.size(); ++k) {
        EXPECT_NEAR(sum[k], whole.task->parameters().gradients()[k], 1e-5) << k;
      }
    }
  }
}

TEST(NetworkTask, GoesOnFromACarriedState) {
  Prepared setup(loss_of("esr", 0.9)), again(loss_of("esr", 0.9));
  setup.task->begin_epoch(0);
  again.task->begin_epoch(0);
  setup.task->train_step(0, 0);
  setup.task->train_step(1, 1);
  EXPECT_FALSE(again.task->carried_state_fits(2));
  const auto from = setup.task->carried_state({}), to = again.task->carried_state({});
  ASSERT_EQ(from.size(), to.size());
  for (size_t i = 0; i < from.size(); ++i) {
    EXPECT_EQ(from[i].first, to[i].first);
    to[i].second->resize(from[i].second->size());
    std::copy_n(from[i].second->data(), from[i].second->size(), to[i].second->data());
  }
  EXPECT_TRUE(again.task->carried_state_fits(2));
  const StepResult a = setup.task->train_step(2, 2), b = again.task->train_step(2, 2);
  EXPECT_EQ(a.loss_sum, b.loss_sum);
  const auto x = setup.task->parameters().gradients(), y = again.task->parameters().gradients();
  EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin()));
}

TEST(NetworkTask, PiecesOfAWholeSegmentHaveItsLoss) {
  Prepared pieces(loss_of("mse")), whole(loss_of("mse"), {.groups = {.batch = 4}, .bptt = 0});
  double sums[2] = {};
  int64_t counts[2] = {};
  int i = 0;
  for (Prepared* setup : {&pieces, &whole}) {
    setup->task->begin_epoch(0);
    for (int64_t k = 0; k < setup->task->steps(); ++k) {
      const StepResult result = setup->task->train_step(k, static_cast<uint64_t>(k));
      sums[i] += result.loss_sum;
      counts[i] += result.count;
    }
    ++i;
  }
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_GT(pieces.task->steps(), whole.task->steps());
  EXPECT_NEAR(sums[0], sums[1], 1e-4 * sums[1]);
}

// The model file reads the data's units and makes them.
TEST(NetworkTask, AModelFileHasTheDatasUnits) {
  Prepared setup(loss_of("mse"));
  setup.descend(3, 0.2F);
  const std::string path = testing::TempDir() + "longhand_network_units.safetensors";
  setup.task->save_model(path, setup.task->parameters().values());
  const ModelFile file = ModelFile::read(path);
  const auto network = std::make_shared<const graph::Network>(read_network(file), path);
  const NetworkPurpose purpose = NetworkPurpose::from_json(nlohmann::json::parse(file.training()), path);
  EXPECT_EQ(purpose.loss.loss, "mse");
  const data::RecordingSet raw = recordings({200, 130, 77});
  graph::Plan plan(network, {.steps = 77});
  for (int64_t t = 0; t < 77; ++t) {
    plan.inputs()[0].floats[t] = static_cast<float>(raw.list[2].inputs[0][static_cast<size_t>(t)]);
  }
  ASSERT_TRUE(plan.run());
  graph::TrainingPass<float> pass(setup.model->network(), nn::Engine::kFused, setup.context);
  pass.set_values(setup.task->parameters().values().data());
  int64_t seen = 0;
  evaluate(*setup.model, setup.set, data::whole_recordings(setup.set), pass,
           {.on_step = [&](const data::Stretch& s, int64_t t, auto predicted, auto actual) {
             if (s.recording != 2) return;
             ++seen;
             EXPECT_NEAR(plan.outputs()[0].floats[t], predicted[0], 2e-3);
             EXPECT_NEAR(raw.list[2].targets[static_cast<size_t>(t)], actual[0], 1e-4);
           }});
  EXPECT_EQ(seen, 77);
  // Read again, the scales are taken off and put on as they were.
  graph::Graph graph = read_network(file);
  const NetworkScaling scaling = take_scaling(graph);
  ASSERT_EQ(scaling.targets.size(), 1U);
  EXPECT_NEAR(scaling.targets[0].mean, setup.model->target_scales()[0].mean, 1e-4);
  EXPECT_EQ(graph.nodes.size(), 2U);
  const graph::Graph back = with_scaling(graph, scaling), stored = read_network(file);
  for (const auto& [name, array] : stored.arrays) EXPECT_EQ(back.arrays.at(name).floats, array.floats) << name;
  std::filesystem::remove(path);
}

TEST(NetworkTask, ClassesOfSequences) {
  const std::string text =
      "[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nunits = 6\nreturn = \"last\"\n[[layers]]\ntype = "
      "\"linear\"\nunits "
      "= 2\n[[layers]]\ntype = \"softmax\"\n";
  data::RecordingSet set{.widths = {1}, .targets = 1, .one_target = true};
  for (uint64_t n = 0; n < 60; ++n) {
    data::Recording recording{.name = "s", .steps = static_cast<int64_t>(10 + n % 7)};
    recording.inputs.resize(1);
    double sum = 0.0;
    for (int64_t t = 0; t < recording.steps; ++t) {
      const double x = noise(static_cast<uint64_t>(t), 100 + n);
      recording.inputs[0].floats.push_back(static_cast<float>(x));
      sum += x;
    }
    recording.targets.floats = {sum > 0.0 ? 1.0F : 0.0F};
    set.list.push_back(std::move(recording));
  }
  TrainedNetwork model(network_of(text), "net.toml", {}, {.loss = loss_of("cross-entropy")});
  EXPECT_TRUE(model.network().leaves_softmax());
  model.scale(set);
  kernels::Context context(1);
  const std::vector<data::Stretch> all = data::whole_recordings(set);
  NetworkTask task(model, set, all, set, all, {.groups = {.batch = 10}}, context);
  uint64_t step = 0;
  for (int epoch = 0; epoch < 60; ++epoch) {
    task.begin_epoch(epoch);
    for (int64_t i = 0; i < task.steps(); ++i) {
      task.train_step(i, step++);
      for (size_t k = 0; k < task.parameters().values().size(); ++k) {
        task.parameters().values()[k] -= 0.5F * task.parameters().gradients()[k];
      }
      task.parameters_changed();
    }
  }
  EXPECT_GT(find_metric(task.validate(), "accuracy")->value, 90.0);
}

}  // namespace
}  // namespace longhand::tasks
