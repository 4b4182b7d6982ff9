// Texts with a label each, in the formats that classifiers are fed with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::data {

/// Where texts and labels stand.
///
///   fasttext  `__label__LABEL text`
///   jsonl     an object a line
///   csv, tsv  a header with the columns' names, or two columns: label, text. In csv fields may be in quotes; in tsv,
///             as most write it, a quote is a character.
///   blank     `LABEL text`, the label up to the first blank
struct LabelledOptions {
  std::string format = "auto";
  std::string label = "label";  ///< name of the label's column or key; or a column's number from 1
  std::string text = "text";    ///< the same for the text
  std::string until;            ///< a label ends before the first of these characters; empty: nowhere

  void add_to(OptionTable& table);
};

struct LabelledText {
  std::string text;
  std::string label;  ///< empty where labels were not wanted
  int64_t line = 0;
};

enum class Labels { kWanted, kIgnored };

/// What the first line of a text, and the name of its file, show: fasttext, jsonl, csv, tsv or blank.
std::string recognise_labelled(std::string_view text, const std::string& source);

struct LabelledFile {
  std::vector<LabelledText> examples;
  std::string description;  ///< "JSON lines, keys label and text"
};

/// All examples of a file's text, at least one. Throws an input error naming the line: not UTF-8, a missing label or
/// text, too few columns, JSON that is none.
LabelledFile read_labelled(std::string_view text, const LabelledOptions& options, Labels labels,
                           const std::string& source);

}  // namespace longhand::data
