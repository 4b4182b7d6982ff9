// Models as programs use them: loaded once, read step by step, alone and together.
#include "longhand/stream.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#include <iterator>

#include <thread>

#include "longhand/io/file.h"
#include "longhand/tasks/regressor.h"
#include "tests/tasks/model.h"

namespace longhand {
namespace {

using tasks::kText;
using testing::error_of;
using testing::TemporaryFolder;

tasks::LanguageModelOptions embedded(const nn::LstmOptions& lstm, int64_t embed, bool tied = false) {
  tasks::LanguageModelOptions options = tasks::with_lstm(lstm, embed);
  options.tie_weights = tied;
  return options;
}

// Language models that together have all options of the layers.
std::vector<tasks::LanguageModelOptions> language_models() {
  return {embedded({.hidden = 20}, 8),
          embedded({.hidden = 13, .layers = 2}, 0),
          embedded({.hidden = 33, .proj = 9}, 5),
          embedded({.hidden = 20, .layer_norm = true}, 0),
          embedded({.hidden = 17, .layers = 2}, 6, true),
          embedded({.hidden = 16, .layers = 3, .residual = true}, 4),
          embedded({.hidden = 21,
                    .layers = 2,
                    .peepholes = true,
                    .gate_clip = 2.0,
                    .cell_clip = 0.5,
                    .gate_activation = "hard-sigmoid"},
                   6),
          embedded({.hidden = 9, .layer_norm = true, .peepholes = true, .candidate_activation = "softplus"}, 5),
          embedded({.hidden = 18, .coupled_gates = true, .output_activation = "elu:0.5"}, 0),
          embedded(tasks::kAllOptions, 8),
          embedded(tasks::kAllOptions, 0)};
}

// Gives the parameters, the initial state among them, other values, and loads the model from its file.
std::shared_ptr<const Model> loaded(tasks::LanguageModel& model) {
  for (const Parameter& p : model.parameters().parameters()) {
    for (int64_t i = 0; i < p.size; ++i) {
      float& value = model.parameters().values()[static_cast<size_t>(p.offset + i)];
      value += 0.1F * std::sin(static_cast<float>(i + p.offset));
    }
  }
  model.parameters_changed();
  const TemporaryFolder folder;
  model.save(folder / "model.safetensors", model.parameters().values());
  return Model::load(folder / "model.safetensors");
}

std::vector<float> all_logits(Stream& stream, const std::vector<int32_t>& symbols) {
  std::vector<float> out(symbols.size() * static_cast<size_t>(stream.outputs()));
  EXPECT_EQ(stream.process(symbols.data(), out.data(), static_cast<int64_t>(symbols.size())),
            static_cast<int64_t>(symbols.size()));
  return out;
}

TEST(Stream, HasTheLogitsOfTheWholeSequence) {
  for (const tasks::LanguageModelOptions& options : language_models()) {
    tasks::Model m(options);
    const std::shared_ptr<const Model> model = loaded(m.model);
    kernels::Context context(1);
    m.model.pack(context);
    tasks::LanguageModel::Workspace workspace(m.model, nn::Engine::kFused, context);
    tasks::LanguageModel::State state = m.model.new_state();
    Stream stream(model);
    std::vector<float> y(static_cast<size_t>(stream.outputs()));
    for (const int32_t symbol : m.corpus.symbols.memory()) {
      const std::span<const float> expected = m.model.read(symbol, state, workspace);
      ASSERT_TRUE(stream.step(symbol, y.data()));
      ASSERT_EQ(y, std::vector<float>(expected.begin(), expected.end()));
    }
  }
}

// Beside the kernels for batches, which read the same values as floats.
TEST(Stream, ReadsSmallerWeightsAndFastActivations) {
  for (const tasks::LanguageModelOptions& options : language_models()) {
    tasks::Model m(options);
    const testing::TemporaryFolder folder;
    m.model.save(folder / "f", m.model.parameters().values());
    for (const kernels::WeightType type : {kernels::WeightType::kBf16, kernels::WeightType::kInt8}) {
      tasks::ModelFile::read(folder / "f").write_quantised(folder / "q", type);
      const std::shared_ptr<const Model> model = Model::load(folder / "q");
      Stream stream(model), fast(model);
      fast.use_fast_activations(true);
      Streams many(model, 1);
      const int64_t one = many.open();
      std::vector<float> y(static_cast<size_t>(stream.outputs())), expected(y), nearly(y);
      bool differs = false;
      for (const int32_t symbol : m.corpus.symbols.memory()) {
        ASSERT_TRUE(many.step({&one, 1}, &symbol, expected.data()));
        ASSERT_TRUE(stream.step(symbol, y.data()));
        ASSERT_TRUE(fast.step(symbol, nearly.data()));
        differs = differs || nearly != y;
        for (size_t k = 0; k < y.size(); ++k) {
          ASSERT_NEAR(y[k], expected[k], type == kernels::WeightType::kBf16 ? 0.0 : 1e-3);
          ASSERT_NEAR(nearly[k], y[k], 2e-2);
        }
      }
      EXPECT_TRUE(differs);
    }
  }
}

TEST(Stream, ProcessesRemembersAndForgets) {
  for (const tasks::LanguageModelOptions& options : language_models()) {
    tasks::Model m(options);
    const std::shared_ptr<const Model> model = loaded(m.model);
    const std::vector<int32_t>& symbols = m.corpus.symbols.memory();
    const std::vector<int32_t> later(symbols.begin() + 20, symbols.end());
    Stream stream(model), other(model);
    const std::vector<float> whole = all_logits(stream, symbols);
    stream.reset();
    EXPECT_EQ(all_logits(stream, symbols), whole);
    all_logits(other, {symbols.begin(), symbols.begin() + 20});
    const std::vector<float> state = other.state();
    stream.set_state(state.data());
    EXPECT_EQ(stream.state(), state);
    EXPECT_EQ(all_logits(stream, later), all_logits(other, later));
  }
}

TEST(Stream, RefusesWhatItCannotReadWithoutChange) {
  tasks::Model m(embedded({.hidden = 9}, 4));
  Stream stream(loaded(m.model));
  std::vector<float> y(static_cast<size_t>(stream.outputs()), 7.0F);
  const std::vector<float> state = stream.state();
  EXPECT_FALSE(stream.step(-1, y.data()));
  EXPECT_FALSE(stream.step(static_cast<int32_t>(stream.outputs()), y.data()));
  EXPECT_FALSE(stream.step(y.data(), y.data()));
  EXPECT_EQ(y.front(), 7.0F);
  EXPECT_EQ(stream.state(), state);
  EXPECT_EQ(stream.model().find_symbol("no such symbol"), -1);
  EXPECT_EQ(stream.model().find_symbol("t"), m.vocabulary.find("t"));
}

TEST(Stream, SaysWhichModelsCannotBeSteppedThrough) {
  tasks::Model both(embedded({.hidden = 9, .bidirectional = true}, 4));
  EXPECT_EQ(error_of([&] { Stream stream(loaded(both.model)); }),
            "the model cannot be read step by step: a bidirectional model reads whole sequences, since it also reads "
            "them backwards");
  nn::LstmOptions gru{.hidden = 9};
  gru.cell = "gru";
  tasks::Model other(embedded(gru, 4));
  EXPECT_EQ(error_of([&] { Stream stream(loaded(other.model)); }),
            "the model cannot be read step by step: only LSTM layers can be read step by step, and this model has the "
            "cell gru");
  tasks::Model good(embedded({.hidden = 9}, 4));
  const std::shared_ptr<const Model> model = loaded(good.model);
  EXPECT_EQ(error_of([&] { Stream stream(model, 1, 1); }), "expected a model with 1 inputs a step, found one with 0");
}

TEST(Model, IsReadFromMemoryAsFromAFile) {
  tasks::Model m(embedded({.hidden = 9}, 4));
  const TemporaryFolder folder;
  m.model.save(folder / "model.safetensors", m.model.parameters().values());
  const std::string bytes = io::read_file(folder / "model.safetensors");
  const auto model = Model::load(std::as_bytes(std::span(bytes)));
  Stream from_memory(model), from_file(Model::load(folder / "model.safetensors"));
  EXPECT_EQ(all_logits(from_memory, m.corpus.symbols.memory()), all_logits(from_file, m.corpus.symbols.memory()));
  EXPECT_EQ(model->task_name(), "language model");
  EXPECT_NE(error_of([&] { Model::load(std::as_bytes(std::span(bytes)).first(100), "my model"); }).find("my model"),
            std::string::npos);
}

// Streams join and leave; each has the results that it would have alone.
TEST(Streams, HaveTheResultsOfEachAlone) {
  for (const tasks::LanguageModelOptions& options : language_models()) {
    tasks::Model m(options);
    const std::shared_ptr<const Model> model = loaded(m.model);
    for (const int threads : {1, 3}) {
      constexpr int64_t kCapacity = 7;
      Streams streams(model, kCapacity, threads);
      std::vector<std::unique_ptr<Stream>> alone(kCapacity);
      const auto V = static_cast<size_t>(model->outputs());
      uint64_t draws = 0;
      const CounterRng rng(4, 0, RngPlace::kSample);
      for (int round = 0; round < 40; ++round) {
        if (rng.below(draws++, 2) == 0) {
          if (const int64_t stream = streams.open(); stream >= 0) {
            alone[static_cast<size_t>(stream)] = std::make_unique<Stream>(model);
          }
        }
        std::vector<int64_t> named;
        std::vector<int32_t> symbols;
        for (int64_t s = kCapacity; s-- > 0;) {
          if (!alone[static_cast<size_t>(s)] || rng.below(draws++, 3) == 0) continue;
          named.push_back(s);
          symbols.push_back(static_cast<int32_t>(rng.below(draws++, V)));
        }
        std::vector<float> y(named.size() * V), expected(V);
        ASSERT_TRUE(streams.step(named, symbols.data(), y.data()));
        for (size_t i = 0; i < named.size(); ++i) {
          Stream& one = *alone[static_cast<size_t>(named[i])];
          one.step(symbols[i], expected.data());
          ASSERT_TRUE(std::equal(expected.begin(), expected.end(), y.begin() + static_cast<int64_t>(i * V)));
          std::vector<float> state(static_cast<size_t>(streams.state_size()));
          streams.get_state(named[i], state.data());
          ASSERT_EQ(state, one.state());
        }
        if (!named.empty() && rng.below(draws++, 4) == 0) {
          streams.close(named.front());
          streams.close(named.front());  // does nothing
          alone[static_cast<size_t>(named.front())].reset();
        }
      }
    }
  }
}

TEST(Streams, HaveRoomForSoMany) {
  tasks::Model m(embedded({.hidden = 9}, 4));
  Streams streams(loaded(m.model), 2);
  EXPECT_EQ(streams.open(), 0);
  EXPECT_EQ(streams.open(), 1);
  EXPECT_EQ(streams.open(), -1);
  streams.close(0);
  streams.close(-1);
  streams.close(5);
  EXPECT_EQ(streams.open(), 0);
  const std::vector<int32_t> symbols = {0, 0};
  std::vector<float> y(2 * static_cast<size_t>(streams.model().outputs()));
  EXPECT_TRUE(streams.step(std::vector<int64_t>{1, 0}, symbols.data(), y.data()));
  for (const std::vector<int64_t>& wrong : {std::vector<int64_t>{-1, 0}, {0, 0}, {0, 2}}) {
    EXPECT_FALSE(streams.step(wrong, symbols.data(), y.data()));
  }
  EXPECT_TRUE(streams.step(std::vector<int64_t>{0, 1}, symbols.data(), y.data()));
  const int32_t unknown = -1;
  const int64_t first = 0;
  EXPECT_FALSE(streams.step({&first, 1}, &unknown, nullptr));
}

data::Table waves(int64_t rows) {
  std::string text = "a,b,c\n";
  for (int64_t i = 0; i < rows; ++i) {
    const double t = static_cast<double>(i);
    text += std::to_string(20 + std::sin(t)) + "," + std::to_string(std::cos(t / 3)) + "," + std::to_string(t) + "\n";
  }
  data::SeriesOptions options;
  options.inputs = "a,b";
  options.target = "b,c";
  return data::read_table(text, options, "waves");
}

// A regressor's stream predicts, in the data's units, what its window would.
TEST(Stream, PredictsAsARegressorDoes) {
  const data::Table table = waves(30);
  for (const std::string kind : {"levels", "difference", "naive"}) {
    const bool difference = kind != "levels";
    tasks::RegressorOptions options;
    options.lstm.hidden = 11;
    options.series.window = 12;
    options.series.horizon = 2;
    options.difference = kind == "difference";
    if (kind == "naive") options.residual_of = kind;
    options.init.output = "standard-uniform";
    tasks::Regressor regressor(options, {.inputs = {"a", "b"},
                                         .targets = {"b", "c"},
                                         .input_scales = {{20.0, 0.7}, {0.1, 0.5}},
                                         .target_scales = {{0.1, 0.5}, {15.0, 8.0}}});
    regressor.initialise(3);
    if (kind == "naive") {
      regressor.set_residual(std::nullopt, {0.5, 1.5, 2.0, 0.75});
      regressor.set_gain(0.5F);
    }
    const TemporaryFolder folder;
    regressor.save(folder / "model.safetensors", regressor.parameters().values());
    const std::shared_ptr<const Model> model = Model::load(folder / "model.safetensors");
    EXPECT_EQ(model->input_names(),
              (difference ? std::vector<std::string>{"a", "b", "c"} : std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(model->output_names(), (std::vector<std::string>{"b", "c", "b", "c"}));

    tasks::SeriesBatch batch;
    const std::vector<data::Window> windows = {{.begin = 4, .length = 12, .target = 16}};
    regressor.get(table, windows, false, batch);
    kernels::Context context(1);
    tasks::Regressor::Workspace workspace(regressor, nn::Engine::kFused, context);
    const std::span<const float> predicted = regressor.read(batch, workspace);

    Stream stream(model, difference ? 3 : 2, 4);
    Streams many(model, 3);
    many.open();
    const int64_t second = many.open();
    std::vector<float> y(4), of_many(4);
    for (size_t t = 4; t < 16; ++t) {
      std::vector<float> x = {static_cast<float>(table.input[0][t]), static_cast<float>(table.input[1][t])};
      if (difference) x.push_back(static_cast<float>(table.target[1][t]));
      ASSERT_TRUE(stream.step(x.data(), y.data()));
      ASSERT_TRUE(many.step({&second, 1}, x.data(), of_many.data()));
      ASSERT_EQ(y, of_many);
    }
    for (size_t j = 0; j < 4; ++j) {
      const data::Scale& scale = regressor.columns().target_scales[j % 2];
      EXPECT_NEAR(static_cast<double>(y[j]), scale.undo(static_cast<double>(predicted[j])), 2e-5);
    }
  }
}

// A forecast that begins with one of the whole window cannot be made step by step.
TEST(Stream, RefusesForecastsOfWholeWindows) {
  for (const std::string kind : {"seasonal", "window"}) {
    tasks::RegressorOptions options;
    options.lstm.hidden = 3;
    options.season = 4;
    options.residual_of = kind == "seasonal" ? kind : "none";
    options.normalise = kind == "window" ? kind : "training";
    tasks::Regressor regressor(
        options, {.inputs = {"a"}, .targets = {"a"}, .input_scales = {{0.0, 1.0}}, .target_scales = {{0.0, 1.0}}});
    regressor.initialise(3);
    const TemporaryFolder folder;
    regressor.save(folder / "model.safetensors", regressor.parameters().values());
    const std::shared_ptr<const Model> model = Model::load(folder / "model.safetensors");
    EXPECT_FALSE(model->can_stream());
    EXPECT_THROW(Stream stream(model), Error);
  }
}

TEST(Stream, ThreadsShareAModel) {
  tasks::Model m(embedded(tasks::kAllOptions, 8));
  const std::shared_ptr<const Model> model = loaded(m.model);
  Stream one(model);
  const std::vector<float> expected = all_logits(one, m.corpus.symbols.memory());
  const std::shared_ptr<const Model> fresh = loaded(m.model);  // its weights are packed by whichever thread is first
  Stream alone(fresh);
  const std::vector<float> of_fresh = all_logits(alone, m.corpus.symbols.memory());
  std::vector<std::vector<float>> found(4);
  std::vector<std::thread> threads;
  for (std::vector<float>& mine : found) {
    threads.emplace_back([&] {
      Stream stream(fresh);
      mine = all_logits(stream, m.corpus.symbols.memory());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& mine : found) EXPECT_EQ(mine, of_fresh);
  EXPECT_EQ(expected.size(), of_fresh.size());
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which make system calls of their own
// From here on the kernel ends this process at any system call but those that end it.
bool forbid_system_calls() {
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL)};
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// What allocates from the system, waits for a lock, or asks for the time, does not survive this.
TEST(Stream, MakesNoSystemCall) {
  for (const tasks::LanguageModelOptions& options : language_models()) {
    tasks::Model m(options);
    const testing::TemporaryFolder folder;
    m.model.save(folder / "floats", m.model.parameters().values());
    tasks::ModelFile::read(folder / "floats").write_quantised(folder / "bf16", kernels::WeightType::kBf16);
    Stream stream(loaded(m.model)), smaller(Model::load(folder / "bf16"));
    smaller.use_fast_activations(true);
    std::vector<float> y(m.corpus.symbols.size() * static_cast<size_t>(stream.outputs()));
    for (const bool calls : {false, true}) {  // one that does call is noticed
      const pid_t child = ::fork();
      if (child == 0) {
        if (!forbid_system_calls()) ::_exit(3);
        stream.process(m.corpus.symbols.memory().data(), y.data(), static_cast<int64_t>(m.corpus.symbols.size()));
        stream.reset();
        stream.step(0, y.data());
        smaller.process(m.corpus.symbols.memory().data(), y.data(), 20);
        if (calls) ::syscall(SYS_getppid);
        ::_exit(0);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(WIFEXITED(status) && WEXITSTATUS(status) == 0, !calls) << status;
      EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << "this system has no seccomp";
    }
  }
}
#endif

}  // namespace
}  // namespace longhand
