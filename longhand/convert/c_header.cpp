#include "longhand/convert/c_header.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "longhand/convert/c_functions.h"
#include "longhand/version.h"

namespace longhand::convert {
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
    out += code("\n" + macros() + sizes() + state());
    out += tables() + code(constants() + helper_texts(p_.helpers));
    for (const COperation& operation : p_.operations()) out += function(operation);
    out += code(reset() + step());
    out += code("#undef @RESTRICT\n#undef @INLINE\n\n");
    return out + fmt::format("#endif /* {} */\n", guard);
  }

 private:
  // What is ours: `@` begins names.
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
  bool one_symbol() const { return c_.symbols > 0 && numbers(c_.inputs) == 1; }

  std::string ports_text(const char* name, const std::vector<CPort>& ports, const char* what) const {
    const int64_t n = numbers(ports);
    std::string out = fmt::format("   {:<4} {} {}{}\n", name, grouped(n), what, n == 1 ? "" : "s");
    int64_t at = 0;
    for (const CPort& port : ports) {
      const std::string place = ports.size() > 1 ? fmt::format("from {} on: ", at) : "";
      out += fmt::format("          {}'{}' {}\n", place, c_comment(port.name), graph::shown(port.dims));
      at += port.size;
    }
    return out;
  }

  std::string comment() const {
    std::string out = fmt::format("/* {}: a trained network in C, made by Longhand {}.\n\n", t_.name, LONGHAND_VERSION);
    if (!t_.source.empty()) out += fmt::format("   From: {}\n", c_comment(t_.source));
    for (const std::string& remark : t_.remarks) out += fmt::format("   {}\n", c_comment(remark));
    out += fmt::format("   A call of {}_step computes {} of one sequence:\n\n", t_.name,
                       c_.steps == 1 ? "a step" : grouped(c_.steps) + " time steps");
    out += ports_text("in", c_.inputs, c_.symbols > 0 ? "symbol" : "number");
    if (c_.symbols > 0) out += fmt::format("          each from 0 to {}\n", c_.symbols - 1);
    out += ports_text("out", c_.outputs, "number");
    out += "\n";
    if (t_.sample_rate > 0) out += fmt::format("   It was made for sound of {} frames a second.\n", t_.sample_rate);
    for (const std::string& cost : c_costs(c_)) out += fmt::format("   {}\n", cost);
    out += "\n   Layers:\n";
    for (const std::string& layer : c_.layers) out += fmt::format("     {}\n", c_comment(layer));
    return out + "\n" + use() + "*/\n";
  }

  std::string use() const {
    const std::string memory = one_symbol()     ? "int symbol;\n     float out[$name_outputs];"
                               : c_.symbols > 0 ? "int in[$name_inputs];\n     float out[$name_outputs];"
                                                : "float in[$name_inputs], out[$name_outputs];";
    const CWords words = {{"name", t_.name}, {"x", one_symbol() ? "symbol" : "in"}};
    std::string out = c_fill(
        R"(   Include it in one source file, of C99 or C++11. Each sequence, such as a channel of sound, has a state:

     #include "$name.h"

     static $name_state state;
     )" + memory +
            R"(

     $name_reset(&state);           before a sequence begins
     $name_step(&state, $x, out);

   Threads may use different states at the same time. Nothing is allocated or locked, no array is on the stack, and the
   work of a call does not depend on the numbers.
)",
        words);
    if (c_.symbols > 0)
      out += c_fill("   $name_step returns 1; or 0 for a symbol out of range, and then does nothing.\n", words);
    if (c_.symbols == 0) out += "   `in` and `out` may be the same array.\n";
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
    std::string out = fmt::format("enum {{\n  @inputs = {}, /* {} of a call */\n", numbers(c_.inputs),
                                  c_.symbols > 0 ? "symbols" : "numbers");
    out += fmt::format("  @outputs = {}", numbers(c_.outputs));
    if (c_.steps > 1) out += fmt::format(",\n  @steps = {} /* of a call */", c_.steps);
    if (c_.symbols > 0) out += fmt::format(",\n  @symbol_count = {}", c_.symbols);
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
    for (const std::string& text : texts) out += "  " + c_string(text) + ",\n";
    return out + "};\n\n";
  }
  std::string tables() const {
    return table("The texts of the symbols, in UTF-8.", "symbols", t_.symbols) +
           table("What the outputs stand for, in UTF-8.", "labels", t_.labels);
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
      case CBuffer::Kind::kInput: return one_symbol() ? "&symbol" : from("in");
      case CBuffer::Kind::kOutput: return from("out");
      case CBuffer::Kind::kState: return "state->" + buffer.name;
      case CBuffer::Kind::kConstant: return "@" + buffer.name;
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
      parameters += (parameters.empty() ? "" : ", ") + type_of(argument) + "@RESTRICT " + argument.parameter;
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
      places += (places.empty() ? "" : ", ") + place(argument);
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

  std::string step() const {
    const bool symbols = c_.symbols > 0;
    const std::string input = one_symbol() ? "int symbol" : symbols ? "const int *in" : "const float *in";
    std::string out =
        fmt::format("static inline {} @step(@state *state, {}, float *out) {{\n", symbols ? "int" : "void", input);
    if (one_symbol()) {
      out += fmt::format("  if (symbol < 0 || symbol >= {}) return 0;\n", c_.symbols);
    } else if (symbols) {
      out += fmt::format("  for (int i = 0; i < {}; ++i) {{\n    if (in[i] < 0 || in[i] >= {}) return 0;\n  }}\n",
                         numbers(c_.inputs), c_.symbols);
    }
    std::string calls;
    for (const COperation& operation : p_.operations()) calls += call(operation);
    if (calls.find("state->") == std::string::npos) out += "  (void)state;\n";
    out += indented(calls, 2);
    return out + (symbols ? "  return 1;\n" : "") + "}\n\n";
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
          fmt::format("work     {} multiply-adds a call", grouped(p.products()))};
}

std::string c_header(const CCompiled& compiled, const CHeaderTexts& texts) {
  return HeaderText(compiled, texts).text();
}

}  // namespace longhand::convert
