#include "longhand/tasks/ensemble.h"

#include <fmt/core.h>

#include "longhand/base/utf8.h"
#include "longhand/io/safetensors.h"

namespace longhand::tasks {
namespace {

constexpr const char* kCombineWhat =
    "combine runs on the same data that read them in the same way; seed, layers and "
    "training may differ";

std::string shown_value(const std::string& text) { return text.empty() ? "(empty)" : visible(text); }

std::string shown_entry(const nlohmann::json& entry) {
  return entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::vector<std::string> names_of(const OptionTable& table) {
  std::vector<std::string> out;
  for (const Option& option : table.options()) out.push_back(option.name);
  return out;
}

void expect_same_options(const std::string& path, const OptionTable& first, const std::string& other_path,
                         const OptionTable& other, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Option* a = first.find(name);
    const Option* b = other.find(name);
    LONGHAND_CHECK(a != nullptr && b != nullptr);
    if (a->text() == b->text()) continue;
    throw input_error(fmt::format("{}: expected `{}` {}, as {} has, found {}", other_path, name, shown_value(a->text()),
                                  path == other_path ? "its first member" : path, shown_value(b->text())),
                      kCombineWhat);
  }
}

void expect_same_vocabulary(const ModelFile& first, const ModelFile& other) {
  for (const auto& [has, lacks] : {std::pair(&first, &other), std::pair(&other, &first)}) {
    for (const auto& item : has->vocabulary().items()) {
      if (lacks->vocabulary().contains(item.key())) continue;
      throw input_error(fmt::format("{}: expected '{}', as {} has, found none", lacks->path(), item.key(), has->path()),
                        kCombineWhat);
    }
  }
  for (const auto& [name, list] : first.vocabulary().items()) {
    const nlohmann::json found = other.vocabulary().value(name, nlohmann::json());
    if (list == found) continue;
    if (!list.is_array() || !found.is_array() || list.size() != found.size()) {
      throw input_error(fmt::format("{}: vocabulary: expected {} {}, as {} has, found {}", other.path(), list.size(),
                                    name, first.path(), found.size()),
                        kCombineWhat);
    }
    size_t i = 0;
    while (list[i] == found[i]) ++i;
    throw input_error(fmt::format("{}: vocabulary: expected {} as number {} of the {}, as {} has, found {}",
                                  other.path(), shown_entry(list[i]), i + 1, name, first.path(), shown_entry(found[i])),
                      kCombineWhat);
  }
}

void write_ensemble(const std::string& path, std::span<const ModelFile> files) {
  LONGHAND_CHECK(!files.empty());
  nlohmann::ordered_json members = nlohmann::ordered_json::array();
  std::vector<io::TensorToWrite> tensors;
  for (const ModelFile& file : files) {
    for (size_t i = 0; i < file.members(); ++i) {
      const ModelFile member = file.member(i);
      const std::string prefix = member_prefix(members.size());
      members.push_back({{"options", member.stored_options()}});
      for (const auto& [name, tensor] : member.arrays()) {
        tensors.emplace_back(prefix + name, tensor->shape, tensor->dtype, tensor->bytes);
      }
    }
  }
  if (members.size() > ModelFile::kMaxMembers) {
    throw input_error(
        fmt::format("expected at most {} members of an ensemble, found {}", ModelFile::kMaxMembers, members.size()),
        "combine fewer runs");
  }
  const nlohmann::ordered_json config = {{"task", files.front().task()}, {"format", 2}, {"members", members}};
  io::write_safetensors(path, {{"config", config.dump()}, {"vocabulary", files.front().vocabulary().dump()}}, tensors);
}

}  // namespace longhand::tasks
