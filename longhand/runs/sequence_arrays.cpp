// Reads recordings from named arrays (.npz).
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

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

// Returns the numbers first .. first + count - 1. Throws an input error unless they and their squares are finite.
// Numbers outside this range may be padding and are not checked.
data::Numbers part_of(const data::Numbers& all, int64_t first, int64_t count, const io::Array& array,
                      const std::string& where) {
  constexpr double kLargest = 1e150;
  for (int64_t i = first; i < first + count; ++i) {
    const double x = all[static_cast<size_t>(i)];
    if (std::abs(x) <= kLargest) continue;
    throw input_error(
        fmt::format("{} {}: expected finite numbers{}, found {}", where, io::position_of(array.shape, i),
                    std::isfinite(x) ? fmt::format(" between -{:g} and {:g}", kLargest, kLargest) : "", x),
        "fill the gaps, leave the sequence out, or, for padding, give the array `lengths`");
  }
  data::Numbers out;
  const auto take = [&](const auto& from, auto& to) {
    if (!from.empty()) to.assign(from.begin() + first, from.begin() + first + count);
  };
  take(all.floats, out.floats);
  take(all.doubles, out.doubles);
  return out;
}

// Removes extents of 1.
std::vector<int64_t> without_ones(std::vector<int64_t> shape) {
  std::erase(shape, 1);
  return shape;
}

// Returns advice for a target of the wrong shape.
std::string advice_for_target(const std::vector<int64_t>& found, const SequenceShape& shape, int64_t N, int64_t T) {
  const int64_t O = shape.targets();
  const auto is = [&](std::vector<int64_t> other) { return without_ones(found) == without_ones(std::move(other)); };
  if (shape.one_target() && is({N, T, O})) {
    return "the network has one answer for a sequence; for one at each step, leave out its `pool` layer or return = "
           "\"last\"";
  }
  if (!shape.one_target() && is({N, O})) {
    return "the network has an answer for each step; for one of a sequence, end it with a layer of type \"pool\", or "
           "return = \"last\"";
  }
  const int64_t last = found.empty() ? 1 : found.back();
  if (shape.one_target() ? is({N, last}) : is({N, T, last})) {
    return shape.classes ? "classes are whole numbers, one for each target, not rows of zeros with a one: give their "
                           "index (numpy.argmax)"
                         : fmt::format("give the last layer `units` = {}", last);
  }
  return "give targets of the same sequences and steps as the inputs";
}

// Throws an input error unless the array has a target for each step, or for each sequence.
void check_target(const io::Array& array, const SequenceShape& shape, int64_t N, int64_t T, const std::string& where) {
  const int64_t O = shape.targets();
  const std::vector<int64_t> expected = shape.one_target() ? std::vector<int64_t>{N, O} : std::vector<int64_t>{N, T, O};
  if (without_ones(array.shape) == without_ones(expected)) return;
  throw input_error(fmt::format("{}: expected {}{} for {} sequence{} of {} steps, {}, found {}", where,
                                O == 1 ? std::string("a number") : std::to_string(O) + " numbers",
                                shape.one_target() ? " a sequence" : " a step", N, N == 1 ? "" : "s", T,
                                io::describe(expected), io::describe(array.shape)),
                    advice_for_target(array.shape, shape, N, T));
}

void read_file(const std::string& source, const std::vector<NamedArray>& arrays, const SequenceFileOptions& options,
               const SequenceShape& shape, data::RecordingSet& out) {
  const std::string where = shown_name(source);
  std::vector<Batch> inputs;
  std::vector<const io::Array*> arrays_of_inputs;
  std::vector<std::string> names;
  for (size_t k = 0; k < shape.inputs(); ++k) {
    std::string name = shape.name(k);
    if (shape.inputs() == 1 && !options.input.empty()) name = options.input;
    if (shape.inputs() == 1 && options.input.empty() && find_array(arrays, name) == nullptr) name = "input";
    arrays_of_inputs.push_back(&named(arrays, name, where, "input"));
    names.push_back(where + ": " + visible(name));
    inputs.push_back(batch_of(*arrays_of_inputs[k], shape.width(k), names[k]));
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
  check_target(array, shape, N, T, target);
  const data::Numbers targets = numbers_of(array, target);
  const std::vector<int64_t> lengths = lengths_of(arrays, N, T, where);
  for (int64_t n = 0; n < N; ++n) {
    const int64_t steps = lengths[static_cast<size_t>(n)];
    data::Recording recording{.name = N == 1 ? where : fmt::format("{}: sequence {}", where, n), .steps = steps};
    for (size_t k = 0; k < inputs.size(); ++k) {
      const int64_t width = shape.width(k);
      recording.inputs.push_back(
          part_of(inputs[k].numbers, n * T * width, steps * width, *arrays_of_inputs[k], names[k]));
    }
    recording.targets = shape.one_target() ? part_of(targets, n * O, O, array, target)
                                           : part_of(targets, n * T * O, steps * O, array, target);
    out.list.push_back(std::move(recording));
  }
}

}  // namespace

data::RecordingSet read_arrays(const std::string& sources, const SequenceFileOptions& options,
                               const SequenceShape& shape, Sources& from) {
  data::RecordingSet out{.targets = shape.targets()};
  for (size_t k = 0; k < shape.inputs(); ++k) out.widths.push_back(shape.width(k));
  if (shape.inputs() > 1 && !options.input.empty()) {
    throw usage_error("`input`: expected a network with one input, found one with " + std::to_string(shape.inputs()),
                      "leave it out: an array has the name of each input");
  }
  for (const std::string& source : data::split_names(sources)) {
    read_file(source, from.arrays(source), options, shape, out);
  }
  out.format = "arrays";
  return out;
}

}  // namespace longhand::runs
