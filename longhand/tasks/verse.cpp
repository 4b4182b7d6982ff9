#include "longhand/tasks/verse.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/words.h"

namespace longhand::tasks {
namespace {

constexpr std::string_view kComma = "，", kStop = "。";

}  // namespace

void VerseOptions::add_to(OptionTable& table) {
  table.add("form", form, "form of the poem; 5x4 is four lines of five characters",
            one_of({"", "5x4", "7x4", "5x8", "7x8"}));
  table.add("acrostic", acrostic, "first characters of the lines of the poem");
}

Verse::Verse(const VerseOptions& options, const data::Vocabulary& vocabulary)
    : marks_(static_cast<size_t>(vocabulary.size()), Mark::kNone),
      comma_(vocabulary.find(kComma)),
      stop_(vocabulary.find(kStop)),
      end_(vocabulary.find(data::kEnd)),
      never_(static_cast<size_t>(vocabulary.size()), false) {
  if (!options.form.empty()) {
    columns_ = static_cast<size_t>(options.form[0] - '0');
    lines_ = static_cast<size_t>(options.form[2] - '0');
    if (comma_ < 0 || stop_ < 0) {
      throw input_error(
          fmt::format("`form`: expected a model that knows {} and {}, found one that does not", kComma, kStop),
          "train one on poems with these marks at the ends of lines");
    }
  }
  char32_t c = 0;
  for (size_t at = 0; at < options.acrostic.size();) {
    const size_t length = next_character(options.acrostic, at, c);
    const std::string_view symbol = std::string_view(options.acrostic).substr(at, length);
    const int32_t index = vocabulary.find(symbol);
    if (index < 0) {
      throw input_error(fmt::format("`acrostic`: expected characters that the model knows, found '{}'", symbol),
                        "choose another");
    }
    acrostic_.push_back(index);
    at += length;
  }
  if (in_form() && acrostic_.size() > lines_) {
    throw usage_error(fmt::format("`acrostic`: expected at most {} characters with `form` {}, found {}", lines_,
                                  options.form, acrostic_.size()),
                      "give fewer, or a form with more lines");
  }
  for (const std::string_view special : {data::kUnknown, data::kBegin}) {
    if (vocabulary.find(special) >= 0 && vocabulary.size() > 1)
      never_[static_cast<size_t>(vocabulary.find(special))] = true;
  }
  not_yet_ = never_;
  if (end_ >= 0) not_yet_[static_cast<size_t>(end_)] = true;
  not_in_line_ = not_yet_;
  for (int32_t i = 0; i < vocabulary.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const std::string& symbol = vocabulary.symbol(i);
    const bool stop = symbol == kStop || symbol == "！" || symbol == "？";
    if (stop || symbol == kComma || symbol == "；") marks_[at] = stop ? Mark::kStop : Mark::kComma;
    // Of a form's lines, only characters are part: what is neither letter nor digit has a shape of its own.
    if (data::word_shape(symbol) != "x") not_in_line_[at] = true;
  }
  if (in_form() && std::find(not_in_line_.begin(), not_in_line_.end(), false) == not_in_line_.end()) {
    throw input_error("`form`: expected a character-level model, found another", "train it on poems with `level` char");
  }
}

int32_t Verse::forced() const {
  if (column_ == 0 && line_ < acrostic_.size()) return acrostic_[line_];
  if (in_form() && column_ == columns_) return line_ % 2 == 0 ? comma_ : stop_;
  return -1;
}

const std::vector<bool>& Verse::banned() const {
  return in_form() ? not_in_line_ : line_ < acrostic_.size() ? not_yet_ : never_;
}

bool Verse::write(int32_t symbol) {
  const int32_t only = forced();
  const Mark mark = marks_[static_cast<size_t>(symbol)];
  if (only >= 0 && symbol != only) return false;
  if (in_form() && only < 0 && not_in_line_[static_cast<size_t>(symbol)]) return false;
  const bool ends_line = in_form() ? column_ == columns_ : mark != Mark::kNone;
  ++column_;
  if (symbol == end_) finished_ = true;
  if (!ends_line) return true;
  column_ = 0;
  ++line_;
  const bool enough = lines() > 0 && line_ >= lines();
  finished_ = finished_ || (enough && (in_form() || mark == Mark::kStop));
  return true;
}

}  // namespace longhand::tasks
