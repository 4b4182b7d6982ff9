#include "longhand/baselines/word_features.h"

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/words.h"

namespace longhand::baselines {
namespace {

constexpr size_t kLongestAffix = 4;  // characters

// Where each character of a word begins, and its end.
std::vector<size_t> borders_of(const std::string& word) {
  std::vector<size_t> out{0};
  for (char32_t c = 0; out.back() < word.size();) out.push_back(out.back() + next_character(word, out.back(), c));
  return out;
}

}  // namespace

void for_each_word_feature(const std::vector<std::string>& words,
                           const std::function<void(size_t t, std::string_view feature)>& use) {
  const size_t n = words.size();
  std::vector<std::string> lower, shapes;
  for (const std::string& word : words) {
    lower.push_back(lowercased(word));
    shapes.push_back(data::word_shape(word));
  }
  std::string feature;
  size_t t = 0;
  // Words have no blanks in them, so that one can stand between two.
  const auto add = [&](std::string_view kind, std::string_view a, std::string_view b = {}, std::string_view c = {}) {
    feature.assign(kind).append(a);
    if (!b.empty()) feature.append(1, ' ').append(b);
    if (!c.empty()) feature.append(1, ' ').append(c);
    use(t, feature);
  };
  for (t = 0; t < n; ++t) {
    add("bias", "");
    add("word ", words[t]);
    add("lower ", lower[t]);
    add("shape ", shapes[t]);
    const std::vector<size_t> borders = borders_of(lower[t]);
    for (size_t k = 1; k <= kLongestAffix && k < borders.size(); ++k) {
      add("begins ", std::string_view(lower[t]).substr(0, borders[k]));
      add("ends ", std::string_view(lower[t]).substr(borders[borders.size() - 1 - k]));
    }
    if (t == 0) add("first", "");
    if (t + 1 == n) add("last", "");
    if (t > 0) {
      add("lower-1 ", lower[t - 1]);
      add("shape-1 ", shapes[t - 1]);
      add("pair-1 ", lower[t - 1], lower[t]);
      add("shapes-1 ", shapes[t - 1], shapes[t]);
    }
    if (t > 1) add("lower-2 ", lower[t - 2]);
    if (t + 1 < n) {
      add("lower+1 ", lower[t + 1]);
      add("shape+1 ", shapes[t + 1]);
      add("pair+1 ", lower[t], lower[t + 1]);
      add("shapes+1 ", shapes[t], shapes[t + 1]);
    }
    if (t + 2 < n) add("lower+2 ", lower[t + 2]);
    if (t > 0 && t + 1 < n) add("shapes ", shapes[t - 1], shapes[t], shapes[t + 1]);
  }
}

}  // namespace longhand::baselines
