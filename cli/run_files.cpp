#include "cli/run_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/number_table.h"
#include "longhand/convert/verify.h"
#include "longhand/data/source.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"

namespace longhand::cli {
namespace {

using convert::NamedArrays;
using convert::Sequence;
using convert::Sequences;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// The port that "NAME=FILE" begins with; ports whose names have an = in them are found, too.
const graph::Port* named_port(const std::string& text, const std::vector<graph::Port>& ports) {
  for (const graph::Port& port : ports) {
    if (text.size() > port.name.size() && text.starts_with(port.name) && text[port.name.size()] == '=') return &port;
  }
  return nullptr;
}

std::string found_format(const std::string& path, const std::string& given, const std::string& option, bool texts) {
  if (given != "auto") return given;
  if (path == "-") return "csv";
  if (texts && path.ends_with(".txt")) return "text";
  const std::string found = format_of(path);
  if (!found.empty()) return found;
  throw usage_error(path + ": expected a name that ends in .csv, .txt, .f32, .raw, .bin, .npy, .npz or .wav",
                    fmt::format("say what it is, with --{}-format", option));
}

// Returns the column names of one of several inputs; empty: unknown.
std::vector<std::string> columns_of(const graph::Graph& graph, const std::string& port, const RunSettings& settings) {
  size_t all = 0, first = 0, own = 0;
  for (const graph::Port& each : graph.inputs) {
    const auto width = static_cast<size_t>(graph::count(convert::step_dims(graph, each, settings.input_name())));
    if (each.name == port) first = all;
    if (each.name == port) own = width;
    all += width;
  }
  const std::vector<std::string>& names = settings.trained.inputs;
  if (names.size() != all) return {};
  const auto begin = names.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(own)};
}

// Reads one input [rows, columns] from a table, by column names.
io::Array table_of(const PortFile& file, const std::vector<std::string>& columns, RunSettings& settings) {
  RowLayout layout{.width = static_cast<int64_t>(columns.size()), .columns = columns, .trained_on_columns = true};
  layout.group = settings.trained.group;
  layout.decimal = settings.trained.decimal;
  const std::unique_ptr<RowReader> reader = RowReader::open(file.path, "csv", layout);
  if (const std::string group = reader->sequence_column(); !group.empty()) {
    throw input_error(
        fmt::format("{}: expected one sequence, found the column '{}', which divides the table into several",
                    shown_input(file.path), visible(group)),
        "give all inputs in one table, without NAME=");
  }
  std::vector<float> rows;
  while (reader->read(4096, rows) > 0) continue;
  settings.notes.push_back(reader->note());
  return io::make_array({static_cast<int64_t>(rows.size()) / layout.width, layout.width}, std::span<const float>(rows));
}

io::Array array_of(const graph::Graph& graph, const PortFile& file, RunSettings& settings) {
  const std::string name = shown_input(file.path);
  const std::vector<std::string> columns =
      file.format == "csv" ? columns_of(graph, file.port, settings) : std::vector<std::string>();
  if (!columns.empty()) return table_of(file, columns, settings);
  if (file.format == "npy") return io::read_npy(name, io::read_file(file.path));
  if (file.format == "csv") return convert::read_number_table(name, io::read_file(file.path)).numbers;
  if (file.format == "wav") {
    io::Wav sound = io::read_wav(name, io::read_file(file.path));
    settings.rate_of(sound.format.sample_rate, name);
    return std::move(sound.samples);
  }
  if (file.format == "raw") {
    const std::vector<float> numbers = io::read_raw_floats(file.path);
    return io::make_array({static_cast<int64_t>(numbers.size())}, std::span<const float>(numbers));
  }
  throw usage_error(fmt::format("{}: expected csv, raw, npy or wav for one input, found {}", name, file.format),
                    "give all inputs in one .npz");
}

// A sequence a line; empty ones are none.
Sequences lines_of(const std::string& path, const convert::SymbolReader& symbols) {
  Sequences out;
  const std::string name = shown_input(path), text = data::clean_text(io::read_file(path), name);
  std::string_view rest = text;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = data::take_line(rest);
    if (line.empty()) continue;
    std::vector<int64_t> found = symbols.read(line, fmt::format("{}:{}", name, number));
    const auto n = static_cast<int64_t>(found.size());
    out.list.push_back({fmt::format("{}", number), n, {graph::array_of_ints({n}, std::move(found))}});
  }
  return out;
}

}  // namespace

std::string shown_input(const std::string& path) { return path == "-" ? "standard input" : path; }

int64_t RunSettings::rate_of(int64_t found, const std::string& path) const {
  if (sample_rate > 0) return sample_rate;
  if (found > 0 && model_rate > 0 && found != model_rate) {
    throw input_error(fmt::format("{}: expected sound of {} frames a second, found {}", path, model_rate, found),
                      fmt::format("resample it; or run the model on it as it is, with --sample-rate {}", found));
  }
  return found > 0 ? found : model_rate;
}

std::vector<PortFile> port_files(const std::string& text, const std::vector<graph::Port>& ports,
                                 const std::string& option, const std::string& format, bool texts) {
  std::vector<std::string> names;
  for (const graph::Port& port : ports) names.push_back(port.name);
  std::vector<PortFile> out;
  for (const std::string& given : split(text, '\n')) {  // of an option each
    if (named_port(given, ports) == nullptr) {
      const size_t equals = given.find('=');
      if (equals != std::string::npos && given.find('/') > equals && (option == "output" || !io::exists(given))) {
        const std::string name = given.substr(0, equals);
        throw usage_error(
            fmt::format("--{}: expected one of the {}s ({}), found '{}'", option, option,
                        visible(fmt::format("{}", fmt::join(names, ", "))), visible(name)),
            fmt::format("write ./{} for a file of this name", visible(given)) + did_you_mean(name, names));
      }
      out.push_back({"", given, found_format(given, format, option, texts)});
      continue;
    }
    for (const std::string& each : split(given, ',')) {
      const graph::Port* port = named_port(each, ports);
      if (port == nullptr && !out.empty()) {  // the comma is of the file's name
        out.back().path += "," + each;
        continue;
      }
      LONGHAND_CHECK(port != nullptr);
      out.push_back({port->name, each.substr(port->name.size() + 1), ""});
    }
  }
  for (PortFile& file : out) {
    const auto same = [&](const PortFile& other) { return other.port == file.port; };
    if (std::count_if(out.begin(), out.end(), same) > 1 || (file.port.empty() && out.size() > 1)) {
      throw usage_error(fmt::format("--{}: expected one file, or NAME=FILE once for each {} ({}), found '{}'", option,
                                    option, visible(fmt::format("{}", fmt::join(names, ", "))),
                                    visible(fmt::format("{}", fmt::join(split(text, '\n'), ", ")))),
                        "leave the others out");
    }
    if (file.format.empty()) file.format = found_format(file.path, format, option, false);
  }
  return out;
}

Sequences sequences_of(const graph::Graph& graph, io::Array array, const std::string& path) {
  NamedArrays arrays;
  arrays.emplace_back(graph.inputs.front().name, std::move(array));
  return convert::find_sequences(graph, arrays, shown_input(path));
}

Sequences read_sequences(const graph::Graph& graph, RunSettings& settings, const convert::SymbolReader* symbols) {
  const PortFile& first = settings.inputs.front();
  const std::string name = shown_input(first.path);
  if (first.format == "npz") {
    const std::string own = settings.trained.inputs.size() == 1 ? settings.trained.inputs.front() : "";
    std::vector<std::string> others;
    const NamedArrays arrays =
        convert::input_arrays(graph, convert::read_npz(name, io::read_file(first.path)), own, name, others);
    if (!others.empty()) settings.notes.push_back(fmt::format("{}: not read: {}", name, visible(listed(others, 20))));
    return convert::find_sequences(graph, arrays, name);
  }
  if (first.format == "json") {
    NamedArrays arrays = convert::read_json_numbers(name, io::read_file(first.path), graph.symbols).arrays;
    if (arrays.size() == 1 && arrays.front().first.empty()) arrays.front().first = graph.inputs.front().name;
    return convert::find_sequences(graph, arrays, name);
  }
  if (first.format == "text") {
    LONGHAND_CHECK(symbols != nullptr);
    return lines_of(first.path, *symbols);
  }
  NamedArrays arrays;
  std::string all;
  for (const PortFile& file : settings.inputs) {
    arrays.emplace_back(file.port, array_of(graph, file, settings));
    all += (all.empty() ? "" : ", ") + shown_input(file.path);
  }
  return convert::find_sequences(graph, arrays, all);
}

Sequence sequence_of_rows(const graph::Graph& graph, const std::vector<float>& rows, const std::string& path) {
  const std::string name = shown_input(path);
  std::vector<graph::Dims> steps;
  int64_t width = 0, at = 0;
  for (const graph::Port& port : graph.inputs) {
    if (!convert::is_read_once(graph, port)) continue;
    throw input_error(fmt::format("{}: expected an array for each input, found rows; '{}' is read once in a sequence",
                                  name, visible(port.name)),
                      "give NAME=FILE for each input, or .npz");
  }
  for (const graph::Port& port : graph.inputs)
    width += graph::count(steps.emplace_back(convert::step_dims(graph, port, name)));
  Sequence out;
  out.steps = static_cast<int64_t>(rows.size()) / width;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const int64_t own = graph::count(steps[i]);
    graph::Dims dims = steps[i];
    dims.insert(dims.begin(), out.steps);
    graph::Array& to = out.inputs.emplace_back();
    to.type = graph.inputs[i].type;
    to.dims = dims;
    for (int64_t t = 0; t < out.steps; ++t) {
      const float* from = rows.data() + t * width + at;
      for (int64_t j = 0; j < own; ++j) {
        if (to.type == graph::ElementType::kFloat) {
          to.floats.push_back(from[j]);
          continue;
        }
        constexpr float kLargest = 16777216.0F;  // up to here a float32 has all whole numbers
        if (!(std::abs(from[j]) <= kLargest) || from[j] != std::floor(from[j])) {
          throw input_error(fmt::format("{}: step {}: expected whole numbers for '{}', found {}", name, t,
                                        visible(graph.inputs[i].name), from[j]),
                            "give whole numbers");
        }
        to.ints.push_back(static_cast<int64_t>(from[j]));
      }
    }
    at += own;
  }
  return out;
}

}  // namespace longhand::cli
