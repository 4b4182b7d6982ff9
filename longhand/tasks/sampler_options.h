// How a text is continued: how the next symbol is chosen, and in which form.
#pragma once

#include <cstdint>
#include <string>

namespace longhand {
class OptionTable;
}

namespace longhand::tasks {

/// Forms of Chinese verse.
struct VerseOptions {
  std::string form;      ///< "5x4": four lines of five characters; 7x4, 5x8, 7x8; empty: as the model likes
  std::string acrostic;  ///< the lines' first characters; empty: any

  void add_to(OptionTable& table);
  bool any() const { return !form.empty() || !acrostic.empty(); }
};

struct SamplerOptions {
  double temperature = 1.0;  ///< logits are divided by it
  int64_t top_k = 0;         ///< only the k most probable; 0: all
  double top_p = 1.0;        ///< only the most probable that together reach this probability (Holtzman et al. 2020)
  bool greedy = false;       ///< the most probable
  int64_t seed = 0;
  std::string context;  ///< of a model of a stream: text that is read before the prompt, and not written
  int64_t count = 0;    ///< of a model of lines: so many lines, however long; 0: as long as it may be
  VerseOptions verse;   ///< of a model of lines

  void add_to(OptionTable& table);
};

}  // namespace longhand::tasks
