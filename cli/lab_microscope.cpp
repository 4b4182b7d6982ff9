// longhand lab microscope: what the units of a trained model do on a text, as a page.
#include <fmt/format.h>

#include <filesystem>

#include <string_view>

#include "cli/console.h"
#include "cli/lab.h"
#include "cli/progress.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/file.h"
#include "longhand/lab/microscope_page.h"
#include "longhand/lab/microscope_text.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"

namespace longhand::cli {
namespace {

class LabMicroscope {
 public:
  LabMicroscope() {
    table_.add("text", text_, "what the model reads: a file as its task has them, or - for standard input");
    table_.add("out", out_, "page to write; a .csv and a .json file are written beside it");
    options_.add_to(table_);
    table_.add("quiet", quiet_, "print no progress");
    table_.add("json", json_, "print the result as a JSON object");
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (text_.empty()) {
      throw usage_error("longhand lab microscope: expected --text, found none", "give --text FILE");
    }
    if (!out_.ends_with(".html") || out_ == ".html") {
      throw usage_error("--out: expected the name of an HTML file, found '" + out_ + "'",
                        "give a name that ends in .html");
    }
    const std::filesystem::path folder = std::filesystem::path(out_).parent_path();
    if (io::is_folder(out_) || (!folder.empty() && !io::is_folder(folder.string()))) {
      throw usage_error("--out " + out_ + ": expected a file in a folder that exists",
                        "make the folder, or name another file");
    }
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    file.expect_one_model("examine one of the runs that it was made from: each member has units of its own");
    kernels::Context context(static_cast<int>(options_.threads));
    lab::Subject subject = read_subject(file, context);
    for (const std::string& note : subject.notes) {
      if (!quiet_) say("note: {}\n", note);
    }
    WorkProgress progress("", quiet_ || json_);
    const lab::Microscope found = lab::examine(std::move(subject), options_, context,
                                               [&](double done, double total) { progress.on_done(done, total); });
    progress.clear();
    write(found);
    return 0;
  }

 private:
  lab::Subject read_subject(const tasks::ModelFile& file, kernels::Context& context) const {
    runs::Sources from = sources();
    const std::string name = shown_name(text_);
    const std::string& task = file.task();
    if (task == tasks::Tagger::kTask) return lab::tagger_subject(file, from.file(text_), name, options_, context);
    if (task == tasks::Classifier::kTask) {
      return lab::classifier_subject(file, from.file(text_), name, options_, context);
    }
    if (task == tasks::Regressor::kTask)
      return lab::regressor_subject(file, from.table(text_), name, options_, context);
    return lab::language_model_subject(file, from.text(text_), name, options_, context);
  }

  void write(const lab::Microscope& found) const {
    const std::string stem = out_.substr(0, out_.size() - std::string_view(".html").size());
    const std::string command = "longhand lab microscope " + shell_word(model_path_) + given_.as_typed();
    const std::string page = lab::microscope_page(found, model_path_, shown_name(text_), visible(command));
    io::write_file(out_, page);
    io::write_file(stem + ".csv", lab::microscope_csv(found));
    io::write_file(stem + ".json", lab::microscope_json(found, model_path_, shown_name(text_), 1) + "\n");
    if (json_) {
      write_json(lab::microscope_json(found, model_path_, shown_name(text_), -1));
      return;
    }
    put("{}", lab::microscope_table(found));
    put("\npage   {} ({:.1f} MB): {}\ndata   {}.csv, {}.json\n", out_, static_cast<double>(page.size()) / 1e6,
        found.kept_all ? fmt::format("all {}", format_count(found.units, "unit"))
                       : fmt::format("{} of {}, those that follow a property and those that vary most",
                                     found.kept.size(), format_count(found.units, "unit")),
        stem, stem);
  }

  std::string model_path_;
  std::string text_;
  std::string out_ = "microscope.html";
  bool quiet_ = false;
  bool json_ = false;
  lab::MicroscopeOptions options_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_lab_microscope(const Verb& lab) {
  lab.add_command<LabMicroscope>("microscope", "Show on a page what the units of a model do on a text");
}

}  // namespace longhand::cli
