// longhand quantise: a model with smaller weights, and what that costs.
#include <fmt/core.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/file.h"
#include "longhand/runs/registry.h"

namespace longhand::cli {
namespace {

using Json = nlohmann::ordered_json;

class Quantise {
 public:
  Quantise() {
    table_.add("weights", weights_,
               "how matrices are kept: bf16, half of the size; or int8 with a scale per row, a quarter",
               one_of({"bf16", "int8"}));
    table_.add("out", out_, "model file to write; by default beside the model, with the type in its name");
    table_.add("json", json_, "print the result as a JSON object");
    options_.add_to(table_);
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (options_.data.empty()) {
      throw usage_error("longhand quantise: expected --data, found none",
                        "give data that the model was not trained on, to measure what is lost");
    }
    if (options_.data == "-") {
      throw usage_error("longhand quantise: expected a file or a name, found standard input",
                        "both models read the data; write it to a file first");
    }
    const tasks::ModelFile original = tasks::ModelFile::read(model_path_);
    original.expect_floats();
    const std::string out = out_.empty() ? beside(original.path()) : out_;
    check_out(out);
    const runs::TaskRow& task = runs::task_of(original);
    if (task.task == std::string_view(tasks::kNetworkTask)) {
      throw input_error(original.path() + ": networks of layers cannot be quantised",
                        "`longhand quantise` is for language models, taggers, classifiers and regressors");
    }
    runs::check_options(task, table_);
    options_.on_found = [](const std::string& found) { say("{}\n", with_dashes(found)); };
    WorkProgress progress(std::string(task.noun) + "s", json_);
    int64_t before_done = 0;  // by the original; the two read the same
    options_.on_done = [&](int64_t done, int64_t total) {
      progress.on_done(static_cast<double>(before_done + done), static_cast<double>(2 * total));
    };
    runs::Sources from = sources();
    const Json before = Json::parse(task.evaluate(original, options_, from).json);
    options_.on_done = [&, measured = options_.on_done](int64_t done, int64_t total) {
      before_done = total;
      measured(done, total);
    };
    original.write_quantised(out, kernels::parse_weight_type(weights_));
    options_.on_found = [](const std::string&) {};
    const Json after = Json::parse(task.evaluate(tasks::ModelFile::read(out), options_, from).json);
    progress.clear();
    json_ ? print_json(original.path(), out, before, after) : print(original.path(), out, before, after);
    return 0;
  }

 private:
  // Nothing but an earlier result is written over.
  static void check_out(const std::string& out) {
    const std::string parent = std::filesystem::path(out).parent_path().string();
    if (!parent.empty() && !io::is_folder(parent)) {
      throw usage_error(out + ": expected a file in a folder that exists", "make the folder, or choose another --out");
    }
    if (!io::exists(out)) return;
    try {
      if (tasks::ModelFile::read(out).weight_type() != kernels::WeightType::kFloat) return;
    } catch (const Error&) {  // it is something else
    }
    throw usage_error(out + ": exists, and is not a quantised model", "choose another --out");
  }

  // "run/model-bf16.safetensors"
  std::string beside(const std::string& path) const {
    const std::filesystem::path whole(path);
    return (whole.parent_path() / (whole.stem().string() + "-" + weights_ + whole.extension().string())).string();
  }

  static int64_t size_of(const std::string& path) { return static_cast<int64_t>(std::filesystem::file_size(path)); }

  void print(const std::string& path, const std::string& out, const Json& before, const Json& after) const {
    const auto bytes = static_cast<double>(size_of(out));
    put("{:<20} {:>12} {:>12} {:>12}\n", "", "original", weights_, "difference");
    put("{:<20} {:>12} {:>12} {:>11.1f} %\n", "bytes", format_count(static_cast<double>(size_of(path))),
        format_count(bytes), 100.0 * (bytes / static_cast<double>(size_of(path)) - 1.0));
    for (const auto& [name, value] : before.items()) {
      if (!value.is_number_float() || !after[name].is_number_float()) continue;
      const double was = value, is = after[name];
      put("{:<20} {:>12} {:>12} {:>+12.2g}\n", name, fmt::format("{:.6g}", was), fmt::format("{:.6g}", is), is - was);
    }
    put("\nmodel  {}\n", visible(out));
  }

  void print_json(const std::string& path, const std::string& out, const Json& before, const Json& after) const {
    write_json(Json({{"model", out},
                     {"weights", weights_},
                     {"bytes", size_of(out)},
                     {"original_bytes", size_of(path)},
                     {"metrics", after},
                     {"original_metrics", before}})
                   .dump());
  }

  std::string model_path_;
  std::string weights_ = "bf16";
  std::string out_;
  bool json_ = false;
  runs::EvaluateOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_quantise(const Verb& longhand) {
  longhand.add_command<Quantise>("quantise", "Make a model's weights smaller, and measure what is lost");
}

}  // namespace longhand::cli
