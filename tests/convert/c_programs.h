// Networks as C headers, compiled together as one program, for the tests of the export to C.
#pragma once

#include <fmt/core.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "longhand/convert/export_c.h"
#include "longhand/graph/description.h"
#include "longhand/graph/stepper.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::convert {

using testing::TemporaryFolder;

/// A shell command's exit status is 0; what it says goes into `log`.
inline bool succeeds(const std::string& command, const std::string& log) {
  return std::system(fmt::format("{} > '{}' 2>&1", command, log).c_str()) == 0;
}

/// Warnings are errors, also those of conversions.
inline const std::string kStrictC = "-std=c99 -pedantic -Wall -Wextra -Wshadow -Wconversion -Werror";

/// Programs of several networks: `NAME < floats > floats`, a step after the other.
class CPrograms {
 public:
  void add(const std::string& name, const graph::Graph& graph, const ExportOptions& options = {}) {
    const Exported exported = export_c({.graph = graph, .name = name}, options);
    io::write_file(folder_ / (name + ".h"), exported.files.at(0).second);
    const bool symbols = exported.files.at(0).second.find("_symbol_count") != std::string::npos;
    includes_ += fmt::format("#include \"{}.h\"\n", name);
    functions_ += fmt::format(
        "static void run_{0}(void) {{\n  static {0}_state state;\n  {1} in[{0}_inputs];\n  float out[{0}_outputs];\n"
        "  {0}_reset(&state);\n  while (fread(in, sizeof in, 1, stdin) == 1) {{\n    {0}_step(&state, {2}, out);\n"
        "    fwrite(out, sizeof out, 1, stdout);\n  }}\n}}\n",
        name, symbols ? "int" : "float", symbols && options.steps < 2 ? "in[0]" : "in");
    calls_ += fmt::format("  if (strcmp(v[1], \"{0}\") == 0) run_{0}();\n", name);
  }

  /// Whether the compiler takes all of it. `command` is the compiler with its options.
  ::testing::AssertionResult compile(const std::string& command) {
    const bool cpp = command.find("c++") != std::string::npos || command.find("++ ") != std::string::npos;
    const std::string source = folder_ / (cpp ? "all.cpp" : "all.c");
    io::write_file(source, "#include <stdio.h>\n" + includes_ + functions_ +
                               "int main(int n, char **v) {\n  if (n < 2) return 2;\n" + calls_ + "  return 0;\n}\n");
    const std::string log = folder_ / "compiler";
    if (succeeds(fmt::format("{} -o '{}' '{}' -lm", command, folder_ / "all", source), log)) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << command << "\n" << io::read_file(log).substr(0, 4000);
  }

  /// Outputs of all steps. T is float, or int32_t of symbols.
  template <class T>
  std::vector<float> run(const std::string& name, const std::vector<T>& x) {
    io::write_file(folder_ / "in", std::string(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(T)));
    const std::string command =
        fmt::format("'{0}/all' {1} < '{0}/in' > '{0}/out' 2> '{0}/err'", folder_.string(), name);
    const int status = std::system(command.c_str());
    EXPECT_EQ(status, 0) << name << "\n" << io::read_file(folder_ / "err").substr(0, 2000);
    const std::string bytes = io::read_file(folder_ / "out");
    std::vector<float> out(bytes.size() / sizeof(float));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
    return out;
  }

 private:
  TemporaryFolder folder_;
  std::string includes_, functions_, calls_;
};

/// What our own steps give.
template <class T>
std::vector<float> own_steps(const graph::Graph& graph, const std::vector<T>& x) {
  graph::Stepper stepper(std::make_shared<const graph::Network>(graph, "test"), 1);
  const auto width = static_cast<size_t>(std::max<int64_t>(stepper.shape().inputs, 1));
  const auto steps = static_cast<int64_t>(x.size() / width);
  std::vector<float> y(static_cast<size_t>(steps * stepper.shape().outputs));
  EXPECT_EQ(stepper.process(steps, x.data(), y.data()), steps);
  return y;
}

inline graph::Graph drawn_network(const std::string& toml, uint64_t seed = 1) {
  return graph::with_drawn_weights(graph::read_description(toml, "test.toml"), seed, "test.toml");
}

}  // namespace longhand::convert
