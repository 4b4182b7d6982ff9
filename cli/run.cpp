// longhand run: a model on sequences of numbers, from files and pipes to files and pipes.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/run_rows.h"
#include "longhand/base/error.h"
#include "longhand/io/safetensors.h"
#include "longhand/model_parts.h"
#include "longhand/tasks/graph_file.h"

namespace longhand::cli {
namespace {

class Run {
 public:
  Run() {
    table_.add("input", input_, "rows of numbers, one time step each: file, or - for standard input");
    table_.add("output", output_, "where the outputs go: file, or - for standard output");
    table_.add("input-format", input_format_, "what the input is; auto: by the end of its name, csv on a pipe",
               one_of(row_formats()));
    table_.add("output-format", output_format_, "what the output is; auto: by the end of its name, csv on a pipe",
               one_of(row_formats()));
    table_.add("block", block_, "steps that are read, computed and written at a time; 0: as many as are quick",
               between(0, 1 << 20));
    table_.add("sequence", sequence_, "steps of each sequence; 0: the input is one sequence", at_least(0));
    table_.add("state-in", state_in_, "file with the state that sequences begin with");
    table_.add("state-out", state_out_, "file for the state after the last step");
    table_.add("threads", threads_, "number of threads; 0: one per processor", between(0, 1024));
  }

  void declare(const Verb& verb) {
    verb.add_argument("MODEL", model_path_, "model file of a network of layers", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (model_path_ == "-")
      throw usage_error("longhand run: expected a model file, found -", "write it to a file first");
    const tasks::ModelFile file = tasks::ModelFile::read(model_path_);
    network_ = std::make_shared<const graph::Network>(tasks::read_network(file), file.path());
    shape_ = graph::step_shape(network_);
    const int64_t width = shape_.symbols > 0 ? 1 : shape_.inputs;
    reader_ = RowReader::open(input_, format(input_, input_format_, "input-format"), width);
    shape_.why_no_steps.empty() ? run_steps() : run_whole();
    if (writer_) writer_->finish();
    say("{} step{} read\n", steps_, steps_ == 1 ? "" : "s");
    return 0;
  }

 private:
  static std::string format(const std::string& path, const std::string& given, const char* option) {
    if (given != "auto") return given;
    if (path == "-") return "csv";
    const std::string found = format_of(path);
    if (!found.empty()) return found;
    throw usage_error(fmt::format("{}: expected a name that ends in .csv, .txt, .f32, .raw, .bin, .npy or .wav", path),
                      fmt::format("say what it is, with --{}", option));
  }

  void write(const float* rows, int64_t n, int64_t width) {
    if (!writer_) writer_ = RowWriter::open(output_, format(output_, output_format_, "output-format"), width);
    writer_->write(rows, n);
  }

  // Step by step, or in blocks: the memory does not grow with the sequence.
  void run_steps() {
    graph::Stepper stepper(network_, block_ > 0 ? block_ : 64, static_cast<int>(threads_));
    const std::vector<float> first = read_state(stepper);
    const int64_t at_once = block_ > 0 ? block_ : 1024;
    std::vector<float> rows, outputs;
    while (true) {
      const int64_t left = sequence_ > 0 ? sequence_ - steps_ % sequence_ : at_once;
      if (sequence_ > 0 && steps_ > 0 && steps_ % sequence_ == 0) begin(stepper, first);
      rows.clear();
      const int64_t n = reader_->read(std::min(at_once, left), rows);
      if (n == 0) break;
      outputs.resize(static_cast<size_t>(n * shape_.outputs));
      int64_t done = 0;
      if (shape_.symbols > 0) {
        const std::vector<int32_t> symbols = symbols_of(rows);
        done = stepper.process(n, symbols.data(), outputs.data());
      } else {
        done = stepper.process(n, rows.data(), outputs.data());
      }
      if (done < n) fail_at(steps_ + done);
      write(outputs.data(), n, shape_.outputs);
      if (output_ == "-") flush_output();
      steps_ += n;
    }
    expect_whole_sequences();
    if (!state_out_.empty()) write_state(stepper);
  }

  [[noreturn]] void fail_at(int64_t step) const {
    throw input_error(
        fmt::format("{}: step {}: expected symbols below {}, found another", input_, step, shape_.symbols),
        "give whole numbers from 0 on");
  }

  std::vector<int32_t> symbols_of(const std::vector<float>& rows) const {
    std::vector<int32_t> out;
    for (const float value : rows) {
      const bool known = value >= 0.0F && value < static_cast<float>(shape_.symbols) && value == std::floor(value);
      if (!known) fail_at(steps_ + static_cast<int64_t>(out.size()));
      out.push_back(static_cast<int32_t>(value));
    }
    return out;
  }

  void expect_whole_sequences() const {
    if (sequence_ == 0 || steps_ % sequence_ == 0) return;
    throw input_error(
        fmt::format("{}: expected sequences of {} steps, found {} steps more", input_, sequence_, steps_ % sequence_),
        "give whole sequences, or another --sequence");
  }

  // A network that reads sequences as wholes.
  void run_whole() {
    if (block_ > 0 || !state_in_.empty() || !state_out_.empty()) {
      throw usage_error("expected a whole sequence without --block and states: " + shape_.why_no_steps,
                        "leave --block, --state-in and --state-out out");
    }
    std::optional<graph::Plan> plan;
    int64_t planned = -1;
    while (true) {
      std::vector<float> rows;
      int64_t n = 0;
      while (sequence_ == 0 || n < sequence_) {
        const int64_t got = reader_->read(sequence_ == 0 ? 4096 : sequence_ - n, rows);
        if (got == 0) break;
        n += got;
      }
      if (n == 0) break;
      steps_ += n;
      if (sequence_ > 0) expect_whole_sequences();
      if (planned != n) plan.emplace(network_, graph::PlanOptions{.steps = n, .threads = static_cast<int>(threads_)});
      planned = n;
      plan->reset();
      run_sequence(*plan, n, rows);
      if (sequence_ == 0) break;
    }
  }

  void run_sequence(graph::Plan& plan, int64_t n, const std::vector<float>& rows) {
    int64_t at = 0;
    for (const graph::Plan::View& input : plan.inputs()) {
      const int64_t own = graph::count(input.dims) / n;
      for (int64_t t = 0; t < n; ++t) {
        const float* from = rows.data() + t * (shape_.symbols > 0 ? 1 : shape_.inputs) + at;
        if (input.type == graph::ElementType::kInt) {
          input.ints[t] = static_cast<int64_t>(*from);
        } else {
          std::copy_n(from, own, input.floats + t * own);
        }
      }
      at += own;
    }
    if (!plan.run()) throw input_error(plan.fault(), "give whole numbers from 0 on, below the number of symbols");
    const graph::Plan::View& output = plan.outputs().front();
    if (plan.outputs().size() > 1 || output.type != graph::ElementType::kFloat) {
      throw input_error(network_->where() + ": expected one output of floats", "write one of them alone (`outputs`)");
    }
    const int64_t width = output.dims.empty() ? 1 : output.dims.back();
    write(output.floats, width == 0 ? 0 : graph::count(output.dims) / width, width);
  }

  std::vector<float> read_state(graph::Stepper& stepper) {
    std::vector<float> out;
    if (!state_in_.empty()) {
      const io::Safetensors file = io::Safetensors::read(state_in_);
      for (const auto& [name, width] : stepper.state_parts()) {
        std::vector<float> part(static_cast<size_t>(width));
        file.copy_floats(name, {width}, part);
        out.insert(out.end(), part.begin(), part.end());
      }
      if (file.tensors().size() != stepper.state_parts().size()) {
        throw input_error(fmt::format("{}: expected {} arrays, found {}", state_in_, stepper.state_parts().size(),
                                      file.tensors().size()),
                          "use a state of this network");
      }
      if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); })) {
        throw input_error(state_in_ + ": holds values that are not finite", "use an intact state");
      }
      stepper.set_state(out.data());
    }
    return out;
  }

  static void begin(graph::Stepper& stepper, const std::vector<float>& first) {
    first.empty() ? stepper.reset() : stepper.set_state(first.data());
  }

  void write_state(const graph::Stepper& stepper) const {
    std::vector<float> state(static_cast<size_t>(stepper.state_size()));
    stepper.get_state(state.data());
    std::vector<io::TensorToWrite> tensors;
    size_t at = 0;
    for (const auto& [name, width] : stepper.state_parts()) {
      tensors.emplace_back(name, std::vector<int64_t>{width},
                           std::span<const float>(state).subspan(at, static_cast<size_t>(width)));
      at += static_cast<size_t>(width);
    }
    io::write_safetensors(state_out_, {}, tensors);
  }

  std::string model_path_, input_ = "-", output_ = "-", input_format_ = "auto", output_format_ = "auto";
  std::string state_in_, state_out_;
  int64_t block_ = 0, sequence_ = 0, threads_ = 1, steps_ = 0;
  std::shared_ptr<const graph::Network> network_;
  graph::StepShape shape_;
  std::unique_ptr<RowReader> reader_;
  std::unique_ptr<RowWriter> writer_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_run(const Verb& longhand) {
  longhand.add_command<Run>("run", "Run a network of layers on sequences of numbers");
}

}  // namespace longhand::cli
