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
constexpr int kDeepest = 4;             // dictionaries within dictionaries that are looked into
constexpr size_t kMostTimesLarger = 8;  // than the file: several tensors may share their numbers

struct Candidate {
  std::string place;
  Pickle::Id id;
};

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

// Every dictionary of tensors below `id`; one that is found is not looked into.
void collect(const Pickle& values, Pickle::Id id, const std::string& place, int depth, std::set<size_t>& seen,
             std::vector<Candidate>& out) {
  if (!values.is(id, PickleKind::kDict) || !seen.insert(values.index(id)).second) return;
  if (has_tensors(values, id)) {
    out.push_back({place, id});
    return;
  }
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

const Candidate& chosen(const TorchFile& file, const std::vector<Candidate>& candidates, const std::string& key) {
  if (!key.empty()) {
    for (const Candidate& candidate : candidates) {
      if (candidate.place == key) return candidate;
    }
    throw input_error(fmt::format("{}: expected tensors under '{}', found them under {}", file.name(), visible(key),
                                  listed(shown_places(candidates))),
                      "name one of these");
  }
  if (candidates.size() == 1) return candidates.front();
  for (const std::string_view name : kUsualNames) {
    for (const Candidate& candidate : candidates) {
      if (candidate.place == name) return candidate;
    }
  }
  if (candidates.empty()) {
    throw input_error(file.name() + ": expected a dictionary of tensors by name, found " +
                          name_of(file.values().kind(file.values().root())) + " without one",
                      "in Python: torch.save(model.state_dict(), 'weights.pt')");
  }
  throw input_error(fmt::format("{}: expected one dictionary of tensors, found several: {}", file.name(),
                                listed(shown_places(candidates))),
                    "name the one that is wanted");
}

void remove_prefixes(StateDict& out) {
  const auto all_have = [&](std::string_view prefix) {
    return std::all_of(out.tensors.begin(), out.tensors.end(), [&](const auto& tensor) {
      return tensor.first.size() > prefix.size() && tensor.first.starts_with(prefix);
    });
  };
  for (bool again = !out.tensors.empty(); again;) {
    again = false;
    for (const std::string_view prefix : kPrefixes) {
      if (!all_have(prefix)) continue;
      for (auto& [name, array] : out.tensors) name.erase(0, prefix.size());
      out.prefix += prefix;
      again = true;
    }
  }
}

}  // namespace

StateDict find_state_dict(const TorchFile& file, const std::string& key) {
  const Pickle& values = file.values();
  std::vector<Candidate> candidates;
  std::set<size_t> seen;  // the items of dictionaries, which several may share
  collect(values, values.root(), "", 0, seen, candidates);
  const Candidate& found = chosen(file, candidates, key);
  StateDict out{.place = found.place};
  std::set<std::string> names;
  size_t left = kMostTimesLarger * file.size();
  const std::span<const Pickle::Id> items = values.items(found.id);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (!values.is(items[i], PickleKind::kText)) continue;
    std::string name(values.text(items[i]));
    if (find_invalid_utf8(name) != std::string::npos || !names.insert(name).second) {
      throw input_error(
          fmt::format("{}: the tensor '{}' is there twice, or its name is no text", file.name(), visible(name)),
          "save the state dict again");
    }
    if (!is_tensor(values, items[i + 1])) {
      out.others.push_back(std::move(name));
      continue;
    }
    const size_t index = values.index(items[i + 1]);
    const bool own = values.is(items[i + 1], PickleKind::kTensor);
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
  remove_prefixes(out);
  return out;
}

StateDict read_state_dict(const std::string& path, const std::string& key) {
  return find_state_dict(TorchFile::read(path), key);
}

}  // namespace longhand::convert
