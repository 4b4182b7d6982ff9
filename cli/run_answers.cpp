#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "cli/run_files.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/npy.h"

namespace longhand::cli {
namespace {

// An output over time is a row a step; another one is a row.
int64_t rows_of(const graph::Array& array) { return array.dims.size() < 2 ? 1 : array.dims.front(); }

void write_whole(const std::string& path, const std::string& bytes) {
  io::OutputStream file(path);
  file.write(bytes);
  file.finish();
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

void AnswerWriter::add(const convert::Sequence& sequence, std::vector<graph::Array> outputs) {
  for (Target& target : targets_) {
    if (target.file.format != "npz" && target.file.format != "npy") add_rows(target, outputs);
  }
  names_.push_back(sequence.name);
  for (size_t i = 0; keeps_ && i < outputs.size(); ++i) answers_[i].push_back(std::move(outputs[i]));
}

// Outputs side by side.
void AnswerWriter::add_rows(Target& target, const std::vector<graph::Array>& outputs) {
  const int64_t rows = rows_of(outputs[target.outputs.front()]);
  int64_t width = 0;
  for (const size_t i : target.outputs) {
    if (rows_of(outputs[i]) != rows) {
      throw input_error(fmt::format("{}: expected outputs of as many rows, found {} and {}", target.file.path, rows,
                                    rows_of(outputs[i])),
                        "write .npz, or a file for each output (--output NAME=FILE)");
    }
    width += rows == 0 ? 0 : graph::count(outputs[i].dims) / rows;
  }
  if (width == 0) return;
  if (target.rows) {
    target.rows->begin_sequence();
  } else {
    target.rows = RowWriter::open(target.file.path, target.file.format, width, sample_rate_);
    target.width = width;
  }
  if (target.width != width) {
    throw input_error(fmt::format("{}: expected rows of {} numbers for all sequences, found {}", target.file.path,
                                  target.width, width),
                      "write .npz");
  }
  std::vector<float> row(static_cast<size_t>(width));
  for (int64_t t = 0; t < rows; ++t) {
    float* to = row.data();
    for (const size_t i : target.outputs) {
      const graph::Array& from = outputs[i];
      const int64_t own = graph::count(from.dims) / rows;
      for (int64_t j = t * own; j < (t + 1) * own; ++j) {
        const auto at = static_cast<size_t>(j);
        *to++ = from.type == graph::ElementType::kFloat ? from.floats[at] : static_cast<float>(from.ints[at]);
      }
    }
    target.rows->write(row.data(), 1);
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
      convert::write_npz(target.file.path, arrays_of(target, sequences, batch_axes));
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

}  // namespace longhand::cli
