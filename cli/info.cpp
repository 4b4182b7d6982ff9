// longhand info: the machine, or a model.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "longhand/base/threads.h"
#include "longhand/io/config.h"
#include "longhand/io/safetensors.h"
#include "longhand/kernels/target.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"
#include "longhand/version.h"

namespace longhand::cli {
namespace {

struct Info {
  std::string model_path;
  bool json = false;
  OptionTable table;
  GivenOptions given;

  Info() { table.add("json", json, "print the result as a JSON object"); }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path, "model file, or the folder of a run", false);
    verb.add_options(table, given);
  }

  int run() {
    given.apply(table);
    return model_path.empty() ? machine() : model();
  }

  int machine() const {
    if (json) {
      const nlohmann::ordered_json out = {{"version", LONGHAND_VERSION},
                                          {"simd", kernels::simd_target()},
                                          {"simd_targets", kernels::simd_targets()},
                                          {"threads", available_threads()}};
      write_json(out.dump());
      return 0;
    }
    put("longhand   {}\n", LONGHAND_VERSION);
    put("SIMD       {} (of {})\n", kernels::simd_target(), fmt::join(kernels::simd_targets(), ", "));
    put("threads    {}\n", available_threads());
    return 0;
  }

  int model() const {
    const tasks::ModelFile file = tasks::ModelFile::read(model_path);
    if (file.task() == tasks::Tagger::kTask) return describe<tasks::Tagger>(file, "tagger");
    if (file.task() == tasks::Classifier::kTask) return describe<tasks::Classifier>(file, "classifier");
    if (file.task() == tasks::Regressor::kTask) return describe<tasks::Regressor>(file, "regressor");
    return describe<tasks::LanguageModel>(file, "language model");
  }

  template <class Model>
  int describe(const tasks::ModelFile& file, const char* name) const {
    const std::unique_ptr<Model> model = Model::load(file);
    auto options = model->options();
    OptionTable of_model;
    options.add_to(of_model);
    const io::Safetensors arrays = io::Safetensors::read(file.path());
    const nlohmann::json& vocabulary = file.vocabulary();
    if (json) {
      nlohmann::ordered_json tensors;
      for (const auto& [tensor_name, tensor] : arrays.tensors()) tensors[tensor_name] = tensor.shape;
      const nlohmann::ordered_json out = {{"task", Model::kTask},
                                          {"options", io::to_json(of_model)},
                                          {"parameters", model->parameters().count()},
                                          {"tensors", tensors},
                                          {"vocabulary", vocabulary.size() == 1 ? vocabulary.front() : vocabulary}};
      write_json(out.dump());
      return 0;
    }
    put("{}, {} parameters\n\noptions\n", name, format_count(static_cast<double>(model->parameters().count())));
    for (const Option& option : of_model.options()) put("  {:<20} {}\n", option.name, option.text());
    size_t width = 0;
    for (const auto& [tensor_name, tensor] : arrays.tensors()) width = std::max(width, tensor_name.size());
    put("\ntensors\n");
    for (const auto& [tensor_name, tensor] : arrays.tensors()) {
      put("  {:<{}} {} [{}]\n", tensor_name, width, tensor.dtype, fmt::join(tensor.shape, ", "));
    }
    for (const auto& [list, entries] : vocabulary.items()) {
      if (!entries.is_array()) continue;
      constexpr size_t kMaxShown = 60;
      put("\n{} of {} {}\n ", vocabulary.size() == 1 ? "vocabulary" : "list", entries.size(), list);
      for (size_t i = 0; i < std::min(entries.size(), kMaxShown); ++i) {
        put(" {}", entries[i].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      }
      put("{}\n", entries.size() > kMaxShown ? " ..." : "");
    }
    return 0;
  }
};

}  // namespace

void declare_info(const Verb& longhand) { longhand.add_command<Info>("info", "Describe this machine, or a model"); }

}  // namespace longhand::cli
