// longhand generate
#include <fmt/core.h>

#include <cstdio>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/error.h"
#include "longhand/model_parts.h"
#include "longhand/predict.h"
#include "longhand/tasks/sampler.h"

namespace longhand::cli {
namespace {

struct Generate {
  std::string model_path;
  std::string prompt;
  int64_t length = 500;
  std::string unknown = "error";
  std::string engine = "fused";
  tasks::SamplerOptions sampler;
  OptionTable table;
  GivenOptions given;

  Generate() {
    table.add("prompt", prompt, "text to continue");
    table.add("length", length, "number of symbols to generate", at_least(1));
    sampler.add_to(table);
    table.add("unknown", unknown, "treatment of symbols of the prompt that the model does not know",
              one_of({"error", "skip", "unk"}));
    table.add("engine", engine, "implementation: fused kernels, plain reference loops, or autograd on a tape",
              one_of({"fused", "reference", "autograd"}));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path, "model file, or the folder of a run", true);
    verb.add_options(table, given);
  }

  int run() {
    given.apply(table);
    const std::shared_ptr<const Model> model = Model::load(model_path, Task::kLanguageModel);
    if (const std::string why = model->parts().language_model->why_not_generate(); !why.empty()) {
      throw input_error(model_path + ": " + why, "train one without --bidirectional and --reverse");
    }
    bool begun = false;
    std::string last;
    const auto emit = [&](const std::string& piece) {
      if (!begun) write_text(prompt);  // only now is it known to be good
      begun = true;
      write_text(piece);
      if (!piece.empty()) last = piece;
      flush_output();
      return true;
    };
    const tasks::LanguageModel& language_model = *model->parts().language_model;
    if (given.has("engine")) {
      tasks::TextReader reader(language_model, nn::parse_engine(engine));
      tasks::generate(language_model, prompt, length, sampler, data::parse_unknown(unknown), reader, emit);
    } else {
      const UnknownSymbols policy = unknown == "error"  ? UnknownSymbols::kError
                                    : unknown == "skip" ? UnknownSymbols::kSkip
                                                        : UnknownSymbols::kReadAsUnknown;
      Generator(model).generate(prompt, length, sampler, emit, policy);
    }
    if (last != "\n") put("\n");
    return 0;
  }
};

}  // namespace

void declare_generate(const Verb& longhand) {
  longhand.add_command<Generate>("generate", "Generate text with a language model");
}

}  // namespace longhand::cli
