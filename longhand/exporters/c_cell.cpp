#include "longhand/exporters/c_cell.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/exporters/c_functions.h"
#include "longhand/exporters/c_product.h"

namespace longhand::exporters {
namespace {

// Writes C statements for one time step of a cell. In the statements, `x`, `h` and `c` are the input and the states,
// and `a` (and `b`) hold the pre-activations of the gates.
class CellText {
 public:
  CellText(CProgram& program, const CCell& cell, const std::string& label)
      : program_(program), cell_(cell), label_(label), G_(cell.gates()), H_(cell.hidden) {}

  std::string step() {
    return cell_.kind == CCell::Kind::kLstm ? lstm() : cell_.kind == CCell::Kind::kPlain ? plain() : gru();
  }
  int64_t scratch() const { return scratch_; }
  int64_t products() const {
    const int64_t x = cell_.symbols ? 0 : cell_.inputs;
    return G_ * H_ * (x + cell_.state()) + (cell_.projection > 0 ? cell_.projection * H_ : 0);
  }

 private:
  CWords words() const { return {{"H", H_}, {"H2", 2 * H_}, {"H3", 3 * H_}, {"GH", G_ * H_}, {"R", cell_.state()}}; }
  std::string fill(const char* text) const { return c_fill(text, words()); }

  std::string function(const CActivation& f, const std::string& x) const {
    return c_function(program_, f.function, f.alpha, f.beta, x);
  }
  // Returns a C loop for row[r] = f(row[r]), begin <= r < end. LSTM pre-activations are clipped to gate_clip first.
  std::string activate(const CActivation& f, const std::string& row, int64_t begin, int64_t end) const {
    std::string clip;
    if (cell_.gate_clip > 0.0F && cell_.kind == CCell::Kind::kLstm) {
      const std::string bound = c_float(cell_.gate_clip);
      clip = fmt::format("{0}[r] < -{1} ? -{1} : {0}[r] > {1} ? {1} : {0}[r]", row, bound);
    }
    const std::string loop = fmt::format("for (int r = {}; r < {}; ++r) ", begin, end);
    if (clip.empty()) return loop + fmt::format("{}[r] = {};\n", row, function(f, row + "[r]"));
    return loop + fmt::format("{{\n  const float v = {};\n  {}[r] = {};\n}}\n", clip, row, function(f, "v"));
  }

  // Reorders the gates of an LSTM from i f g o to i f o g, so that gates with the same activation are adjacent.
  std::vector<float> ordered(const std::vector<float>& rows) const {
    if (cell_.kind != CCell::Kind::kLstm) return rows;
    const size_t block = rows.size() / 4;
    std::vector<float> out;
    for (const size_t gate : {0, 1, 3, 2}) {
      const auto from = rows.begin() + static_cast<int64_t>(gate * block);
      out.insert(out.end(), from, from + static_cast<int64_t>(block));
    }
    return out;
  }
  std::string array(const char* name, const std::vector<float>& values) const {
    return fmt::format("@{}", program_.constant(label_ + name, values));
  }

  // Returns statements for y = W x + bias with the scales of an int8 matrix applied.
  std::string product(const CMatrix& w, const std::string& x, const std::string& y, const std::string& bias) const {
    const std::string first = bias.empty() || !w.scales.empty() ? "0.0f" : bias + "[r]";
    std::string out = fmt::format("for (int r = 0; r < {}; ++r) {}[r] = {};\n", w.rows, y, first) + c_multiply(w, x, y);
    if (w.scales.empty()) return out;
    return out + fmt::format("for (int r = 0; r < {}; ++r) {}[r] = {}[r] * @{}[r]{};\n", w.rows, y, y, w.scales,
                             bias.empty() ? "" : fmt::format(" + {}[r]", bias));
  }
  std::string input_product(const CMatrix& w, const std::string& y, const std::string& bias) const {
    const std::string name = bias.empty() ? "" : bias.substr(1);  // without the @
    return cell_.symbols ? c_column(w, name, "x[0]", y) : product(w, "x", y, bias);
  }

  // Returns statements for a = W_ih x + W_hh h + bias. With layer normalisation, each product is normalised first.
  std::string sums() {
    const CMatrix w = program_.matrix(label_ + "_w_ih", G_ * H_, cell_.inputs, ordered(cell_.w_ih));
    const CMatrix u = program_.matrix(label_ + "_w_hh", G_ * H_, cell_.state(), ordered(cell_.w_hh));
    const std::string bias = array("_b", ordered(cell_.bias));
    if (!cell_.gain_ih.empty()) return normalised_sums(w, u, bias);
    const std::string x = input_product(w, "a", bias);
    if (u.scales.empty()) return x + c_multiply(u, "h", "a");
    return x + row_b() + product(u, "h", "b", "") + fill("for (int r = 0; r < $GH; ++r) a[r] += b[r];\n");
  }
  std::string row_b() {
    scratch_ = 2 * G_ * H_;
    return fill("float *@RESTRICT b = scratch + $GH;\n");
  }
  std::string normalise(const std::string& row, int64_t n) const {
    use_helper(program_, "sqrt");
    return c_fill(
        "{\n  float mean = 0.0f, variance = 0.0f;\n  for (int r = 0; r < $n; ++r) mean += $row[r];\n  mean /= $n.0f;\n"
        "  for (int r = 0; r < $n; ++r) {\n    $row[r] -= mean;\n    variance += $row[r] * $row[r];\n  }\n"
        "  variance = 1.0f / sqrtf(variance / $n.0f + 1e-5f);\n"
        "  for (int r = 0; r < $n; ++r) $row[r] *= variance;\n}\n",
        {{"n", n}, {"row", row}});
  }
  std::string normalised_sums(const CMatrix& w, const CMatrix& u, const std::string& bias) {
    std::string out = input_product(w, "a", "") + normalise("a", G_ * H_) + row_b() + product(u, "h", "b", "") +
                      normalise("b", G_ * H_);
    return out + c_fill("for (int r = 0; r < $n; ++r) a[r] = $i[r] * a[r] + $h[r] * b[r] + $bias[r];\n",
                        {{"n", G_ * H_},
                         {"i", array("_gain_ih", ordered(cell_.gain_ih))},
                         {"h", array("_gain_hh", ordered(cell_.gain_hh))},
                         {"bias", bias}});
  }

  std::string lstm() {
    scratch_ = G_ * H_;
    std::string out = fmt::format("float *@RESTRICT a = scratch; /* i f o g */\n{}", sums());
    std::string peep;
    if (!cell_.peepholes.empty()) {
      peep = array("_peephole", cell_.peepholes);
      out += c_fill("for (int j = 0; j < $H; ++j) {\n  a[j] += $p[j] * c[j];\n  a[$H + j] += $p[$H + j] * c[j];\n}\n",
                    {{"H", H_}, {"p", peep}});
    }
    const int64_t together = peep.empty() ? 3 * H_ : 2 * H_;
    out += activate(cell_.gate, "a", 0, together) + activate(cell_.candidate, "a", 3 * H_, 4 * H_);
    // With zoneout of the cell state, the new cell state is in a[j] until h is computed; c[j] still holds the old one.
    const char* now = cell_.zone_c > 0.0F ? "a[j]" : "c[j]";
    const char* forget = cell_.coupled ? "(1.0f - a[j])" : "a[$H + j]";
    out += fill("for (int j = 0; j < $H; ++j) ") + now + " = " + fill(forget) + fill(" * c[j] + a[j] * a[$H3 + j];\n");
    if (cell_.cell_clip > 0.0F) {
      out += c_fill("for (int j = 0; j < $H; ++j) $c = $c < -$b ? -$b : $c > $b ? $b : $c;\n",
                    {{"H", H_}, {"c", now}, {"b", c_float(cell_.cell_clip)}});
    }
    if (cell_.zone_c > 0.0F) {
      out += c_fill("for (int j = 0; j < $H; ++j) c[j] = $z * c[j] + $rest * a[j];\n",
                    {{"H", H_}, {"z", c_float(cell_.zone_c)}, {"rest", c_float(1.0F - cell_.zone_c)}});
    }
    if (!peep.empty()) {
      out += c_fill("for (int j = 0; j < $H; ++j) a[$H2 + j] += $p[$H2 + j] * $c;\n",
                    {{"H", H_}, {"H2", 2 * H_}, {"p", peep}, {"c", now}});
      out += activate(cell_.gate, "a", 2 * H_, 3 * H_);
    }
    return out + lstm_output();
  }

  // h = o tanh(c), then the projection, if any.
  std::string lstm_output() {
    const char* cell = cell_.zone_c > 0.0F ? "a" : "c";
    std::string out;
    if (!cell_.gain_c.empty()) {
      if (cell_.zone_c == 0.0F) out += fill("for (int j = 0; j < $H; ++j) a[j] = c[j];\n");
      out += normalise("a", H_);
      out += c_fill("for (int j = 0; j < $H; ++j) a[j] = $g[j] * a[j] + $b[j];\n",
                    {{"H", H_}, {"g", array("_gain_c", cell_.gain_c)}, {"b", array("_bias_c", cell_.bias_c)}});
      cell = "a";
    }
    const std::string value = fill("a[$H2 + j] * ") + function(cell_.output, std::string(cell) + "[j]");
    if (cell_.projection == 0) return out + fmt::format("for (int j = 0; j < {}; ++j) {};\n", H_, new_h(value));
    const CMatrix w = program_.matrix(label_ + "_w_hr", cell_.projection, H_, cell_.w_hr);
    out += fmt::format("for (int j = 0; j < {}; ++j) a[j] = {};\n", H_, value);
    if (cell_.zone_h == 0.0F) return out + product(w, "a", "h", "");
    const std::string row = fmt::format("(a + {})", H_);
    return out + product(w, "a", row, "") +
           fmt::format("for (int j = 0; j < {}; ++j) {};\n", cell_.projection, new_h(row + "[j]"));
  }
  std::string new_h(const std::string& value) const {
    if (cell_.zone_h == 0.0F) return fmt::format("h[j] = {}", value);
    return fmt::format("h[j] = {} * h[j] + {} * ({})", c_float(cell_.zone_h), c_float(1.0F - cell_.zone_h), value);
  }

  std::string plain() {
    scratch_ = H_;
    return fmt::format("float *@RESTRICT a = scratch;\n{}", sums()) +
           fmt::format("for (int j = 0; j < {}; ++j) h[j] = {};\n", H_, function(cell_.candidate, "a[j]"));
  }

  // r = s(..), z = s(..), n = tanh(W_n x + b_n + r (U_n h + b_Un)), or tanh(W_n x + b_n + U_n (r h)).
  std::string gru() {
    const bool first = cell_.kind == CCell::Kind::kGruResetFirst;
    scratch_ = 2 * G_ * H_;
    const CMatrix w = program_.matrix(label_ + "_w_ih", G_ * H_, cell_.inputs, cell_.w_ih);
    const auto part = [&](const char* name, int64_t begin, int64_t rows) {
      const auto from = cell_.w_hh.begin() + begin * H_;
      return program_.matrix(label_ + name, rows, H_, {from, from + rows * H_});
    };
    std::string out = fill("float *@RESTRICT a = scratch; /* r z n */\nfloat *@RESTRICT b = scratch + $GH;\n");
    out += input_product(w, "a", array("_b", cell_.bias));
    const std::string second = cell_.bias_hh.empty() ? "" : array("_b_hh", cell_.bias_hh);
    out += product(part(first ? "_w_rz" : "_w_hh", 0, first ? 2 * H_ : 3 * H_), "h", "b", first ? "" : second);
    out += fill("for (int r = 0; r < $H2; ++r) a[r] += b[r];\n") + activate(cell_.gate, "a", 0, 2 * H_);
    if (first) {
      out += fill("for (int j = 0; j < $H; ++j) b[j] = a[j] * h[j];\n");
      out += product(part("_w_n", 2 * H_, H_), "b", fill("(b + $H)"), "");
      out += fill("for (int j = 0; j < $H; ++j) a[$H2 + j] += b[$H + j];\n");
    } else {
      out += fill("for (int j = 0; j < $H; ++j) a[$H2 + j] += a[j] * b[$H2 + j];\n");
    }
    out += activate(cell_.candidate, "a", 2 * H_, 3 * H_);
    return out + fill("for (int j = 0; j < $H; ++j) h[j] = (1.0f - a[$H + j]) * a[$H2 + j] + a[$H + j] * h[j];\n");
  }

  CProgram& program_;
  const CCell& cell_;
  std::string label_;
  int64_t G_, H_, scratch_ = 0;
};

// Wraps `body` in a loop over frames. Each frame begins with zero states.
std::string of_frames(const std::string& body, const CCell& cell, const CLayerPlaces& places) {
  const int64_t T = places.steps;
  const CWords words = {{"frames", places.frames},
                        {"R", cell.state()},
                        {"H", cell.hidden},
                        {"x", T > 1 ? "xs" : "x"},
                        {"width", cell.symbols ? T : T * cell.inputs},
                        {"rows", places.only_last ? places.y_stride : T * places.y_stride},
                        {"T", T},
                        {"offset", places.y_offset},
                        {"body", indented(body, 2)}};
  return c_fill(
      std::string("for (int frame = 0; frame < $frames; ++frame) {\n  for (int j = 0; j < $R; ++j) h[j] = 0.0f;\n") +
          (cell.has_cell() ? "  for (int j = 0; j < $H; ++j) c[j] = 0.0f;\n" : "") + "$body" +
          (places.only_last ? "  for (int j = 0; j < $R; ++j) y[$offset + j] = h[j];\n" : "") +
          "  $x += $width;\n  y += $rows;\n" + (places.mask >= 0 ? "  mask += $T;\n" : "") + "}\n",
      words);
}

}  // namespace

void add_c_layer(CProgram& program, const CCell& cell, const CLayerPlaces& places) {
  CellText text(program, cell, places.label);
  const int64_t R = cell.state(), T = places.steps;
  const std::string order = places.reverse ? fmt::format("{} - n", T - 1) : "n";
  std::string body = text.step();
  if (places.mask >= 0) body = fmt::format("if (mask[{}] != 0) {{\n{}}}\n", T > 1 ? order : "0", indented(body, 2));
  if (places.y >= 0 && !places.only_last) {
    std::string at = places.y_offset > 0 ? fmt::format("{} + j", places.y_offset) : "j";
    if (T > 1) at = fmt::format("({}) * {} + {}", places.y_in_order_of_work ? "n" : order, places.y_stride, at);
    const bool zeros = places.mask >= 0 && places.mask_zeros;
    body += fmt::format("for (int j = 0; j < {}; ++j) y[{}] = {};\n", R, at,
                        zeros ? fmt::format("mask[{}] != 0 ? h[j] : 0.0f", T > 1 ? order : "0") : "h[j]");
  }
  if (T > 1) {
    body = fmt::format("for (int n = 0; n < {}; ++n) {{\n  const {} *x = xs + ({}) * {};\n{}}}\n", T,
                       cell.symbols ? "int" : "float", order, cell.symbols ? 1 : cell.inputs, indented(body, 2));
  }
  if (places.frames > 1) body = of_frames(body, cell, places);
  std::vector<COperation::Argument> arguments = {{T > 1 ? "xs" : "x", places.x, false}, {"h", places.h, true}};
  if (places.mask >= 0) arguments.push_back({"mask", places.mask, false});
  if (cell.has_cell()) arguments.push_back({"c", places.c, true});
  if (places.y >= 0) arguments.push_back({"y", places.y, true});
  arguments.push_back({"scratch", program.scratch(text.scratch()), true});
  program.add({.name = program.name(places.label),
               .comment = places.comment,
               .body = body,
               .arguments = arguments,
               .products = places.frames * T * text.products()});
}

}  // namespace longhand::exporters
