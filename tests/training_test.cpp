// Training from a program: settings by name, data from memory, a host's threads, and resuming.
#include "longhand/training.h"

#include <atomic>
#include <thread>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/predict.h"
#include "longhand/stream.h"
#include "tests/testing.h"

namespace longhand {
namespace {

using testing::TemporaryFolder;

std::string numbers() {
  std::string out = "y\n";
  for (int i = 0; i < 300; ++i) out += std::to_string(i % 7) + "\n";
  return out;
}

// A small regressor.
Training small() {
  Training training(Task::kRegressor);
  training.add_data("counts", numbers());
  training.set("data", "counts");
  training.set("target", "y");
  training.set("window", 8);
  training.set("hidden", 12);
  training.set("epochs", 3);
  training.set("lr", 0.01);
  training.set("residual", false);
  return training;
}

std::string model_in(const std::string& folder) { return io::read_file(folder + "/model.safetensors"); }

// As a thread pool of a host might be: new threads, the last part first.
class HostThreads : public Executor {
 public:
  int size() const noexcept override { return 3; }
  void run(int parts, void (*work)(void*, int), void* context) noexcept override {
    ++calls;
    std::vector<std::thread> threads;
    for (int part = parts - 1; part >= 0; --part) threads.emplace_back(work, context, part);
    for (std::thread& thread : threads) thread.join();
  }
  std::atomic<int> calls{0};
};

TEST(Training, FitsABaselineOnlyWhereItIsAskedFor) {
  const TemporaryFolder folder;
  Training training(Task::kLanguageModel);
  for (const auto& [name, value] :
       {std::pair("data", "tale"), {"max-tokens", "2000"}, {"hidden", "8"}, {"epochs", "1"}}) {
    training.set(name, value);
  }
  EXPECT_TRUE(training.run(folder / "without").baseline.empty());
  EXPECT_FALSE(io::exists(folder / "without/baseline.safetensors"));
  training.set("baseline", true);
  const TrainingResult result = training.run(folder / "with");
  ASSERT_FALSE(result.baseline.empty());
  EXPECT_EQ(result.baseline[0].name, "loss");
  EXPECT_LT(result.baseline[0].value, result.valid[0].value);  // of one epoch
  EXPECT_TRUE(io::exists(folder / "with/baseline.safetensors"));
}

TEST(Training, TrainsFromMemoryAndReportsItsProgress) {
  const TemporaryFolder folder;
  int64_t steps = 0, epochs = 0;
  const TrainingResult result =
      small().run(folder / "run", {.on_step = [&](const TrainingProgress& p) { steps = p.step; },
                                   .on_epoch =
                                       [&](const TrainingProgress& p, const std::vector<Measure>& valid) {
                                         epochs = p.epoch;
                                         ASSERT_FALSE(valid.empty());
                                         EXPECT_EQ(valid.front().name, "loss");
                                       },
                                   .should_stop = {}});
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(result.progress.epoch, 3);
  EXPECT_EQ(epochs, 3);
  EXPECT_EQ(steps, result.progress.step);
  EXPECT_GT(result.progress.per_second, 0.0);
  EXPECT_EQ(result.valid.front().name, "loss");
  const Forecaster forecaster(Model::load(folder / "run"));
  EXPECT_EQ(forecaster.window(), 8);
}

TEST(Training, IsInterruptedAndResumedToTheSameBits) {
  const TemporaryFolder folder;
  small().run(folder / "whole");
  Training first = small();
  EXPECT_TRUE(
      first.run(folder / "halves", {.on_step = {}, .on_epoch = {}, .should_stop = [] { return true; }}).interrupted);
  Training second(Task::kRegressor);
  second.add_data("counts", numbers());
  second.set("threads", 1);  // which changes nothing
  EXPECT_EQ(second.resume(folder / "halves").progress.epoch, 3);
  EXPECT_EQ(model_in(folder / "halves"), model_in(folder / "whole"));
  EXPECT_THROW(small().run(folder / "whole"), Error);                     // nothing is replaced
  EXPECT_THROW(small().resume(folder / "nothing"), Error);                // no run
  EXPECT_THROW(Training(Task::kTagger).resume(folder / "whole"), Error);  // of another task
}

TEST(Training, RefusesWhatIsNoSetting) {
  Training training(Task::kTagger);
  const auto fault = [&](const char* name, const char* value) {
    return testing::error_of([&] { training.set(name, value); }, ExitCode::kUsage);
  };
  EXPECT_EQ(fault("hiden", "3"), "`hiden`: expected the name of a setting");
  EXPECT_NE(fault("hidden", "many").find("`hidden`: expected"), std::string::npos);
  EXPECT_NE(testing::error_of([&] { training.run("nowhere"); }, ExitCode::kUsage).find("`data`: expected"),
            std::string::npos);
  EXPECT_FALSE(io::exists("nowhere"));
  EXPECT_NE(training.settings().find("hidden = "), std::string::npos);
}

// Whoever's threads work, and however many, the bits are the same.
TEST(Executor, AHostsThreadsGiveTheSameBits) {
  const TemporaryFolder folder;
  HostThreads host;
  Training ours = small(), its = small();
  for (Training* each : {&ours, &its}) each->set("hidden", 150);
  its.use(host);
  ours.run(folder / "ours");
  its.run(folder / "its");
  EXPECT_GT(host.calls, 0);
  EXPECT_EQ(model_in(folder / "ours"), model_in(folder / "its"));

  const std::shared_ptr<const Model> model = Model::load(folder / "ours");
  constexpr int64_t kStreams = 200;
  Streams alone(model, kStreams), together(model, kStreams, host);
  std::vector<int64_t> open;
  std::vector<float> x(kStreams), y(kStreams), z(kStreams);
  for (int64_t i = 0; i < kStreams; ++i) {
    open.push_back(alone.open());
    EXPECT_EQ(together.open(), open.back());
    x[static_cast<size_t>(i)] = static_cast<float>(i % 7);
  }
  host.calls = 0;
  for (int step = 0; step < 3; ++step) {
    ASSERT_TRUE(alone.step(open, x.data(), y.data()));
    ASSERT_TRUE(together.step(open, x.data(), z.data()));
    EXPECT_EQ(y, z);
  }
  EXPECT_GT(host.calls, 0);
  const std::vector<std::vector<double>> windows(40, std::vector<double>(64, 3.0));
  EXPECT_EQ(Forecaster(model).forecast(windows), Forecaster(model, host).forecast(windows));
}

}  // namespace
}  // namespace longhand
