#include "longhand/exporters/c_header.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "longhand/exporters/c_functions.h"
#include "longhand/version.h"

namespace longhand::exporters {
namespace {

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  return text;
}

class HeaderText {
 public:
  HeaderText(const CCompiled& compiled, const CHeaderTexts& texts) : c_(compiled), p_(compiled.program), t_(texts) {}

  std::string text() const {
    const std::string guard = upper_case(t_.name) + "_H_INCLUDED";
    std::string out = comment();
    out += fmt::format("#ifndef {0}\n#define {0}\n\n#include <stdint.h>\n#include <string.h>\n", guard);
    if (needs_math(p_.helpers)) out += "#include <math.h>\n";
    out += code(fmt::format("\n{}{}{}", macros(), sizes(), state()));
    out += tables() + code(constants() + helper_texts(p_.helpers));
    for (const COperation& operation : p_.operations()) out += function(operation);
    out += code(reset() + step());
    out += code("#undef @RESTRICT\n#undef @INLINE\n\n");
    return out + fmt::format("#endif /* {} */\n", guard);
  }

 private:
  // Replaces `@` by the prefix of the program's names.
  std::string code(std::string text) const {
    for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at)) {
      text.replace(at, 1, t_.name + "_");
    }
    return text;
  }

  int64_t numbers(const std::vector<CPort>& ports) const {
    int64_t out = 0;
    for (const CPort& port : ports) out += port.size;
    return out;
  }
  // Whether each input is a parameter of its own.
  bool has_parameters() const { return c_.has_ints() && c_.inputs.size() > 1; }
  const char* call_name() const { return c_.has_length ? "run" : "step"; }
  // Whether the function checks its arguments and returns a status.
  bool checks() const {
    return c_.has_length ||
           std::any_of(c_.inputs.begin(), c_.inputs.end(), [](const CPort& port) { return port.below > 0; });
  }
  bool by_value(const CPort& port) const { return port.ints && port.size == 1; }

  // Returns the input parameters ("const float *in") if `declared`, otherwise the arguments of a call ("in").
  std::string inputs_text(bool declared) const {
    std::string out;
    const auto add = [&](const std::string& type, const std::string& name) {
      out += fmt::format(", {}{}", declared ? type : "", name);
    };
    for (const CPort& port : c_.inputs) {
      if (!c_.has_ints()) {
        add("const float *", "in");
        break;
      }
      add(by_value(port) ? "int " : port.ints ? "const int *" : "const float *", port.parameter);
    }
    if (c_.has_length) add("int ", "length");
    return out;
  }

  std::string ports_text(const char* name, const std::vector<CPort>& ports) const {
    const int64_t n = numbers(ports);
    const bool apart = *name == 'i' && has_parameters();
    std::string out = apart ? ""
                            : fmt::format("   {:<4} {} {}{}\n", name, grouped(n),
                                          *name == 'i' && c_.has_ints() ? "symbol" : "number", n == 1 ? "" : "s");
    int64_t at = 0;
    for (const CPort& port : ports) {
      std::string place = apart ? port.parameter + ": " : ports.size() > 1 ? fmt::format("from {} on: ", at) : "";
      out +=
          fmt::format("   {:<4} {}'{}' {}{}\n", apart ? name : "", place, c_comment(port.name), graph::shown(port.dims),
                      port.below > 0 ? fmt::format(", each from 0 to {}", port.below - 1) : "");
      const auto about = t_.ports.find(port.name);
      if (about != t_.ports.end()) out += fmt::format("          {}\n", c_comment(about->second));
      at += port.size;
    }
    return out;
  }

  std::string comment() const {
    std::string out = fmt::format("/* {}: a trained network in C, made by Longhand {}.\n\n", t_.name, LONGHAND_VERSION);
    if (!t_.source.empty()) out += fmt::format("   From: {}\n", c_comment(t_.source));
    for (const std::string& remark : t_.remarks) out += fmt::format("   {}\n", c_comment(remark));
    const std::string steps = c_.has_length  ? fmt::format("a whole sequence of 1 to {} steps", grouped(c_.steps))
                              : c_.anew      ? fmt::format("a whole sequence of {} steps", grouped(c_.steps))
                              : c_.steps > 1 ? grouped(c_.steps) + " time steps of a sequence"
                                             : std::string("one step of a sequence");
    out += fmt::format("   A call of {}_{} reads {}{}:\n\n", t_.name, call_name(), steps,
                       c_.has_result ? fmt::format("; {}_result says what all steps until then give", t_.name) : "");
    out += ports_text("in", c_.inputs) + ports_text("out", c_.outputs) + "\n";
    if (t_.sample_rate > 0) out += fmt::format("   It was made for sound of {} frames a second.\n", t_.sample_rate);
    for (const std::string& cost : c_costs(c_)) out += fmt::format("   {}\n", cost);
    out += "\n   Layers:\n";
    for (const std::string& layer : c_.layers) out += fmt::format("     {}\n", c_comment(layer));
    return out + "\n" + use() + "*/\n";
  }

  std::string use() const {
    std::string memory;
    for (const CPort& port : c_.inputs) {
      if (!c_.has_ints()) break;
      memory += by_value(port)
                    ? fmt::format("int {};\n     ", port.parameter)
                    : fmt::format("{} {}[{}];\n     ", port.ints ? "int" : "float", port.parameter, port.size);
    }
    memory += c_.has_ints() ? "float out[$name_outputs];" : "float in[$name_inputs], out[$name_outputs];";
    const CWords names = {{"name", t_.name}, {"call", call_name()}};
    CWords words = names;
    words.emplace_back("include", std::string("#include"));
    words.emplace_back("memory", c_fill(memory, names));
    words.emplace_back("arguments", fmt::format("&state{}{}", inputs_text(false), c_.has_result ? "" : ", out"));
    words.emplace_back("reset",
                       c_.anew ? "" : c_fill("     $name_reset(&state);           before a sequence begins\n", names));
    words.emplace_back("result", c_.has_result
                                     ? c_fill("     $name_result(&state, out);     at its end, or at any time\n", names)
                                     : std::string());
    std::string out = c_fill(
        R"(   Include it in one source file, of C99 or C++11. Each sequence, such as a channel of sound, has a state:

     $include "$name.h"

     static $name_state state;
     $memory

$reset     $name_$call($arguments);
$result
   Threads may use different states at the same time. Nothing is allocated or locked, no array is on the stack, and the
   work of a call does not depend on the numbers.
)",
        words);
    if (checks()) {
      out += c_fill("   $name_$call returns 1; or 0 for a symbol or a length out of range, and then does nothing.\n",
                    words);
    }
    if (c_.has_length)
      out += "   Arrays of inputs and outputs have place for all steps; those after `length` are zero or of no use.\n";
    if (!c_.has_ints() && !c_.has_result) out += "   `in` and `out` may be the same array.\n";
    return out;
  }

  std::string macros() const {
    return R"(#if defined(__GNUC__) || defined(_MSC_VER)
#define @RESTRICT __restrict
#elif defined(__cplusplus)
#define @RESTRICT
#else
#define @RESTRICT restrict
#endif
#if defined(__GNUC__)
#define @INLINE static inline __attribute__((always_inline))
#else
#define @INLINE static inline
#endif

)";
  }

  std::string sizes() const {
    std::string out = fmt::format("enum {{\n  @inputs = {}, /* of a call */\n  @outputs = {}", numbers(c_.inputs),
                                  numbers(c_.outputs));
    if (c_.steps > 1) out += fmt::format(",\n  @steps = {} /* of a call */", c_.steps);
    if (c_.inputs.size() == 1 && c_.inputs[0].below > 0)
      out += fmt::format(",\n  @symbol_count = {}", c_.inputs[0].below);
    if (t_.sample_rate > 0 && t_.sample_rate <= std::numeric_limits<int32_t>::max()) {
      out += fmt::format(",\n  @sample_rate = {} /* frames a second */", t_.sample_rate);
    }
    return out + "\n};\n\n";
  }

  std::string state() const {
    std::string out = "typedef struct {\n";
    for (const CProgram::StateMember& member : p_.state()) {
      const CBuffer& buffer = p_.buffers()[static_cast<size_t>(member.buffer)];
      out += fmt::format("  float {}[{}];\n", buffer.name, buffer.size);
    }
    if (p_.scratch_ints() > 0)
      out += fmt::format("  int scratch_ints[{}]; /* used within a step */\n", p_.scratch_ints());
    const int64_t floats = std::max<int64_t>(p_.scratch_floats(), p_.state().empty() && p_.scratch_ints() == 0 ? 1 : 0);
    if (floats > 0) out += fmt::format("  float scratch[{}]; /* used within a step */\n", floats);
    return out + "} @state;\n\n";
  }

  std::string table(const char* what, const char* name, const std::vector<std::string>& texts) const {
    if (texts.empty()) return "";
    std::string out =
        fmt::format("/* {} */\nstatic const char *const {}_{}[{}] = {{\n", what, t_.name, name, texts.size());
    for (const std::string& text : texts) out += fmt::format("  {},\n", c_string(text));
    return out + "};\n\n";
  }
  std::string tables() const {
    return table("The texts of the symbols, in UTF-8.", "symbols", t_.symbols) +
           table("What the outputs stand for, in UTF-8.", "labels", t_.labels) + series_tables();
  }

  // Returns the tables of the training series: names, means and scales.
  std::string series_tables() const {
    if (t_.series.empty()) return "";
    std::string out = table("The series of the training data, in UTF-8.", "series", t_.series);
    const auto numbers = [&](const char* name, const std::vector<float>& values) {
      if (values.empty()) return;
      out += fmt::format("/* The input '{0}' for each series. */\nstatic const float {1}_{0}s[{2}][{3}] = {{\n", name,
                         t_.name, t_.series.size(), values.size() / t_.series.size());
      const size_t n = values.size() / t_.series.size();
      for (size_t at = 0; at < values.size(); at += n) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(at);
        out += fmt::format("{{\n{}}},\n", c_numbers(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(n))));
      }
      out += "};\n\n";
    };
    numbers("series_mean", t_.series_mean);
    numbers("series_scale", t_.series_scale);
    return out;
  }

  std::string constants() const {
    std::string out;
    for (const CConstant& each : p_.constants()) {
      if (!each.comment.empty()) out += fmt::format("/* {} */\n", each.comment);
      out += fmt::format("static const {} @{}[{}] = {{\n", each.c_type(), each.name, each.size());
      out += (each.type == CConstant::Type::kFloat ? c_numbers(each.floats) : c_numbers(each.ints)) + "};\n";
    }
    return out + "\n";
  }

  std::string place(const COperation::Argument& argument) const {
    const CBuffer& buffer = p_.buffers()[static_cast<size_t>(argument.buffer)];
    const auto from = [&](const std::string& base) {
      return buffer.offset == 0 ? base : fmt::format("{} + {}", base, buffer.offset);
    };
    switch (buffer.kind) {
      case CBuffer::Kind::kInput:
        return buffer.ints && buffer.size == 1 ? fmt::format("&{}", buffer.name) : from(buffer.name);
      case CBuffer::Kind::kOutput: return from("out");
      case CBuffer::Kind::kState: return fmt::format("state->{}", buffer.name);
      case CBuffer::Kind::kConstant: return fmt::format("@{}", buffer.name);
      case CBuffer::Kind::kScratch: break;
    }
    return from(buffer.ints ? "state->scratch_ints" : "state->scratch");
  }
  std::string type_of(const COperation::Argument& argument) const {
    const bool ints = p_.buffers()[static_cast<size_t>(argument.buffer)].ints;
    return fmt::format("{}{} *", argument.written ? "" : "const ", ints ? "int" : "float");
  }

  std::string function(const COperation& operation) const {
    if (operation.body.empty()) return "";
    std::string parameters;
    for (const COperation::Argument& argument : operation.arguments) {
      parameters +=
          fmt::format("{}{}@RESTRICT {}", parameters.empty() ? "" : ", ", type_of(argument), argument.parameter);
    }
    const std::string above = operation.comment.empty() ? "" : fmt::format("/* {} */\n", c_comment(operation.comment));
    return above + code(fmt::format("static inline void @{}({}) {{\n{}}}\n\n", operation.name, parameters,
                                    indented(operation.body, 2)));
  }

  std::string call(const COperation& operation) const {
    if (operation.body.empty()) {
      const CBuffer& y = p_.buffers()[static_cast<size_t>(operation.arguments.back().buffer)];
      return fmt::format("memmove({}, {}, {} * sizeof({}));\n", place(operation.arguments.back()),
                         place(operation.arguments.front()), y.size, y.ints ? "int" : "float");
    }
    std::string places;
    for (const COperation::Argument& argument : operation.arguments) {
      places += fmt::format("{}{}", places.empty() ? "" : ", ", place(argument));
    }
    return fmt::format("@{}({});\n", operation.name, places);
  }

  std::string reset() const {
    std::string out = "/* The beginning of a sequence. */\nstatic inline void @reset(@state *state) {\n";
    out += "  memset(state, 0, sizeof *state);\n";
    for (const CProgram::StateMember& member : p_.state()) {
      if (member.initial.empty()) continue;
      const CBuffer& buffer = p_.buffers()[static_cast<size_t>(member.buffer)];
      out += fmt::format("  memcpy(state->{0}, @{1}, sizeof @{1});\n", buffer.name, member.initial);
    }
    return out + "}\n\n";
  }

  std::string checks_text() const {
    std::string out;
    if (c_.has_length) out += fmt::format("  if (length < 1 || length > {}) return 0;\n", c_.steps);
    for (const CPort& port : c_.inputs) {
      if (port.below == 0) continue;
      if (by_value(port)) {
        out += fmt::format("  if ({0} < 0 || {0} >= {1}) return 0;\n", port.parameter, port.below);
        continue;
      }
      const std::string n =
          c_.has_length ? fmt::format("length * {}", port.size / c_.steps) : std::to_string(port.size);
      out += fmt::format("  for (int i = 0; i < {0}; ++i) {{\n    if ({1}[i] < 0 || {1}[i] >= {2}) return 0;\n  }}\n",
                         n, port.parameter, port.below);
    }
    return out;
  }

  std::string calls(bool late) const {
    std::string out;
    for (const COperation& operation : p_.operations()) out += operation.late == late ? call(operation) : "";
    if (out.find("state->") == std::string::npos) out.insert(0, "(void)state;\n");
    return indented(out, 2);
  }

  // Returns statements that use parameters which `body` does not read, to avoid compiler warnings.
  std::string unused(const std::string& body) const {
    const auto is_part = [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)) != 0; };
    std::string out;
    for (const CPort& port : c_.inputs) {
      bool read = !has_parameters();
      const std::string& name = port.parameter;
      for (size_t at = body.find(name); !read && at != std::string::npos; at = body.find(name, at + 1)) {
        read = !(at > 0 && (is_part(body[at - 1]) || body[at - 1] == '@')) &&
               !(at + name.size() < body.size() && is_part(body[at + name.size()]));
      }
      if (!read) out += fmt::format("  (void){};\n", name);
    }
    return out;
  }

  std::string step() const {
    std::string out = fmt::format("static inline {} @{}(@state *state{}{}) {{\n", checks() ? "int" : "void",
                                  call_name(), inputs_text(true), c_.has_result ? "" : ", float *out");
    const std::string body = checks_text() + (c_.anew ? "  @reset(state);\n" : "") + calls(false);
    out += body + unused(body) + (checks() ? "  return 1;\n" : "") + "}\n\n";
    if (!c_.has_result) return out;
    return out +
           "/* What the steps since the reset give. */\nstatic inline void @result(@state *state, float *out) {\n" +
           calls(true) + "}\n\n";
  }

  const CCompiled& c_;
  const CProgram& p_;
  const CHeaderTexts& t_;
};

}  // namespace

std::vector<std::string> c_costs(const CCompiled& compiled) {
  const CProgram& p = compiled.program;
  const int64_t scratch = 4 * (p.scratch_floats() + p.scratch_ints());
  return {fmt::format("weights  {} bytes of constants{}", grouped(p.weight_bytes()),
                      p.has_int8() ? ", matrices as int8 with a scale for each row" : ""),
          fmt::format("state    {} bytes, and {} bytes that are used within a call", grouped(p.state_bytes()),
                      grouped(scratch)),
          fmt::format("work     {} multiply-adds a call{}", grouped(p.products(false)),
                      p.has_late() ? fmt::format(", {} for the result", grouped(p.products(true))) : "")};
}

std::string c_header(const CCompiled& compiled, const CHeaderTexts& texts) {
  return HeaderText(compiled, texts).text();
}

}  // namespace longhand::exporters
