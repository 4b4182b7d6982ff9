// One-dimensional convolutions in C: over time steps, within frames, and ONNX's Conv.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/exporters/c_product.h"
#include "longhand/exporters/c_site.h"

namespace longhand::exporters {
namespace {

struct CConvolution {
  int64_t frames = 1;  // number of sequences in x
  int64_t length = 0, channels = 0, outputs = 0;
  int64_t kernel = 1, stride = 1, dilation = 1, groups = 1;
  int64_t left = 0, right = 0;
  bool keeps = false;  // left padding comes from the previous call
  std::string mode = "zeros";
  std::vector<float> weights, bias;  // [O, C/g, K], [O]

  int64_t span() const { return (kernel - 1) * dilation + 1; }
  int64_t padded() const { return left + length + right; }
  int64_t out_length() const { return (padded() - span()) / stride + 1; }
  int64_t own() const { return channels / groups; }
};

// Returns the weights as [O, K, C/g], the order of elements in a window of rows.
std::vector<float> by_time(const CConvolution& s) {
  std::vector<float> out;
  for (int64_t o = 0; o < s.outputs; ++o) {
    for (int64_t k = 0; k < s.kernel; ++k) {
      for (int64_t c = 0; c < s.own(); ++c) {
        out.push_back(s.weights[static_cast<size_t>((o * s.own() + c) * s.kernel + k)]);
      }
    }
  }
  return out;
}

// Returns C statements for x [padded, C] -> y [out_length, O].
std::string windows_text(const CSite& site, const CConvolution& s, const std::string& x = "x") {
  const CMatrix w = site.program.matrix(site.label() + "_w", s.outputs, s.kernel * s.own(), by_time(s));
  const std::string b = s.bias.empty() ? "" : site.program.constant(site.label() + "_b", s.bias);
  if (s.dilation == 1 && s.groups == 1) {
    return c_linear(w, b, {.rows = s.out_length(), .x_stride = s.stride * s.channels, .y_stride = s.outputs}, x);
  }
  const bool scaled = !w.scales.empty();
  const CWords words = {{"x", x},
                        {"n", s.out_length()},
                        {"O", s.outputs},
                        {"K", s.kernel},
                        {"own", s.own()},
                        {"groups", s.groups},
                        {"rows", s.outputs / s.groups},
                        {"step", s.stride * s.channels},
                        {"dilation", s.dilation * s.channels},
                        {"w", w.weights},
                        {"type", scaled ? "signed char" : "float"},
                        {"cast", scaled ? "(float)" : ""},
                        {"first", b.empty() || scaled ? "0.0f" : fmt::format("@{}[r]", b)},
                        {"scale", w.scales},
                        {"bias", b.empty() ? "" : fmt::format(" + @{}[r]", b)}};
  std::string out = c_fill(R"(for (int n = 0; n < $n; ++n) {
  float *@RESTRICT out = y + n * $O;
  for (int r = 0; r < $O; ++r) out[r] = $first;
  for (int g = 0; g < $groups; ++g) {
    for (int k = 0; k < $K; ++k) {
      for (int c = 0; c < $own; ++c) {
        const float v = $x[n * $step + k * $dilation + g * $own + c];
        const $type *w = @$w + (k * $own + c) * $O + g * $rows;
        for (int r = 0; r < $rows; ++r) out[g * $rows + r] += $cast w[r] * v;
      }
    }
  }
)",
                           words);
  if (scaled) out += c_fill("  for (int r = 0; r < $O; ++r) out[r] = out[r] * @$scale[r]$bias;\n", words);
  return out + "}\n";
}

int64_t products_of(const CConvolution& s) { return s.frames * s.out_length() * s.outputs * s.kernel * s.own(); }

std::string shape_text(const CConvolution& s) {
  return fmt::format("{} -> {} channels, kernel {}{}{}{}", s.channels, s.outputs, s.kernel,
                     s.stride > 1 ? fmt::format(", stride {}", s.stride) : "",
                     s.dilation > 1 ? fmt::format(", dilation {}", s.dilation) : "",
                     s.out_length() > 1 ? fmt::format(", {} rows", s.out_length()) : "");
}

// Returns C statements that copy x [L, C] to rows [left + L + right, C] and fill the padding.
std::string padding_text(const CConvolution& s) {
  const int64_t C = s.channels, L = s.length;
  std::string out = c_fill("for (int i = 0; i < $n; ++i) rows[$at + i] = x[i];\n", {{"n", L * C}, {"at", s.left * C}});
  const auto side = [&](int64_t n, const std::string& to, const std::string& from) {
    if (n == 0) return;
    const std::string value = s.mode == "zeros" ? "0.0f" : fmt::format("rows[{}]", from);
    out += c_fill("for (int t = 0; t < $n; ++t) {\n  for (int j = 0; j < $C; ++j) rows[$to] = $value;\n}\n",
                  {{"n", n}, {"C", C}, {"to", to}, {"value", value}});
  };
  const CWords words = {{"C", C},
                        {"left", s.left * C},
                        {"end", (s.left + L) * C},
                        {"mirror", 2 * s.left * C},
                        {"before", (s.left + L - 2) * C},
                        {"last", (s.left + L - 1) * C}};
  const bool edge = s.mode == "replicate";
  side(s.left, c_fill("t * $C + j", words), c_fill(edge ? "$left + j" : "$mirror - t * $C + j", words));
  side(s.right, c_fill("$end + t * $C + j", words), c_fill(edge ? "$last + j" : "$before - t * $C + j", words));
  return out;
}

// Wraps `statements` in a loop over the frames of x and y.
std::string of_frames(const std::string& statements, const CConvolution& s) {
  if (s.frames == 1) return statements;
  return c_fill("for (int frame = 0; frame < $n; ++frame) {\n$statements  x += $x;\n  y += $y;\n}\n",
                {{"n", s.frames},
                 {"statements", indented(statements, 2)},
                 {"x", s.length * s.channels},
                 {"y", s.out_length() * s.outputs}});
}

void read_c_weights(const CSite& site, const graph::Dims& w, CConvolution& s) {
  s.outputs = w[0];
  s.kernel = w[2];
  if (s.groups < 1 || s.channels % s.groups != 0) site.fail("expected channels that fit the groups");
}

// Reads the attribute "padding", as in graph/nodes_convolution.cpp.
void read_c_padding(const CSite& site, bool over_time, CConvolution& s) {
  const std::vector<int64_t> given = site.is_text("padding") ? std::vector<int64_t>() : site.integers("padding", {});
  if (!given.empty()) {
    s.left = given.front();
    s.right = given.back();
    return;
  }
  const std::string name = site.text("padding", "valid");
  if (name == "causal") s.left = s.span() - 1;
  if (name == "same") {
    const int64_t outs = (s.length + s.stride - 1) / s.stride;
    const int64_t all = std::max<int64_t>((outs - 1) * s.stride + s.span() - s.length, 0);
    s.left = all / 2;
    s.right = all - s.left;
  }
  s.keeps = name == "causal" && over_time;
}

void write_conv1d(const CSite& site) {
  const CView& x = site.in(0);
  const bool over_time = x.dims.size() == 3;
  CConvolution s;
  s.channels = CSite::last(x);
  s.length = x.dims[x.dims.size() - 2];
  s.frames = CSite::size(x) / (s.length * s.channels);
  s.stride = site.integer("stride", 1);
  s.dilation = site.integer("dilation", 1);
  s.groups = site.integer("groups", 1);
  s.mode = site.text("mode", "zeros");
  s.weights = site.weight("weight").floats;
  s.bias = site.weights_or("bias", {});
  read_c_weights(site, site.weight("weight").dims, s);
  read_c_padding(site, over_time, s);
  const std::string comment = fmt::format("{}: {}", site.called(), shape_text(s));
  if (s.left + s.right == 0) {
    return site.add(comment, of_frames(windows_text(site, s), s), {site.read("x", 0), site.write("y")}, products_of(s));
  }
  if (s.keeps) {  // the state holds the past rows, followed by the rows of this call
    if (s.frames != 1) site.fail(fmt::format("expected one sequence, found {}", graph::shown(x.dims)));
    const int64_t past = s.left * s.channels, now = s.length * s.channels;
    const int rows = site.program.state(site.label() + "_past", past + now, {});
    const std::string body = c_fill(
        "for (int i = 0; i < $now; ++i) x[$past + i] = in[i];\n$windows"
        "memmove(x, x + $now, $past * sizeof(float));\n",
        {{"now", now}, {"past", past}, {"windows", windows_text(site, s)}});
    return site.add(comment, body, {site.read("in", 0), {"x", rows, true}, site.write("y")}, products_of(s));
  }
  site.add(comment, of_frames(padding_text(s) + windows_text(site, s, "rows"), s),
           {site.read("x", 0), site.scratch("rows", s.padded() * s.channels), site.write("y")}, products_of(s));
}

// ONNX's Conv: x [1, C, L] -> y [1, O, L']. Transposes to rows of channels and back.
void write_onnx_conv(const CSite& site) {
  const CView &x = site.in(0), &w = site.in(1);
  if (x.dims.size() != 3 || w.dims.size() != 3) site.fail("expected a convolution of one dimension");
  CConvolution s;
  s.channels = x.dims[1];
  s.length = x.dims[2];
  s.groups = site.integer("group", 1);
  s.stride = site.integers("strides", {1}).front();
  s.dilation = site.integers("dilations", {1}).front();
  s.weights = site.known_floats(1);
  if (site.has(2)) s.bias = site.known_floats(2);
  read_c_weights(site, w.dims, s);
  const std::vector<int64_t> pads = site.integers("pads", {0, 0});
  const std::string automatic = site.text("auto_pad", "NOTSET");
  if (automatic == "NOTSET") {
    s.left = pads.front();
    s.right = pads.back();
  } else if (automatic != "VALID") {
    const int64_t outs = (s.length + s.stride - 1) / s.stride;
    const int64_t all = std::max<int64_t>((outs - 1) * s.stride + s.span() - s.length, 0);
    s.left = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
    s.right = all - s.left;
  }
  s.frames = 1;
  const int64_t batch = x.dims[0];
  if (batch != 1) site.fail(fmt::format("expected one example, found {}", graph::shown(x.dims)));
  const std::string comment = fmt::format("{}: {}", site.called(), shape_text(s));
  std::string windows = windows_text(site, s);
  if (s.padded() == 1) return site.add(comment, windows, {site.read("x", 0), site.write("y")}, products_of(s));
  const CWords words = {{"C", s.channels},
                        {"L", s.length},
                        {"O", s.outputs},
                        {"n", s.out_length()},
                        {"left", s.left},
                        {"right", s.right},
                        {"from", (s.left + s.length) * s.channels},
                        {"leftC", s.left * s.channels},
                        {"rightC", s.right * s.channels}};
  std::string body;
  if (s.left > 0) body += c_fill("for (int i = 0; i < $leftC; ++i) x[i] = 0.0f;\n", words);
  if (s.right > 0) body += c_fill("for (int i = 0; i < $rightC; ++i) x[$from + i] = 0.0f;\n", words);
  body += c_fill(
      "for (int t = 0; t < $L; ++t) {\n  for (int c = 0; c < $C; ++c) x[($left + t) * $C + c] = in[c * $L + t];\n}\n",
      words);
  body += windows;
  body += c_fill("for (int r = 0; r < $O; ++r) {\n  for (int t = 0; t < $n; ++t) to[r * $n + t] = y[t * $O + r];\n}\n",
                 words);
  site.add(comment, body,
           {site.read("in", 0), site.scratch("x", s.padded() * s.channels),
            site.scratch("y", s.out_length() * s.outputs), site.write("to")},
           products_of(s));
}

}  // namespace

std::vector<CNodeType> c_convolution_types() { return {{{"conv1d"}, write_conv1d}, {{"Conv"}, write_onnx_conv}}; }

}  // namespace longhand::exporters
