// The command line: verbs with their options, which come from option tables. CLI11, which parses it, takes long to
// compile, and is seen in command_line.cpp alone.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/options.h"

namespace CLI {
class App;
}

namespace longhand::cli {

/// The options of a table that were given on the command line. They are applied after the whole line was read, so that
/// a configuration file can come before them.
class GivenOptions {
 public:
  /// Checks and stores what was given.
  void apply(OptionTable& table) const;
  const std::vector<std::pair<const Option*, std::string>>& given() const { return given_; }
  void add(const Option& option, std::string text) { given_.emplace_back(&option, std::move(text)); }
  /// The options as one could type them: " --out story --json".
  std::string as_typed() const;
  bool has(const std::string& name) const {
    return std::any_of(given_.begin(), given_.end(), [&](const auto& each) { return each.first->name == name; });
  }

 private:
  std::vector<std::pair<const Option*, std::string>> given_;
};

/// What a verb does once its line was parsed; returns the exit code.
using Action = std::function<int()>;

/// A verb of the line, such as `train` or `train lm`.
class Verb {
 public:
  /// `action` is set to that of the verb which is given.
  Verb(CLI::App& app, Action& action) : app_(app), action_(action) {}

  /// Another verb, below this one.
  Verb add(const std::string& name, const std::string& help) const;
  void add_argument(const std::string& name, std::string& value, const std::string& help, bool required) const;
  /// One or more values.
  void add_arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) const;
  /// An option that takes as many values as there are names for them.
  void add_option_of(const std::string& name, const std::vector<std::string>& value_names,
                     std::vector<std::string>& values, const std::string& help) const;
  /// Every option of the table. Table and `given` must outlive the parsing. Of those that are given several times the
  /// last one counts; of the `repeatable` ones each is a line of the text.
  void add_options(const OptionTable& table, GivenOptions& given,
                   const std::vector<std::string>& repeatable = {}) const;
  void set_action(Action action) const;

  /// Adds a verb whose arguments, options and action are those of a new Command, made from `arguments`: it has
  /// `declare(Verb)` and `run()`.
  template <class Command, class... Arguments>
  Verb add_command(const std::string& name, const std::string& help, Arguments&&... arguments) const {
    Verb verb = add(name, help);
    auto command = std::make_shared<Command>(std::forward<Arguments>(arguments)...);
    command->declare(verb);
    verb.set_action([command] { return command->run(); });
    return verb;
  }

 private:
  CLI::App& app_;
  Action& action_;
};

/// Each declares one verb of `longhand`.
void declare_train(const Verb& longhand);
void declare_eval(const Verb& longhand);
void declare_generate(const Verb& longhand);
void declare_tag(const Verb& longhand);
void declare_classify(const Verb& longhand);
void declare_predict(const Verb& longhand);
void declare_info(const Verb& longhand);
void declare_export(const Verb& longhand);
void declare_import(const Verb& longhand);
void declare_run(const Verb& longhand);
void declare_data(const Verb& longhand);
void declare_combine(const Verb& longhand);
void declare_data_words(const Verb& data);
void declare_data_make(const Verb& data);
void declare_data_prepare(const Verb& data);
void declare_compare(const Verb& longhand);
void declare_quantise(const Verb& longhand);
void declare_lab(const Verb& longhand);
void declare_selftest(const Verb& longhand);

/// The library names settings in backquotes: `hidden`. On the command line they are options: --hidden.
std::string with_dashes(const std::string& message);

/// Parses the line and runs the verb. Throws usage errors; prints help where it is asked for.
int run_command_line(int argc, char** argv);

}  // namespace longhand::cli
