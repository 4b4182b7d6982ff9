// What allocates nothing once it has seen the largest batch: the fused stack and the tape, by counting. And the steps
// of streams, which also take no lock.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "longhand/autograd/operations.h"
#include "longhand/autograd/tape.h"
#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "longhand/nn/lstm_stack_parts.h"
#include "longhand/stream.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/regressor.h"
#include "tests/nn/tested_stack.h"
#include "tests/tasks/model.h"
#include "tests/testing.h"

namespace {
std::atomic<int64_t> allocations{0};
std::atomic<int64_t> locks{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* p = alignment > 0 ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                          : std::malloc(size > 0 ? size : 1);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
}  // namespace

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto kLock = reinterpret_cast<Lock>(::dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks;
  return kLock(mutex);
}

// Not inlined: the compiler would see std::free on what operator new returned, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) { return counted(size, 0); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace longhand::nn {
namespace {

TEST(Allocation, TheFusedStackTakesNoneAfterTheLargestBatch) {
  const LstmOptions lstm{.hidden = 20,
                         .layers = 2,
                         .bidirectional = true,
                         .proj = 9,
                         .layer_norm = true,
                         .dropout = 0.2,
                         .dropout_recurrent = 0.2,
                         .zoneout = 0.1};
  ParameterArena arena;
  TestedStack<float> stack({.lstm = lstm, .inputs = 7, .one_hot = false, .init = {}}, arena);
  arena.allocate();
  arena.allocate_gradients();
  arena.initialise(1);
  kernels::Context context(2);
  const int64_t T = 12, B = 5, width = lstm.outputs();
  Buffer<float> x(T * B * padded(7)), dy(T * B * padded(width));
  const auto pass = [&](int64_t steps, int64_t batch, uint64_t step) {
    const StackInput<float> input{.steps = steps,
                                  .batch = batch,
                                  .lengths = nullptr,
                                  .x = x.data(),
                                  .x_stride = padded(7),
                                  .symbols = nullptr,
                                  .masks = {1, step, 0}};
    stack.reset_state(batch);
    stack.forward(input, Pass::kTraining, Engine::kFused, arena.values().data(), context);
    stack.backward(input, {.d_output = dy.data(), .states = true, .penalty_scale = 0.0F}, Engine::kFused,
                   arena.gradients().data(), context);
  };
  pass(T, B, 0);
  pass(T, B, 1);
  const int64_t before = allocations;
  pass(T, B, 2);
  pass(T - 5, B - 2, 3);
  EXPECT_EQ(allocations - before, 0);
}

TEST(Allocation, TheTapeTakesNoneAfterTheLargestComputation) {
  autograd::Tape<float> tape;
  const std::vector<float> values(64, 0.5F);
  const auto compute = [&](int64_t rows) {
    const autograd::Var<float> x = tape.variable(rows, 4, values.data());
    const autograd::Var<float> y = autograd::sigmoid(autograd::add(autograd::multiply(x, x), x));
    tape.seed(y, values.data());
    tape.backward();
    tape.clear();
  };
  compute(16);
  compute(16);
  const int64_t before = allocations;
  compute(16);
  compute(3);
  EXPECT_EQ(allocations - before, 0);
}

TEST(Allocation, AStreamTakesNoneAndNoLock) {
  tasks::LanguageModelOptions tied = tasks::with_lstm(tasks::kAllOptions, 8);
  tied.tie_weights = true;
  for (const tasks::LanguageModelOptions& options :
       {tied, tasks::with_lstm(tasks::kAllOptions, 8), tasks::with_lstm(tasks::kAllOptions, 0),
        tasks::with_lstm({.hidden = 20, .layers = 2}, 8), tasks::with_lstm({.hidden = 20}, 0)}) {
    for (const auto type : {kernels::WeightType::kFloat, kernels::WeightType::kBf16, kernels::WeightType::kInt8}) {
      tasks::Model m(options);
      const testing::TemporaryFolder folder;
      m.model.save(folder / "floats", m.model.parameters().values());
      tasks::ModelFile::read(folder / "floats").write_quantised(folder / "model", type);
      const std::shared_ptr<const Model> model = Model::load(folder / "model");
      const int64_t before_stream = allocations;
      Stream stream(model);
      Streams many(model, 8);
      EXPECT_GT(allocations, before_stream);
      std::vector<float> y(m.corpus.symbols.size() * static_cast<size_t>(stream.outputs())), state;
      std::vector<int64_t> streams;
      for (int i = 0; i < 8; ++i) streams.push_back(many.open());
      many.step(streams, m.corpus.symbols.memory().data(), y.data());
      state = stream.state();
      std::mutex mutex;
      int64_t locks_before = locks;
      { const std::lock_guard<std::mutex> lock(mutex); }
      EXPECT_EQ(locks, locks_before + 1);
      const int64_t before = allocations;
      locks_before = locks;
      stream.process(m.corpus.symbols.memory().data(), y.data(), static_cast<int64_t>(m.corpus.symbols.size()));
      stream.get_state(state.data());
      stream.reset();
      stream.set_state(state.data());
      stream.step(-1, y.data());
      stream.use_fast_activations(true);
      stream.process(m.corpus.symbols.memory().data(), y.data(), 3);
      many.close(streams[3]);
      many.open();
      many.step(std::span(streams).first(5), m.corpus.symbols.memory().data(), y.data());
      EXPECT_EQ(allocations, before);
      EXPECT_EQ(locks, locks_before);
    }
  }
}

// The same of numbers, with predictions of differences, which begin at the last value.
TEST(Allocation, AStreamOfANetworkTakesNoneAndNoLock) {
  const char* const description =
      "[[inputs]]\nsize = 6\n[[layers]]\ntype = \"context\"\nsize = 2\n[[layers]]\ntype = \"conv1d\"\nname = \"c\"\n"
      "units = 5\nkernel = 3\ndilation = 2\npadding = \"causal\"\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = "
      "20\n"
      "layers = 2\n[[layers]]\ntype = \"gru\"\nname = \"g\"\nunits = 7\n[[layers]]\ntype = \"linear\"\nname = "
      "\"o\"\nunits = 3\n"
      "[[layers]]\ntype = \"softmax\"\n";
  const testing::TemporaryFolder folder;
  tasks::write_network(folder / "model", graph::with_drawn_weights(graph::read_description(description, "t"), 1, "t"));
  const std::shared_ptr<const Model> model = Model::load(folder / "model");
  Stream stream(model);
  const std::vector<float> x(6 * 40, 0.5F);
  std::vector<float> y(3 * 40), state = stream.state();
  const int64_t before = allocations, locks_before = locks;
  ASSERT_TRUE(stream.process(x.data(), y.data(), 40));
  ASSERT_TRUE(stream.step(x.data(), y.data()));
  stream.get_state(state.data());
  stream.reset();
  stream.set_state(state.data());
  ASSERT_TRUE(stream.process(x.data(), y.data(), 17));
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(locks, locks_before);
}

// The recurrent nodes of ONNX, in steps and in blocks, also those of two directions.
TEST(Allocation, AGraphOfOnnxsNodesTakesNone) {
  for (const auto& [type, gates] : std::vector<std::pair<const char*, int64_t>>{{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}}) {
    for (const int64_t directions : {1, 2}) {
      constexpr int64_t kInputs = 3, kHidden = 5;
      graph::Graph graph;
      graph.inputs = {{.name = "x", .dims = {-1, 1, kInputs}, .time_axis = 0}};
      graph.arrays["w"] = graph::array({directions, gates * kHidden, kInputs},
                                       std::vector<float>(static_cast<size_t>(directions * gates * kHidden * kInputs)));
      graph.arrays["r"] = graph::array({directions, gates * kHidden, kHidden},
                                       std::vector<float>(static_cast<size_t>(directions * gates * kHidden * kHidden)));
      graph.nodes = {{.type = type, .name = "n", .inputs = {"x", "w", "r"}, .outputs = {"y"}}};
      graph.nodes[0].attributes["direction"] = std::string(directions == 2 ? "bidirectional" : "forward");
      if (gates == 3) graph.nodes[0].attributes["linear_before_reset"] = int64_t{1};
      graph.outputs = {{.name = "y", .dims = {}}};
      const auto network = std::make_shared<const graph::Network>(graph, "test");
      for (const int64_t steps : {1, 40}) {
        graph::Plan plan(network, {.steps = steps});
        const int64_t before = allocations;
        ASSERT_TRUE(plan.run());
        EXPECT_EQ(allocations, before) << type << ", " << directions << " directions, " << steps << " steps";
      }
    }
  }
}

TEST(Allocation, AStreamOfNumbersTakesNone) {
  tasks::RegressorOptions options;
  options.lstm.hidden = 40;
  options.difference = true;
  options.series.inputs = "a,b";
  options.series.target = "a,c";
  options.series.horizon = 2;
  tasks::Regressor regressor(
      options, {.inputs = {"a", "b"}, .targets = {"a", "c"}, .input_scales = {{}, {}}, .target_scales = {{}, {}}});
  regressor.initialise(1);
  const testing::TemporaryFolder folder;
  regressor.save(folder / "model", regressor.parameters().values());
  Stream stream(Model::load(folder / "model"));
  const std::vector<float> x(static_cast<size_t>(stream.inputs()) * 40, 0.5F);
  std::vector<float> y(static_cast<size_t>(stream.outputs()) * 40);
  const int64_t before = allocations, locks_before = locks;
  ASSERT_TRUE(stream.process(x.data(), y.data(), 40));
  ASSERT_TRUE(stream.step(x.data(), y.data()));
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(locks, locks_before);
}

}  // namespace
}  // namespace longhand::nn
