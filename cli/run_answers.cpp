#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "cli/console.h"
#include "cli/run_files.h"
#include "cli/run_steps.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/npy.h"

namespace longhand::cli {
namespace {

void write_whole(const std::string& path, const std::string& bytes) {
  io::OutputStream file(path);
  try {
    file.write(bytes);
  } catch (const Error&) {
    if (file.reader_ended()) throw OutputEnded{};
    throw;
  }
  file.finish();
}

// Row `t` of an output of `rows` rows.
void append_row(const graph::Array& from, int64_t rows, int64_t t, std::vector<float>& to) {
  const auto own = static_cast<std::ptrdiff_t>(graph::count(from.dims) / rows);
  if (from.type == graph::ElementType::kFloat) {
    to.insert(to.end(), from.floats.begin() + t * own, from.floats.begin() + (t + 1) * own);
  } else {
    std::transform(from.ints.begin() + t * own, from.ints.begin() + (t + 1) * own, std::back_inserter(to),
                   [](int64_t value) { return static_cast<float>(value); });
  }
}

}  // namespace

AnswerWriter::AnswerWriter(const graph::Graph& graph, std::vector<PortFile> files, int64_t sample_rate)
    : graph_(graph), sample_rate_(sample_rate), answers_(graph.outputs.size()) {
  for (PortFile& file : files) {
    Target& target = targets_.emplace_back();
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      if (file.port.empty() || file.port == graph.outputs[i].name) target.outputs.push_back(i);
    }
    const bool arrays = file.format == "npz" || file.format == "npy";
    if (file.format == "npy" && target.outputs.size() > 1) {
      throw usage_error(fmt::format("{}: expected .npz for {} outputs, found .npy", file.path, target.outputs.size()),
                        "write .npz, or a file for each output (--output NAME=FILE)");
    }
    if (file.format == "wav" && sample_rate == 0) {  // before there is work to lose
      throw usage_error(file.path + ": a WAV file needs its sample rate, and the input is no sound that has one",
                        "give it with --sample-rate");
    }
    keeps_ = keeps_ || arrays;
    target.file = std::move(file);
  }
}

void AnswerWriter::add(const convert::Sequence& sequence, std::vector<graph::Array> outputs,
                       const std::vector<int64_t>& rows) {
  for (Target& target : targets_) {
    if (target.file.format != "npz" && target.file.format != "npy") add_rows(target, outputs, rows);
  }
  names_.push_back(sequence.name);
  for (size_t i = 0; keeps_ && i < outputs.size(); ++i) answers_[i].push_back(std::move(outputs[i]));
}

// Outputs side by side.
void AnswerWriter::add_rows(Target& target, const std::vector<graph::Array>& outputs,
                            const std::vector<int64_t>& rows_of) {
  const int64_t rows = rows_of[target.outputs.front()];
  int64_t width = 0;
  for (const size_t i : target.outputs) {
    if (rows_of[i] != rows) {
      throw input_error(
          fmt::format("{}: expected outputs of as many rows, found {} and {}", target.file.path, rows, rows_of[i]),
          "write .npz, or a file for each output (--output NAME=FILE)");
    }
    width += rows == 0 ? 0 : graph::count(outputs[i].dims) / rows;
  }
  if (width == 0) return;
  if (target.rows) {
    if (marks_sequences_) target.rows->begin_sequence();
  } else {
    target.rows = RowWriter::open(target.file.path, target.file.format, width, sample_rate_);
    target.width = width;
  }
  if (target.width != width) {
    throw input_error(fmt::format("{}: expected rows of {} numbers for all sequences, found {}", target.file.path,
                                  target.width, width),
                      "write .npz");
  }
  constexpr int64_t kAtOnce = 1024;
  std::vector<float> block;
  for (int64_t begin = 0; begin < rows; begin += kAtOnce) {
    const int64_t end = std::min(begin + kAtOnce, rows);
    block.clear();
    for (int64_t t = begin; t < end; ++t) {
      for (const size_t i : target.outputs) append_row(outputs[i], rows, t, block);
    }
    target.rows->write(block.data(), end - begin);
  }
}

convert::NamedArrays AnswerWriter::arrays_of(const Target& target, const convert::Sequences& sequences,
                                             const std::vector<int64_t>& batch_axes) const {
  convert::NamedArrays out;
  for (const size_t i : target.outputs) {
    const std::string& port = graph_.outputs[i].name;
    const std::vector<graph::Array>& answers = answers_[i];
    const bool named = std::any_of(names_.begin(), names_.end(), [](const auto& name) { return !name.empty(); });
    if (named) {
      for (size_t s = 0; s < answers.size(); ++s) {
        out.emplace_back(graph_.outputs.size() > 1 ? names_[s] + "/" + port : names_[s],
                         convert::to_io_array(answers[s]));
      }
    } else {
      const bool stack = sequences.batch || answers.size() > 1;
      out.emplace_back(port, convert::to_io_array(stack ? convert::stacked(answers, batch_axes[i], target.file.path)
                                                        : answers.front()));
    }
  }
  if (!sequences.lengths.empty() && target.file.format == "npz") {
    out.emplace_back("lengths", io::make_array({static_cast<int64_t>(sequences.lengths.size())},
                                               std::span<const int64_t>(sequences.lengths)));
  }
  return out;
}

void AnswerWriter::finish(const convert::Sequences& sequences, const std::vector<int64_t>& batch_axes) {
  for (const Target& target : targets_) {
    if (target.file.format == "npz") {
      write_whole(target.file.path, convert::npz_bytes(target.file.path, arrays_of(target, sequences, batch_axes)));
    } else if (target.file.format == "npy") {
      const convert::NamedArrays arrays = arrays_of(target, sequences, batch_axes);
      if (arrays.size() > 1) {
        throw usage_error(
            fmt::format("{}: expected .npz for {} sequences by name, found .npy", target.file.path, arrays.size()),
            "write .npz, which has an array for each");
      }
      write_whole(target.file.path, io::npy_bytes(arrays.front().second));
    }
  }
  for (Target& target : targets_) {
    if (target.rows) target.rows->finish();
  }
}

namespace {

// One sequence after the other.
class AnswerRun {
 public:
  AnswerRun(convert::SequenceRunner& runner, const graph::Graph& graph, int64_t sequences, int64_t sample_rate,
            const RunSettings& settings)
      : runner_(runner), graph_(graph), settings_(settings), parts_(runner.state_parts()) {
    const std::string& why = runner.why_no_states();
    const bool states = !settings.state_in.empty() || !settings.state_out.empty();
    if (!why.empty() && (settings.block > 0 || settings.each_step || states)) {
      throw usage_error("expected a whole sequence without --block, --each-step and states: " + why,
                        "leave --block, --each-step, --state-in and --state-out out");
    }
    if (!settings.state_in.empty()) first_ = read_states(settings.state_in, parts_, sequences);
    writer_.emplace(graph, settings.outputs, sample_rate);
  }

  void join_sequences() { writer_->join_sequences(); }

  void next(const convert::Sequence& sequence) {
    std::vector<float> state(static_cast<size_t>(size_of(parts_)));
    std::vector<graph::Array> outputs;
    try {
      outputs = runner_.run(sequence, state_of(first_, parts_, count_.sequences), state.data());
    } catch (const Error& e) {
      throw Error(e.code(), fmt::format("{}: {}", settings_.input_name(), e.what()), e.advice());
    }
    std::vector<int64_t> rows;
    for (size_t i = 0; i < outputs.size(); ++i) rows.push_back(runner_.rows_of(i, outputs[i], sequence.steps));
    writer_->add(sequence, std::move(outputs), rows);
    if (!settings_.state_out.empty()) states_.insert(states_.end(), state.begin(), state.end());
    count_.steps += sequence.steps;
    ++count_.sequences;
  }

  RunCount finish(const convert::Sequences& sequences) {
    if (count_.steps == 0) return count_;
    std::vector<int64_t> axes;
    for (size_t i = 0; i < graph_.outputs.size(); ++i) axes.push_back(runner_.batch_axis(i));
    writer_->finish(sequences, axes);
    if (!settings_.state_out.empty()) write_states(settings_.state_out, parts_, states_);
    return count_;
  }

 private:
  convert::SequenceRunner& runner_;
  const graph::Graph& graph_;
  const RunSettings& settings_;
  StateParts parts_;
  std::vector<float> first_, states_;  // [sequences, numbers of a state]
  std::optional<AnswerWriter> writer_;
  RunCount count_;
};

}  // namespace

RunCount run_sequences(convert::SequenceRunner& runner, const graph::Graph& graph, const convert::Sequences& sequences,
                       const RunSettings& settings) {
  if (settings.sequence > 0 || settings.block > 0) {
    throw usage_error("--sequence and --block are for rows, found arrays", "leave them out");
  }
  AnswerRun run(runner, graph, static_cast<int64_t>(sequences.list.size()), settings.rate_of(0, settings.input_name()),
                settings);
  for (const convert::Sequence& each : sequences.list) run.next(each);
  return run.finish(sequences);
}

RunCount run_rows(convert::SequenceRunner& runner, const graph::Graph& graph, RowReader& reader,
                  const RunSettings& settings) {
  AnswerRun run(runner, graph, 1, settings.rate_of(reader.sample_rate().value_or(0), settings.input_name()), settings);
  const int64_t sequence = settings.sequence;
  const bool by_column = !reader.sequence_column().empty();
  convert::Sequences of_table;
  if (by_column) run.join_sequences();
  for (int64_t before = 0;;) {
    std::vector<float> rows;
    int64_t n = 0;
    while (sequence == 0 || n < sequence) {
      const int64_t got = reader.read(sequence == 0 ? 4096 : sequence - n, rows);
      if (got == 0) break;
      n += got;
    }
    if (n == 0) break;
    before += n;
    expect_whole_sequences(before, settings);
    run.next(sequence_of_rows(graph, rows, settings.inputs.front().path));
    if (by_column) of_table.lengths.push_back(n);
    if (sequence == 0 && !reader.next_sequence()) break;
  }
  return run.finish(of_table);
}

}  // namespace longhand::cli
