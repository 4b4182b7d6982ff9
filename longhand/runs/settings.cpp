#include "longhand/runs/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/config.h"
#include "longhand/kernels/target.h"
#include "longhand/runs/language_text.h"

namespace longhand::runs {
namespace {

// With batch all, number of sequences read in parallel.
constexpr int64_t kWholeSetRows = 32;
// Shards of a batch on several processes, unless there are more processes: so 1 to 8 of them give the same bits.
constexpr int64_t kUsualShards = 8;
constexpr int64_t kMostShards = 4096;

// Options that only some rules and schedules read.
struct Use {
  const char* option;
  const char* of;
  std::vector<std::string> values;
};
const std::vector<Use> kUses = {
    {"momentum", "optimizer", {"momentum", "nesterov"}},
    {"beta1", "optimizer", {"adam", "adamw", "nadam"}},
    {"beta2", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta"}},
    {"epsilon", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta", "adagrad"}},
    {"average-after", "optimizer", {"asgd"}},
    {"average-trigger", "optimizer", {"asgd"}},
    {"asgd-lambda", "optimizer", {"asgd"}},
    {"average-decay", "average", {"ema"}},
    {"average-start", "average", {"swa"}},
    {"lr-factor", "schedule", {"step", "exponential", "plateau"}},
    {"lr-every", "schedule", {"step"}},
    {"lr-after", "schedule", {"step", "exponential"}},
    {"lr-patience", "schedule", {"plateau"}},
    {"lr-threshold", "schedule", {"plateau"}},
    {"lr-cooldown", "schedule", {"plateau"}},
    {"lr-min", "schedule", {"plateau", "cosine"}},
    {"lr-peak-at", "schedule", {"one-cycle"}},
    {"lr-start-divisor", "schedule", {"one-cycle"}},
    {"lr-end-divisor", "schedule", {"one-cycle"}},
    {"lr-cut-fraction", "schedule", {"slanted-triangular"}},
    {"lr-ratio", "schedule", {"slanted-triangular"}},
};

}  // namespace

void Settings::add_data_to(OptionTable& table, const std::string& noun, const std::string& held_out) {
  table.begin_group("Data");
  table.add("data", data, "training " + noun + ": file, - for standard input, or name from `longhand data list`");
  table.add("valid", valid, "validation " + noun + ": file, or name; by default `valid-fraction` of the training data");
  table.add("valid-fraction", valid_fraction, "fraction of the data, " + held_out + ", held out for validation",
            fraction());
  table.add("test", test, "test " + noun + " for the finished model: file, or name");
}

void Settings::add_batches_to(OptionTable& table) {
  OptionCheck sequences = between(1, 1 << 20);
  sequences.also = 0.0;
  sequences.also_called = "all";
  table.begin_group("Training");
  table.add("batch", batch, "batch size, in sequences; all: one update per epoch", sequences);
  table.add("accumulate", accumulate, "number of batches per update (gradient accumulation)", between(1, 1024));
  table.add("batch-every", batch_every, "epochs between changes of the batch size; 0: constant", at_least(0));
  table.add("batch-multiply", batch_multiply, "factor of each increase of the batch size; 1: no increase",
            at_least(1.0));
  table.add("batch-divide", batch_divide, "divisor of each decrease of the batch size; 1: no decrease", at_least(1.0));
  OptionCheck parts = between(1, kMostShards);
  parts.also = 0.0;
  parts.also_called = "auto";
  table.add(
      "shards", shards,
      "number of parts of a batch whose gradients are computed one by one and added in a fixed order, a power of "
      "two; any number of processes up to it gives the same bits; auto: 1, but with mpirun 8, or as many as there "
      "are processes",
      parts);
}

void Settings::add_sparse_to(OptionTable& table) {
  table.add(
      "sparse-embedding", sparse_embedding,
      "update only the rows of the embedding whose symbols or words occur in the update's batches, as PyTorch's "
      "SparseAdam does: faster with large vocabularies, but rows of rare words learn more slowly with an optimizer "
      "that has moments; by default every update reads and writes all rows");
}

void Settings::add_training_to(OptionTable& table) {
  training.add_to(table);
  table.add("seed", seed, "random seed of the initial weights, the batches and dropout", at_least(0));
  table.add(
      "precision", precision,
      "what the operands of matrix products in training are rounded to; bf16: 16 bits, 8 of them significant, with "
      "sums and weights in float32; for processors with AVX512-BF16, slower on others",
      one_of({"float32", "bf16"}));
  table.begin_group("Running");
  table.add("threads", threads, "number of threads, which does not change the result; 0: one per processor",
            between(0, 1024));
  table.add("engine", engine, "implementation: fused kernels, plain reference loops, or autograd on a tape",
            one_of({"fused", "reference", "autograd"}));
  table.add("baseline", baseline,
            "fit a simple model to compare with (n-grams, most frequent tags or a CRF, logistic regression, ridge "
            "regression), which takes at most about a minute: of large data only a part is used");
}

std::vector<std::string> Settings::read_config(const std::string& path, OptionTable& table) {
  return io::read_toml(path, table);
}

void Settings::resolve(OptionTable& table) {
  if (!valid.empty()) valid_fraction = 0.0;
  if (shards == 0) shards = ranks == 0 || !resumed.empty() ? 1 : usual_shards();
  if (!resumed.empty()) return;
  const Option* words = table.find("vector-words");
  if (words != nullptr && words->text() != words->default_text && !start.any() &&
      table.find("vectors")->text().empty()) {
    throw usage_error("`vector-words`: expected `vectors` or `from`, from which words are added, found neither",
                      "leave it out, or give one of them");
  }
  if (of_language_model()) follow_prepared(data, table);
  follow(start, of_language_model(), table);
}

// No more than sequences, where that is enough for all processes.
int64_t Settings::usual_shards() const {
  const auto least = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(1, ranks))));
  const auto most = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows())));
  return std::clamp(kUsualShards, least, std::max(least, most));
}

void Settings::check() const {
  if (shards > 0 && !std::has_single_bit(static_cast<uint64_t>(shards))) {
    throw usage_error(fmt::format("`shards`: expected a power of two, found {}", shards),
                      fmt::format("use {} or {}", std::bit_floor(static_cast<uint64_t>(shards)),
                                  std::bit_ceil(static_cast<uint64_t>(shards))));
  }
  if (shards > rows()) {
    throw usage_error(
        fmt::format("`shards`: expected at most {}, the number of sequences in a batch, found {}", rows(), shards),
        "use fewer shards and processes, or a larger `batch`");
  }
  if (shards > 0 && shards < ranks) {
    throw usage_error(fmt::format("`shards`: expected at least {}, the number of processes, found {}", ranks, shards),
                      resumed.empty() ? "use more shards, or fewer processes"
                                      : "use fewer processes: a resumed run keeps its shards");
  }
  if (used_engine() != nn::Engine::kFused && used_precision() != kernels::Precision::kFloat) {
    throw usage_error("`precision` bf16: expected `engine` fused, found " + engine,
                      "only the fused kernels round to bf16");
  }
  if (sparse_embedding && training.optimizer.optimizer == "asgd") {
    throw usage_error("`sparse-embedding`: cannot be combined with `optimizer` asgd",
                      "asgd averages all weights after every update; leave one of the two out");
  }
  if (batch == 0 && (accumulate > 1 || batch_every > 0)) {
    throw usage_error(
        std::string("`batch` all: cannot be combined with ") + (accumulate > 1 ? "`accumulate`" : "`batch-every`"),
        "with `batch` all an epoch is one update; leave one of the two out");
  }
}

std::vector<std::string> Settings::notes(const OptionTable& table) const {
  std::vector<std::string> out = lstm().without_effect();
  const auto differs = [&](const char* name) {
    const Option* option = table.find(name);
    return option->text() != option->default_text;
  };
  if (used_precision() == kernels::Precision::kBf16 && !kernels::bf16_is_native()) {
    out.emplace_back("`precision` bf16 is emulated on this processor, and takes up to twice the time of float32");
  }
  for (const Use& use : kUses) {
    const std::string chosen = table.find(use.of)->text();
    const bool used = std::find(use.values.begin(), use.values.end(), chosen) != use.values.end();
    if (!used && differs(use.option)) {
      out.push_back(fmt::format("`{}` does nothing with `{}` {}", use.option, use.of, chosen));
    }
  }
  const bool changes = batch_multiply != 1.0 || batch_divide != 1.0;
  if (changes && batch_every == 0) out.emplace_back("`batch-multiply` and `batch-divide` need `batch-every`");
  if (!changes && batch_every > 0) out.emplace_back("`batch-every` needs `batch-multiply` or `batch-divide`");
  if (const int64_t last = training.layers.thaw_every * (lstm().layers + 1); last > 0 && last >= training.epochs) {
    out.push_back(fmt::format("`thaw-every` {} would train the lowest layers after {} epochs, and the run has {}",
                              training.layers.thaw_every, last, training.epochs));
  }
  const train::OptimizerOptions& o = training.optimizer;
  const bool triggered = o.optimizer == "asgd" && o.average_after < 0;
  if (triggered && training.patience > 0 && training.patience <= o.average_trigger + 1) {
    out.push_back(fmt::format("`patience` {} may stop the run before `average-trigger` {} starts averaging",
                              training.patience, o.average_trigger));
  }
  if (training.patience > 0 && valid.empty() && valid_fraction == 0.0) {
    out.emplace_back("`patience` does nothing where nothing is held out");
  }
  return out;
}

std::string Settings::describe_dense_updates(int64_t rows, int64_t width) const {
  constexpr int64_t kLarge = 1 << 20;
  if (sparse_embedding || training.optimizer.optimizer == "asgd" || rows * width < kLarge) return "";
  const int64_t bytes = 4 * rows * width * (2 + training.optimizer.moments());
  return fmt::format(
      "every update goes through all {} rows of the embedding ({} MB of weights, gradients and moments); "
      "`sparse-embedding` takes those that occur, which is faster, and another rule",
      format_count(static_cast<double>(rows)), bytes / 1'000'000);
}

// Processes of one machine each take their share of it, unless they may only use less.
Threads Settings::used_threads() const {
  if (executor != nullptr) return *executor;
  if (threads > 0 || ranks_here == 1) return static_cast<int>(threads);
  return std::clamp(all_processors() / ranks_here, 1, available_threads());
}

int64_t Settings::rows() const { return batch > 0 ? batch : kWholeSetRows; }

data::GroupOptions Settings::groups() const {
  return {.batch = rows(),
          .accumulate = accumulate,
          .whole = batch == 0,
          .every = batch_every,
          .factor = batch_multiply / batch_divide,
          .seed = seed_number(),
          .shards = std::max<int64_t>(1, shards)};
}

bool is_free(const std::string& option) {
  static const std::set<std::string> kFree = {"epochs",   "patience",     "threads",    "checkpoint-seconds",
                                              "data",     "valid",        "test",       "tensorboard",
                                              "baseline", "valid-target", "test-target"};
  return kFree.contains(option);
}

train::FixedOptions fixed_options(const OptionTable& table) {
  train::FixedOptions out;
  for (const Option& option : table.options()) {
    if (!is_free(option.name)) out[option.name] = option.text();
  }
  return out;
}

}  // namespace longhand::runs
