// Steps of training: gradients of accumulated parts and of whole sets are those of the batches that they stand for.
#include "longhand/tasks/language_model_task.h"

#include "tests/tasks/model.h"

namespace longhand::tasks {
namespace {

const char* const kVerses =
    "the cat sat on the mat\nand\nthe dog sat on the log while the cat sat on the dog\na hat\nthe rat ate the oat\non\n"
    "that\nthe dog had a log\nat the end the cat sat\nthe hen had ten\nas the dog ate the log\na toad\nthe hog\n";

LanguageModelOptions model_options(bool lines) {
  return {.text = {.lines = lines}, .lstm = {.hidden = 12, .layers = 2, .train_initial_state = true}, .embed = 5};
}

// A model and a task that trains it.
struct Training {
  Training(const LanguageModelOptions& options, const LanguageTaskOptions& how, const std::string& text = kVerses)
      : m(options, text), task(m.model, m.corpus, {}, how, context) {}
  StepResult step(int64_t index, uint64_t number) {
    const StepResult result = task.train_step(index, number);
    const std::span<const float> g = task.parameters().gradients();
    gradients.assign(g.begin(), g.end());
    return result;
  }
  Model m;
  kernels::Context context{2};
  LanguageModelTask task;
  std::vector<float> gradients;
};

// Compares gradients parameter by parameter. What they round differently is the order of sums over `rows` steps of
// rows.
void expect_same_gradients(const Training& actual, const std::vector<float>& expected, int64_t rows) {
  ASSERT_EQ(actual.gradients.size(), expected.size());
  const double tolerance = 6e-8 * (8.0 + 4.0 * std::sqrt(static_cast<double>(rows)));
  for (const Parameter& p : actual.m.model.parameters().parameters()) {
    testing::expect_close(std::span(actual.gradients).subspan(static_cast<size_t>(p.offset)),
                          std::span(expected).subspan(static_cast<size_t>(p.offset)), p.size, tolerance, p.name);
  }
}

// Four parts of two rows have the gradients of eight rows, from states that each part carries for itself.
TEST(LanguageModelTask, AccumulatesTheGradientOfALargerBatch) {
  for (const bool lines : {false, true}) {
    for (const double smoothing : {0.0, 0.1}) {
      LanguageTaskOptions how{.groups = {.batch = 8, .seed = 3}, .bptt = 9, .label_smoothing = smoothing};
      Training whole(model_options(lines), how);
      how.groups.batch = 2;
      how.groups.accumulate = 4;
      Training parts(model_options(lines), how);
      uint64_t step = 0;
      int64_t carried = 0;
      for (int64_t epoch = 0; epoch < 2; ++epoch) {
        whole.task.begin_epoch(epoch);
        parts.task.begin_epoch(epoch);
        EXPECT_EQ(parts.task.batch(), 8);
        ASSERT_EQ(parts.task.steps(), whole.task.steps());
        for (int64_t i = 0; i < whole.task.steps(); ++i, ++step) {
          const StepResult expected = whole.step(i, step), actual = parts.step(i, step);
          EXPECT_EQ(actual.count, expected.count);
          EXPECT_NEAR(actual.loss_sum / expected.loss_sum, 1.0, 1e-6);
          expect_same_gradients(parts, whole.gradients, 8 * 9);
          carried += i > 0 ? 1 : 0;
        }
      }
      EXPECT_GE(carried, 4);
    }
  }
}

// The one update of an epoch has the mean of the windows' gradients, each with the weight of its symbols.
TEST(LanguageModelTask, TheWholeSetsGradientIsThatOfAllWindows) {
  for (const bool lines : {false, true}) {
    LanguageTaskOptions how{.groups = {.batch = 4, .seed = 3}, .bptt = 9};
    Training windows(model_options(lines), how);
    how.groups.whole = true;
    Training whole(model_options(lines), how);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      windows.task.begin_epoch(epoch);
      whole.task.begin_epoch(epoch);
      ASSERT_EQ(whole.task.steps(), 1);
      const StepResult all = whole.step(0, static_cast<uint64_t>(epoch));
      EXPECT_EQ(all.count, whole.m.corpus.targets());
      std::vector<double> sum(whole.gradients.size());
      StepResult total;
      for (int64_t i = 0; i < windows.task.steps(); ++i) {
        const StepResult result = windows.step(i, static_cast<uint64_t>(i));
        total.loss_sum += result.loss_sum;
        total.count += result.count;
        const double share = static_cast<double>(result.count) / static_cast<double>(all.count);
        for (size_t k = 0; k < sum.size(); ++k) sum[k] += share * static_cast<double>(windows.gradients[k]);
      }
      EXPECT_GT(windows.task.steps(), 4);
      EXPECT_EQ(total.count, all.count);
      EXPECT_NEAR(all.loss_sum / total.loss_sum, 1.0, 1e-6);
      expect_same_gradients(whole, {sum.begin(), sum.end()}, all.count);
    }
  }
}

// With one line twice, two parts have twice the gradient of one, unless they are dropped out differently.
TEST(LanguageModelTask, PartsHaveMasksOfTheirOwn) {
  for (const double dropout : {0.0, 0.5}) {
    LanguageModelOptions options = model_options(true);
    options.lstm.dropout = dropout;
    const std::string line = "the cat sat on the mat\n";
    Training one(options, {.groups = {.batch = 1, .seed = 3}, .bptt = 64}, line);
    Training two(options, {.groups = {.batch = 1, .accumulate = 2, .seed = 3}, .bptt = 64}, line + line);
    const StepResult single = one.step(0, 5), twice = two.step(0, 5);
    EXPECT_EQ(twice.count, 2 * single.count);
    if (dropout == 0.0) {
      EXPECT_NEAR(twice.loss_sum / single.loss_sum, 2.0, 2e-6);
      expect_same_gradients(two, one.gradients, 24);
    } else {
      EXPECT_GT(std::abs(twice.loss_sum / single.loss_sum - 2.0), 1e-3);
    }
  }
}

}  // namespace
}  // namespace longhand::tasks
