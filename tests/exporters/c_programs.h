// Networks as C headers, compiled together as one program, for the tests of the export to C.
#pragma once

#include <fmt/core.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "longhand/exporters/export_c.h"
#include "longhand/graph/description.h"
#include "longhand/graph/stepper.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::exporters {

using testing::TemporaryFolder;

/// A shell command's exit status is 0; what it says goes into `log`.
inline bool succeeds(const std::string& command, const std::string& log) {
  return std::system(fmt::format("{} > '{}' 2>&1", command, log).c_str()) == 0;
}

/// Warnings are errors, also those of conversions.
inline const std::string kStrictC = "-std=c99 -pedantic -Wall -Wextra -Wshadow -Wconversion -Werror";

/// Programs of several networks, called as the example in each header says: `NAME < numbers > floats`. A program reads
/// the arguments of a call one after the other (a length first) until there are no more.
class CPrograms {
 public:
  void add(const std::string& name, const ExportModel& model, const ExportOptions& options = {}) {
    const std::string header = export_c(model, options).files.at(0).second;
    io::write_file(folder_ / (name + ".h"), header);
    includes_ += fmt::format("#include \"{}.h\"\n", name);
    const size_t begin = header.find("_state state;\n") + 14;
    const std::string declarations = header.substr(begin, header.find("\n\n", begin) - begin);
    const bool whole = header.find("int length, float *out") != std::string::npos;
    const bool result = header.find("_result(") != std::string::npos;
    std::string reads;
    if (whole) reads = "    if (fread(&length, sizeof length, 1, stdin) != 1) break;\n";
    for (const auto& [each, is_array] : declared(declarations)) {
      reads += fmt::format("    if (fread({}{}, sizeof {}, 1, stdin) != 1) break;\n", is_array ? "" : "&", each, each);
    }
    const size_t call = header.find(fmt::format("     {}_{}(&state", name, whole ? "run" : "step"));
    const std::string write = "    fwrite(out, sizeof out, 1, stdout);\n";
    functions_ += fmt::format(
        "static void run_{0}(void) {{\n  static {0}_state state;\n{1}\n{2}  {0}_reset(&state);\n  for (;;) "
        "{{\n{3}{4}\n{5}"
        "  }}\n{6}}}\n",
        name, declarations, whole ? "  int length;\n" : "", reads, header.substr(call, header.find('\n', call) - call),
        result ? "" : write, result ? fmt::format("  {}_result(&state, out);\n", name) + write : "");
    calls_ += fmt::format("  if (strcmp(v[1], \"{0}\") == 0) run_{0}();\n", name);
  }
  void add(const std::string& name, const graph::Graph& graph, const ExportOptions& options = {}) {
    add(name, ExportModel{.graph = graph, .name = name}, options);
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
  // "int words;" and "float in[3], out[2];": the names but `out`, and whether each is an array.
  static std::vector<std::pair<std::string, bool>> declared(const std::string& text) {
    std::vector<std::pair<std::string, bool>> out;
    std::string name;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '[' || c == ';') {
        if (!name.empty() && name != "out") out.emplace_back(name, c == '[');
        if (c == '[') i = text.find(']', i);
        name.clear();
      } else if (c == ' ' || c == '\n' || c == ',') {
        name.clear();
      } else {
        name += c;
      }
    }
    return out;
  }

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

}  // namespace longhand::exporters
