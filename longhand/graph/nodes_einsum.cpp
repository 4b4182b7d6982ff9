// ONNX's Einsum, and its convolution that makes sequences longer.
#include <algorithm>
#include <cctype>
#include <map>

#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// "ij,jk->ik": the letters of each operand, and of the result.
struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

// Without an arrow, the result has the letters that occur once, in the order of the alphabet.
Equation read_equation(const NodeBuild& node) {
  std::string text = node.text("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  if (text.find('.') != std::string::npos) {
    node.fail("expected an equation without '...', found '" + text + "'", "export it with a letter for each axis");
  }
  Equation out;
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  for (size_t at = 0; at <= left.size();) {
    const size_t end = std::min(left.find(',', at), left.size());
    out.operands.push_back(left.substr(at, end - at));
    at = end + 1;
  }
  if (arrow != std::string::npos) {
    out.result = text.substr(arrow + 2);
    return out;
  }
  for (char letter = 'A'; letter <= 'z'; ++letter) {
    if (std::count(left.begin(), left.end(), letter) == 1) out.result += letter;
  }
  return out;
}

// A loop over all letters: how many steps, and how far each array moves in one.
struct EinsumLoop {
  std::vector<int64_t> extents;
  std::vector<std::vector<int64_t>> strides;  // by array, the result last
};

std::vector<int64_t> strides_by_letter(const std::string& letters, const Dims& dims, const std::string& order) {
  std::vector<int64_t> out(order.size(), 0);
  int64_t stride = 1;
  for (size_t i = letters.size(); i-- > 0;) {
    out[order.find(letters[i])] += stride;  // a letter twice walks along the diagonal
    stride *= dims[i];
  }
  return out;
}

void run_einsum(const EinsumLoop& loop, const std::vector<const float*>& from, float* to, int64_t size) {
  std::fill_n(to, size, 0.0F);
  const size_t letters = loop.extents.size();
  std::vector<int64_t> at(letters, 0), offset(from.size() + 1, 0);
  for (bool more = true; more;) {
    float product = 1.0F;
    for (size_t a = 0; a < from.size(); ++a) product *= from[a][offset[a]];
    to[offset.back()] += product;
    more = false;
    for (size_t k = letters; k-- > 0;) {
      const bool goes_on = ++at[k] < loop.extents[k];
      for (size_t a = 0; a < offset.size(); ++a) {
        offset[a] += goes_on ? loop.strides[a][k] : -loop.strides[a][k] * (loop.extents[k] - 1);
      }
      if (goes_on) {
        more = true;
        break;
      }
      at[k] = 0;
    }
  }
}

// Sums of products over the letters that the result lacks, by plain loops.
void build_einsum(NodeBuild& node) {
  const Equation equation = read_equation(node);
  if (equation.operands.size() != node.inputs()) node.fail("expected an operand of the equation for each input");
  std::map<char, int64_t> extents;
  for (size_t i = 0; i < node.inputs(); ++i) {
    const Value& x = node.floats(i);
    const std::string& letters = equation.operands[i];
    if (static_cast<int64_t>(letters.size()) != x.rank())
      node.fail("expected a letter for each axis, of " + shown(x.dims));
    for (size_t k = 0; k < letters.size(); ++k) {
      if (std::isalpha(static_cast<unsigned char>(letters[k])) == 0) node.fail("expected letters in the equation");
      const auto [at, added] = extents.emplace(letters[k], x.dims[k]);
      if (!added && at->second != x.dims[k]) node.fail("expected axes of one extent for one letter");
    }
  }
  Dims dims;
  std::string order = equation.result;
  for (const char letter : equation.result) {
    if (!extents.contains(letter) || std::count(order.begin(), order.end(), letter) != 1) {
      node.fail("expected a result with letters of the operands, each once");
    }
    dims.push_back(extents[letter]);
  }
  for (const auto& [letter, extent] : extents) {
    if (order.find(letter) == std::string::npos) order += letter;
  }
  EinsumLoop loop;
  int64_t steps = 1;
  constexpr int64_t kMostSteps = int64_t{1} << 36;
  for (const char letter : order) {
    loop.extents.push_back(extents[letter]);
    if (__builtin_mul_overflow(steps, extents[letter], &steps) || steps > kMostSteps)
      node.fail("expected fewer elements");
  }
  std::vector<const float*> from;
  for (size_t i = 0; i < node.inputs(); ++i) {
    from.push_back(node.floats(i).floats);
    loop.strides.push_back(strides_by_letter(equation.operands[i], node.floats(i).dims, order));
  }
  loop.strides.push_back(strides_by_letter(equation.result, dims, order));
  Value& y = node.out(0, dims);
  if (steps == 0) return;
  node.step([loop, from, &y] { run_einsum(loop, from, y.floats, y.size); });
}

// [N, C, L] and [C, O / groups, K] -> [N, O, (L - 1) stride + dilation (K - 1) + 1 + output padding - padding]
void build_transposed_convolution(NodeBuild& node) {
  const Value &x = node.floats(0), &w = node.floats(1);
  if (x.rank() != 3 || w.rank() != 3 || w.dim(0) != x.dim(1)) {
    node.fail("expected [N, C, L] and weights [C, O/groups, K], found " + shown(x.dims) + " and " + shown(w.dims),
              "convolutions of one dimension can be run, others cannot");
  }
  const auto one = [&](const char* name, int64_t otherwise, int64_t least) {
    const std::vector<int64_t> given = node.integers(name, {otherwise});
    if (given.size() != 1) node.fail(std::string("attribute '") + name + "': expected 1 number");
    return node.in_range(name, given.front(), least, 1 << 20);
  };
  const int64_t stride = one("strides", 1, 1), dilation = one("dilations", 1, 1), more = one("output_padding", 0, 0);
  const int64_t groups = node.in_range("group", node.integer("group", 1), 1, 1 << 20);
  const std::vector<int64_t> pads = node.integers("pads", {0, 0});
  node.choice("auto_pad", "NOTSET", {"NOTSET", "VALID"});
  if (pads.size() != 2 || node.has_attribute("output_shape")) node.fail("expected the padding as 2 numbers");
  const int64_t N = x.dim(0), C = x.dim(1), L = x.dim(2), K = w.dim(2), each = w.dim(1), O = each * groups;
  if (C % groups != 0) node.fail("expected channels that the groups divide");
  const int64_t left = node.in_range("pads", pads[0], 0, 1 << 20), right = node.in_range("pads", pads[1], 0, 1 << 20);
  const int64_t length = (L - 1) * stride + dilation * (K - 1) + 1 + more - left - right;
  if (L < 1 || length < 1) node.fail("expected a longer input, found " + shown(x.dims));
  const Value* bias = node.has(2) ? &node.floats(2) : nullptr;
  if (bias != nullptr && bias->size != O) node.fail("expected a bias of " + std::to_string(O));
  Value& y = node.out(0, {N, O, length});
  node.step([=, &x, &w, &y] {
    for (int64_t row = 0; row < N * O; ++row) {
      std::fill_n(y.floats + row * length, length, bias == nullptr ? 0.0F : bias->floats[row % O]);
    }
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t c = 0; c < C; ++c) {
        const float* from = x.floats + (n * C + c) * L;
        for (int64_t o = 0; o < each; ++o) {
          const float* kernel = w.floats + (c * each + o) * K;
          float* to = y.floats + (n * O + c / (C / groups) * each + o) * length;
          for (int64_t t = 0; t < L; ++t) {
            for (int64_t k = 0; k < K; ++k) {
              const int64_t at = t * stride + k * dilation - left;
              if (at >= 0 && at < length) to[at] += from[t] * kernel[k];
            }
          }
        }
      }
    }
  });
}

}  // namespace

std::vector<NodeType> einsum_node_types() {
  return {
      {"Einsum", "ONNX, without '...'", 1, NodeType::kAny, 1, {"equation"}, {}, build_einsum},
      {"ConvTranspose",
       "ONNX, of one dimension",
       2,
       3,
       1,
       {"auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"},
       {},
       build_transposed_convolution},
  };
}

}  // namespace longhand::graph
