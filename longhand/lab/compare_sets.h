// What `longhand compare` knows how to compare: sets of variants of one training.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/io/grid.h"
#include "longhand/lab/comparison.h"

namespace longhand::lab {

/// Options, by name, that make a variant of a training.
struct Variant {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;
};

struct CompareSet {
  std::string name;
  std::string title;
  std::vector<Variant> variants;
  std::vector<PublishedRow> published{};  ///< of language models
  /// Each variant gets the learning rate that suits it: its own is where the search begins.
  bool searches_rate = false;
};

const std::vector<CompareSet>& compare_sets();

/// A variant with one option more, in its name, too.
void add_option(Variant& variant, const std::string& option, const std::string& value);

inline constexpr int64_t kMaxVariants = 100'000;
/// Every combination of the axes' values. Throws a usage error for more than `kMaxVariants`.
CompareSet grid_set(const std::string& path, const std::vector<io::GridAxis>& axes);

/// The learning rates of a search, from small to large: 1 and 3 times the powers of ten; the 0-th is 1.
double ladder_rate(int rung);
/// The rung next to a rate.
int nearest_rung(double rate);

}  // namespace longhand::lab
