// longhand run: a model on sequences of numbers or symbols, from files and pipes to files and pipes.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/run_files.h"
#include "cli/run_rows.h"
#include "cli/run_steps.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/model_parts.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::cli {
namespace {

class Run {
 public:
  Run() {
    table_.add("input", input_, "file, or - for standard input; of a network with several inputs NAME=FILE for each");
    table_.add("output", output_, "file, or - for standard output; or NAME=FILE for each output of a network");
    table_.add("input-format", input_format_,
               "what the input is; auto: by the end of its name; on a pipe csv, or a language model's text",
               one_of(input_formats()));
    table_.add("output-format", output_format_, "what the output is; auto: by the end of its name, csv on a pipe",
               one_of(output_formats()));
    table_.add("block", settings_.block, "steps that are read, computed and written at a time; 0: as many as are quick",
               between(0, 1 << 20));
    table_.add("sequence", settings_.sequence, "steps of each sequence; 0: the input is one sequence", at_least(0));
    table_.add("each-step", settings_.each_step,
               "write the outputs after each step of a network that answers once for a sequence");
    table_.add("sample-rate", settings_.sample_rate,
               "frames a second of sound, whatever the model and the input say; 0: as they say",
               between(0, 4294967295.0));
    table_.add("unknown", settings_.unknown, "treatment of symbols of a text that a language model does not know",
               one_of({"error", "skip", "unk"}));
    table_.add("state-in", settings_.state_in, "file with the state that sequences begin with");
    table_.add("state-out", settings_.state_out, "file for the state after the last step");
    table_.add("decimal", decimal_,
               "tables with names that the model knows: decimal separator; auto: as in its training, or recognised",
               one_of({"auto", "point", "comma"}));
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file, or the folder of a run", true);
    verb.add_options(table_, given_, {"input", "output"});
  }

  int run() {
    given_.apply(table_);
    if (model_path_ == "-")
      throw usage_error("longhand run: expected a model file, found -", "write it to a file first");
    settings_.threads = static_cast<int>(threads_);
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    const RunCount read = file.task() == tasks::kNetworkTask ? run_network(file) : run_model(file.task());
    if (read.steps == 0) {
      throw input_error(
          settings_.input_name() + ": expected at least one step, found none",
          reads_texts_ ? "give a text with --input-format text, or rows of numbers" : "give rows of numbers");
    }
    for (const std::string& note : settings_.notes) {
      if (!note.empty()) say("{}\n", note);
    }
    say("{}{} step{} read\n", read.sequences > 1 ? fmt::format("{} sequences, ", read.sequences) : "", read.steps,
        read.steps == 1 ? "" : "s");
    return 0;
  }

 private:
  // Reads the names of the columns or arrays that a network was trained on.
  void read_training(const tasks::ModelFile& file) {
    const std::string text = file.training();
    if (text.empty()) return;
    const auto purpose = tasks::NetworkPurpose::from_json(nlohmann::json::parse(text, nullptr, false), file.path());
    settings_.trained = {purpose.inputs, purpose.group, purpose.decimal, true};
  }

  // Sets the column names and the number format of tables. `otherwise`: names if those of training are unknown.
  void name_columns(const std::vector<std::string>& otherwise, RowLayout& layout) {
    TrainedColumns& trained = settings_.trained;
    if (decimal_ != "auto") trained.decimal = decimal_;
    layout.trained_on_columns = static_cast<int64_t>(trained.inputs.size()) == layout.width;
    layout.columns = layout.trained_on_columns ? trained.inputs : otherwise;
    if (static_cast<int64_t>(layout.columns.size()) != layout.width) layout.columns.clear();
    layout.group = layout.trained_on_columns ? trained.group : "";
    layout.decimal = trained.decimal;
    layout.header = trained.header;
  }

  void check_sequences(const RowReader& reader) const {
    if (settings_.sequence == 0 || reader.sequence_column().empty()) return;
    throw usage_error(fmt::format("--sequence: expected a table that is one sequence, found the column '{}', which "
                                  "identifies the sequence of each row",
                                  visible(reader.sequence_column())),
                      "leave it out");
  }

  // A network of layers.
  RunCount run_network(const tasks::ModelFile& file) {
    const auto network = std::make_shared<const graph::Network>(tasks::read_network(file), file.path());
    const graph::Graph& graph = network->graph();
    const graph::StepShape shape = graph::step_shape(network);
    reads_texts_ = !graph.symbols.empty();
    read_training(file);
    settings_.model_rate = graph.sample_rate;
    settings_.inputs = port_files(input_, graph.inputs, "input", input_format_, reads_texts_);
    settings_.outputs = port_files(output_, graph.outputs, "output", output_format_, false);
    const PortFile& first = settings_.inputs.front();
    std::optional<convert::SymbolReader> symbols;
    if (reads_texts_ || first.format == "text") symbols.emplace(graph.symbols, model_path_);
    RowLayout layout{0, "", graph.inputs.size() == 1, symbols ? &*symbols : nullptr};
    std::vector<std::string> names;
    for (const graph::Port& port : graph.inputs) {
      layout.width += graph::count(convert::step_dims(graph, port, model_path_));
      names.push_back(port.name);
    }
    name_columns(names, layout);
    std::optional<convert::SequenceRunner> runner;
    const auto whole = [&](const convert::Sequences& sequences) {
      runner.emplace(network, settings_.threads);
      return run_sequences(*runner, graph, sequences, settings_);
    };
    const bool lines = first.format == "text" && !symbols->has_newline();
    if (!first.port.empty() || first.format == "npz" || first.format == "json" || lines) {
      return whole(read_sequences(graph, settings_, layout.symbols));
    }
    const std::unique_ptr<RowReader> reader = RowReader::open(first.path, first.format, layout);
    settings_.notes.push_back(reader->note());
    check_sequences(*reader);
    if (std::optional<io::Array> array = reader->whole()) {
      return whole(sequences_of(graph, std::move(*array), first.path));
    }
    if (shape.why_no_steps.empty() && !writes_arrays()) {
      if (!settings_.each_step) runner.emplace(network, settings_.threads);
      if (settings_.each_step || !runner->answers_once()) {
        const int64_t block = settings_.block > 0 ? settings_.block : graph::steps_at_once(shape, 64);
        if (settings_.block == 0) settings_.block = graph::steps_at_once(shape, 1024);
        const auto steps = Steps::of(network, block, settings_.threads);
        return run_steps(*steps, *reader, shape.symbols, shape.outputs, settings_);
      }
    }
    if (!runner) runner.emplace(network, settings_.threads);
    return run_rows(*runner, graph, *reader, settings_);
  }

  // Whether outputs are kept to the end: apart from one another, or (.npy on a pipe) since their number comes first.
  bool writes_arrays() const {
    return std::any_of(settings_.outputs.begin(), settings_.outputs.end(), [](const PortFile& each) {
      return !each.port.empty() || each.format == "npz" || (each.format == "npy" && each.path == "-");
    });
  }

  // A model that Longhand trained.
  RunCount run_model(const std::string& task) {
    if (task == tasks::Tagger::kTask || task == tasks::Classifier::kTask) {
      throw input_error(
          fmt::format("{}: expected a network of layers, a language model or a regressor, found a {}", model_path_,
                      task),
          task == tasks::Tagger::kTask ? "tag sentences with `longhand tag`" : "label texts with `longhand classify`");
    }
    const std::shared_ptr<const Model> model = Model::load(model_path_);
    if (!model->can_stream()) {
      throw input_error(fmt::format("{}: cannot be read step by step: {}", model_path_, model->why_no_stream()),
                        model->task() == Task::kRegressor ? "predict from a table with `longhand predict`"
                                                          : "measure it on a text with `longhand eval`");
    }
    reads_texts_ = model->task() == Task::kLanguageModel;
    const bool text_on_pipe = reads_texts_ && input_ == "-" && input_format_ == "auto";
    settings_.inputs = port_files(input_, {}, "input", text_on_pipe ? "text" : input_format_, reads_texts_);
    settings_.outputs = port_files(output_, {}, "output", output_format_, false);
    const PortFile &in = settings_.inputs.front(), &out = settings_.outputs.front();
    if (in.format == "npz" || in.format == "json" || (in.format == "text" && !reads_texts_)) {
      throw usage_error(fmt::format("{}: expected rows of numbers{} for a {}, found {}", settings_.input_name(),
                                    reads_texts_ ? " or a text" : "", model->task_name(), in.format),
                        "use csv, raw or npy");
    }
    if (out.format == "npz") {
      throw usage_error(fmt::format("{}: expected csv, raw or npy for a {}, found npz", out.path, model->task_name()),
                        "use one of these formats");
    }
    const std::unique_ptr<Steps> steps = Steps::of(model);
    if (in.format == "text") return run_text(*steps, *model, settings_);
    RowLayout layout{std::max<int64_t>(model->inputs(), 1), fmt::format("{}", fmt::join(model->input_names(), ", "))};
    if (const tasks::Regressor* regressor = model->parts().regressor.get()) {
      const data::SeriesOptions& series = regressor->options().series;
      settings_.trained = {model->input_names(), series.group, series.decimal, series.header};
      name_columns({}, layout);
    }
    const std::unique_ptr<RowReader> reader = RowReader::open(in.path, in.format, layout);
    settings_.notes.push_back(reader->note());
    check_sequences(*reader);
    return run_steps(*steps, *reader, model->inputs() == 0 ? model->outputs() : 0, model->outputs(), settings_);
  }

  std::string decimal_ = "auto";
  std::string model_path_, input_ = "-", output_ = "-", input_format_ = "auto", output_format_ = "auto";
  int64_t threads_ = 1;
  bool reads_texts_ = false;
  RunSettings settings_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_run(const Verb& longhand) {
  longhand.add_command<Run>("run", "Run a model step by step: a network of layers, a language model or a regressor");
}

}  // namespace longhand::cli
