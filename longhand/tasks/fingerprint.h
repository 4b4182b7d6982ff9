// What tells one training from another, so that a run is resumed on nothing else.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "longhand/base/options.h"
#include "longhand/data/buckets.h"
#include "longhand/data/text.h"

namespace longhand::tasks {

/// FNV-1a over texts, one after the other; where one ends counts.
class TextHash {
 public:
  void add(std::string_view text) {
    for (const char c : text) mix(static_cast<unsigned char>(c));
    mix(0xFF);  // which is in no UTF-8
  }
  uint64_t value() const { return value_; }

 private:
  void mix(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3U; }
  uint64_t value_ = 0xcbf29ce484222325U;
};

/// "1203 words (4f0c...)"
inline std::string fingerprint(const data::Vocabulary& words) {
  TextHash hash;
  for (int32_t i = 0; i < words.size(); ++i) hash.add(words.symbol(i));
  return fmt::format("{} words ({:016x})", words.size(), hash.value());
}

/// ", batch 32, whole false, ..., hidden 256, ...": the groups, and every option of a model.
template <class Options>
std::string described(const data::GroupOptions& groups, Options options) {
  std::string out =
      fmt::format(", batch {}, whole {}, accumulate {}, batch-every {}, batch-factor {}, seed {}", groups.batch,
                  groups.whole, groups.accumulate, groups.every, groups.factor, groups.seed);
  if (groups.shards > 1) out += fmt::format(", shards {}", groups.shards);
  OptionTable table;
  options.add_to(table);
  for (const Option& option : table.options()) out += fmt::format(", {} {}", option.name, option.text());
  return out;
}

}  // namespace longhand::tasks
