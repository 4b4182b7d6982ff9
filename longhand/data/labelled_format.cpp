// Recognises the format of labelled texts by their first lines.
#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/csv.h"
#include "longhand/data/labelled_parts.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

// Returns the index of the first of `characters` in the text, or the length of the text.
size_t find_character_of(std::string_view text, std::string_view characters) {
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = next_character(text, at, c);
    if (characters.find(text.substr(at, length)) != std::string_view::npos) return at;
    at += length;
  }
  return text.size();
}

// Whether all lines have the same number of fields, and the first line has usual column names or quotes.
bool is_csv(std::string_view text, const std::vector<std::string_view>& lines) {
  const char separator = guess_separator(text);
  std::string head;
  for (const std::string_view line : lines) head.append(line).append("\n");
  std::vector<CsvRecord> records;
  try {
    records = parse_csv(head, separator, "");
  } catch (const Error&) {
    return false;
  }
  const size_t fields = records.empty() ? 0 : records.front().fields.size();
  if (fields < 2) return false;
  const bool alike = std::all_of(records.begin(), records.end(),
                                 [&](const CsvRecord& record) { return record.fields.size() == fields; });
  if (!alike) return false;
  const auto known = [](std::span<const std::string_view> names, const std::string& field) {
    return std::find(names.begin(), names.end(), lowercased(trimmed(field))) != names.end();
  };
  for (const std::string& field : records.front().fields) {
    if (known(kLabelNames, field) || known(kTextNames, field)) return true;
  }
  return labels_look_like(std::string_view(&separator, 1), lines) || lines.front().starts_with('"');
}

}  // namespace

std::string_view until_of(std::string_view label, const LabelledOptions& options) {
  return options.until.empty() ? label : label.substr(0, find_character_of(label, options.until));
}

std::vector<std::string_view> first_lines(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty() && out.size() < kFirstLines) {
    const std::string_view line = trimmed(take_line(text));
    if (!line.empty()) out.push_back(line);
  }
  return out;
}

std::string_view first_word(std::string_view line) { return line.substr(0, line.find_first_of(" \t")); }

bool labels_look_like(std::string_view characters, const std::vector<std::string_view>& lines) {
  const auto count = std::count_if(lines.begin(), lines.end(), [&](std::string_view line) {
    return first_word(line).find_first_of(characters) != std::string_view::npos;
  });
  return 2 * static_cast<size_t>(count) > lines.size();
}

bool NamedColumn::is_usual(std::string_view field) const {
  return std::find(usual.begin(), usual.end(), lowercased(trimmed(field))) != usual.end();
}

void NamedColumn::find(const std::vector<std::string>& names) {
  place.reset();
  candidates.clear();
  const auto exact = std::find(names.begin(), names.end(), name);
  if (exact != names.end()) {
    place = static_cast<size_t>(exact - names.begin());
    return;
  }
  const std::string wanted = lowercased(name);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string lower = lowercased(trimmed(names[i]));
    if (lower == wanted) {
      place = i;
      return;
    }
    if (name == usual.front() && is_usual(lower)) candidates.push_back(i);
  }
  if (candidates.size() == 1) place = candidates.front();
}

std::string recognise_labelled(std::string_view raw, const std::string& source) {
  const std::string text = clean_text(raw, source);
  const std::vector<std::string_view> lines = first_lines(text);
  if (lines.empty()) return "blank";
  if (lines.front().starts_with(kFastText)) return "fasttext";
  if (lines.front().starts_with('{')) return "jsonl";
  if (lines.front().starts_with("[{") || lines.front().starts_with("[\"") || lines.front() == "[") return "json";
  const std::string name = lowercased(source);
  const auto with_tab = std::count_if(lines.begin(), lines.end(),
                                      [](std::string_view line) { return line.find('\t') != std::string_view::npos; });
  if (name.ends_with(".tsv") || name.ends_with(".tab") || static_cast<size_t>(with_tab) == lines.size()) return "tsv";
  if (name.ends_with(".csv") || is_csv(text, lines)) return "csv";
  return 10 * static_cast<size_t>(with_tab) > 9 * lines.size() ? "tsv" : "blank";
}

std::string recognise_texts(std::string_view head, const LabelledOptions& options,
                            const std::vector<std::string>& classes, const std::string& source) {
  const std::string text = clean_text(head, source);
  const std::vector<std::string_view> lines = first_lines(text);
  if (lines.empty()) return "lines";
  const std::string_view first = lines.front();
  if (first.starts_with(kFastText)) return "fasttext";
  if (first.starts_with('{')) return "jsonl";
  if (first.starts_with('[') &&
      (first.size() == 1 || std::string_view("[{\"").find(first[1]) != std::string_view::npos)) {
    return "json";
  }
  const auto is_class = [&](std::string_view label) {
    return std::find(classes.begin(), classes.end(), until_of(trimmed(label), options)) != classes.end();
  };
  const bool tabs = first.find('\t') != std::string_view::npos;
  const std::string table = tabs ? "tsv" : "csv";
  const std::string name = lowercased(source);
  if (name.ends_with(".csv") || name.ends_with(".tsv") || name.ends_with(".tab")) return table;
  if (lowercased(first).starts_with("sep=")) return "csv";
  try {
    const std::vector<CsvRecord> record = parse_csv(first, tabs ? '\t' : guess_separator(first), source);
    const std::vector<std::string>& fields = record.front().fields;
    NamedColumn header{options.text, kTextNames};
    header.find(fields);
    // A single word may be a text. It is a header only if it is the text column's name in the options.
    if (header.place && (fields.size() > 1 || first == options.text)) return table;
    if (fields.size() == 2 && std::any_of(fields.begin(), fields.end(), is_class)) return table;
  } catch (const Error&) {  // unbalanced quotes in a text: not a table
  }
  const bool labelled = std::all_of(lines.begin(), lines.end(), [&](std::string_view line) {
    const std::string_view word = first_word(line);
    return word.size() < line.size() && is_class(word);
  });
  return labelled && lines.size() > 1 ? "blank" : "lines";
}

}  // namespace longhand::data
