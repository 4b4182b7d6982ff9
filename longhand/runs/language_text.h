// A text that a language model is trained or measured on: in memory, or, where it is large or was prepared, in a mapped
// file. Either way the symbols are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "longhand/base/options.h"
#include "longhand/runs/prepare.h"
#include "longhand/runs/sources.h"

namespace longhand::runs {

class LanguageText {
 public:
  /// `source` is what a user gave; it is read as the options say. Throws an input error for a text that cannot be read,
  /// and a usage error for one that was prepared with other options, which names both. With `training`, the number of
  /// symbols and their least count must be the same, too. Files of `large` bytes or more are prepared, and mapped.
  LanguageText(const std::string& source, const PrepareOptions& options, bool training, Sources& sources,
               int64_t large = Sources::kLarge);
  LanguageText(const LanguageText&) = delete;
  LanguageText& operator=(const LanguageText&) = delete;

  const std::string& name() const { return name_; }
  /// That of a training text; `unknown`: with <unk>, whether the text needs it or not. Throws an input error where it
  /// was prepared without it.
  data::Vocabulary vocabulary(bool unknown);
  /// Whether it has a symbol that the vocabulary lacks.
  bool has_unknown(const data::Vocabulary& vocabulary);
  /// Its symbols by this vocabulary. A large text is prepared beside it, where that was not done before, or else, where
  /// that is not possible, read into memory. Throws an input error for a text that was prepared with another
  /// vocabulary, and what data::encode throws.
  data::Corpus corpus(const data::Vocabulary& vocabulary);

 private:
  std::string beside(bool unknown, const data::Vocabulary* vocabulary) const;
  std::optional<PreparedText> find(bool unknown, const data::Vocabulary* vocabulary) const;
  data::Corpus prepare(const data::Vocabulary& vocabulary, const std::string& path);

  std::string name_, path_;
  PrepareOptions options_;
  bool training_;
  Sources& sources_;
  std::optional<PreparedText> prepared_;  // the text was given as such
  std::optional<TextFile> file_;          // it is large
  std::string text_;                      // it is neither: normalised
  bool add_unknown_ = false;
};

/// Sets the options that a prepared training text says how it was read by, where `data` is one. Throws a usage error
/// where one was given another value.
void follow_prepared(const std::string& data, OptionTable& table);

/// Throws an input error where no symbol is frequent enough to be in a vocabulary.
void check_vocabulary(const data::Vocabulary& vocabulary, const data::TextOptions& options, const std::string& name);

}  // namespace longhand::runs
