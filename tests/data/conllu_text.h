// The text that a file of CoNLL-U was made from, by SpaceAfter, SpacesAfter and SpacesBefore alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/source.h"
#include "longhand/data/treebank_text.h"

namespace longhand::testing {

inline std::string text_of_conllu(std::string_view file) {
  std::string out;
  int64_t skip = 0;  // words of a multiword token
  while (!file.empty()) {
    std::string_view line = data::take_line(file);
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> fields(1);
    for (const char c : line) {
      if (c == '\t') {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    const size_t dash = fields[0].find('-');
    if (dash == std::string::npos && skip-- > 0) continue;
    skip = dash == std::string::npos ? 0 : std::stoll(fields[0].substr(dash + 1)) - std::stoll(fields[0]) + 1;
    std::string before, after = " ";
    std::string_view misc = fields.at(9);
    while (!misc.empty()) {
      const std::string_view item = misc.substr(0, misc.find('|'));
      misc.remove_prefix(std::min(item.size() + 1, misc.size()));
      if (item == "SpaceAfter=No") after.clear();
      if (item.starts_with("SpacesAfter=")) after = data::unescaped_spaces(item.substr(12));
      if (item.starts_with("SpacesBefore=")) before = data::unescaped_spaces(item.substr(13));
    }
    out += before + fields[1] + after;
  }
  return out;
}

}  // namespace longhand::testing
