#include "longhand/tasks/token_rules_file.h"

#include <algorithm>

namespace longhand::tasks {
namespace {

constexpr size_t kMostWords = 1000;  // of a token

// What may be written between tabs and line ends.
bool is_plain(const std::string& text) {
  return !text.empty() && std::none_of(text.begin(), text.end(),
                                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

class TokenRulesReader {
 public:
  explicit TokenRulesReader(const ModelFile& file) : file_(file), json_(file.vocabulary().at("tokens")) {}

  data::TokenRules read() const {
    data::TokenRules out;
    if (!json_.is_object()) fail();
    read_flags("inside", out.inside);
    read_flags("beginnings", out.beginnings);
    read_flags("endings", out.endings);
    read_flags("ends", out.ends);
    for (const nlohmann::json& token : member("whole", nlohmann::json::value_t::array)) out.whole.insert(text(token));
    for (const auto& [token, split] : member("splits", nlohmann::json::value_t::object).items()) {
      if (!split.is_object() || !split.contains("words") || !split["words"].is_array() ||
          !split.contains("multiword") || !split["multiword"].is_boolean()) {
        fail();
      }
      data::TokenSplit& one = out.splits[checked(token)];
      one.multiword = split["multiword"].get<bool>();
      for (const nlohmann::json& word : split["words"]) one.words.push_back(text(word));
      if (one.words.empty() || one.words.size() > kMostWords) fail();
    }
    return out;
  }

 private:
  [[noreturn]] void fail() const {
    throw input_error(file_.path() + ": vocabulary: expected rules for tokens, found something else",
                      "the file is damaged; use an intact copy");
  }
  std::string checked(const std::string& text) const {
    if (!is_plain(text)) fail();
    return text;
  }
  std::string text(const nlohmann::json& value) const {
    if (!value.is_string()) fail();
    return checked(value.get<std::string>());
  }
  const nlohmann::json& member(const char* name, nlohmann::json::value_t type) const {
    if (!json_.contains(name) || json_[name].type() != type) fail();
    return json_[name];
  }
  void read_flags(const char* name, std::map<std::string, bool>& out) const {
    for (const auto& [key, value] : member(name, nlohmann::json::value_t::object).items()) {
      if (!value.is_boolean()) fail();
      out[checked(key)] = value.get<bool>();
    }
  }

  const ModelFile& file_;
  const nlohmann::json& json_;
};

}  // namespace

nlohmann::json to_json(const data::TokenRules& rules) {
  nlohmann::json splits = nlohmann::json::object();
  for (const auto& [token, split] : rules.splits) {
    splits[token] = {{"words", split.words}, {"multiword", split.multiword}};
  }
  const auto flags = [](const std::map<std::string, bool>& map) {
    nlohmann::json out = nlohmann::json::object();
    for (const auto& [key, value] : map) out[key] = value;
    return out;
  };
  return {{"inside", flags(rules.inside)},   {"whole", rules.whole},
          {"splits", std::move(splits)},     {"beginnings", flags(rules.beginnings)},
          {"endings", flags(rules.endings)}, {"ends", flags(rules.ends)}};
}

data::TokenRules read_token_rules(const ModelFile& file) {
  if (!file.vocabulary().is_object() || !file.vocabulary().contains("tokens")) return {};
  return TokenRulesReader(file).read();
}

}  // namespace longhand::tasks
