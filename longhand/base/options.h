// Options, declared once: a struct of settings registers its members in a table, with name, check and help, and from
// the table come the command line, --help, the TOML keys, the stored configuration and the errors.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace longhand {

/// What a value must be; the text is the one that help and errors show.
struct OptionCheck {
  double min = -1e300;
  double max = 1e300;
  bool open = false;                   ///< `min` and `max` themselves are excluded
  std::optional<double> also{};        ///< one value outside of that range, with a meaning of its own
  std::string also_called{};           ///< a word for it, where it has one
  std::vector<std::string> choices{};  ///< of a text; empty: any
  std::string brief{};                 ///< what help says in the place of a long list of choices
};

OptionCheck at_least(double min);
OptionCheck more_than(double min);
OptionCheck between(double min, double max);
/// 0 <= value < 1
OptionCheck fraction();
OptionCheck one_of(std::vector<std::string> choices);

/// One option, bound to the variable that holds it.
struct Option {
  std::string name;  ///< without dashes, as in TOML
  std::variant<bool*, int64_t*, double*, std::string*> value;
  OptionCheck check;
  std::string help;
  std::string group;  ///< the heading that help shows it under
  std::string default_text;
  bool given = false;                                  ///< `set` has set it
  std::map<std::string, std::string> former_values{};  ///< of a former name: its values, and what they are today

  bool is_flag() const { return std::holds_alternative<bool*>(value); }
  /// The value as the command line would take it.
  std::string text() const;
  /// Whether the text is the word for a number.
  bool is_word(const std::string& text) const { return !check.also_called.empty() && text == check.also_called; }
  /// "an integer of at least 1", "one of sgd, adam", ...: for errors.
  std::string expectation() const;
  /// "at least 1", "sgd, adam", ...: for help; empty where any value is good.
  std::string range() const;
};

/// The options of one command. Holds pointers: the settings must outlive it.
class OptionTable {
 public:
  /// Options added from now on belong under this heading.
  void begin_group(std::string group) { group_ = std::move(group); }

  /// Registers `value`, whose present content is the default.
  template <class T>
  void add(std::string name, T& value, std::string help, OptionCheck check = {}) {
    options_.push_back({std::move(name), &value, std::move(check), std::move(help), group_, {}, {}});
    options_.back().default_text = options_.back().text();
  }

  /// An earlier version called the option `now` `name`, with other words for these of its values. It is still read,
  /// and no help shows it. Adds nothing where there is no option `now`.
  void add_former(const std::string& name, const std::string& now, std::map<std::string, std::string> values);

  const std::vector<Option>& options() const { return options_; }
  /// Options that are called otherwise today.
  const std::vector<Option>& former() const { return former_; }
  /// By its name of today or a former one.
  const Option* find(std::string_view name) const;
  /// The option of today that holds the same value.
  const Option& today(const Option& option) const;

  /// Parses and stores a value. `where` begins the error: "--hidden", or "recipe.toml:3: hidden". Throws a usage error
  /// for a value of the wrong kind or out of range.
  void set(const Option& option, const std::string& text, const std::string& where);

 private:
  std::vector<Option> options_;
  std::vector<Option> former_;
  std::string group_;
};

/// The candidate that differs from `word` by the fewest edits, if that is few enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean X?" or nothing: for the second line of an error.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// The shortest decimal text that reads back as the same double.
std::string shortest(double value);

}  // namespace longhand
