// Where in a file of PyTorch the state dict is.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/torch_file.h"

namespace longhand::convert {
namespace {

// What training programs call it, the likeliest first.
constexpr std::array<std::string_view, 12> kUsualNames = {
    "state_dict", "model_state_dict", "model_state", "model",   "module",       "net",
    "network",    "params",           "parameters",  "weights", "model_params", "ema"};
constexpr std::array<std::string_view, 6> kPrefixes = {"module.", "_orig_mod.", "model.",
                                                       "net.",    "network.",   "_forward_module."};
constexpr int kDeepest = 4;         // dictionaries within dictionaries that are looked into
constexpr int kDeepestModule = 32;  // modules within modules
constexpr size_t kMostModules = 100'000;
constexpr size_t kMostTimesLarger = 8;  // than the file: several tensors may share their numbers

// A dictionary of tensors, or the attributes of a module of PyTorch.
struct Candidate {
  std::string place;
  Pickle::Id id;
  bool of_module = false;
};

using Entries = std::vector<std::pair<std::string, Pickle::Id>>;

bool is_tensor(const Pickle& values, Pickle::Id id) {
  return values.is(id, PickleKind::kTensor) || values.is(id, PickleKind::kArray);
}

// Whether a dictionary has a tensor under a text.
bool has_tensors(const Pickle& values, Pickle::Id id) {
  if (!values.is(id, PickleKind::kDict)) return false;
  const std::span<const Pickle::Id> items = values.items(id);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (values.is(items[i], PickleKind::kText) && is_tensor(values, items[i + 1])) return true;
  }
  return false;
}

bool is_of_an_optimizer(std::string_view name) {
  return name.find("optim") != std::string_view::npos || name.find("scheduler") != std::string_view::npos ||
         name.find("scaler") != std::string_view::npos || name == "rng_state";
}

// Every dictionary of tensors at or below `id`, and every module. A checkpoint may have tensors of its own (a loss)
// beside the dictionary of the model's.
void collect(const Pickle& values, Pickle::Id id, const std::string& place, int depth, std::set<size_t>& seen,
             std::vector<Candidate>& out) {
  if (const auto attributes = values.state(id)) {
    if (values.find(*attributes, "_parameters") && values.find(*attributes, "_modules")) {
      out.push_back({place, *attributes, true});
    }
    return;
  }
  if (!values.is(id, PickleKind::kDict) || !seen.insert(values.index(id)).second) return;
  if (has_tensors(values, id)) out.push_back({place, id});
  if (depth == kDeepest) return;
  const std::span<const Pickle::Id> items = values.items(id);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!values.is(items[i], PickleKind::kText) || is_of_an_optimizer(values.text(items[i]))) continue;
    const std::string name(values.text(items[i]));
    collect(values, items[i + 1], place.empty() ? name : place + "." + name, depth + 1, seen, out);
  }
}

std::vector<std::string> shown_places(const std::vector<Candidate>& candidates) {
  std::vector<std::string> out;
  for (const Candidate& candidate : candidates) out.push_back(fmt::format("'{}'", visible(candidate.place)));
  return out;
}

// Whether its names are those of recurrent layers; a module is taken for one that has them.
bool is_recurrent(const Pickle& values, const Candidate& candidate) {
  if (candidate.of_module) return true;
  const std::span<const Pickle::Id> items = values.items(candidate.id);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    const bool named = values.is(items[i], PickleKind::kText);
    if (named && values.text(items[i]).find("weight_hh") != std::string_view::npos) return true;
  }
  return false;
}

[[noreturn]] void candidates_fail(const TorchFile& file, const std::vector<Candidate>& candidates) {
  throw input_error(fmt::format("{}: expected one dictionary of tensors, found several: {}", file.name(),
                                listed(shown_places(candidates))),
                    "name the one that is wanted with --part");
}

const Candidate& chosen(const TorchFile& file, const std::vector<Candidate>& candidates, const std::string& key) {
  if (!key.empty()) {
    for (const Candidate& candidate : candidates) {
      if (candidate.place == key) return candidate;
    }
    throw input_error(fmt::format("{}: expected tensors under '{}', found them under {}", file.name(), visible(key),
                                  listed(shown_places(candidates))),
                      "name one of these with --part");
  }
  for (const std::string_view name : kUsualNames) {
    for (const Candidate& candidate : candidates) {
      if (candidate.place == name) return candidate;
    }
  }
  if (candidates.size() == 1) return candidates.front();
  const Candidate* recurrent = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!is_recurrent(file.values(), candidate)) continue;
    if (recurrent != nullptr) candidates_fail(file, candidates);
    recurrent = &candidate;
  }
  if (recurrent != nullptr) return *recurrent;
  if (candidates.empty()) {
    const Pickle& values = file.values();
    const bool object = values.is(values.root(), PickleKind::kObject);
    throw input_error(fmt::format("{}: expected a dictionary of tensors by name, found {}{} without one", file.name(),
                                  name_of(values.kind(values.root())),
                                  object ? " of " + visible(values.text(values.root()).substr(0, 200)) : std::string()),
                      "in Python: torch.save(model.state_dict(), 'weights.pt')");
  }
  candidates_fail(file, candidates);
}

// What a module of PyTorch would answer to state_dict().
void add_module(const TorchFile& file, Pickle::Id attributes, const std::string& prefix, int depth, size_t& modules,
                Entries& out) {
  const Pickle& values = file.values();
  const auto each = [&](const char* what, const auto& take) {
    const auto found = values.find(attributes, what);
    if (!found || !values.is(*found, PickleKind::kDict)) return;
    const std::span<const Pickle::Id> items = values.items(*found);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (!values.is(items[i], PickleKind::kText) || values.is(items[i + 1], PickleKind::kNone)) continue;
      take(prefix + std::string(values.text(items[i])), items[i + 1]);
    }
  };
  const auto take_tensor = [&](std::string name, Pickle::Id id) { out.emplace_back(std::move(name), id); };
  each("_parameters", take_tensor);
  each("_buffers", take_tensor);
  if (depth == kDeepestModule || ++modules > kMostModules) {
    throw input_error(file.name() + ": its modules are nested too deep, or too many",
                      "in Python: torch.save(model.state_dict(), 'weights.pt')");
  }
  each("_modules", [&](const std::string& name, Pickle::Id id) {
    if (const auto inner = values.state(id)) add_module(file, *inner, name + ".", depth + 1, modules, out);
  });
}

Entries entries_of(const TorchFile& file, const Candidate& from) {
  const Pickle& values = file.values();
  Entries out;
  if (from.of_module) {
    size_t modules = 0;
    add_module(file, from.id, "", 0, modules, out);
    return out;
  }
  const std::span<const Pickle::Id> items = values.items(from.id);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (values.is(items[i], PickleKind::kText)) out.emplace_back(values.text(items[i]), items[i + 1]);
  }
  return out;
}

// Numbers that only PyTorch's own functions can make sense of: quantised, sparse.
void expect_no_tensor(const TorchFile& file, const std::string& name, Pickle::Id id) {
  const Pickle& values = file.values();
  if (!values.is(id, PickleKind::kObject) || !values.text(id).starts_with("torch.")) return;
  throw input_error(fmt::format("{}: '{}': expected a tensor of plain numbers, found an object of {}", file.name(),
                                visible(name), visible(values.text(id).substr(0, 200))),
                    "save the state dict of the model before it was quantised, with dense tensors");
}

}  // namespace

std::string usual_prefix(const std::vector<std::string_view>& names) {
  std::string out;
  const auto all_have = [&](std::string_view prefix) {
    return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
      return name.size() > out.size() + prefix.size() && name.substr(out.size()).starts_with(prefix);
    });
  };
  for (bool again = !names.empty(); again;) {
    again = false;
    for (const std::string_view prefix : kPrefixes) {
      if (!all_have(prefix)) continue;
      out += prefix;
      again = true;
    }
  }
  return out;
}

StateDict find_state_dict(const TorchFile& file, const std::string& key) {
  const Pickle& values = file.values();
  std::vector<Candidate> candidates;
  std::set<size_t> seen;  // the items of dictionaries, which several may share
  collect(values, values.root(), "", 0, seen, candidates);
  const Candidate& found = chosen(file, candidates, key);
  StateDict out{.of_module = found.of_module, .place = found.place};
  std::set<std::string> names;
  size_t left = kMostTimesLarger * file.size();
  for (auto& [name, id] : entries_of(file, found)) {
    if (find_invalid_utf8(name) != std::string::npos || !names.insert(name).second) {
      throw input_error(
          fmt::format("{}: the tensor '{}' is there twice, or its name is no text", file.name(), visible(name)),
          "save the state dict again");
    }
    expect_no_tensor(file, name, id);
    if (!is_tensor(values, id)) {
      out.others.push_back(std::move(name));
      continue;
    }
    const size_t index = values.index(id);
    const bool own = values.is(id, PickleKind::kTensor);
    const size_t bytes = own ? io::byte_size(values.tensors()[index].dtype, values.tensors()[index].shape).value_or(0)
                             : values.arrays()[index].bytes.size();
    if (bytes > left) {
      throw input_error(fmt::format("{}: its tensors are together more than {} times larger than the file", file.name(),
                                    kMostTimesLarger),
                        "they are views of the same numbers; save clones of them");
    }
    left -= bytes;
    out.tensors.emplace_back(std::move(name), own ? file.tensor(index) : values.arrays()[index]);
  }
  std::vector<std::string_view> all;
  for (const auto& [name, array] : out.tensors) all.push_back(name);
  out.prefix = usual_prefix(all);
  for (auto& [name, array] : out.tensors) name.erase(0, out.prefix.size());
  return out;
}

StateDict read_state_dict(const std::string& path, const std::string& key) {
  return find_state_dict(TorchFile::read(path), key);
}

}  // namespace longhand::convert
