#include "longhand/runs/sequence_files.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/runs/sequence_reading.h"

namespace longhand::runs {

void SequenceFileOptions::add_to(OptionTable& table) {
  table.add(
      "input", input,
      "tables: names of the columns that the network reads, with commas between; .npz: of the array, by default input");
  table.add("target", target,
            "tables: names of the columns that it should make, with commas between; .npz: name of the array, by "
            "default target; "
            "WAV: files of what it should make of those of `data`, with commas between");
  table.add("group", group,
            "tables: column that identifies the sequence of each row; by default a file is one sequence");
  table.add("decimal", decimal, "tables: decimal separator; auto recognises it", one_of({"auto", "point", "comma"}));
  table.add("ahead", ahead, "steps from what the network reads to its target, of which it sees nothing before",
            between(0, 1 << 20));
}

SequenceFormat format_of(const std::string& sources) {
  const std::vector<std::string> all = data::split_names(sources);
  const std::string first = all.empty() ? "" : all.front();
  if (first.ends_with(".wav") || first.ends_with(".WAV")) return SequenceFormat::kSound;
  if (first.ends_with(".npz")) return SequenceFormat::kArrays;
  return SequenceFormat::kTable;
}

void check_used(const SequenceFileOptions& options, const std::string& sources) {
  const SequenceFormat format = format_of(sources);
  if (format == SequenceFormat::kTable) return;
  const char* found = format == SequenceFormat::kSound ? "WAV files" : ".npz files";
  const auto refuse = [&](const char* option, const char* expected) {
    throw usage_error(fmt::format("`{}`: expected {} with it, found {}", option, expected, found), "leave it out");
  };
  if (!options.group.empty()) refuse("group", "tables");
  if (options.decimal != "auto") refuse("decimal", "tables");
  if (format == SequenceFormat::kSound && !options.input.empty()) refuse("input", "tables or .npz files");
}

namespace {

// Throws an input error for a target that is not a whole number in 0 .. classes - 1.
void check_classes(const data::Recording& recording, int64_t classes) {
  for (size_t i = 0; i < recording.targets.size(); ++i) {
    const double x = recording.targets[i];
    if (x == std::floor(x) && x >= 0.0 && x < static_cast<double>(classes)) continue;
    throw input_error(fmt::format("{}: target {}: expected a class from 0 to {}, found {}", recording.name, i,
                                  classes - 1, shortest(x)),
                      "`loss` cross-entropy is for whole numbers; give the network's last layer as many `units` as "
                      "there are classes");
  }
}

void check_symbols(const data::Recording& recording, size_t input, int64_t symbols) {
  for (size_t i = 0; i < recording.inputs[input].size(); ++i) {
    const double x = recording.inputs[input][i];
    if (x == std::floor(x) && x >= 0.0 && x < static_cast<double>(symbols)) continue;
    throw input_error(fmt::format("{}: step {}: expected a symbol from 0 to {}, found {}", recording.name, i,
                                  symbols - 1, shortest(x)),
                      "symbols are whole numbers; correct the data, or the number of symbols in the network");
  }
}

// Pairs each step with the target `ahead` steps later; drops the last `ahead` steps of a recording.
void shift_targets(data::RecordingSet& set, int64_t ahead) {
  if (ahead == 0) return;
  for (data::Recording& recording : set.list) {
    if (recording.steps <= ahead) {
      throw input_error(fmt::format("{}: too short: expected more than {} steps, of which `ahead` is, found {}",
                                    recording.name, ahead, recording.steps),
                        "give longer sequences, or a smaller `ahead`");
    }
    const auto shift = [&](auto& numbers) {
      if (!numbers.empty()) numbers.erase(numbers.begin(), numbers.begin() + ahead * set.targets);
    };
    shift(recording.targets.floats);
    shift(recording.targets.doubles);
    recording.steps -= ahead;
    for (size_t k = 0; k < recording.inputs.size(); ++k) {
      const auto cut = [&](auto& numbers) {
        if (!numbers.empty()) numbers.resize(static_cast<size_t>(recording.steps * set.widths[k]));
      };
      cut(recording.inputs[k].floats);
      cut(recording.inputs[k].doubles);
    }
  }
}

}  // namespace

data::RecordingSet read_recordings(const std::string& sources, const SequenceFileOptions& options,
                                   const graph::TrainableNetwork& network, bool classes, Sources& from) {
  const SequenceShape shape{network, classes};
  const SequenceFormat format = format_of(sources);
  for (const std::string& source : data::split_names(sources)) {
    if (source.empty()) throw usage_error("`data`: expected names of files, found an empty one", "leave out a comma");
    if (format_of(source) != format) {
      throw usage_error(
          fmt::format("{}: expected files of one kind, found {}", shown_name(sources), shown_name(source)),
          "give tables, .npz files or WAV files");
    }
  }
  if (network.answers_once() && options.ahead > 0) {
    throw usage_error("`ahead`: expected a network with an answer for each step, found one with one for a sequence",
                      "leave it out");
  }
  data::RecordingSet set = format == SequenceFormat::kSound    ? read_sound(sources, options, shape, from)
                           : format == SequenceFormat::kArrays ? read_arrays(sources, options, shape, from)
                                                               : read_tables(sources, options, shape, from);
  set.one_target = network.answers_once();
  shift_targets(set, options.ahead);
  for (const data::Recording& recording : set.list) {
    if (classes) check_classes(recording, network.outputs());
    for (size_t k = 0; k < recording.inputs.size(); ++k) {
      if (network.symbols(k) > 0) check_symbols(recording, k, network.symbols(k));
    }
  }
  return set;
}

std::string describe_recordings(const std::string& sources, const data::RecordingSet& set) {
  std::string names;
  if (!set.input_names.empty()) {
    names =
        fmt::format("; inputs: {}; targets: {}", visible(listed(set.input_names)), visible(listed(set.target_names)));
  }
  return fmt::format(
      "{}: {}{}; {}, {}", shown_name(sources), set.format, names,
      format_count(static_cast<int64_t>(set.list.size()), set.list.size() == 1 ? "sequence" : "sequence"),
      format_count(set.steps(), "step"));
}

}  // namespace longhand::runs
