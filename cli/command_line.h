// The command line: verbs with their options, which come from option tables, parsed by CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::cli {

/// The options of a table that were given on the command line. They are applied after the whole line was read, so that
/// a configuration file can come before them.
class GivenOptions {
 public:
  /// Declares every option of the table for a verb. Table and this must outlive the parsing.
  void declare(CLI::App& verb, const OptionTable& table);
  /// Checks and stores what was given.
  void apply(OptionTable& table) const;
  const std::vector<std::pair<const Option*, std::string>>& given() const { return given_; }
  bool has(const std::string& name) const {
    return std::any_of(given_.begin(), given_.end(), [&](const auto& each) { return each.first->name == name; });
  }

 private:
  std::vector<std::pair<const Option*, std::string>> given_;
};

/// What a verb does once its line was parsed; returns the exit code.
using Action = std::function<int()>;

/// Each declares one verb; `action` is set when that verb was given.
void declare_train(CLI::App& app, Action& action);
void declare_eval(CLI::App& app, Action& action);
void declare_generate(CLI::App& app, Action& action);
void declare_tag(CLI::App& app, Action& action);
void declare_classify(CLI::App& app, Action& action);
void declare_predict(CLI::App& app, Action& action);
void declare_info(CLI::App& app, Action& action);
void declare_data(CLI::App& app, Action& action);
void declare_compare(CLI::App& app, Action& action);
void declare_selftest(CLI::App& app, Action& action);

/// Parses the line and runs the verb. Throws usage errors; prints help where it is asked for.
int run_command_line(int argc, char** argv);

}  // namespace longhand::cli
