// What allocates nothing once it has seen the largest batch: the fused stack and the tape, by counting.
#include <atomic>
#include <cstdlib>
#include <new>

#include "longhand/autograd/operations.h"
#include "longhand/autograd/tape.h"
#include "longhand/nn/lstm_stack_parts.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace {
std::atomic<int64_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* p = alignment > 0 ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                          : std::malloc(size > 0 ? size : 1);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
}  // namespace

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

}  // namespace
}  // namespace longhand::nn
