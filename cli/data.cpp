// longhand data: the built-in texts.
#include <fmt/core.h>

#include "cli/command_line.h"
#include "longhand/data/builtin.h"

namespace longhand::cli {

void declare_data(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("data", "The texts that need no file");
  verb->require_subcommand(0, 1);
  CLI::App* list = verb->add_subcommand("list", "Name the built-in texts, for --data NAME");
  list->callback([&action] {
    action = [] {
      for (const data::BuiltinText& text : data::builtin_texts()) {
        fmt::print("{:<12} {:>6} bytes  {}\n", text.name, text.text.size(), text.description);
      }
      return 0;
    };
  });
}

}  // namespace longhand::cli
