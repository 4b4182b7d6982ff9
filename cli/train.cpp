// longhand train lm
#include <fmt/core.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/lab/report.h"
#include "longhand/tasks/language_model_task.h"
#include "longhand/tasks/sampler.h"
#include "longhand/train/trainer.h"

namespace longhand::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// The first Ctrl-C asks the loop to stop; the handler is then gone, and a second ends the process.
void stop_on_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

// Everything that makes a run, and so everything that config.toml holds.
struct RunSettings {
  std::string data;
  std::string valid;
  double valid_fraction = 0.1;
  int64_t max_tokens = 0;
  int64_t batch = 32;
  int64_t bptt = 64;
  int64_t seed = 0;
  int64_t threads = 0;
  std::string engine = "fused";
  tasks::LanguageModelOptions model;
  train::TrainOptions training;

  void add_to(OptionTable& table) {
    table.begin_group("Data");
    table.add("data", data, "text to train on: a file, - for standard input, or a built-in text");
    table.add("valid", valid, "held-out text, a file; otherwise the end of the data is held out");
    table.add("valid-fraction", valid_fraction, "part of the data, at its end, to hold out", fraction());
    table.add("max-tokens", max_tokens, "use only so many symbols from the beginning; 0: all", at_least(0));
    table.begin_group("Model");
    model.add_to(table);
    table.begin_group("Training");
    table.add("batch", batch, "sequences side by side, B", between(1, 1 << 20));
    table.add("bptt", bptt, "most steps that gradients flow back, T", between(1, 1 << 20));
    training.add_to(table);
    table.add("seed", seed, "of the initial weights, the batches and dropout", at_least(0));
    table.begin_group("Running");
    table.add("threads", threads, "processors to use; 0: all. The result is the same for any number", between(0, 1024));
    table.add("engine", engine, "what computes the model", one_of({"fused", "reference", "autograd"}));
  }
};

// Options of the command line that are no part of the run itself.
struct RunControl {
  std::string config;
  std::string out;
  std::string resume;
  bool overwrite = false;
  bool quiet = false;
  bool json = false;

  void add_to(OptionTable& table) {
    table.begin_group("Running");
    table.add("config", config, "TOML file of options; those on the command line go before it");
    table.add("out", out, "folder for the run; by default a new one under runs/");
    table.add("resume", resume, "continue the run in this folder");
    table.add("overwrite", overwrite, "let --out replace a run that is there already");
    table.add("quiet", quiet, "no progress");
    table.add("json", json, "print the result as one JSON object");
  }
};

class TrainLanguageModel {
 public:
  TrainLanguageModel() {
    settings_.add_to(settings_table_);
    control_.add_to(control_table_);
  }

  void declare(CLI::App& verb) {
    given_settings_.declare(verb, settings_table_);
    given_control_.declare(verb, control_table_);
  }

  int run() {
    read_options();
    settings_.model.check();
    const nn::Engine engine = settings_.model.lstm.engine(settings_.engine);
    if (control_.resume.empty()) check_out();
    for (const std::string& note : settings_.model.lstm.without_effect()) {
      if (!control_.quiet) fmt::print(stderr, "note: {}\n", note);
    }
    if (settings_.model.lstm.bidirectional && !control_.quiet) {
      fmt::print(
          stderr,
          "note: a bidirectional language model reads the symbol that it is to predict: its training loss says little\n"
          "      (held-out symbols, 2,000 of them at most, are predicted from the {} before each alone)\n",
          settings_.bptt);
    }
    kernels::Context context(static_cast<int>(settings_.threads));
    tasks::LanguageModelOptions& options = settings_.model;
    const std::string raw = data::normalise(load_text(settings_.data, options.text), options.text, settings_.data);
    const std::string_view text = data::truncate(raw, options.text, settings_.max_tokens);
    data::Vocabulary vocabulary = data::build_vocabulary(text, options.text);
    const int64_t special = (vocabulary.find(data::kUnknown) >= 0 ? 1 : 0) + (options.text.lines ? 2 : 0);
    if (vocabulary.size() <= special && options.text.min_count > 1) {
      throw input_error(fmt::format("{}: no symbol occurs {} times", settings_.data, options.text.min_count),
                        "give a smaller --min-count, or a longer text");
    }
    tasks::LanguageModel model(options, std::move(vocabulary));
    data::Corpus corpus = data::encode(text, options.text, model.vocabulary(), data::Unknown::kUnk, settings_.data);
    data::Corpus valid = held_out(corpus, model.vocabulary());
    check_size(corpus);
    model.initialise(static_cast<uint64_t>(settings_.seed));
    tasks::LanguageModelTask task(model, std::move(corpus), std::move(valid),
                                  {.batch = settings_.batch,
                                   .bptt = settings_.bptt,
                                   .seed = static_cast<uint64_t>(settings_.seed),
                                   .engine = engine},
                                  context);
    prepare_folder();
    ProgressDisplay display(control_.quiet);
    stop_on_interrupt();
    train::Trainer trainer(task, settings_.training, folder_, context,
                           {.on_step = [&](const auto& p) { display.on_step(p); },
                            .on_evaluation = [&](const auto& e) { display.on_evaluation(e); },
                            .should_stop = [] { return interrupted != 0; }});
    if (!control_.resume.empty()) trainer.resume();
    if (!control_.resume.empty() && trainer.complete() && !control_.quiet) {
      fmt::print(stderr, "note: the run was complete after {}; give a larger --epochs to go on\n",
                 format_count(settings_.training.epochs, "epoch"));
    }
    io::write_file(train::RunFiles(folder_).config, io::to_toml(settings_table_));
    const train::TrainResult result = trainer.run();
    display.clear();
    lab::write_report(folder_, sample_text(context));
    if (result.outcome == train::Outcome::kInterrupted) {
      fmt::print(stderr,
                 "interrupted after step {}; the checkpoint is safe\n  continue with `longhand train lm --resume {}`\n",
                 result.progress.step, folder_);
      return static_cast<int>(ExitCode::kInterrupted);
    }
    report(result);
    return 0;
  }

 private:
  void read_options() {
    given_control_.apply(control_table_);
    if (!control_.resume.empty()) {
      refuse_changes();
      folder_ = control_.resume;
      const train::RunFiles files(folder_);
      if (!io::exists(files.config) || !io::exists(files.checkpoint)) {
        throw input_error(folder_ + ": expected the folder of a run, with config.toml and checkpoint.safetensors",
                          "name the folder that --out named");
      }
      io::read_toml(files.config, settings_table_);
    }
    if (!control_.config.empty()) io::read_toml(control_.config, settings_table_);
    given_settings_.apply(settings_table_);
    if (settings_.data.empty()) {
      throw usage_error("longhand train lm: expected --data, found none", "give --data FILE, or try --data tale");
    }
    if (!settings_.valid.empty()) settings_.valid_fraction = 0.0;
  }

  // A resumed run goes on as it began; only what cannot change its numbers may differ.
  void refuse_changes() const {
    if (!control_.out.empty() || !control_.config.empty()) {
      throw usage_error("longhand train lm: --resume stands with neither --out nor --config",
                        "the run's own folder and configuration are used");
    }
    for (const auto& [option, text] : given_settings_.given()) {
      if (option->name == "epochs" || option->name == "patience" || option->name == "threads" ||
          option->name == "checkpoint-seconds") {
        continue;
      }
      throw usage_error("longhand train lm: --" + option->name + " cannot change in a resumed run",
                        "leave it out, or begin another run; --epochs, --patience, --threads and "
                        "--checkpoint-seconds may change");
    }
  }

  void check_out() const {
    if (control_.out.empty() || control_.overwrite) return;
    if (io::exists(train::RunFiles(control_.out).checkpoint)) {
      throw usage_error(
          control_.out + ": holds a run already",
          fmt::format("continue it with --resume {}, replace it with --overwrite, or choose another --out",
                      control_.out));
    }
  }

  data::Corpus held_out(data::Corpus& corpus, const data::Vocabulary& vocabulary) const {
    const data::TextOptions& text = settings_.model.text;
    data::Corpus valid;
    if (!settings_.valid.empty()) {
      const std::string raw = data::normalise(load_text(settings_.valid, text), text, settings_.valid);
      const bool knows_unknown = vocabulary.find(data::kUnknown) >= 0;
      try {
        valid = data::encode(raw, text, vocabulary, data::Unknown::kUnk, settings_.valid);
      } catch (const Error& e) {
        if (knows_unknown) throw;
        throw input_error(e.what(), "remove it, or learn <unk> in training: give --min-count 2");
      }
      if (valid.targets() < 1) {
        throw input_error(settings_.valid + ": expected a text to measure on, found fewer than 2 symbols",
                          "give a longer one");
      }
    } else if (settings_.valid_fraction > 0.0) {
      valid = data::split_off(corpus, settings_.valid_fraction, text.lines);
      if (valid.targets() < 1) valid = {};
    }
    return valid;
  }

  void check_size(const data::Corpus& corpus) const {
    const int64_t least = settings_.model.text.lines ? 1 : settings_.batch + 1;
    const auto found = settings_.model.text.lines ? corpus.sequences() : static_cast<int64_t>(corpus.symbols.size());
    if (found >= least) return;
    const std::string what = settings_.model.text.lines ? "line" : "symbols";
    throw input_error(
        fmt::format("{}: too short to train on: expected at least {} {}, found {}", settings_.data, least, what, found),
        "give a longer text, or a smaller --batch; --max-tokens, --letters-only (without --lowercase) and "
        "--valid-fraction leave less of it");
  }

  // Nothing is made on the disk before the data were found good.
  void prepare_folder() {
    if (!control_.resume.empty()) return;
    if (!control_.out.empty()) {
      folder_ = control_.out;
      io::make_folder(folder_);
      std::error_code ignored;  // a run that is replaced must not leave its checkpoint beside the new model
      for (const std::string& file : {train::RunFiles(folder_).checkpoint, train::RunFiles(folder_).model}) {
        std::filesystem::remove(file, ignored);
      }
      return;
    }
    io::make_folder("runs");
    const std::string stem = settings_.data == "-" ? "stdin" : std::filesystem::path(settings_.data).stem().string();
    std::error_code error;
    for (int n = 1; n < 100000; ++n) {
      folder_ = n == 1 ? "runs/" + stem : fmt::format("runs/{}-{}", stem, n);
      if (std::filesystem::create_directory(folder_, error)) return;
      if (error) break;
    }
    throw input_error(folder_ + ": cannot be made a folder: " + error.message(), "name another with --out");
  }

  // A few lines from the model that was kept, for the report.
  std::string sample_text(kernels::Context& context) const {
    if (settings_.model.lstm.bidirectional) return "";  // it cannot write
    const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(train::RunFiles(folder_).model);
    std::string sample;
    tasks::generate(*model, "", 400, {.temperature = 0.8}, data::Unknown::kSkip, settings_.model.lstm.fastest_engine(),
                    context, [&](const std::string& piece) {
                      sample += piece;
                      return true;
                    });
    return sample;
  }

  void report(const train::TrainResult& result) const {
    const train::Progress& p = result.progress;
    const double speed = static_cast<double>(p.total_count) / p.seconds;
    const train::RunFiles files(folder_);
    if (control_.json) {
      nlohmann::ordered_json out = {{"folder", folder_},
                                    {"model", files.model},
                                    {"epochs", p.epoch},
                                    {"steps", p.step},
                                    {"seconds", p.seconds},
                                    {"tokens_per_second", speed},
                                    {"train_loss", p.loss()},
                                    {"train_perplexity", std::exp(p.loss())},
                                    {"best_epoch", result.best_epoch}};
      for (const tasks::Metric& metric : result.valid) out["valid_" + metric.name] = metric.value;
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{}, {}, {} in {} of training: {} tokens/s{}\n", format_count(p.epoch, "epoch"),
               format_count(p.step, "step"), format_count(p.total_count, "symbol"), format_duration(p.seconds),
               format_count(speed),
               result.outcome == train::Outcome::kOutOfPatience ? " (stopped: no improvement)" : "");
    fmt::print("training   loss {:.4f} nats, perplexity {:.3f}, in epoch {}\n", p.loss(), std::exp(p.loss()), p.epoch);
    for (const tasks::Metric& metric : result.valid) {
      if (metric.name == "loss") {
        fmt::print("held out   loss {:.4f} nats, perplexity {:.3f}, in epoch {}, the best\n", metric.value,
                   std::exp(metric.value), result.best_epoch);
      }
    }
    fmt::print("model      {}\nreport     {}\n", files.model, files.report);
  }

  RunSettings settings_;
  RunControl control_;
  OptionTable settings_table_, control_table_;
  GivenOptions given_settings_, given_control_;
  std::string folder_;
};

}  // namespace

void declare_train(CLI::App& app, Action& action) {
  CLI::App* train = app.add_subcommand("train", "Train a model");
  train->require_subcommand(0, 1);
  CLI::App* lm = train->add_subcommand("lm", "Train a language model on a text");
  auto command = std::make_shared<TrainLanguageModel>();
  command->declare(*lm);
  lm->callback([&action, command] { action = [command] { return command->run(); }; });
}

}  // namespace longhand::cli
