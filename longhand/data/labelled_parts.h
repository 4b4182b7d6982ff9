// Column names and first lines of labelled texts. Internal: used by labelled.cpp and labelled_format.cpp.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/data/labelled.h"

namespace longhand::data {

inline constexpr std::string_view kFastText = "__label__";
inline constexpr size_t kFirstLines = 100;  ///< number of lines used to recognise a format

/// Usual names of the columns of labels and texts in public data sets.
inline constexpr std::array<std::string_view, 15> kLabelNames = {
    "label", "labels", "class",   "category", "sentiment",  "target", "intent", "polarity",
    "topic", "tag",    "emotion", "gold",     "gold_label", "stars",  "rating"};
inline constexpr std::array<std::string_view, 16> kTextNames = {
    "text",     "sentence", "review", "content",     "comment", "tweet",    "message",       "utterance",
    "question", "document", "body",   "description", "phrase",  "headline", "question_text", "sentence1"};

/// Returns the label up to the first character of `options.until`.
std::string_view until_of(std::string_view label, const LabelledOptions& options);
/// Returns the first kFirstLines lines that are not blank, trimmed.
std::vector<std::string_view> first_lines(std::string_view text);
/// Returns the line up to its first space or tab.
std::string_view first_word(std::string_view line);
/// Whether the first words of most lines contain one of `characters`, which are typical of another format.
bool labels_look_like(std::string_view characters, const std::vector<std::string_view>& lines);

/// A column or key that is searched by name.
struct NamedColumn {
  std::string name;                         ///< the name in the options
  std::span<const std::string_view> usual;  ///< names that also match if `name` is the default
  std::optional<size_t> place{};            ///< index of the column; nothing: not found
  std::vector<size_t> candidates{};         ///< indices of columns with usual names, if no column is called `name`

  bool is_usual(std::string_view field) const;
  /// Sets `place` and `candidates`.
  void find(const std::vector<std::string>& names);
};

}  // namespace longhand::data
