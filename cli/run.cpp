// longhand run: a model on sequences of numbers or symbols, from files and pipes to files and pipes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/run_files.h"
#include "cli/run_rows.h"
#include "cli/run_steps.h"
#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/model_parts.h"
#include "longhand/tasks/graph_file.h"

namespace longhand::cli {
namespace {

using convert::Sequence;
using convert::Sequences;

class Run {
 public:
  Run() {
    table_.add("input", input_, "file, or - for standard input; of a network with several inputs NAME=FILE for each");
    table_.add("output", output_, "file, or - for standard output; or NAME=FILE for each output of a network");
    table_.add("input-format", input_format_, "what the input is; auto: by the end of its name, csv on a pipe",
               one_of(input_formats()));
    table_.add("output-format", output_format_, "what the output is; auto: by the end of its name, csv on a pipe",
               one_of(output_formats()));
    table_.add("block", block_, "steps that are read, computed and written at a time; 0: as many as are quick",
               between(0, 1 << 20));
    table_.add("sequence", sequence_, "steps of each sequence; 0: the input is one sequence", at_least(0));
    table_.add("each-step", each_step_,
               "write the outputs after each step of a network that answers once for a sequence");
    table_.add("sample-rate", sample_rate_, "frames a second of a WAV that is written; 0: as many as the input has",
               between(0, 4294967295.0));
    table_.add("state-in", state_in_, "file with the state that sequences begin with");
    table_.add("state-out", state_out_, "file for the state after the last step");
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
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    file.task() == tasks::kNetworkTask ? run_network(file) : run_model(file.task());
    if (steps_ == 0) {
      throw input_error(fmt::format("{}: expected at least one step, found none", shown_input()),
                        layout_.symbols != nullptr || model_
                            ? "give a text with --input-format text, or rows of numbers"
                            : "give rows of numbers");
    }
    if (writer_) writer_->finish();
    if (!state_out_.empty()) write_states(state_out_, state_parts_, states_);
    say("{}{} step{} read\n", sequences_ > 1 ? fmt::format("{} sequences, ", sequences_) : "", steps_,
        steps_ == 1 ? "" : "s");
    return 0;
  }

 private:
  std::string shown_input() const { return inputs_.front().path == "-" ? "standard input" : inputs_.front().path; }

  // A network of layers.
  void run_network(const tasks::ModelFile& file) {
    network_ = std::make_shared<const graph::Network>(tasks::read_network(file), file.path());
    const graph::Graph& graph = network_->graph();
    shape_ = graph::step_shape(network_);
    const bool texts = !graph.symbols.empty();
    if (texts) symbols_.emplace(graph.symbols, model_path_);
    inputs_ = port_files(input_, graph.inputs, "input", input_format_, texts);
    outputs_ = port_files(output_, graph.outputs, "output", output_format_, false);
    const std::string& format = inputs_.front().format;
    if (format == "text" && !symbols_) symbols_.emplace(graph.symbols, model_path_);  // which says what is missing
    layout_ = {0, "", has_batches(graph), symbols_ ? &*symbols_ : nullptr};
    for (const graph::Port& port : graph.inputs) {
      layout_.width += graph::count(convert::step_dims(graph, port, model_path_));
    }
    const bool lines = format == "text" && !symbols_->has_newline();
    if (!inputs_.front().port.empty() || format == "npz" || format == "json" || lines) {
      return answer(read_sequences(graph, inputs_, layout_.symbols));
    }
    reader_ = RowReader::open(inputs_.front().path, format, layout_);
    if (std::optional<io::Array> whole = reader_->whole()) {
      return answer(sequences_of(graph, std::move(*whole), inputs_.front().path));
    }
    const bool arrays = std::any_of(outputs_.begin(), outputs_.end(),
                                    [](const PortFile& each) { return each.format == "npz" || !each.port.empty(); });
    if (arrays || !shape_.why_no_steps.empty() || answers_once()) return answer_rows();
    steps_of_ = Steps::of(network_, block_ > 0 ? block_ : 64, static_cast<int>(threads_));
    run_steps(shape_.symbols, shape_.outputs);
  }

  // Whether arrays of the only input can have several sequences.
  static bool has_batches(const graph::Graph& graph) {
    return graph.inputs.size() == 1 && graph.inputs.front().time_axis + graph.inputs.front().batch_axis == 1;
  }

  bool answers_once() {
    if (each_step_) return false;
    runner_.emplace(network_, static_cast<int>(threads_));
    return runner_->answers_once();
  }

  // A model that Longhand trained.
  void run_model(const std::string& task) {
    if (task == tasks::Tagger::kTask || task == tasks::Classifier::kTask) {
      throw input_error(
          fmt::format("{}: expected a network of layers, a language model or a regressor, found a {}", model_path_,
                      task),
          task == tasks::Tagger::kTask ? "tag sentences with `longhand tag`" : "label texts with `longhand classify`");
    }
    model_ = Model::load(model_path_);
    if (!model_->can_stream()) {
      throw input_error(fmt::format("{}: cannot be read step by step: {}", model_path_, model_->why_no_stream()),
                        model_->task() == Task::kRegressor ? "predict from a table with `longhand predict`"
                                                           : "measure it on a text with `longhand eval`");
    }
    const bool texts = model_->task() == Task::kLanguageModel;
    inputs_ = port_files(input_, {}, "input", input_format_ == "auto" && texts ? "text" : input_format_, texts);
    outputs_ = port_files(output_, {}, "output", output_format_, false);
    const std::string& format = inputs_.front().format;
    if (format == "npz" || format == "json" || outputs_.front().format == "npz" || (format == "text" && !texts)) {
      throw usage_error(fmt::format("{}: expected rows of numbers{}, found {}", model_path_, texts ? " or a text" : "",
                                    format == "npz" || format == "json" || format == "text" ? format : "npz"),
                        "use csv, raw or npy");
    }
    steps_of_ = Steps::of(model_);
    const int64_t symbols = model_->inputs() == 0 ? model_->outputs() : 0;
    if (format == "text") return run_text();
    layout_ = {std::max<int64_t>(model_->inputs(), 1), fmt::format("{}", fmt::join(model_->input_names(), ", "))};
    reader_ = RowReader::open(inputs_.front().path, format, layout_);
    run_steps(symbols, model_->outputs());
  }

  // A text, read as the language model's training text was.
  void run_text() {
    const tasks::LanguageModel& model = *model_->parts().language_model;
    const std::string name = shown_input();
    const std::string text = data::normalise(io::read_file(inputs_.front().path), model.options().text, name);
    const data::Corpus corpus =
        data::encode(text, model.options().text, model.vocabulary(), data::Unknown::kError, name);
    prepare_states(steps_of_->state_parts(), 1);
    const int64_t outputs = model_->outputs();
    std::vector<float> y;
    for (size_t s = 0; s + 1 < corpus.starts.size(); ++s) {
      begin(static_cast<int64_t>(s));
      if (s > 0 && writer_) writer_->begin_sequence();
      for (int64_t at = corpus.starts[s]; at < corpus.starts[s + 1];) {
        const int64_t n = std::min<int64_t>(block_ > 0 ? block_ : 256, corpus.starts[s + 1] - at);
        y.resize(static_cast<size_t>(n * outputs));
        LONGHAND_CHECK(steps_of_->process(n, corpus.symbols.data() + at, y.data()) == n);
        write(y.data(), n, outputs);
        at += n;
        steps_ += n;
      }
    }
    sequences_ = corpus.sequences();
    keep_state();
  }

  void write(const float* rows, int64_t n, int64_t width) {
    if (!writer_) writer_ = RowWriter::open(outputs_.front().path, outputs_.front().format, width, sound_rate());
    writer_->write(rows, n);
  }

  int64_t sound_rate() const {
    if (sample_rate_ > 0 || !reader_) return sample_rate_;
    return reader_->sample_rate().value_or(0);
  }

  // Step by step, or in blocks: the memory does not grow with the sequence.
  void run_steps(int64_t symbols, int64_t outputs) {
    prepare_states(steps_of_->state_parts(), 1);
    begin(0);
    const int64_t at_once = block_ > 0 ? block_ : 1024;
    std::vector<float> rows, y;
    while (true) {
      const int64_t left = sequence_ > 0 ? sequence_ - steps_ % sequence_ : at_once;
      if (sequence_ > 0 && steps_ > 0 && steps_ % sequence_ == 0) begin(steps_ / sequence_);
      rows.clear();
      const int64_t n = reader_->read(std::min(at_once, left), rows);
      if (n == 0) break;
      y.resize(static_cast<size_t>(n * outputs));
      if (symbols > 0) {
        const std::vector<int32_t> numbers = symbols_of(rows, symbols);
        if (steps_of_->process(n, numbers.data(), y.data()) < n) fail_at(steps_, symbols);
      } else {
        LONGHAND_CHECK(steps_of_->process(n, rows.data(), y.data()) == n);
      }
      write(y.data(), n, outputs);
      steps_ += n;
    }
    expect_whole_sequences();
    keep_state();
  }

  [[noreturn]] void fail_at(int64_t step, int64_t symbols) const {
    throw input_error(
        fmt::format("{}: step {}: expected symbols from 0 to {}, found another", shown_input(), step, symbols - 1),
        "give whole numbers, or a text with --input-format text");
  }

  std::vector<int32_t> symbols_of(const std::vector<float>& rows, int64_t symbols) const {
    std::vector<int32_t> out;
    for (const float value : rows) {
      const bool known = value >= 0.0F && value < static_cast<float>(symbols) && value == std::floor(value);
      if (!known) fail_at(steps_ + static_cast<int64_t>(out.size()), symbols);
      out.push_back(static_cast<int32_t>(value));
    }
    return out;
  }

  void expect_whole_sequences() const {
    if (sequence_ == 0 || steps_ % sequence_ == 0) return;
    throw input_error(fmt::format("{}: expected sequences of {} steps, found {} steps more", shown_input(), sequence_,
                                  steps_ % sequence_),
                      "give whole sequences, or another --sequence");
  }

  // `most`: sequences, where there are states of several.
  void prepare_states(const StateParts& parts, int64_t most) {
    state_parts_ = parts;
    if (state_in_.empty()) return;
    first_states_ = read_states(state_in_, parts);
    const int64_t size = std::max<int64_t>(size_of(parts), 1);
    const auto given = static_cast<int64_t>(first_states_.size()) / size;
    if (given <= 1 || given == most) return;
    throw input_error(fmt::format("{}: expected the state of one sequence{}, found {}", state_in_,
                                  most > 1 ? fmt::format(", or of {}", most) : "", given),
                      "use the states of as many sequences, in one array");
  }

  // The state that sequence `number` begins with; null: the model's own.
  const float* first_state(int64_t number) const {
    if (first_states_.empty()) return nullptr;
    const int64_t size = size_of(state_parts_);
    const bool one = static_cast<int64_t>(first_states_.size()) == size;
    return first_states_.data() + (one ? 0 : number) * size;
  }

  void begin(int64_t number) {
    const float* state = first_state(number);
    state == nullptr ? steps_of_->reset() : steps_of_->set_state(state);
  }

  void keep_state() {
    states_.resize(static_cast<size_t>(size_of(state_parts_)));
    steps_of_->get_state(states_.data());
  }

  // Sequences as arrays.
  void answer(const Sequences& sequences) {
    if (sequence_ > 0 || block_ > 0) {
      throw usage_error("--sequence and --block are for rows, found arrays", "leave them out");
    }
    begin_answers(static_cast<int64_t>(sequences.list.size()));
    for (const Sequence& each : sequences.list) answer_one(each, true);
    answers_->finish(sequences, batch_axes());
  }

  // Sequences of rows that are read to their ends.
  void answer_rows() {
    begin_answers(1);
    const int64_t width = layout_.width;
    while (true) {
      std::vector<float> rows;
      int64_t n = 0;
      while (sequence_ == 0 || n < sequence_) {
        const int64_t got = reader_->read(sequence_ == 0 ? 4096 : sequence_ - n, rows);
        if (got == 0) break;
        n += got;
      }
      if (n == 0) break;
      LONGHAND_CHECK(static_cast<int64_t>(rows.size()) == n * width);
      if (sequence_ > 0 && n < sequence_) steps_ += n;
      expect_whole_sequences();
      answer_one(sequence_of_rows(network_->graph(), rows, inputs_.front().path), false);
      if (sequence_ == 0) break;
    }
    if (steps_ > 0) answers_->finish({}, batch_axes());
  }

  void begin_answers(int64_t sequences) {
    if (!runner_) runner_.emplace(network_, static_cast<int>(threads_));
    const std::string& why = runner_->why_no_states();
    if (!why.empty() && (block_ > 0 || each_step_ || !state_in_.empty() || !state_out_.empty())) {
      throw usage_error("expected a whole sequence without --block, --each-step and states: " + why,
                        "leave --block, --each-step, --state-in and --state-out out");
    }
    prepare_states(runner_->state_parts(), sequences);
    answers_.emplace(network_->graph(), outputs_, sound_rate());
  }

  void answer_one(const Sequence& sequence, bool keep_all) {
    const auto size = static_cast<size_t>(size_of(state_parts_));
    std::vector<float> state(size);
    std::vector<graph::Array> outputs;
    try {
      outputs = runner_->run(sequence, first_state(sequences_), state.data());
    } catch (const Error& e) {
      throw input_error(fmt::format("{}: {}", shown_input(), e.what()), e.advice());
    }
    answers_->add(sequence, std::move(outputs));
    if (!keep_all) states_.clear();
    if (!state_out_.empty()) states_.insert(states_.end(), state.begin(), state.end());
    steps_ += sequence.steps;
    ++sequences_;
  }

  std::vector<int64_t> batch_axes() const {
    std::vector<int64_t> out;
    for (size_t i = 0; i < network_->graph().outputs.size(); ++i) out.push_back(runner_->batch_axis(i));
    return out;
  }

  std::string model_path_, input_ = "-", output_ = "-", input_format_ = "auto", output_format_ = "auto";
  std::string state_in_, state_out_;
  bool each_step_ = false;
  int64_t block_ = 0, sequence_ = 0, sample_rate_ = 0, threads_ = 1, steps_ = 0, sequences_ = 0;
  std::vector<PortFile> inputs_, outputs_;
  std::shared_ptr<const graph::Network> network_;  // or
  std::shared_ptr<const Model> model_;
  graph::StepShape shape_;
  std::optional<convert::SymbolReader> symbols_;
  RowLayout layout_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<Steps> steps_of_;  // step by step, to
  std::unique_ptr<RowWriter> writer_;
  std::optional<convert::SequenceRunner> runner_;  // or whole sequences, to
  std::optional<AnswerWriter> answers_;
  StateParts state_parts_;
  std::vector<float> first_states_, states_;  // [sequences, numbers of a state]
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_run(const Verb& longhand) {
  longhand.add_command<Run>("run", "Run a model step by step: a network of layers, a language model or a regressor");
}

}  // namespace longhand::cli
