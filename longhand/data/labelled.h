// Texts with a label each, in the formats that classifiers are trained on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::data {

/// Where texts and labels are.
///
///   fasttext  `__label__LABEL text`
///   jsonl     a JSON object a line
///   json      one JSON array of objects
///   csv, tsv  a table. Its columns are named by a header, or there are two
///   blank     `LABEL text`, the label up to the first blank
struct LabelledOptions {
  std::string format = "auto";
  std::string label = "label";  ///< name of the label's column or key; or a column's number from 1
  std::string text = "text";    ///< the same for the text
  std::string layout;  ///< columns of label and text, "2,1", in a table of two without a header; empty: as found
  std::string until;   ///< a label ends before the first of these characters; empty: nowhere

  void add_to(OptionTable& table);
};

struct LabelledText {
  std::string text;
  std::string label;  ///< empty where labels were not wanted
  int64_t line = 0;   ///< in the file, from 1; of a JSON array, the item's number
};

enum class Labels { kWanted, kIgnored };

/// The format that the content shows: fasttext, jsonl, json, csv, tsv or blank. The ending of the file's name, in
/// capitals or not, decides only where the content fits several.
std::string recognise_labelled(std::string_view text, const std::string& source);

struct LabelledFile {
  std::vector<LabelledText> examples;
  std::string description;  ///< "JSON lines, label in 'label', text in 'text'"
  std::string layout;       ///< "2,1" of a table without a header; otherwise empty
};

/// All examples of a file, at least one.
///
/// In tables and JSON, a column that is called as the options say, or as usual (label, class, sentiment, ...; text,
/// sentence, review, ...), is found by its name. Where a table has two columns and one of them is known, the other is
/// the other one. In a table without a header the one whose entries come again is the label. What cannot be settled so
/// is refused, with the names that were found.
///
/// Throws what clean_text throws, and an input error naming the line: a missing label or text, too few columns, JSON
/// that is none, lines of another format than that of the file.
LabelledFile read_labelled(std::string_view text, const LabelledOptions& options, Labels labels,
                           const std::string& source);

/// The text of one line of a stream in format fasttext, jsonl, blank or "lines", where it is the whole line; empty for
/// a line of white space. Throws what read_labelled throws.
std::string read_text_line(std::string_view line, const std::string& format, const LabelledOptions& options,
                           const std::string& source, int64_t number);

/// The format of texts to be classified, by their first lines, of which a stream has one: a format of labelled texts,
/// or "lines", one text per line. Known names of columns, the ending of the file's name, and `classes` in the place of
/// labels show a table; "blank" has a class at the beginning of each of several lines.
std::string recognise_texts(std::string_view head, const LabelledOptions& options,
                            const std::vector<std::string>& classes, const std::string& source);

/// Throws an input error if the labels are implausible: if there are more classes than half of the texts.
void check_labels(const LabelledFile& file, const std::string& source);

}  // namespace longhand::data
