// Where data come from: a name that a user gives becomes the bytes of a file, of standard input, or of a built-in text
// or table.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "longhand/base/utf8.h"

namespace longhand::runs {

class Sources {
 public:
  /// The path of a file that a name stands for, such as a downloaded data set's; nothing for other names.
  using Find = std::function<std::optional<std::string>(const std::string& name)>;

  Sources() = default;
  /// `on_note` receives what a user should know of a name, once.
  Sources(Find find, std::function<void(const std::string&)> on_note)
      : find_(std::move(find)), on_note_(std::move(on_note)) {}

  /// From now on `name` stands for these bytes.
  void add(const std::string& name, std::string bytes) { added_[name] = std::move(bytes); }

  /// The bytes of a file, of standard input where `source` is "-", or of what `find` leads to. A file is preferred to
  /// other things of its name. Throws input errors for one that is missing, a folder, or empty.
  std::string file(const std::string& source);
  /// The same, or a built-in text by its name.
  std::string text(const std::string& source);
  /// The same, or a built-in table by its name.
  std::string table(const std::string& source);

 private:
  std::optional<std::string> found(const std::string& source) const;
  bool use_builtin(const std::string& source, bool is_builtin);

  std::map<std::string, std::string> added_;
  Find find_;
  std::function<void(const std::string&)> on_note_;
  std::set<std::string> noted_;
};

/// What to call a source in a message.
inline std::string shown_name(const std::string& source) { return source == "-" ? "standard input" : visible(source); }

}  // namespace longhand::runs
