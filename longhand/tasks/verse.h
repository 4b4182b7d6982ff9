// Forms of Chinese verse, enforced during generation: how many lines of how many characters, what is at
// a line's end, and with which character each begins.
#pragma once

#include <string>
#include <vector>

#include "longhand/data/text.h"
#include "longhand/tasks/sampler_options.h"

namespace longhand::tasks {

/// What may come next in a poem. Lines end in a comma and a full stop in turn.
class Verse {
 public:
  /// Throws an input error where the vocabulary lacks a character of the acrostic or the marks at a line's end, and a
  /// usage error for an acrostic that is longer than the form.
  Verse(const VerseOptions& options, const data::Vocabulary& vocabulary);

  bool finished() const { return finished_; }
  /// The only symbol that may come next, or -1: then all but those in banned().
  int32_t forced() const;
  const std::vector<bool>& banned() const;
  /// Takes note of the next symbol. Returns false if it may not stand there.
  bool write(int32_t symbol);

 private:
  enum class Mark { kNone, kComma, kStop };
  bool in_form() const { return columns_ > 0; }
  size_t lines() const { return in_form() ? lines_ : acrostic_.size(); }

  size_t columns_ = 0, lines_ = 0;  // of the form
  std::vector<int32_t> acrostic_;
  std::vector<Mark> marks_;  // of each symbol
  int32_t comma_ = -1, stop_ = -1, end_ = -1;
  std::vector<bool> never_, not_yet_, not_in_line_;  // to be written: at all, before the end, in a form's line
  size_t line_ = 0, column_ = 0;
  bool finished_ = false;
};

}  // namespace longhand::tasks
