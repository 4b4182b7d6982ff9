// longhand info: the machine, a model, or a prepared text.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/network_table.h"
#include "longhand/base/format.h"
#include "longhand/base/threads.h"
#include "longhand/distributed/mpi.h"
#include "longhand/io/config.h"
#include "longhand/io/safetensors.h"
#include "longhand/kernels/target.h"
#include "longhand/runs/prepared_text.h"
#include "longhand/runs/registry.h"
#include "longhand/tasks/graph_file.h"
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
    verb.add_argument("MODEL", model_path, "model file, the folder of a run, or a prepared text", false);
    verb.add_options(table, given);
  }

  int run() {
    given.apply(table);
    if (!model_path.empty() && runs::PreparedText::is_one(model_path)) return prepared_text();
    return model_path.empty() ? machine() : model();
  }

  int machine() const {
    if (json) {
      const nlohmann::ordered_json out = {{"version", LONGHAND_VERSION},
                                          {"simd", kernels::simd_target()},
                                          {"simd_targets", kernels::simd_targets()},
                                          {"bf16_native", kernels::bf16_is_native()},
                                          {"threads", available_threads()},
                                          {"mpi", distributed::mpi_version()}};
      write_json(out.dump());
      return 0;
    }
    put("longhand   {}\n", LONGHAND_VERSION);
    put("SIMD       {} (of {})\n", kernels::simd_target(), fmt::join(kernels::simd_targets(), ", "));
    put("bf16       {}\n", kernels::bf16_is_native() ? "native (AVX512-BF16)" : "emulated");
    put("threads    {}\n", available_threads());
    const std::string mpi = distributed::mpi_version();
    put("MPI        {}\n", mpi.empty() ? "none: one process at a time" : mpi);
    return 0;
  }

  int prepared_text() const {
    const runs::PreparedText text = runs::PreparedText::open(model_path);
    text.verify();
    runs::PrepareOptions options = text.options();
    OptionTable how;
    options.text.add_to(how);
    how.add("max-tokens", options.max_tokens, "");
    const data::Corpus& corpus = text.corpus();
    const auto symbols = static_cast<int64_t>(corpus.symbols.size());
    const auto unknown = static_cast<int64_t>(corpus.unknown_lengths.size());
    if (json) {
      const nlohmann::ordered_json out = {{"prepared_text", model_path},
                                          {"prepared_from", text.source().name},
                                          {"options", io::to_json(how)},
                                          {"symbols", symbols},
                                          {"sequences", corpus.sequences()},
                                          {"unknown_symbols", unknown},
                                          {"skipped_symbols", corpus.skipped},
                                          {"bytes_per_symbol", text.symbol_bytes()},
                                          {"bytes", text.bytes()},
                                          {"vocabulary", text.vocabulary().to_json()["symbols"]}};
      write_json(out.dump());
      return 0;
    }
    put("prepared text of {}, {} a symbol, intact\n\noptions\n", format_count(symbols, "symbol"),
        format_count(int64_t{text.symbol_bytes()}, "byte"));
    for (const Option& option : how.options()) put("  {:<20} {}\n", option.name, option.text());
    put("\n{:<22} {}\n", "prepared from", text.source().name);
    put("{:<22} {}\n", "sequences", format_count(static_cast<double>(corpus.sequences())));
    put("{:<22} {}\n", "read as <unk>", format_count(static_cast<double>(unknown)));
    put("{:<22} {}\n", "left out", format_count(static_cast<double>(corpus.skipped)));
    print_list("vocabulary", "symbols", text.vocabulary().to_json()["symbols"]);
    return 0;
  }

  static void print_list(const char* kind, const std::string& name, const nlohmann::json& entries) {
    constexpr size_t kMaxShown = 60;
    put("\n{} of {} {}\n ", kind, entries.size(), name);
    for (size_t i = 0; i < std::min(entries.size(), kMaxShown); ++i) {
      put(" {}", entries[i].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    put("{}\n", entries.size() > kMaxShown ? " ..." : "");
  }

  int model() const {
    const tasks::ModelFile file = tasks::ModelFile::read(model_path);
    if (file.task() == tasks::kNetworkTask) {
      const graph::Graph graph = tasks::read_network(file);
      json ? print_network_json(graph) : print_network(graph, file.path());
      return 0;
    }
    const runs::TaskRow& task = runs::task_of(file);
    const runs::Summary summary = task.summary(file);
    const io::Safetensors arrays = io::Safetensors::read(file.path());
    const nlohmann::json& vocabulary = file.vocabulary();
    if (json) {
      nlohmann::ordered_json tensors;
      for (const auto& [tensor_name, tensor] : arrays.tensors()) tensors[tensor_name] = tensor.shape;
      nlohmann::ordered_json out = {{"task", task.task},
                                    {"options", nlohmann::ordered_json::parse(summary.options_json)},
                                    {"parameters", summary.parameters},
                                    {"tensors", tensors},
                                    {"vocabulary", vocabulary.size() == 1 ? vocabulary.front() : vocabulary}};
      for (const std::string& member : summary.members_json) {
        out["members"].push_back(nlohmann::ordered_json::parse(member));
      }
      write_json(out.dump());
      return 0;
    }
    if (summary.members_json.empty()) {
      put("{}, {} parameters\n\noptions\n", task.name, format_count(static_cast<double>(summary.parameters)));
    } else {
      put("ensemble of {} {}s, {} parameters\n\noptions (with | between those of the members, where they differ)\n",
          summary.members_json.size(), task.name, format_count(static_cast<double>(summary.parameters)));
    }
    for (const auto& [name, value] : summary.options) put("  {:<20} {}\n", name, value);
    size_t width = 0;
    for (const auto& [tensor_name, tensor] : arrays.tensors()) width = std::max(width, tensor_name.size());
    put("\ntensors\n");
    for (const auto& [tensor_name, tensor] : arrays.tensors()) {
      put("  {:<{}} {} [{}]\n", tensor_name, width, tensor.dtype, fmt::join(tensor.shape, ", "));
    }
    for (const auto& [list, entries] : vocabulary.items()) {
      if (!entries.is_array()) continue;
      print_list(vocabulary.size() == 1 ? "vocabulary" : "list", list, entries);
    }
    return 0;
  }
};

}  // namespace

void declare_info(const Verb& longhand) {
  longhand.add_command<Info>("info", "Describe this machine, a model or a prepared text");
}

}  // namespace longhand::cli
