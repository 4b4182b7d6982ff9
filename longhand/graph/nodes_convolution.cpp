// Convolutions of one dimension, over the time steps of sequences or within frames, and ONNX's.
#include <algorithm>

#include "longhand/graph/convolution_sizes.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// Fills a [left + L + right, C] whose middle is there.
void fill_padding(Padding padding, int64_t left, int64_t length, int64_t right, int64_t width, float* rows) {
  const auto row = [&](int64_t at) { return rows + (left + at) * width; };
  const auto source = [&](int64_t at) {
    if (padding == Padding::kEdge) return std::clamp<int64_t>(at, 0, length - 1);
    return at < 0 ? -at : 2 * (length - 1) - at;
  };
  for (int64_t at = -left; at < length + right; at += at == -1 ? length + 1 : 1) {
    if (at >= 0 && at < length) continue;
    if (padding == Padding::kZeros) {
      std::fill_n(row(at), width, 0.0F);
    } else {
      std::copy_n(row(source(at)), width, row(at));
    }
  }
}

// PyTorch's [O, C/g, K] with the channels innermost, as rows of time are: [O, K, C/g], of one group.
std::vector<float> weights_by_time(const Array& w, const ConvolutionSizes& s, int64_t group) {
  const int64_t own = s.channels / s.groups, rows = s.outputs / s.groups;
  std::vector<float> out(static_cast<size_t>(rows * s.kernel * own));
  for (int64_t o = 0; o < rows; ++o) {
    for (int64_t c = 0; c < own; ++c) {
      for (int64_t k = 0; k < s.kernel; ++k) {
        out[static_cast<size_t>((o * s.kernel + k) * own + c)] =
            w.floats[static_cast<size_t>(((group * rows + o) * own + c) * s.kernel + k)];
      }
    }
  }
  return out;
}

// The convolution of rows [padded length, C] -> [out length, O]: windows are read where they are, if the steps of one
// follow one another in memory, and otherwise gathered.
class Windows {
 public:
  Windows(NodeBuild& node, const ConvolutionSizes& sizes, const Array& w, const float* bias, bool trained) : s_(sizes) {
    const int64_t own = s_.channels / s_.groups, rows = s_.outputs / s_.groups;
    direct_ = s_.dilation == 1 && s_.groups == 1;
    if (!direct_) gathered_ = node.floats_memory(s_.out_length() * s_.kernel * own).data();
    for (int64_t g = 0; g < s_.groups; ++g) {
      groups_.emplace_back(
          node, trained ? "conv/" + std::to_string(g) : "", rows, s_.kernel * own, s_.out_length(),
          [&] { return weights_by_time(w, s_, g); }, bias == nullptr ? nullptr : bias + g * rows);
    }
  }

  void run(const float* x, float* y) const {
    const int64_t own = s_.channels / s_.groups, rows = s_.outputs / s_.groups, n = s_.out_length();
    if (direct_) return groups_.front().run(n, x, s_.stride * s_.channels, y, s_.outputs);
    for (int64_t g = 0; g < s_.groups; ++g) {
      for (int64_t t = 0; t < n; ++t) {
        for (int64_t k = 0; k < s_.kernel; ++k) {
          const float* from = x + (t * s_.stride + k * s_.dilation) * s_.channels + g * own;
          std::copy_n(from, own, gathered_ + (t * s_.kernel + k) * own);
        }
      }
      groups_[static_cast<size_t>(g)].run(n, gathered_, s_.kernel * own, y + g * rows, s_.outputs);
    }
  }

 private:
  ConvolutionSizes s_;
  bool direct_;
  float* gathered_ = nullptr;
  std::vector<Dense> groups_;
};

// Weights [O, C/g, K] of what the node says of kernel, stride, dilation and groups.
const Array& read_sizes(NodeBuild& node, const Array& w, ConvolutionSizes& s) {
  s.outputs = w.dims[0];
  s.kernel = w.dims[2];
  if (s.kernel < 1 || s.outputs < 1 || s.groups < 1 || s.channels % s.groups != 0 || s.outputs % s.groups != 0 ||
      w.dims[1] != s.channels / s.groups) {
    node.fail("expected weights [outputs, channels / groups, kernel] for " + std::to_string(s.channels) +
              " channels in " + std::to_string(s.groups) + " groups, found " + shown(w.dims));
  }
  return w;
}

// "causal", "same", "valid", or the rows on both sides.
void read_padding(NodeBuild& node, ConvolutionSizes& s) {
  const bool listed =
      node.has_attribute("padding") && !std::holds_alternative<std::string>(node.node().attributes.at("padding"));
  if (listed) {
    const std::vector<int64_t> given = node.integers("padding", {});
    if (given.empty() || given.size() > 2) node.fail("attribute 'padding': expected one number, or one for each side");
    s.left = node.in_range("padding", given.front(), 0, 1 << 20);
    s.right = node.in_range("padding", given.back(), 0, 1 << 20);
    return;
  }
  const std::string name = node.choice("padding", "valid", {"causal", "same", "valid"});
  if (name == "causal") s.left = s.span() - 1;
  if (name == "same") {  // as Keras and PyTorch pad: the smaller half on the left
    const int64_t outs = (s.length + s.stride - 1) / s.stride;
    const int64_t all = std::max<int64_t>((outs - 1) * s.stride + s.span() - s.length, 0);
    s.left = all / 2;
    s.right = all - s.left;
  }
  s.keeps = name == "causal";
}

// [B, T, C] -> [B, T', O] over time, or [B, T, L, C] -> [B, T, L', O] within frames.
void build_conv1d(NodeBuild& node) {
  const Value& x = node.floats(0);
  bool over_time = false;
  const ConvolutionSizes s = read_convolution(node, over_time);
  if (s.padded_length() < s.span()) {
    node.fail("expected at least " + std::to_string(s.span() - s.left - s.right) + " rows, found " +
              std::to_string(s.length));
  }
  const Padding padding = read_padding_mode(node);
  if (padding == Padding::kReflect && std::max(s.left, s.right) >= s.length && s.batch > 0) {
    node.fail("expected fewer rows of reflected padding than there are rows");
  }
  if (over_time && !s.keeps && s.span() > 1) node.needs_whole("is a convolution that also reads what comes after");
  if (over_time && s.stride > 1) node.needs_whole("has fewer steps than its input");
  Dims dims = x.dims;
  dims[dims.size() - 2] = s.out_length();
  dims.back() = s.outputs;
  Value& y = node.out(0, dims);
  const Windows windows(node, s, node.weight("weight", {-1, -1, -1}), node.optional_weight("bias", {s.outputs}), true);
  const int64_t in_size = s.length * s.channels, out_size = s.out_length() * s.outputs;
  if (s.left + s.right == 0) {
    node.step([=, &x, &y] {
      for (int64_t b = 0; b < s.batch; ++b) windows.run(x.floats + b * in_size, y.floats + b * out_size);
    });
    return;
  }
  // The past, which is a state, stands before the rows of each sequence.
  const int64_t area = s.padded_length() * s.channels, past = s.left * s.channels;
  float* rows = node.floats_memory(s.batch * area).data();
  if (s.keeps && past > 0) node.add_state({node.name(), rows, s.batch, past, area, {}});
  node.step([=, &x, &y] {
    for (int64_t b = 0; b < s.batch; ++b) {
      float* own = rows + b * area;
      std::copy_n(x.floats + b * in_size, in_size, own + past);
      if (!s.keeps) fill_padding(padding, s.left, s.length, s.right, s.channels, own);
      windows.run(own, y.floats + b * out_size);
      if (s.keeps) std::copy(own + in_size, own + in_size + past, own);
    }
  });
}

// [.., L, C] -> [.., left + L + right, C]
void build_pad(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() < 2) node.fail("expected rows, found " + shown(x.dims));
  const int64_t left = node.in_range("left", node.integer("left", 0), 0, 1 << 20);
  const int64_t right = node.in_range("right", node.integer("right", 0), 0, 1 << 20);
  const Padding padding = read_padding_mode(node);
  const int64_t length = x.dim(-2), width = x.last();
  if (padding != Padding::kZeros && std::max(left, right) >= length) {
    node.fail("expected fewer rows of padding than there are rows");
  }
  if (x.rank() == 3) node.needs_whole("pads the whole sequence");
  Dims dims = x.dims;
  dims[dims.size() - 2] = left + length + right;
  Value& y = node.out(0, dims);
  const int64_t batch = count(x.dims, 0, x.dims.size() - 2);
  node.step([=, &x, &y] {
    for (int64_t b = 0; b < batch; ++b) {
      float* own = y.floats + b * (left + length + right) * width;
      std::copy_n(x.floats + b * length * width, length * width, own + left * width);
      fill_padding(padding, left, length, right, width, own);
    }
  });
}

// Swaps the last two axes of [n, a, b].
void swap_axes(int64_t n, int64_t a, int64_t b, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i, x += a * b, y += a * b) {
    for (int64_t j = 0; j < a; ++j) {
      for (int64_t k = 0; k < b; ++k) y[k * a + j] = x[j * b + k];
    }
  }
}

// ONNX's Conv, [N, C, L] -> [N, O, L']: turned to rows of time, and back.
void build_onnx_conv(NodeBuild& node) {
  const Value& x = node.floats(0);
  const Value& w = node.floats(1);
  if (x.rank() != 3 || w.rank() != 3 || !w.constant) {
    node.fail(
        "expected [N, C, L] and trained weights [O, C/groups, K], found " + shown(x.dims) + " and " + shown(w.dims),
        "convolutions of one dimension can be run, others cannot");
  }
  ConvolutionSizes s;
  s.batch = x.dim(0);
  s.channels = x.dim(1);
  s.length = x.dim(2);
  const auto first = [&](const char* name) {
    const std::vector<int64_t> given = node.integers(name, {1});
    if (given.size() != 1) node.fail(std::string("attribute '") + name + "': expected 1 number");
    return given.front();
  };
  s.groups = node.in_range("group", node.integer("group", 1), 1, 1 << 20);
  s.stride = node.in_range("strides", first("strides"), 1, 1 << 20);
  s.dilation = node.in_range("dilations", first("dilations"), 1, 1 << 20);
  const Array& weights = node.make<Array>(array(w.dims, {w.floats, w.floats + w.size}));
  read_sizes(node, weights, s);
  const std::string automatic = node.choice("auto_pad", "NOTSET", {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"});
  const std::vector<int64_t> pads = node.integers("pads", {0, 0});
  if (pads.size() != 2) node.fail("attribute 'pads': expected 2 numbers");
  if (automatic == "NOTSET") {
    s.left = node.in_range("pads", pads[0], 0, 1 << 20);
    s.right = node.in_range("pads", pads[1], 0, 1 << 20);
  } else if (automatic != "VALID") {
    const int64_t outs = (s.length + s.stride - 1) / s.stride;
    const int64_t all = std::max<int64_t>((outs - 1) * s.stride + s.span() - s.length, 0);
    s.left = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
    s.right = all - s.left;
  }
  if (s.padded_length() < s.span()) node.fail("expected a longer input, found " + shown(x.dims));
  const float* bias = nullptr;
  if (node.has(2)) {
    const Value& b = node.floats(2);
    if (!b.constant || b.size != s.outputs) node.fail("expected a trained bias of " + std::to_string(s.outputs));
    bias = b.floats;
  }
  const int64_t n = s.out_length(), area = s.padded_length() * s.channels;
  Value& y = node.out(0, {s.batch, s.outputs, n});
  const Windows windows(node, s, weights, bias, node.is_trained(1) && (!node.has(2) || node.is_trained(2)));
  if (s.length == 1 && s.padded_length() == 1) {  // one step: the channels follow one another as they are
    node.step([=, &x, &y] {
      for (int64_t b = 0; b < s.batch; ++b) windows.run(x.floats + b * s.channels, y.floats + b * s.outputs);
    });
    return;
  }
  float* rows = node.floats_memory(area).data();
  float* outs = node.floats_memory(n * s.outputs).data();
  node.step([=, &x, &y] {
    for (int64_t b = 0; b < s.batch; ++b) {
      swap_axes(1, s.channels, s.length, x.floats + b * s.channels * s.length, rows + s.left * s.channels);
      fill_padding(Padding::kZeros, s.left, s.length, s.right, s.channels, rows);
      windows.run(rows, outs);
      swap_axes(1, n, s.outputs, outs, y.floats + b * n * s.outputs);
    }
  });
}

}  // namespace

Padding read_padding_mode(NodeBuild& node) {
  const std::string name = node.choice("mode", "zeros", {"zeros", "reflect", "replicate"});
  return name == "reflect" ? Padding::kReflect : name == "replicate" ? Padding::kEdge : Padding::kZeros;
}

ConvolutionSizes read_convolution(NodeBuild& node, bool& over_time) {
  const Value& x = node.floats(0);
  if (x.rank() != 3 && x.rank() != 4) node.fail("expected [B, T, C] or [B, T, L, C], found " + shown(x.dims));
  over_time = x.rank() == 3;
  ConvolutionSizes s;
  s.channels = x.last();
  s.length = x.dim(-2);
  s.batch = s.length == 0 || s.channels == 0 ? 0 : x.size / (s.length * s.channels);
  s.stride = node.in_range("stride", node.integer("stride", 1), 1, 1 << 20);
  s.dilation = node.in_range("dilation", node.integer("dilation", 1), 1, 1 << 20);
  s.groups = node.in_range("groups", node.integer("groups", 1), 1, 1 << 20);
  read_sizes(node, node.weight("weight", {-1, -1, -1}), s);
  read_padding(node, s);
  s.keeps = s.keeps && over_time;
  return s;
}

std::vector<NodeType> convolution_node_types() {
  return {
      {"conv1d",
       "convolution over time [B, T, C], or within frames [B, T, L, C]",
       1,
       1,
       1,
       {"units", "kernel", "stride", "dilation", "groups", "padding", "mode"},
       {"weight", "bias"},
       build_conv1d,
       true},
      {"pad", "rows before the first and after the last", 1, 1, 1, {"left", "right", "mode"}, {}, build_pad, true},
      {"Conv",
       "ONNX, of one dimension",
       2,
       3,
       1,
       {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
       {},
       build_onnx_conv},
  };
}

}  // namespace longhand::graph
