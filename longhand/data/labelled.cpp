#include "longhand/data/labelled.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/csv.h"
#include "longhand/data/text.h"

namespace longhand::data {
namespace {

constexpr std::string_view kFastText = "__label__";
constexpr const char* kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<size_t> number_from_one(const std::string& text) {
  size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size() || number < 1) return std::nullopt;
  return number - 1;
}

// Where the first of some characters is in a text, or its end.
size_t find_character_of(std::string_view text, std::string_view characters) {
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = decode_utf8(text, at, c);
    if (characters.find(text.substr(at, length)) != std::string_view::npos) return at;
    at += length;
  }
  return text.size();
}

std::string_view first_line(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (!trimmed(line).empty()) return line;
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return {};
}

class Reader {
 public:
  Reader(const LabelledOptions& options, Labels labels, const std::string& source)
      : options_(options), wanted_(labels == Labels::kWanted), source_(source) {}

  LabelledFile read(std::string_view text) {
    const std::string format = options_.format == "auto" ? recognise_labelled(text, source_) : options_.format;
    if (format == "csv" || format == "tsv") {
      read_table(text, format == "tsv");
    } else {
      read_lines(text, format);
    }
    if (file_.examples.empty()) {
      throw input_error(source_ + ": expected texts, one a line, found none", "give a file with some");
    }
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(int64_t line, const std::string& problem, const std::string& advice) const {
    throw input_error(fmt::format("{}:{}: {}", source_, line, problem), advice);
  }

  void add(std::string_view label, std::string_view text, int64_t line) {
    label = trimmed(label);
    if (!options_.until.empty()) label = label.substr(0, find_character_of(label, options_.until));
    if (wanted_ && label.empty()) fail(line, "expected a label, found none", "give each text a label");
    if (trimmed(text).empty()) fail(line, "expected a text, found none", "give each label a text, or leave it out");
    file_.examples.push_back({std::string(trimmed(text)), wanted_ ? std::string(label) : std::string(), line});
  }

  void read_lines(std::string_view text, const std::string& format) {
    file_.description = format == "jsonl" ? fmt::format("JSON lines, keys {} and {}", options_.label, options_.text)
                        : format == "fasttext" ? "fastText's lines, __label__LABEL and a text"
                        : wanted_              ? "lines of a label, a blank and a text"
                                               : "a text a line";
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    int64_t number = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      begin = end + 1;
      ++number;
      if (const size_t at = find_invalid_utf8(line); at != std::string_view::npos) {
        fail(number, fmt::format("expected UTF-8, found byte 0x{:02X}", static_cast<unsigned char>(line[at])),
             "convert the file to UTF-8");
      }
      if (line.find('\0') != std::string_view::npos)
        fail(number, "expected text, found a zero byte", "give a text file");
      if (trimmed(line).empty()) continue;
      if (format == "jsonl") {
        json_line(line, number);
      } else if (format == "fasttext") {
        fasttext_line(trimmed(line), number);
      } else if (!wanted_) {
        add("", line, number);
      } else {
        const std::string_view all = trimmed(line);
        const size_t blank = all.find_first_of(kBlanks);
        if (blank == std::string_view::npos)
          fail(number, "expected a label and a text, found one word", "mend the line");
        add(all.substr(0, blank), all.substr(blank), number);
      }
    }
  }

  void fasttext_line(std::string_view line, int64_t number) {
    if (!line.starts_with(kFastText)) {
      if (wanted_) fail(number, "expected __label__ and a label at the line's beginning, found none", "mend the line");
      return add("", line, number);
    }
    const size_t blank = std::min(line.find_first_of(kBlanks), line.size());
    const std::string_view label = line.substr(kFastText.size(), blank - kFastText.size());
    const std::string_view text = trimmed(line.substr(blank));
    if (wanted_ && text.starts_with(kFastText)) {
      fail(number, "expected one label, found several", "leave one a line: each text has one class here");
    }
    add(label, text, number);
  }

  void json_line(std::string_view line, int64_t number) {
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) fail(number, "expected a JSON object, found something else", "write one object a line");
    const auto value = [&](const std::string& key) -> std::string {
      const auto found = object.find(key);
      if (found == object.end()) {
        std::vector<std::string> keys;
        for (const auto& item : object.items()) keys.push_back(item.key());
        fail(number,
             fmt::format("expected the key '{}', found {}", key,
                         keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "))),
             "name the keys with --label and --text");
      }
      if (found->is_string()) return found->get<std::string>();
      if (found->is_number() || found->is_boolean()) return found->dump();
      fail(number, fmt::format("expected a text or a number in '{}', found something else", key), "mend the line");
    };
    add(wanted_ ? value(options_.label) : "", value(options_.text), number);
  }

  // A file with a header names its columns; in one without, the label is first and the text last.
  void read_table(std::string_view text, bool tabs) {
    const std::vector<CsvRecord> records = tabs ? tab_separated(text) : parse_csv(text, guess_separator(text), source_);
    if (records.empty()) return;
    const std::vector<std::string>& first = records.front().fields;
    const auto place = [&](const std::string& name) -> std::optional<size_t> {
      auto found = std::find(first.begin(), first.end(), name);
      if (found == first.end()) {
        found = std::find_if(first.begin(), first.end(),
                             [&](const auto& field) { return lowercased(trimmed(field)) == lowercased(name); });
      }
      if (found == first.end()) return std::nullopt;
      return static_cast<size_t>(found - first.begin());
    };
    std::optional<size_t> label = place(options_.label), body = place(options_.text);
    const bool header = body.has_value() && (label.has_value() || !wanted_);
    if (!header) {
      label = number_from_one(options_.label);
      body = number_from_one(options_.text);
      const LabelledOptions defaults;
      const bool unnamed = options_.label == defaults.label && options_.text == defaults.text;
      if (unnamed && first.size() == 2) {
        label = 0;
        body = 1;
      } else if (!wanted_ && first.size() == 1) {
        body = 0;
      }
      if (!body || (wanted_ && !label)) {
        fail(records.front().line,
             fmt::format("expected a header with the columns {} and {}, or two columns, label and text; found {}",
                         options_.label, options_.text, fmt::join(first, ", ")),
             "name the columns with --label and --text, or give their numbers");
      }
    }
    for (const std::optional<size_t>& chosen : {wanted_ ? label : std::nullopt, body}) {
      if (header && chosen && std::count(first.begin(), first.end(), first[*chosen]) > 1) {
        fail(records.front().line, fmt::format("expected one column '{}' in the header, found several", first[*chosen]),
             "give each a name of its own, or leave the header out and number them");
      }
    }
    file_.description =
        wanted_ ? fmt::format("{}, label in column {}, text in column {}", tabs ? "TSV" : "CSV", *label + 1, *body + 1)
                : fmt::format("{}, text in column {}", tabs ? "TSV" : "CSV", *body + 1);
    const size_t least = std::max(wanted_ ? *label : 0, *body) + 1;
    for (size_t i = header ? 1 : 0; i < records.size(); ++i) {
      const CsvRecord& record = records[i];
      const bool wrong = header ? record.fields.size() != first.size() : record.fields.size() < least;
      if (wrong) {
        fail(record.line,
             fmt::format("expected {}{} columns, found {}", header ? "" : "at least ", header ? first.size() : least,
                         record.fields.size()),
             "mend the line; a separator within a field wants quotes around it");
      }
      add(wanted_ ? record.fields[*label] : "", record.fields[*body], record.line);
    }
    if (wanted_ && !header) check_first_line();
  }

  // Where no column has the expected name, a header would pass as an example of a class of its own.
  void check_first_line() const {
    constexpr size_t kEnough = 20;  // lines, among which a class would come again
    const std::vector<LabelledText>& all = file_.examples;
    std::map<std::string, int64_t> counts;
    for (const LabelledText& example : all) ++counts[example.label];
    const auto alone = std::count_if(counts.begin(), counts.end(), [](const auto& item) { return item.second == 1; });
    if (all.size() < kEnough || alone != 1 || counts[all[0].label] != 1) return;
    fail(all[0].line,
         fmt::format("expected a text with its label, found what may be a header: no other text is '{}'", all[0].label),
         "if it is one, name its columns with --label and --text; if not, put the line elsewhere");
  }

  // Quotes are characters like others.
  std::vector<CsvRecord> tab_separated(std::string_view text) const {
    std::vector<CsvRecord> out;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    int64_t number = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view line = text.substr(begin, end - begin);
      begin = end + 1;
      ++number;
      if (find_invalid_utf8(line) != std::string_view::npos)
        fail(number, "expected UTF-8, found other bytes", "convert the file to UTF-8");
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (trimmed(line).empty()) continue;
      CsvRecord record{{}, number};
      for (size_t at = 0; at <= line.size();) {
        const size_t tab = std::min(line.find('\t', at), line.size());
        record.fields.emplace_back(line.substr(at, tab - at));
        at = tab + 1;
      }
      out.push_back(std::move(record));
    }
    return out;
  }

  const LabelledOptions& options_;
  bool wanted_;
  const std::string& source_;
  LabelledFile file_;
};

}  // namespace

void LabelledOptions::add_to(OptionTable& table) {
  table.add("format", format, "of texts with labels; auto looks at the first line, and the file's name",
            one_of({"auto", "fasttext", "jsonl", "csv", "tsv", "blank"}));
  table.add("label", label, "the label's column in a table, by its name or number, or its key in JSON");
  table.add("text", text, "the same for the text");
  table.add("label-until", until, "a label ends before the first of these characters");
}

std::string recognise_labelled(std::string_view text, const std::string& source) {
  const std::string_view line = first_line(text);
  if (trimmed(line).starts_with(kFastText)) return "fasttext";
  if (trimmed(line).starts_with('{')) return "jsonl";
  if (source.ends_with(".csv")) return "csv";
  if (source.ends_with(".tsv") || line.find('\t') != std::string_view::npos) return "tsv";
  return "blank";
}

LabelledFile read_labelled(std::string_view text, const LabelledOptions& options, Labels labels,
                           const std::string& source) {
  return Reader(options, labels, source).read(text);
}

}  // namespace longhand::data
