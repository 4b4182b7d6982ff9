// Where data come from: a name that a user gives becomes the bytes of a file, of standard input, or of a built-in text
// or table.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/utf8.h"
#include "longhand/io/array.h"

namespace longhand::runs {

class Sources {
 public:
  /// The path of a file that a name stands for, such as a downloaded data set's; nothing for other names.
  using Find = std::function<std::optional<std::string>(const std::string& name)>;

  Sources() = default;
  /// `on_note` receives what a user should know of a name, once.
  Sources(Find find, std::function<void(const std::string&)> on_note)
      : find_(std::move(find)), on_note_(std::move(on_note)) {}

  /// Progress of reading a large text, in bytes, and whether to go on. `on_end` is called when that is over. Without
  /// them, nobody is asked.
  using OnRead = std::function<bool(const std::string& name, int64_t done, int64_t total)>;
  void set_on_read(OnRead on_read, std::function<void()> on_end) {
    on_read_ = std::move(on_read);
    on_read_end_ = std::move(on_end);
  }
  bool on_read(const std::string& name, int64_t done, int64_t total) const {
    return !on_read_ || on_read_(name, done, total);
  }
  void end_reading() const {
    if (on_read_end_) on_read_end_();
  }
  /// Tells the user.
  void note(const std::string& text) const {
    if (on_note_) on_note_(text);
  }

  /// Arrays by name of a .npz file, whose contents are given; nothing in this library reads zip archives.
  using ReadArrays =
      std::function<std::vector<std::pair<std::string, io::Array>>(const std::string& name, std::string bytes)>;
  void set_read_arrays(ReadArrays read) { read_arrays_ = std::move(read); }
  /// Throws a usage error where this program cannot read such files.
  std::vector<std::pair<std::string, io::Array>> arrays(const std::string& source);

  /// From now on `name` stands for these bytes.
  void add(const std::string& name, std::string bytes) { added_[name] = std::move(bytes); }

  /// The bytes of a file, of standard input where `source` is "-", or of what `find` leads to. A file is preferred to
  /// other things of its name. Throws input errors for one that is missing, a folder, or empty.
  std::string file(const std::string& source);
  /// The same, or a built-in text by its name.
  std::string text(const std::string& source);
  /// Texts in files from this size on are not read into memory, where that can be avoided.
  static constexpr int64_t kLarge = int64_t{64} << 20;

  /// The path of the file that a text is in; nothing for standard input, a built-in text, and one that was added.
  std::optional<std::string> text_path(const std::string& source);
  /// The same as `text`; of a large or prepared one something short that is the same for the same text.
  std::string text_mark(const std::string& source);
  /// The same, or a built-in table by its name.
  std::string table(const std::string& source);
  /// The bytes of all files of a list with commas, one after the other.
  std::string sequences(const std::string& sources);

 private:
  std::optional<std::string> found(const std::string& source) const;
  bool use_builtin(const std::string& source, bool is_builtin);

  std::map<std::string, std::string> added_;
  Find find_;
  std::function<void(const std::string&)> on_note_;
  std::set<std::string> noted_;
  OnRead on_read_;
  ReadArrays read_arrays_;
  std::function<void()> on_read_end_;
};

/// What to call a source in a message.
inline std::string shown_name(const std::string& source) { return source == "-" ? "standard input" : visible(source); }

}  // namespace longhand::runs
