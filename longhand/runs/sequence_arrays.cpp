// Reads recordings from named arrays (.npz).
#include <fmt/core.h>

#include <cstring>

#include "longhand/base/error.h"
#include "longhand/runs/sequence_reading.h"

namespace longhand::runs {
namespace {

using NamedArray = std::pair<std::string, io::Array>;

// An array as [sequences, steps, width].
struct Batch {
  int64_t sequences = 1, steps = 1;
  data::Numbers numbers;
};

const io::Array* find_array(const std::vector<NamedArray>& arrays, const std::string& name) {
  for (const auto& [each, array] : arrays) {
    if (each == name) return &array;
  }
  return nullptr;
}

const io::Array& named(const std::vector<NamedArray>& arrays, const std::string& name, const std::string& where,
                       const char* option) {
  if (const io::Array* found = find_array(arrays, name)) return *found;
  std::vector<std::string> names;
  for (const auto& [each, array] : arrays) names.push_back(each);
  throw input_error(fmt::format("{}: expected an array '{}', found {}", where, visible(name), visible(listed(names))),
                    fmt::format("name it with `{}`{}", option, did_you_mean(name, names)));
}

data::Numbers numbers_of(const io::Array& array, const std::string& where) {
  if (const auto bad = io::first_non_finite(array)) {
    throw input_error(
        fmt::format("{}{}: expected finite numbers, found none", where, io::position_of(array.shape, *bad)),
        "fill the gaps, or leave the sequence out");
  }
  data::Numbers out;
  if (array.dtype == io::DType::kF32 || array.dtype == io::DType::kF16 || array.dtype == io::DType::kBf16) {
    out.floats = io::floats(array, where);
  } else {
    out.doubles = io::doubles(array, where);
  }
  return out;
}

// Reads an array [T], [T, C], [N, T] or [N, T, C], where C is `width`. An axis of size 1 may be left out.
Batch batch_of(const io::Array& array, int64_t width, const std::string& where) {
  std::vector<int64_t> shape = array.shape;
  const bool has_width = width > 1 || (shape.size() == 3 || (shape.size() == 2 && shape.back() == 1));
  Batch out;
  if (has_width && !shape.empty() && shape.back() == width) {
    shape.pop_back();
  } else if (has_width) {
    shape.clear();
  }
  if (shape.empty() || shape.size() > 2) {
    throw input_error(fmt::format("{}: expected [steps, {}] or [sequences, steps, {}], found {}", where, width, width,
                                  io::describe(array.shape)),
                      "give an array of that shape, or change the network");
  }
  out.steps = shape.back();
  if (shape.size() == 2) out.sequences = shape.front();
  out.numbers = numbers_of(array, where);
  return out;
}

std::vector<int64_t> lengths_of(const std::vector<NamedArray>& arrays, int64_t sequences, int64_t steps,
                                const std::string& where) {
  const io::Array* given = find_array(arrays, "lengths");
  if (given == nullptr) return std::vector<int64_t>(static_cast<size_t>(sequences), steps);
  std::vector<int64_t> out = io::integers(*given, where + ": lengths");
  const auto fits = [&](int64_t n) { return n >= 1 && n <= steps; };
  if (given->shape != std::vector<int64_t>{sequences} || !std::all_of(out.begin(), out.end(), fits)) {
    throw input_error(
        fmt::format("{}: lengths: expected [{}] whole numbers from 1 to {}, found others", where, sequences, steps),
        "give the number of steps of each sequence");
  }
  return out;
}

// Copies numbers first .. first + count - 1.
data::Numbers part_of(const data::Numbers& all, int64_t first, int64_t count) {
  data::Numbers out;
  const auto take = [&](const auto& from, auto& to) {
    if (!from.empty()) to.assign(from.begin() + first, from.begin() + first + count);
  };
  take(all.floats, out.floats);
  take(all.doubles, out.doubles);
  return out;
}

void read_file(const std::string& source, const std::vector<NamedArray>& arrays, const SequenceFileOptions& options,
               const SequenceShape& shape, data::RecordingSet& out) {
  const std::string where = shown_name(source);
  std::vector<Batch> inputs;
  for (size_t k = 0; k < shape.inputs(); ++k) {
    std::string name = shape.name(k);
    if (shape.inputs() == 1 && !options.input.empty()) name = options.input;
    if (shape.inputs() == 1 && options.input.empty() && find_array(arrays, name) == nullptr) name = "input";
    inputs.push_back(batch_of(named(arrays, name, where, "input"), shape.width(k), where + ": " + visible(name)));
    if (inputs[k].sequences == inputs[0].sequences && inputs[k].steps == inputs[0].steps) continue;
    throw input_error(
        fmt::format("{}: {}: expected {} sequences of {} steps, as the first input has, found {} of {}", where,
                    visible(name), inputs[0].sequences, inputs[0].steps, inputs[k].sequences, inputs[k].steps),
        "give inputs of the same sequences");
  }
  const int64_t N = inputs[0].sequences, T = inputs[0].steps, O = shape.targets();
  if (N == 0 || T == 0) throw input_error(where + ": expected sequences of steps, found none", "give some data");
  const std::string name = options.target.empty() ? "target" : options.target;
  const io::Array& array = named(arrays, name, where, "target");
  const std::string target = where + ": " + visible(name);
  const int64_t rows = shape.one_target() ? N : N * T;
  if (array.count() != rows * O) {
    throw input_error(fmt::format("{}: expected {}{} for {} sequences of {} steps, found {}", target,
                                  O == 1 ? std::string("a number") : std::to_string(O) + " numbers",
                                  shape.one_target() ? " a sequence" : " a step", N, T, io::describe(array.shape)),
                      shape.one_target()
                          ? "the network has one answer for a sequence"
                          : "the network has an answer for each step; for one of a sequence, end it with "
                            "a layer of type \"pool\", or return = \"last\"");
  }
  const data::Numbers targets = numbers_of(array, target);
  const std::vector<int64_t> lengths = lengths_of(arrays, N, T, where);
  for (int64_t n = 0; n < N; ++n) {
    const int64_t steps = lengths[static_cast<size_t>(n)];
    data::Recording recording{.name = N == 1 ? where : fmt::format("{}: sequence {}", where, n), .steps = steps};
    for (size_t k = 0; k < inputs.size(); ++k) {
      const int64_t width = shape.width(k);
      recording.inputs.push_back(part_of(inputs[k].numbers, n * T * width, steps * width));
    }
    recording.targets = shape.one_target() ? part_of(targets, n * O, O) : part_of(targets, n * T * O, steps * O);
    out.list.push_back(std::move(recording));
  }
}

}  // namespace

data::RecordingSet read_arrays(const std::string& sources, const SequenceFileOptions& options,
                               const SequenceShape& shape, Sources& from) {
  data::RecordingSet out{.targets = shape.targets()};
  for (size_t k = 0; k < shape.inputs(); ++k) out.widths.push_back(shape.width(k));
  for (const std::string& source : data::split_names(sources)) {
    read_file(source, from.arrays(source), options, shape, out);
  }
  out.format = "arrays";
  return out;
}

}  // namespace longhand::runs
