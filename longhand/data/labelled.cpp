#include "longhand/data/labelled.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>

#include "longhand/base/error.h"
#include "longhand/base/json_depth.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/csv.h"
#include "longhand/data/labelled_parts.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr int64_t kDeepestJson = 16;

std::optional<size_t> number_from_one(const std::string& text) {
  size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size() || number < 1) return std::nullopt;
  return number - 1;
}

class TextReader {
 public:
  std::string line(std::string_view raw, const std::string& format, int64_t number) {
    const std::string text = clean_line(raw, source_, number);
    read_lines(text, format, number - 1);
    return file_.examples.empty() ? "" : std::move(file_.examples.front().text);
  }

  TextReader(const LabelledOptions& options, Labels labels, const std::string& source)
      : options_(options),
        wanted_(labels == Labels::kWanted),
        source_(source),
        label_{options.label, kLabelNames},
        text_{options.text, kTextNames} {}

  LabelledFile read(std::string_view raw) {
    const std::string text = clean_text(raw, source_);
    std::string format = options_.format == "auto" ? recognise_labelled(text, source_) : options_.format;
    if (!wanted_ && options_.format == "auto" && format == "blank") format = "lines";
    if (format == "csv" || format == "tsv") {
      read_table(text, format == "tsv");
    } else if (format == "json") {
      read_array(text);
    } else {
      read_lines(text, format);
    }
    if (file_.examples.empty()) {
      throw input_error(source_ + ": expected one text per line, found none", "give a file that is not empty");
    }
    return std::move(file_);
  }

 private:
  [[noreturn]] void fail(int64_t line, const std::string& problem, const std::string& advice) const {
    throw input_error(fmt::format("{}:{}: {}", source_, line, problem), advice);
  }

  void add(std::string_view label, std::string_view text, int64_t line) {
    label = until_of(trimmed(label), options_);
    if (wanted_ && label.empty()) fail(line, "expected a label, found none", "give each text a label");
    // A text to be classified may be empty: its line of output is.
    if (wanted_ && trimmed(text).empty()) {
      fail(line, "expected a text, found none", "give each label a text, or leave it out");
    }
    file_.examples.push_back({std::string(trimmed(text)), wanted_ ? std::string(label) : std::string(), line});
  }

  void read_lines(std::string_view text, const std::string& format, int64_t number = 0) {
    if (format == "blank" && wanted_) refuse_other_formats(text);
    file_.description = format == "jsonl"      ? "JSON lines"
                        : format == "fasttext" ? "fastText (`__label__LABEL text` lines)"
                        : format == "blank"    ? "`LABEL text` lines"
                                               : "one text per line";
    while (!text.empty()) {
      const std::string_view line = trimmed(take_line(text));
      ++number;
      if (line.empty()) continue;
      if (format == "jsonl") {
        object(parsed(line, number, 0), number);
      } else if (format == "fasttext") {
        fasttext_line(line, number);
      } else if (format == "lines") {
        add("", line, number);
      } else {
        const size_t blank = line.find_first_of(" \t");
        if (blank == std::string_view::npos) {
          fail(number, "expected a label and a text, found one word", "fix the line");
        }
        add(line.substr(0, blank), line.substr(blank), number);
      }
    }
    if (format == "jsonl" && !file_.examples.empty()) describe_keys();
  }

  // "Label, then text" fits nearly any line: what shows another format must not be taken for it.
  void refuse_other_formats(std::string_view text) const {
    const std::vector<std::string_view> lines = first_lines(text);
    const auto refuse = [&](const std::string& what, const std::string& advice) {
      throw input_error(fmt::format("{}: expected `LABEL text` lines, found {}", source_, what), advice);
    };
    for (const std::string_view line : lines) {
      if (line.find(kFastText) == std::string_view::npos) continue;
      refuse("__label__ within a line", "in fastText's format it is at the start of each line");
    }
    if (labels_look_like("{}[]<>", lines)) {
      refuse("what looks like JSON or markup",
             "give JSON lines, one array of objects, CSV, TSV, or `LABEL text` lines");
    }
    if (labels_look_like(",;\"", lines)) {
      refuse("what looks like CSV, with rows of different lengths",
             "give each row as many fields, put quotes around a field with separators, or give `format`");
    }
  }

  void fasttext_line(std::string_view line, int64_t number) {
    if (!line.starts_with(kFastText)) {
      if (wanted_) fail(number, "expected __label__LABEL at the start of the line, found none", "fix the line");
      return add("", line, number);
    }
    const size_t blank = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view label = line.substr(kFastText.size(), blank - kFastText.size());
    const std::string_view text = trimmed(line.substr(blank));
    if (wanted_ && text.starts_with(kFastText)) {
      fail(number, "expected one label, found several",
           "keep one label per text; several classes per text are not supported");
    }
    add(label, text, number);
  }

  // JSON from a text that begins in line `number`, at byte `offset` of it.
  nlohmann::json parsed(std::string_view text, int64_t number, size_t offset) const {
    if (json_nests_deeper(text, kDeepestJson)) {
      fail(number, fmt::format("expected JSON nested at most {} deep, found more", kDeepestJson), "fix the line");
    }
    try {
      return nlohmann::json::parse(text);
    } catch (const nlohmann::json::out_of_range&) {
      fail(number, "expected JSON, found a number that is too large", "fix the line, or leave it out");
    } catch (const nlohmann::json::parse_error& e) {
      const std::string_view before = text.substr(0, std::min(e.byte > 0 ? e.byte - 1 : 0, text.size()));
      const auto newlines = std::count(before.begin(), before.end(), '\n');
      const size_t line_begins = newlines > 0 ? before.rfind('\n') + 1 : 0;
      // "[json...] parse error at line 1, column 8: syntax error while parsing value - invalid ...; last read: '...'"
      std::string why = e.what();
      if (const size_t dash = why.find(" - "); dash != std::string::npos) why = why.substr(dash + 3);
      why = why.substr(0, why.find("; last read"));
      fail(number + newlines,
           fmt::format("expected JSON, found at byte {}: {}",
                       before.size() - line_begins + (newlines > 0 ? 0 : offset) + 1, why),
           "fix the line, or leave it out");
    }
  }

  void read_array(std::string_view text) {
    const nlohmann::json array = parsed(text, 1, 0);
    if (!array.is_array()) {
      fail(1, "expected an array of JSON objects, found something else", "give one array, or one object per line");
    }
    file_.description = "a JSON array";
    int64_t number = 0;
    for (const nlohmann::json& item : array) object(item, ++number);
    describe_keys();
  }

  void object(const nlohmann::json& item, int64_t number) {
    if (!item.is_object()) fail(number, "expected a JSON object, found something else", "write objects with keys");
    std::vector<std::string> keys;
    for (const auto& each : item.items()) keys.push_back(each.key());
    if (keys_[1].empty()) {  // the first object says how they are called
      label_.find(keys);
      text_.find(keys);
      if (wanted_ && label_.place) keys_[0] = keys[*label_.place];
      if (text_.place) keys_[1] = keys[*text_.place];
      if (keys_[1].empty() || (wanted_ && keys_[0].empty()) || keys_[0] == keys_[1]) {
        fail(number,
             fmt::format("expected keys for the label and the text, '{}' and '{}' or usual ones; found {}",
                         options_.label, options_.text, listed(keys)),
             "name the keys with `label` and `text`");
      }
    }
    const auto value = [&](const std::string& key) -> std::string {
      const auto found = item.find(key);
      if (found == item.end()) {
        fail(number, fmt::format("expected the key '{}', found {}", key, listed(keys)),
             "give every object the same keys, or name them with `label` and `text`");
      }
      if (found->is_string()) return found->get<std::string>();
      if (found->is_number() || found->is_boolean()) return found->dump();
      fail(number, fmt::format("expected a text or a number in '{}', found {}", key, found->type_name()),
           "give each text one label, as text, number, true or false");
    };
    add(wanted_ ? value(keys_[0]) : "", value(keys_[1]), number);
  }

  void describe_keys() {
    if (wanted_) file_.description += fmt::format(", label in '{}'", visible(keys_[0]));
    file_.description += fmt::format(", text in '{}'", visible(keys_[1]));
  }

  void read_table(std::string_view text, bool tabs) {
    const char separator = tabs ? '\t' : guess_separator(text);
    const std::vector<CsvRecord> records =
        tabs && !has_quoted_fields(text) ? parse_plain_tsv(text, source_) : parse_csv(text, separator, source_);
    if (records.empty()) return;
    const bool header = find_columns(records);
    const std::vector<std::string>& first = records.front().fields;
    const size_t label = wanted_ ? *label_.place : 0, body = *text_.place;
    for (const size_t chosen : {label, body}) {
      const bool used = chosen == body || wanted_;
      if (header && used && std::count(first.begin(), first.end(), first[chosen]) > 1) {
        fail(records.front().line, fmt::format("expected one column '{}' in the header, found several", first[chosen]),
             "give each a name of its own, or leave the header out and number them");
      }
    }
    const auto described = [&](size_t column) {
      return header ? fmt::format("column {} ('{}')", column + 1, visible(trimmed(first[column])))
                    : fmt::format("column {}", column + 1);
    };
    file_.description = tabs               ? "TSV"
                        : separator == ',' ? "CSV"
                                           : fmt::format("CSV with {}s", separator_name(separator));
    file_.description += header ? "" : " without a header";
    if (!header) file_.layout = fmt::format("{},{}", label + 1, body + 1);
    if (wanted_) file_.description += ", label in " + described(label);
    file_.description += ", text in " + described(body);
    const size_t min = std::max(label, body) + 1;
    for (size_t i = header ? 1 : 0; i < records.size(); ++i) {
      const CsvRecord& record = records[i];
      if (header ? record.fields.size() != first.size() : record.fields.size() < min) {
        fail(record.line,
             fmt::format("expected {}{} columns, found {}", header ? "" : "at least ", header ? first.size() : min,
                         record.fields.size()),
             "fix the line; a field with a separator in it needs quotes around it");
      }
      add(wanted_ ? record.fields[label] : "", record.fields[body], record.line);
    }
    if (wanted_ && !header) check_first_line();
  }

  // Whether fields that begin with a quote are quoted, as pandas writes them, rather than quotations.
  bool has_quoted_fields(std::string_view text) const {
    int64_t quoted = 0, others = 0;
    std::string_view rest = text;
    for (size_t lines = 0; !rest.empty() && lines < 10 * kFirstLines; ++lines) {
      std::string_view line = take_line(rest);
      for (bool more = true; more;) {
        const size_t tab = line.find('\t');
        more = tab != std::string_view::npos;
        const std::string_view field = line.substr(0, tab);
        line.remove_prefix(more ? tab + 1 : line.size());
        if (!field.starts_with('"')) continue;
        const bool closed = field.size() > 1 && field.ends_with('"');
        std::string_view inside = closed ? field.substr(1, field.size() - 2) : std::string_view();
        bool doubled = closed;
        for (size_t at = inside.find('"'); doubled && at != std::string_view::npos; at = inside.find('"', at + 2)) {
          doubled = at + 1 < inside.size() && inside[at + 1] == '"';
        }
        ++(doubled ? quoted : others);
      }
    }
    if (quoted + others == 0) return false;
    if (others == 0) return true;
    // A quoted field may have newlines in it; then the rows are whole as CSV and not line by line.
    try {
      const std::vector<CsvRecord> records = parse_csv(text, '\t', source_);
      return std::all_of(records.begin(), records.end(), [&](const CsvRecord& record) {
        return record.fields.size() == records.front().fields.size();
      });
    } catch (const Error&) {
      return false;
    }
  }

  // Settles which columns are label and text, and returns whether the first record is a header.
  bool find_columns(const std::vector<CsvRecord>& records) {
    const std::vector<std::string>& first = records.front().fields;
    label_.find(first);
    text_.find(first);
    // A name that occurs again, such as 'question', is a class, not a header.
    for (NamedColumn* sought : {&label_, &text_}) {
      if (sought->place && comes_again(records, *sought->place)) sought->place.reset();
    }
    if (wanted_ && label_.place && text_.place && *label_.place != *text_.place) return true;
    if (!wanted_ && text_.place) return true;
    const LabelledOptions defaults;
    const bool unnamed = options_.label == defaults.label && options_.text == defaults.text;
    const bool settled = label_.candidates.size() < 2 && text_.candidates.size() < 2;
    if (first.size() == 2 && settled && label_.place.has_value() != text_.place.has_value()) {
      NamedColumn& unknown = label_.place ? text_ : label_;
      const size_t place = 1 - *(label_.place ? label_ : text_).place;
      const std::string other = lowercased(trimmed(first[place]));
      const bool is_index = other.empty() || other == "id" || other == "index" || other == "idx";
      if (unknown.name != unknown.usual.front() || is_index) refuse_columns(records.front());
      unknown.place = place;
      return true;
    }
    if (label_.place || text_.place || !settled) refuse_columns(records.front());
    label_.place = number_from_one(options_.label);
    text_.place = number_from_one(options_.text);
    if (text_.place && (label_.place || !wanted_)) {  // a line of names is a header nonetheless
      const auto named = [&](const NamedColumn& sought) {
        return sought.place && *sought.place < first.size() && sought.is_usual(first[*sought.place]);
      };
      return named(label_) || named(text_);
    }
    if (unnamed && !wanted_ && first.size() == 1) {
      text_.place = 0;
      return false;
    }
    if (!unnamed || first.size() != 2) refuse_columns(records.front());
    if (!options_.layout.empty()) {
      const size_t comma = std::min(options_.layout.find(','), options_.layout.size());
      label_.place = number_from_one(options_.layout.substr(0, comma));
      text_.place = number_from_one(options_.layout.substr(std::min(comma + 1, options_.layout.size())));
      if (label_.place && text_.place && *label_.place != *text_.place) return false;
      throw usage_error("`layout`: expected the numbers of two columns, such as 2,1, found '" + options_.layout + "'",
                        "give the label's column first, then the text's");
    }
    // Two columns without a name that is known: labels come again, texts hardly.
    const bool first_repeats = repeats(records, 0), second_repeats = repeats(records, 1);
    const bool swapped = second_repeats && !first_repeats;
    label_.place = swapped ? 1 : 0;
    text_.place = swapped ? 0 : 1;
    return false;
  }

  // Whether the first record's entry in a column is also that of another.
  static bool comes_again(const std::vector<CsvRecord>& records, size_t column) {
    return std::any_of(records.begin() + 1, records.end(), [&](const CsvRecord& record) {
      return column < record.fields.size() && record.fields[column] == records.front().fields[column];
    });
  }

  // Whether a column has at most half as many different entries as there are rows.
  static bool repeats(const std::vector<CsvRecord>& records, size_t column) {
    std::set<std::string_view> different;
    for (const CsvRecord& record : records) {
      if (column < record.fields.size()) different.insert(trimmed(record.fields[column]));
    }
    return 2 * different.size() <= records.size();
  }

  [[noreturn]] void refuse_columns(const CsvRecord& first) const {
    const auto known = [&](const NamedColumn& sought) {
      return sought.place ? fmt::format("'{}'", trimmed(first.fields[*sought.place])) : std::string("not found");
    };
    fail(
        first.line,
        fmt::format("expected a header with columns for the label and the text ('{}' and '{}', or usual names), or two "
                    "columns; found {} (label: {}; text: {})",
                    options_.label, options_.text, listed(first.fields), known(label_), known(text_)),
        "name the columns with `label` and `text`, or give their numbers");
  }

  // Where no column has a known name, a header would pass as an example of a class of its own.
  void check_first_line() const {
    constexpr size_t kEnough = 20;  // lines, among which a class would come again
    const std::vector<LabelledText>& all = file_.examples;
    std::unordered_map<std::string, int64_t> counts;
    for (const LabelledText& example : all) ++counts[example.label];
    const auto alone = std::count_if(counts.begin(), counts.end(), [](const auto& item) { return item.second == 1; });
    if (all.size() < kEnough || alone != 1 || counts[all[0].label] != 1) return;
    fail(all[0].line,
         fmt::format("expected a label and a text, found what may be a header: no other text has the label '{}'",
                     all[0].label),
         "if it is a header, name its columns with `label` and `text`; if not, move it below the first line");
  }

  const LabelledOptions& options_;
  bool wanted_;
  const std::string& source_;
  NamedColumn label_, text_;
  std::array<std::string, 2> keys_;  // of JSON: label and text
  LabelledFile file_;
};

}  // namespace

void LabelledOptions::add_to(OptionTable& table) {
  table.add("format", format, "format of the labelled texts; auto recognises it by content",
            one_of({"auto", "fasttext", "jsonl", "json", "csv", "tsv", "blank"}));
  table.add("label", label, "column of the label (name, or number from 1), or its key in JSON");
  table.add("text", text, "column of the text (name, or number from 1), or its key in JSON");
  table.add(
      "layout", layout,
      "column numbers of label and text, such as 2,1, in a two-column table without a header; by default recognised");
  table.add("label-until", until, "characters that end a label: with : the label NUM:dist is read as NUM");
}

std::string read_text_line(std::string_view line, const std::string& format, const LabelledOptions& options,
                           const std::string& source, int64_t number) {
  return TextReader(options, Labels::kIgnored, source).line(line, format, number);
}

LabelledFile read_labelled(std::string_view text, const LabelledOptions& options, Labels labels,
                           const std::string& source) {
  return TextReader(options, labels, source).read(text);
}

void check_labels(const LabelledFile& file, const std::string& source) {
  constexpr size_t kEnough = 10;
  std::set<std::string_view> classes;
  for (const LabelledText& example : file.examples) classes.insert(example.label);
  if (file.examples.size() < kEnough || 2 * classes.size() <= file.examples.size()) return;
  const std::string_view shown = file.examples.front().label;
  size_t end = std::min<size_t>(shown.size(), 40);
  while (end < shown.size() && end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0U) == 0x80U) --end;
  throw input_error(fmt::format("{}: expected labels that repeat, found {} different ones in {} texts ({}), such "
                                "as '{}'",
                                source, classes.size(), file.examples.size(), file.description, shown.substr(0, end)),
                    "name the columns with `label` and `text`, or which `format` the file has");
}

}  // namespace longhand::data
