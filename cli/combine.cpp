// longhand combine: an ensemble of runs as one model file, and what that gains.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/file.h"
#include "longhand/runs/registry.h"
#include "longhand/tasks/fingerprint.h"

namespace longhand::cli {
namespace {

using Json = nlohmann::ordered_json;

class Combine {
 public:
  Combine() {
    table_.add("out", out_, "model file to write; required");
    table_.add("json", json_, "print the result as a JSON object");
    options_.add_to(table_);
  }

  void declare(const Verb& verb) {
    verb.add_arguments("RUN", runs_, "two or more folders of runs, or model files; an ensemble stands for its members");
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    std::vector<tasks::ModelFile> files;
    size_t members = 0;
    for (const std::string& path : runs_) members += files.emplace_back(tasks::ModelFile::read(path)).members();
    check_out(files);
    if (files.size() < 2) {
      throw usage_error("longhand combine: expected two models or more, found one: " + files[0].path(),
                        "give runs with other seeds too");
    }
    refuse_twice(files);
    const runs::TaskRow& task = runs::task_of(files.front());
    check_evaluation_options(task);
    if (options_.data == "-") {
      throw usage_error("longhand combine: expected a file or a name, found standard input",
                        "every model reads the data; write it to a file first");
    }
    std::vector<Json> measured;
    if (options_.data.empty()) {
      task.combine(files, out_);
    } else {
      measured = measure(task, files);
    }
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(out_));
    if (json_) {
      Json out = {{"model", out_}, {"task", task.task}, {"members", members}, {"bytes", bytes}};
      for (size_t i = 0; i + 1 < measured.size(); ++i) {
        out["runs"].push_back({{"model", files[i].path()}, {"metrics", measured[i]}});
      }
      if (!measured.empty()) out["metrics"] = measured.back();
      write_json(out.dump());
      return 0;
    }
    if (!measured.empty()) print(measured);
    put("{}model  {}: ensemble of {}, {} bytes\n", measured.empty() ? "" : "\n", visible(out_),
        format_count(static_cast<int64_t>(members), task.name), format_count(static_cast<double>(bytes)));
    return 0;
  }

 private:
  // A model that counts twice would pass unseen for two runs that agree.
  static void refuse_twice(const std::vector<tasks::ModelFile>& files) {
    std::map<std::string, std::string> paths;  // by what the models hold
    for (const tasks::ModelFile& file : files) {
      for (size_t i = 0; i < file.members(); ++i) {
        const tasks::ModelFile member = file.member(i);
        tasks::TextHash hash;
        for (const auto& [name, tensor] : member.arrays()) {
          hash.add(name);
          hash.add(tensor->bytes);
        }
        const auto [at, is_new] = paths.emplace(fmt::format("{:016x}", hash.value()), file.path());
        if (is_new) continue;
        throw usage_error(at->second == file.path()
                              ? file.path() + " is given, or holds a model, twice"
                              : fmt::format("{} and {} hold the same model", at->second, file.path()),
                          "give each model once");
      }
    }
  }

  void check_evaluation_options(const runs::TaskRow& task) const {
    runs::check_options(task, table_);
    if (!options_.data.empty()) return;
    for (const auto& [option, text] : given_.given()) {
      if (option->name == "out" || option->name == "json") continue;
      throw usage_error(fmt::format("--{} does nothing without --data", option->name),
                        "give --data FILE to measure the models, or leave it out");
    }
  }

  // Nothing but an earlier ensemble is written over, and never one that is read.
  void check_out(const std::vector<tasks::ModelFile>& files) const {
    if (out_.empty()) throw usage_error("longhand combine: expected --out, found none", "give --out FILE.safetensors");
    const std::string parent = std::filesystem::path(out_).parent_path().string();
    if (io::is_folder(out_) || (!parent.empty() && !io::is_folder(parent))) {
      throw usage_error("--out " + out_ + ": expected a file in a folder that exists",
                        "make the folder, or name another file");
    }
    if (!io::exists(out_)) return;
    const bool is_read = std::any_of(files.begin(), files.end(), [&](const tasks::ModelFile& file) {
      std::error_code error;
      return std::filesystem::equivalent(file.path(), out_, error);
    });
    try {
      if (!is_read && tasks::ModelFile::read(out_).is_ensemble()) return;
    } catch (const Error&) {  // it is something else
    }
    throw usage_error("--out " + out_ + (is_read ? ": is one of the models" : ": exists, and is not an ensemble"),
                      "name another file");
  }

  // The metrics of each file, then of the ensemble, which is written once the runs have read the data.
  std::vector<Json> measure(const runs::TaskRow& task, const std::vector<tasks::ModelFile>& files) {
    WorkProgress progress(std::string(task.noun) + "s", json_);
    const auto models = static_cast<int64_t>(files.size()) + 1;
    int64_t finished = 0;
    options_.on_found = [](const std::string& found) { say("{}\n", with_dashes(found)); };
    options_.on_done = [&](int64_t done, int64_t total) {
      progress.on_done(static_cast<double>(finished * total + done), static_cast<double>(models * total));
    };
    runs::Sources from = sources();
    std::vector<Json> out;
    const auto add = [&](const tasks::ModelFile& file) {
      out.push_back(Json::parse(task.evaluate(file, options_, from).json));
      options_.on_found = [](const std::string&) {};
      ++finished;
    };
    for (const tasks::ModelFile& file : files) add(file);
    task.combine(files, out_);
    add(tasks::ModelFile::read(out_));
    progress.clear();
    return out;
  }

  static void print(const std::vector<Json>& measured) {
    put("{:<20} {:>12} {:>12} {:>12} {:>12}\n", "", "lowest run", "mean of runs", "highest run", "ensemble");
    for (const auto& [name, value] : measured.back().items()) {
      if (!value.is_number_float()) continue;
      std::vector<double> of_runs;
      for (size_t i = 0; i + 1 < measured.size(); ++i) {
        if (measured[i].at(name).is_number()) of_runs.push_back(measured[i].at(name).get<double>());
      }
      if (of_runs.size() + 1 != measured.size()) continue;  // not measured with every model
      const auto [lowest, highest] = std::minmax_element(of_runs.begin(), of_runs.end());
      const double mean = std::accumulate(of_runs.begin(), of_runs.end(), 0.0) / static_cast<double>(of_runs.size());
      const auto shown = [](double figure) { return fmt::format("{:.6g}", figure); };
      put("{:<20} {:>12} {:>12} {:>12} {:>12}\n", name, shown(*lowest), shown(mean), shown(*highest),
          shown(value.get<double>()));
    }
  }

  std::vector<std::string> runs_;
  std::string out_;
  bool json_ = false;
  runs::EvaluateOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_combine(const Verb& longhand) {
  longhand.add_command<Combine>("combine", "Make one model of several runs: their mean prediction");
}

}  // namespace longhand::cli
