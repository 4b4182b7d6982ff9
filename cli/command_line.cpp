#include "cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>
#include <set>

#include "cli/console.h"
#include "cli/together.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/version.h"

namespace longhand::cli {
namespace {

// The verb that was given last on the line, such as `lm` of `train lm`.
const CLI::App* innermost(const CLI::App* app) {
  for (;;) {
    const auto chosen = app->get_subcommands();
    if (chosen.empty()) return app;
    app = chosen.front();
  }
}

std::string full_name(const CLI::App* app) {
  std::string name = app->get_name();
  for (const CLI::App* a = app->get_parent(); a != nullptr; a = a->get_parent()) name.insert(0, a->get_name() + " ");
  return name;
}

Error unexpected(const CLI::App& app) {
  const CLI::App* verb = innermost(&app);
  const bool wants_verb = !verb->get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::vector<std::string> extras = app.remaining(true);
  if (wants_verb && verb->get_parent() != nullptr && !extras.empty() && extras.front().starts_with("-")) {
    std::string verbs;
    for (const CLI::App* sub : verb->get_subcommands([](const CLI::App*) { return true; })) {
      verbs += (verbs.empty() ? "" : ", ") + sub->get_name();
    }
    return usage_error(fmt::format("{}: expected {} before {}", full_name(verb), verbs, extras.front()),
                       fmt::format("see `{} --help`", full_name(verb)));
  }
  // Where a verb is still to come, the first word was meant as one; elsewhere an unknown option takes its value along.
  const auto culprit =
      std::find_if(extras.begin(), extras.end(), [&](const auto& e) { return e.starts_with("-") != wants_verb; });
  std::string word = culprit != extras.end() ? *culprit : extras.empty() ? "?" : extras.front();
  std::vector<std::string> known;
  if (word.starts_with("-")) {
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else {
    for (const CLI::App* sub : verb->get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(sub->get_name());
    }
  }
  // A misspelt command may have passed for an argument before it.
  for (const CLI::Option* option : verb->get_options([](const CLI::Option* each) { return each->count() > 0; })) {
    if (wants_verb && option->get_positional() && !word.starts_with("-") && !nearest(word, known) &&
        nearest(option->as<std::string>(), known)) {
      word = option->as<std::string>();
    }
  }
  const std::string name = word.substr(0, word.find('='));
  const std::string what = word.starts_with("-") ? "option" : known.empty() ? "argument" : "command";
  return usage_error(fmt::format("{}: unknown {} {}", full_name(verb), what, name),
                     fmt::format("see `{} --help`{}", full_name(verb), did_you_mean(name, known)));
}

// Of most options the last one counts. A second model to start from may be meant as one more.
void refuse_repetition(const CLI::App& app, const std::string& name) {
  if ((name != "from" && name != "from-reverse") || app.get_option("--" + name)->count() < 2) return;
  throw usage_error(fmt::format("{}: expected --{} once, found it {} times", full_name(&app), name,
                                app.get_option("--" + name)->count()),
                    "a model starts from one model, or from one for each direction: --from and --from-reverse");
}

// Of all verbs.
std::set<std::string>& option_names() {
  static std::set<std::string> names;
  return names;
}

// Names those of the options that take memory which the verb has.
std::string memory_advice(const CLI::App& verb) {
  std::string out;
  for (const char* name : {"--hidden", "--layers", "--batch", "--bptt", "--max-tokens", "--nbest", "--threads"}) {
    const CLI::Option* option = verb.get_option_no_throw(name);
    if (option != nullptr) out += (out.empty() ? "use a smaller " : ", ") + std::string(name);
  }
  return out.empty() ? "give a smaller file or model, or more memory" : out + ", or a smaller file";
}

}  // namespace

std::string with_dashes(const std::string& message) {
  std::string out;
  for (size_t at = 0; at < message.size();) {
    const size_t end = message[at] == '`' ? message.find('`', at + 1) : std::string::npos;
    const std::string name = end == std::string::npos ? "" : message.substr(at + 1, end - at - 1);
    const bool is_option = option_names().contains(name);
    out += is_option ? "--" + name : std::string(1, message[at]);
    at = is_option ? end + 1 : at + 1;
  }
  return out;
}

Verb Verb::add(const std::string& name, const std::string& help) const {
  app_.require_subcommand(0, 1);
  return {*app_.add_subcommand(name, help), action_};
}

void Verb::add_argument(const std::string& name, std::string& value, const std::string& help, bool required) const {
  app_.add_option(name, value, help)->required(required);
}

void Verb::add_arguments(const std::string& name, std::vector<std::string>& values, const std::string& help) const {
  app_.add_option(name, values, help)->required();
}

void Verb::add_option_of(const std::string& name, const std::vector<std::string>& value_names,
                         std::vector<std::string>& values, const std::string& help) const {
  option_names().insert(name);
  app_.add_option("--" + name, values, help)
      ->type_size(static_cast<int>(value_names.size()))
      ->expected(1)
      ->allow_extra_args(false)
      ->type_name(fmt::format("{}", fmt::join(value_names, " ")));
}

void Verb::set_action(Action action) const {
  // A verb's own callback comes after those of the verbs below it, which take their own options.
  app_.callback([&app = app_, &all = action_, action = std::move(action)] {
    if (app.get_subcommands().empty()) {
      all = action;
      return;
    }
    for (const CLI::Option* option : app.get_options([](const CLI::Option* each) { return each->count() > 0; })) {
      const std::string given = option->get_positional() ? option->as<std::string>() : option->get_name();
      throw usage_error(
          fmt::format("{}: expected {} before {}", full_name(&app), app.get_subcommands().front()->get_name(), given),
          fmt::format("see `{} --help`", full_name(app.get_subcommands().front())));
    }
  });
}

void Verb::add_options(const OptionTable& table, GivenOptions& given,
                       const std::vector<std::string>& repeatable) const {
  for (const Option& option : table.options()) option_names().insert(option.name);
  for (const Option& option : table.options()) {
    const std::string help = with_dashes(option.help);
    CLI::Option* declared = nullptr;
    if (option.is_flag()) {
      // Help shows the one of the two that changes something; the other is there for what a configuration file says.
      const bool is_on = option.default_text == "true";
      const auto flag = [&](const std::string& name, const char* value, const std::string& text) {
        return app_.add_flag_callback(
            name, [&given, &option, value] { given.add(option, value); }, text);
      };
      CLI::Option* on = flag(fmt::format("--{}", option.name), "true", help);
      CLI::Option* off = flag(fmt::format("--no-{}", option.name), "false", fmt::format("do not {}", help));
      (is_on ? on : off)->group("");
      declared = is_on ? off : on;
    } else {
      const std::string range = with_dashes(option.range());
      declared = app_.add_option_function<std::string>(
          fmt::format("--{}", option.name),
          [&given, &option, &app = app_](const std::string& text) {
            refuse_repetition(app, option.name);
            given.add(option, text);
          },
          range.empty() ? help : fmt::format("{} ({})", help, range));
      declared->type_name(option.default_text.empty() ? "TEXT" : fmt::format("[{}]", option.default_text));
    }
    if (std::find(repeatable.begin(), repeatable.end(), option.name) != repeatable.end()) {
      declared->join('\n');
    } else {
      declared->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    declared->group(option.group.empty() ? "Options" : option.group);
  }
  for (const Option& option : table.former()) {
    app_.add_option_function<std::string>(fmt::format("--{}", option.name),
                                          [&given, &option](const std::string& text) { given.add(option, text); })
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group("");
  }
}

std::string GivenOptions::as_typed() const {
  std::string out;
  for (const auto& [option, text] : given_) {
    out += (option->is_flag() && text == "false" ? " --no-" : " --") + option->name;
    if (!option->is_flag()) out += " " + shell_word(text);
  }
  return out;
}

void GivenOptions::apply(OptionTable& table) const {
  for (const auto& [option, text] : given_) {
    const auto contradicts = [&, flag = option, value = text](const auto& other) {
      return flag->is_flag() && other.first == flag && other.second != value;
    };
    if (std::any_of(given_.begin(), given_.end(), contradicts)) {
      throw usage_error(fmt::format("expected one of --{0} and --no-{0}, found both", option->name),
                        "leave one of them out");
    }
    if (find_invalid_utf8(text) != std::string::npos) {
      throw usage_error("--" + option->name + ": expected UTF-8, found other bytes",
                        "give the text, or the name of the file, in UTF-8");
    }
    table.set(*option, text, "--" + option->name);
  }
}

int run_command_line(int argc, char** argv) {
  CLI::App app("LSTM sequence models, with gradients derived by hand", "longhand");
  app.set_version_flag("--version", "longhand " LONGHAND_VERSION);
  Action action;
  const Verb longhand(app, action);
  declare_train(longhand);
  declare_eval(longhand);
  declare_generate(longhand);
  declare_tag(longhand);
  declare_classify(longhand);
  declare_predict(longhand);
  declare_info(longhand);
  declare_import(longhand);
  declare_export(longhand);
  declare_run(longhand);
  declare_data(longhand);
  declare_compare(longhand);
  declare_combine(longhand);
  declare_quantise(longhand);
  declare_lab(longhand);
  declare_selftest(longhand);
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words.front() == "help") {  // longhand help train: longhand train --help
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // as the parser wants them
  const auto wrong = [&](const std::string& problem) {
    const std::string verb = full_name(innermost(&app));
    return usage_error(verb + ": " + problem, "see `" + verb + " --help`");
  };
  const auto until = [](const std::string& text, char end) { return text.substr(0, text.find(end)); };
  try {
    app.parse(words);
  } catch (const CLI::CallForVersion& e) {
    put("{}\n", e.what());
    return 0;
  } catch (const CLI::CallForHelp&) {
    const CLI::App* verb = innermost(&app);
    put("{}", verb->help(verb == &app ? "" : full_name(verb->get_parent())));
    return 0;
  } catch (const CLI::ExtrasError&) {
    throw unexpected(app);
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string name = until(e.what(), ':');
    const CLI::Option* option = innermost(&app)->get_option_no_throw(name);
    const bool one = option == nullptr || option->get_items_expected_max() == 1;
    throw wrong(name + ": expected " + (one ? "a value, found none" : option->get_type_name()));
  } catch (const CLI::RequiredError& e) {
    throw wrong("expected " + until(e.what(), ' ') + ", found none");
  } catch (const CLI::ConversionError& e) {  // --lines=maybe
    const std::string what = e.what();
    throw wrong(until(what.substr(std::min(what.find("--"), what.size())), ' ') + ": expected no value, found one");
  } catch (const CLI::ParseError& e) {
    throw wrong(until(e.what(), '\n'));
  }
  if (!action) throw wrong("no command was given");
  const std::string verb = app.get_subcommands().front()->get_name();
  if (verb != "train" && verb != "compare") check_single_process("longhand " + verb);
  try {
    return action();
  } catch (const std::bad_alloc&) {
    throw input_error("out of memory", memory_advice(*innermost(&app)));
  }
}

}  // namespace longhand::cli
