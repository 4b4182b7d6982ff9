// longhand eval
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/tasks/language_model.h"

namespace longhand::cli {
namespace {

struct Eval {
  std::string model_path;
  std::string data;
  std::string unknown = "unk";
  int64_t batch = 1;
  int64_t context_symbols = 0;
  int64_t threads = 0;
  std::string engine = "fused";
  bool json = false;
  OptionTable table;
  GivenOptions given;

  Eval() {
    table.add("data", data, "text to measure on: a file, - for standard input, or a built-in text");
    table.add("unknown", unknown, "symbols that the model does not know", one_of({"error", "skip", "unk"}));
    table.add("batch", batch,
              "rows to read a stream in: 1 is exact, more is faster but each row begins without context",
              between(1, 1 << 20));
    table.add("context", context_symbols,
              "predict each symbol from so many before it alone, at so many times the cost; 0: from all before it",
              between(0, 1 << 20));
    table.add("threads", threads, "processors to use; 0: all", between(0, 1024));
    table.add("engine", engine, "what computes the model", one_of({"fused", "reference", "autograd"}));
    table.add("json", json, "print one JSON object");
  }

  int run() {
    given.apply(table);
    if (data.empty()) throw usage_error("longhand eval: expected --data, found none", "give --data FILE");
    const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(model_path);
    const nn::LstmOptions& lstm = model->options().lstm;
    const nn::Engine computed_by = given.has("engine") ? lstm.engine(engine) : lstm.fastest_engine();
    if (lstm.bidirectional && context_symbols == 0) {
      throw usage_error(model_path + ": a bidirectional model reads the symbol that it is to predict",
                        "measure it on what came before alone: give --context 64, say");
    }
    const data::TextOptions& text = model->options().text;
    const data::Corpus corpus = data::encode(data::normalise(load_text(data, text), text, data), text,
                                             model->vocabulary(), data::parse_unknown(unknown), data);
    if (corpus.targets() < 1) {
      throw input_error(data + ": too short to measure on: expected at least 2 symbols, found " +
                            std::to_string(corpus.symbols.size()),
                        "give a longer text");
    }
    kernels::Context context(static_cast<int>(threads));
    // Lines are sequences of their own, so reading many side by side changes nothing but the time.
    const int64_t rows = text.lines ? std::max<int64_t>(batch, 64) : batch;
    const tasks::LanguageScore score =
        model->evaluate(corpus, {.rows = rows, .context = context_symbols}, computed_by, context);
    if (json) {
      const nlohmann::ordered_json out = {{"nats_per_symbol", score.nats_per_symbol()},
                                          {"perplexity", score.perplexity()},
                                          {"bits_per_character", score.bits_per_character()},
                                          {"symbols", score.symbols},
                                          {"unknown_symbols", score.unknown},
                                          {"sequences", score.sequences},
                                          {"total_nats", score.total_nats},
                                          {"context", context_symbols}};
      fmt::print("{}\n", out.dump());
      return 0;
    }
    if (context_symbols > 0) fmt::print("context             {} symbols before each\n", context_symbols);
    fmt::print("nats per symbol     {:.6f}\n", score.nats_per_symbol());
    fmt::print("perplexity          {:.4f}\n", score.perplexity());
    fmt::print("bits per character  {:.4f}\n", score.bits_per_character());
    fmt::print("symbols             {}\n", format_count(static_cast<double>(score.symbols)));
    if (score.unknown > 0) {
      fmt::print("unknown symbols     {}, {}\n", format_count(static_cast<double>(score.unknown)),
                 corpus.skipped > 0 ? "left out" : "read as <unk>");
    }
    fmt::print("sequences           {}\n", format_count(static_cast<double>(score.sequences)));
    fmt::print("total nats          {:.2f}\n", score.total_nats);
    return 0;
  }
};

}  // namespace

void declare_eval(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("eval", "Measure a model on a text");
  auto command = std::make_shared<Eval>();
  verb->add_option("MODEL", command->model_path, "model file, or the folder of a run")->required();
  command->given.declare(*verb, command->table);
  verb->callback([&action, command] { action = [command] { return command->run(); }; });
}

}  // namespace longhand::cli
