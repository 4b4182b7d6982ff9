// longhand info: the machine, or a model.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "longhand/base/threads.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "longhand/kernels/target.h"
#include "longhand/tasks/language_model.h"

namespace longhand::cli {
namespace {

struct Info {
  std::string model_path;
  bool json = false;

  int machine() const {
    if (json) {
      const nlohmann::ordered_json out = {{"version", LONGHAND_VERSION},
                                          {"simd", kernels::simd_target()},
                                          {"simd_targets", kernels::simd_targets()},
                                          {"threads", available_threads()}};
      fmt::print("{}\n", out.dump());
      return 0;
    }
    fmt::print("longhand   {}\n", LONGHAND_VERSION);
    fmt::print("SIMD       {} (of {})\n", kernels::simd_target(), fmt::join(kernels::simd_targets(), ", "));
    fmt::print("threads    {}\n", available_threads());
    return 0;
  }

  int model() const {
    const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(model_path);
    tasks::LanguageModelOptions options = model->options();
    OptionTable table;
    options.add_to(table);
    const io::Safetensors file =
        io::Safetensors::read(io::is_folder(model_path) ? model_path + "/model.safetensors" : model_path);
    if (json) {
      nlohmann::ordered_json tensors;
      for (const auto& [name, tensor] : file.tensors()) tensors[name] = tensor.shape;
      const nlohmann::ordered_json out = {{"task", "language_model"},
                                          {"options", io::to_json(table)},
                                          {"parameters", model->parameters().count()},
                                          {"tensors", tensors},
                                          {"vocabulary", model->vocabulary().to_json()["symbols"]}};
      fmt::print("{}\n", out.dump());
      return 0;
    }
    fmt::print("language model, {} parameters\n\noptions\n",
               format_count(static_cast<double>(model->parameters().count())));
    for (const Option& option : table.options()) fmt::print("  {:<20} {}\n", option.name, option.text());
    size_t width = 0;
    for (const auto& [name, tensor] : file.tensors()) width = std::max(width, name.size());
    fmt::print("\ntensors\n");
    for (const auto& [name, tensor] : file.tensors()) {
      fmt::print("  {:<{}} {} [{}]\n", name, width, tensor.dtype, fmt::join(tensor.shape, ", "));
    }
    const data::Vocabulary& vocabulary = model->vocabulary();
    fmt::print("\nvocabulary of {} symbols, most frequent first\n ", vocabulary.size());
    for (int32_t i = 0; i < std::min<int64_t>(vocabulary.size(), 60); ++i) {
      fmt::print(" {}",
                 nlohmann::json(vocabulary.symbol(i)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    fmt::print("{}\n", vocabulary.size() > 60 ? " ..." : "");
    return 0;
  }
};

}  // namespace

void declare_info(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("info", "Describe this machine, or a model");
  auto command = std::make_shared<Info>();
  verb->add_option("MODEL", command->model_path, "model file, or the folder of a run");
  verb->add_flag("--json", command->json, "print one JSON object");
  verb->callback([&action, command] {
    action = [command] { return command->model_path.empty() ? command->machine() : command->model(); };
  });
}

}  // namespace longhand::cli
