// longhand export: writes a model in the format of another program.
#include <fmt/core.h>

#include <filesystem>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/exporters/export_file.h"
#include "longhand/tasks/model_graph.h"

namespace longhand::cli {
namespace {

class Export {
 public:
  Export() {
    for (const exporters::ExportFormat& format : exporters::export_formats()) {
      formats_ += fmt::format("{}{} ({})", formats_.empty() ? "format to write: " : ", ", format.name, format.help);
    }
    table_.add("to", to_, formats_);
    table_.add("out", out_, "file to write; none: only show what would be written");
    table_.add("name", name_, "name of the model in what is written: of a graph, a class, the prefix of C functions");
    table_.add("weights", options_.weights, "how matrices are kept: float, or int8 with a scale per row",
               one_of({"float", "int8"}));
    table_.add("steps", options_.steps,
               "time steps of a call of C functions; 0: one, of a network that can be read step by step", at_least(0));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (to_.empty()) throw usage_error("longhand export: expected --to, found none", "name the format to write");
    const exporters::ExportFormat& format = exporters::export_format(to_);
    if (options_.weights != "float" && !format.has_int8) {
      throw usage_error(fmt::format("--weights: expected float for --to {}, found {}", to_, options_.weights),
                        "export floats, or choose a format that keeps int8: --to c");
    }
    if (options_.steps != 0 && !format.has_int8) {
      throw usage_error(fmt::format("--steps: expected none for --to {}, found {}", to_, options_.steps),
                        "leave it out: sequences of any length are read");
    }
    if (given_.has("out") && (out_.empty() || out_ == "-")) {
      throw usage_error("--out: expected a file, found " + std::string(out_.empty() ? "an empty name" : "'-'"),
                        "name a file, or leave --out out to see what would be written");
    }
    check_name();
    if (!out_.empty() && format.check_path != nullptr) format.check_path(out_);
    const tasks::ModelFile file = tasks::ModelFile::read(model_);
    const exporters::ExportModel model{
        .graph = tasks::model_graph(file), .name = name_, .texts = tasks::model_texts(file)};
    const exporters::Exported exported = format.write(model, options_);
    std::vector<std::string> written;
    if (!out_.empty()) {
      for (const std::string& path : exporters::exported_paths(exported, out_)) check_place(path, file.path());
      written = exporters::write_exported(exported, out_);
    }
    for (const std::string& note : exported.notes) put("{}\n", visible(note));
    for (const std::string& path : written) put("wrote   {}\n", visible(path));
    return 0;
  }

 private:
  // The name becomes a class name and the prefix of function names.
  void check_name() const {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    bool good = !name_.empty() && name_.size() <= 64 && letter(name_.front());
    for (const char c : name_) good = good && (letter(c) || (c >= '0' && c <= '9'));
    if (good) return;
    throw usage_error(
        fmt::format("--name: expected a letter, then letters, digits and _, at most 64, found '{}'", visible(name_)),
        "choose another name, such as amplifier_2");
  }

  static void check_place(const std::string& path, const std::string& model) {
    std::error_code error;
    if (std::filesystem::equivalent(path, model, error) && !error) {
      throw usage_error(fmt::format("--out: expected another file than the model, found '{}'", visible(path)),
                        "choose another name");
    }
    if (std::filesystem::is_directory(path, error)) {
      throw usage_error(fmt::format("--out: expected a file, found the folder '{}'", visible(path)),
                        "name a file in it");
    }
  }

  std::string model_, to_, out_, name_ = "model", formats_;
  exporters::ExportOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_export(const Verb& longhand) {
  longhand.add_command<Export>("export", "Write a model in the format of another program");
}

}  // namespace longhand::cli
