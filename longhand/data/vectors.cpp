#include "longhand/data/vectors.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

static_assert(std::endian::native == std::endian::little, "word2vec's binary form is little-endian");

constexpr int64_t kMaxNumbers = 65536;  // in a vector

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A whole number of at least 1 that is the whole text.
std::optional<int64_t> count_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

std::vector<std::string_view> fields(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin < line.size();) {
    size_t end = begin;
    while (end < line.size() && !is_blank(line[end])) ++end;
    out.push_back(line.substr(begin, end - begin));
    while (end < line.size() && is_blank(line[end])) ++end;
    begin = end;
  }
  return out;
}

class VectorReader {
 public:
  VectorReader(const VectorOptions& options, bool lowercase, int64_t size, Vocabulary& vocabulary)
      : options_(options), lowercase_(lowercase), vocabulary_(vocabulary) {
    out_.size = size;
  }

  WordVectors read() {
    std::ifstream file(options_.vectors, std::ios::binary);
    if (!file) {
      throw input_error(options_.vectors + ": cannot be opened", "check the name");
    }
    if (file.peek() == 0x1F) {
      throw input_error(options_.vectors + ": expected a file of word vectors, found a compressed one",
                        "decompress it first, for instance with gunzip");
    }
    for (std::string line; !binary_ && take_line(file, line);) {
      if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // a byte-order mark
      if (line.ends_with('\r')) line.pop_back();
      while (!line.empty() && is_blank(line.back())) line.pop_back();
      if (!line.empty()) read_line(line);
      binary_ = line_ == 1 && announced_ && is_binary(file);
    }
    if (binary_) read_binary(file);
    if (file.bad()) throw input_error(options_.vectors + ": cannot be read to its end", "copy it again");
    if (seen_ == 0) {
      throw input_error(options_.vectors + ": expected lines of a word and its vector, found none",
                        "give a file in the format of GloVe or word2vec");
    }
    if (announced_ && *announced_ != seen_) {
      throw input_error(fmt::format("{}: expected {} vectors, as its first line says, found {}", options_.vectors,
                                    *announced_, seen_),
                        "the file is truncated or damaged; copy it again");
    }
    finish();
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw input_error(fmt::format("{}:{}: {}", options_.vectors, line_, problem),
                      "each line is a word and the same number of values");
  }

  // The next line; a longer one than any word with its numbers is no text.
  bool take_line(std::istream& file, std::string& line) {
    constexpr size_t kLongest = size_t{4} << 20;
    line.clear();
    ++line_;
    int c = 0;
    while ((c = file.get()) != std::char_traits<char>::eof() && c != '\n') {
      line.push_back(static_cast<char>(c));
      if (line.size() > kLongest)
        fail(fmt::format("expected lines of at most {} MiB, found a longer one", kLongest >> 20));
    }
    return c == '\n' || !line.empty();
  }

  // Whether what follows the first line are floats rather than their digits.
  static bool is_binary(std::istream& file) {
    std::array<char, 4096> head{};
    const std::streampos at = file.tellg();
    file.read(head.data(), head.size());
    const auto n = static_cast<size_t>(file.gcount());
    file.clear();
    file.seekg(at);
    return std::any_of(head.begin(), head.begin() + n, [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
    });
  }

  // word2vec's binary form: a word, a blank and its numbers as floats of four bytes, with or without a newline between.
  void read_binary(std::istream& file) {
    constexpr size_t kLongestWord = 4096;
    const auto E = static_cast<size_t>(out_.size);
    std::vector<float> numbers(E);
    const auto cut = [&] {
      return input_error(fmt::format("{}: expected {} vectors, as its first line says, found {}", options_.vectors,
                                     *announced_, seen_),
                         "the file is truncated or damaged; copy it again");
    };
    for (int64_t i = 0; i < *announced_; ++i) {
      std::string word;
      int c = 0;
      while ((c = file.get()) != ' ' && word.size() <= kLongestWord) {
        if (c == std::char_traits<char>::eof()) throw cut();
        if (c != '\n' || !word.empty()) word.push_back(static_cast<char>(c));
      }
      file.read(reinterpret_cast<char*>(numbers.data()), static_cast<std::streamsize>(E * sizeof(float)));
      if (word.size() > kLongestWord || static_cast<size_t>(file.gcount()) != E * sizeof(float)) throw cut();
      ++seen_;
      const bool finite = std::all_of(numbers.begin(), numbers.end(), [](float x) { return std::isfinite(x); });
      if (!finite) {
        throw input_error(
            fmt::format("{}: vector {}: expected numbers, found some that are not finite", options_.vectors, seen_),
            "the file is truncated or damaged; copy it again");
      }
      if (find_invalid_utf8(word) != std::string_view::npos) {
        ++unreadable_;
      } else if (wanted(word)) {
        out_.values.insert(out_.values.end(), numbers.begin(), numbers.end());
      }
    }
  }

  void read_line(std::string_view line) {
    const std::vector<std::string_view> parts = fields(line);
    if (line_ == 1 && parts.size() == 2 && count_of(parts[0]) && count_of(parts[1])) {
      announced_ = count_of(parts[0]);
      check_size(*count_of(parts[1]));
      return;
    }
    if (line_ == 1) {
      for (size_t i = 1; i < parts.size(); ++i) number(parts[i]);  // else it is no file of vectors
      check_size(static_cast<int64_t>(parts.size()) - 1);
    }
    const auto E = static_cast<size_t>(out_.size);
    if (parts.size() <= E) {
      fail(fmt::format("expected a word and {} numbers, found {} fields", E, parts.size()));
    }
    ++seen_;
    const std::string_view first_number = parts[parts.size() - E];
    std::string_view word = line.substr(0, static_cast<size_t>(first_number.data() - line.data()));
    while (!word.empty() && is_blank(word.back())) word.remove_suffix(1);
    if (find_invalid_utf8(word) != std::string_view::npos) {
      ++unreadable_;
      return;
    }
    if (!wanted(word)) return;
    for (size_t i = parts.size() - E; i < parts.size(); ++i) out_.values.push_back(number(parts[i]));
  }

  void check_size(int64_t found) const {
    if (found < 1 || found > kMaxNumbers) {
      fail(fmt::format("expected a word and 1 to {} numbers, found {}", kMaxNumbers, found));
    }
    if (found != out_.size) {
      throw usage_error(fmt::format("`embed`: expected {}, the size of the vectors in {}, found {}", found,
                                    options_.vectors, out_.size),
                        fmt::format("give `embed` {}", found));
    }
  }

  // Notes whose the vector is, if it is taken.
  bool wanted(std::string_view word) {
    const int32_t known = vocabulary_.find(word);
    if (known >= 0) {
      if (!taken_.insert(known).second) return false;
      out_.words.push_back(known);
      return true;
    }
    if (static_cast<int64_t>(new_.size()) == options_.new_words || word.empty()) return false;
    if (lowercase_ && lowercased(word) != word) return false;
    if (!is_new_.emplace(word).second) return false;
    out_.words.push_back(static_cast<int32_t>(vocabulary_.size() + static_cast<int64_t>(new_.size())));
    new_.emplace_back(word);
    return true;
  }

  float number(std::string_view text) const {
    float value = 0.0F;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    // Numbers too small for a float are as good as 0.
    const bool tiny = error == std::errc::result_out_of_range && text.find("e-") != std::string_view::npos;
    if ((!whole && !tiny) || !std::isfinite(value)) {
      const bool shown = text.size() <= 40 && find_invalid_utf8(text) == std::string_view::npos;
      fail(shown ? fmt::format("expected a number, found '{}'", text) : "expected a number, found something else");
    }
    return tiny ? 0.0F : value;
  }

  void finish() {
    out_.description = fmt::format("{}: {}, vectors of {} for {} of {} words", options_.vectors,
                                   !announced_ ? "GloVe"
                                   : binary_   ? "word2vec, binary"
                                               : "word2vec",
                                   out_.size, taken_.size(), vocabulary_.size());
    if (!new_.empty()) out_.description += fmt::format(", and for {} more", new_.size());
    if (unreadable_ > 0) out_.description += fmt::format("; {} words are not UTF-8 and were left out", unreadable_);
    if (new_.empty()) return;
    std::vector<std::string> symbols;
    for (int32_t i = 0; i < vocabulary_.size(); ++i) symbols.push_back(vocabulary_.symbol(i));
    for (std::string& word : new_) symbols.push_back(std::move(word));
    vocabulary_ = Vocabulary(std::move(symbols));
  }

  const VectorOptions& options_;
  bool lowercase_;
  Vocabulary& vocabulary_;
  int64_t line_ = 0;
  int64_t seen_ = 0;
  int64_t unreadable_ = 0;
  std::optional<int64_t> announced_;
  bool binary_ = false;
  std::unordered_set<int32_t> taken_;
  std::vector<std::string> new_;
  std::unordered_set<std::string> is_new_;
  WordVectors out_;
};

}  // namespace

void VectorOptions::add_to(OptionTable& table) {
  table.add("vectors", vectors, "file of pretrained word vectors, in GloVe or word2vec format (text or binary)");
  table.add("vector-words", new_words,
            "number of words absent from the training data that are added, from the top of the vectors file or of the "
            "vocabulary of `from`",
            between(0, 10000000));
}

WordVectors read_word_vectors(const VectorOptions& options, bool lowercase, int64_t size, Vocabulary& vocabulary) {
  if (options.vectors.empty()) return {};
  return VectorReader(options, lowercase, size, vocabulary).read();
}

}  // namespace longhand::data
