#include "longhand/graph/general_cells.h"

#include <algorithm>

namespace longhand::graph {
namespace {

using kernels::Function;

// As ONNX calls them, and those that it does not have by the names of nodes. The kernels of an LSTM have the first.
struct CellFunction {
  const char* name;
  Function function;
  bool has_alpha, has_beta, in_kernels;
  float alpha = 0.0F, beta = 0.0F;
};

constexpr CellFunction kCellFunctions[] = {
    {"Sigmoid", Function::kSigmoid, false, false, true},
    {"Tanh", Function::kTanh, false, false, true},
    {"Relu", Function::kRelu, false, false, true},
    {"Softsign", Function::kSoftsign, false, false, true},
    {"Softplus", Function::kSoftplus, false, false, true},
    {"LeakyRelu", Function::kLeakyRelu, true, false, true, 0.01F},
    {"Elu", Function::kElu, true, false, true, 1.0F},
    {"ThresholdedRelu", Function::kThresholded, true, false, true, 1.0F},
    {"Affine", Function::kAffine, true, true, true, 1.0F, 0.0F},
    {"ScaledTanh", Function::kScaledTanh, true, true, true, 1.0F, 1.0F},
    {"HardSigmoid", Function::kHardSigmoid, true, true, true, 0.2F, 0.5F},
    {"Selu", Function::kSelu, false, false, false, 1.67326319F, 1.05070102F},
    {"Gelu", Function::kGelu, false, false, false},
    {"GeluTanh", Function::kGeluTanh, false, false, false},
    {"Silu", Function::kSilu, false, false, false},
    {"HardSwish", Function::kHardSwish, false, false, false},
    {"Mish", Function::kMish, false, false, false},
    {"Exp", Function::kExp, false, false, false},
};

const CellFunction* find_cell_function(const std::string& name) {
  const auto* row = std::find_if(std::begin(kCellFunctions), std::end(kCellFunctions),
                                 [&](const CellFunction& each) { return name == each.name; });
  return row == std::end(kCellFunctions) ? nullptr : row;
}

// The functions of `activations` with their constants, in order.
std::vector<GeneralCell::Activation> read_functions(NodeBuild& node, const std::vector<std::string>& names) {
  const std::vector<double> alphas = node.numbers("activation_alpha"), betas = node.numbers("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<GeneralCell::Activation> out;
  for (const std::string& name : names) {
    const CellFunction* row = find_cell_function(name);
    if (row == nullptr) node.fail("activations: '" + name + "' is not known for a cell");
    out.push_back({row->function, row->alpha, row->beta});
    GeneralCell::Activation& to = out.back();
    if (row->has_alpha && alpha < alphas.size()) to.alpha = static_cast<float>(alphas[alpha++]);
    if (row->has_beta && beta < betas.size()) to.beta = static_cast<float>(betas[beta++]);
  }
  if (alpha != alphas.size() || beta != betas.size()) {
    node.fail("activation_alpha, activation_beta: expected constants of these functions, found more");
  }
  return out;
}

bool kernels_have_lstm(const std::vector<std::string>& names, int64_t directions) {
  bool out = true;
  for (const std::string& name : names) {
    const CellFunction* row = find_cell_function(name);
    // A name in other letters, or none, is for the kernels' table to read or to refuse.
    out = out && (row == nullptr || row->in_kernels);
  }
  if (directions == 2 && names.size() == 6)
    out = out && std::equal(names.begin(), names.begin() + 3, names.begin() + 3);
  return out;
}

void apply_function(const GeneralCell::Activation& f, float* x, int64_t n) {
  kernels::apply(f.function, f.alpha, f.beta, x, x, n);
}

}  // namespace

std::optional<std::vector<GeneralCell>> read_general_cells(NodeBuild& node, const std::string& cell,
                                                           int64_t directions) {
  const bool lstm = cell == "lstm", gru = cell == "gru";
  std::vector<std::string> names = node.texts("activations");
  if (!lstm && !gru) {
    const std::string one = node.text("activation", "tanh");
    if (one == "tanh" || one == "relu") return std::nullopt;
    names.assign(static_cast<size_t>(directions), one);
  }
  const bool reset_first = gru && node.integer("reset_after", 1) == 0;
  if (lstm && (names.empty() || kernels_have_lstm(names, directions))) return std::nullopt;
  if (gru && names.empty() && !reset_first) return std::nullopt;
  const size_t each = lstm ? 3 : gru ? 2 : 1;
  if (gru && names.empty()) {
    for (int64_t d = 0; d < directions; ++d) names.insert(names.end(), {"Sigmoid", "Tanh"});
  }
  if (names.size() != each * static_cast<size_t>(directions)) {
    node.fail("activations: expected " + std::to_string(each) + " functions for each direction, found " +
              std::to_string(names.size()));
  }
  for (const char* other :
       {"clip", "cell_clip", "input_forget", "projection", "layer_norm", "residual", "zoneout", "zoneout_cell"}) {
    if (node.number(other, 0.0) != 0.0)
      node.fail(std::string("expected no ") + other + " of a cell with these functions");
  }
  if (node.integer("layers", 1) != 1)
    node.fail("expected one layer with these functions", "make each a node of its own");
  const std::vector<GeneralCell::Activation> functions = read_functions(node, names);
  std::vector<GeneralCell> out;
  for (size_t d = 0; d < static_cast<size_t>(directions); ++d) {
    GeneralCell& one = out.emplace_back();
    one.kind = lstm          ? GeneralCell::Kind::kLstm
               : !gru        ? GeneralCell::Kind::kPlain
               : reset_first ? GeneralCell::Kind::kGruResetFirst
                             : GeneralCell::Kind::kGru;
    one.gate = functions[d * each];
    one.candidate = functions[d * each + (each > 1 ? 1 : 0)];
    one.output = functions[d * each + each - 1];
  }
  return out;
}

GeneralLayer::GeneralLayer(NodeBuild& node, const std::vector<GeneralCell>& cells, int64_t inputs, int64_t hidden,
                           int64_t steps, int64_t batch)
    : I_(inputs), H_(hidden), T_(steps), B_(batch) {
  for (const GeneralCell& cell : cells) {
    const std::string suffix = directions_.empty() ? "_l0" : "_l0_reverse";
    const int64_t G = cell.gates() * H_;
    const Array &w = node.weight("weight_ih" + suffix, {G, I_}), &r = node.weight("weight_hh" + suffix, {G, H_});
    const float *first = node.optional_weight("bias_ih" + suffix, {G}),
                *second = node.optional_weight("bias_hh" + suffix, {G});
    // A second bias that the reset gate multiplies stays beside the recurrent product; all others are added.
    const bool apart = cell.kind == GeneralCell::Kind::kGru;
    std::vector<float>& bias = node.make<std::vector<float>>(static_cast<size_t>(G), 0.0F);
    for (int64_t i = 0; i < G; ++i) {
      bias[static_cast<size_t>(i)] =
          (first == nullptr ? 0.0F : first[i]) + (second == nullptr || apart ? 0.0F : second[i]);
    }
    const auto rows = [&](int64_t begin, int64_t end) {
      return std::vector<float>(r.floats.begin() + begin * H_, r.floats.begin() + end * H_);
    };
    Direction own{.cell = cell, .inputs = {}, .recurrent = {}};
    const std::string key = "general" + suffix;
    own.inputs.emplace_back(
        node, key + "/w", G, I_, T_ * B_, [&] { return w.floats; }, bias.data());
    const int64_t together = cell.kind == GeneralCell::Kind::kGruResetFirst ? 2 * H_ : G;
    own.recurrent.emplace_back(
        node, key + "/r", together, H_, B_, [&] { return rows(0, together); }, apart ? second : nullptr);
    if (together < G) {
      own.recurrent.emplace_back(
          node, key + "/n", H_, H_, B_, [&] { return rows(together, G); }, nullptr);
    }
    own.h = node.floats_memory(B_ * padded(H_)).data();
    if (cell.has_cell()) own.c = node.floats_memory(B_ * padded(H_)).data();
    own.pre = node.floats_memory(T_ * B_ * G).data();
    own.product = node.floats_memory(B_ * G).data();
    own.news = node.floats_memory(2 * B_ * H_).data();
    own.row = node.floats_memory(H_).data();
    directions_.push_back(std::move(own));
  }
  outputs_ = node.floats_memory(T_ * B_ * stride()).data();
}

int64_t GeneralLayer::stride() const { return padded(static_cast<int64_t>(directions_.size()) * H_); }

const float* GeneralLayer::run(const float* x, const int32_t* lengths) const {
  for (size_t d = 0; d < directions_.size(); ++d) run_direction(d, x, lengths);
  return outputs_;
}

// The second direction reads the steps of each row from their end.
void GeneralLayer::run_direction(size_t d, const float* x, const int32_t* lengths) const {
  const Direction& own = directions_[d];
  const int64_t G = own.cell.gates() * H_, Hp = padded(H_), S = stride();
  own.inputs[0].run(T_ * B_, x, I_, own.pre, G);
  for (int64_t work = 0; work < T_; ++work) {
    own.recurrent[0].run(B_, own.h, Hp, own.product, own.cell.kind == GeneralCell::Kind::kGruResetFirst ? 2 * H_ : G);
    const auto place = [&](int64_t b) { return d == 0 ? work : (lengths == nullptr ? T_ : lengths[b]) - 1 - work; };
    const auto runs = [&](int64_t b) { return lengths == nullptr || work < lengths[b]; };
    if (own.cell.kind == GeneralCell::Kind::kGruResetFirst) {
      // The reset state of all rows, for one product.
      for (int64_t b = 0; b < B_; ++b) {
        float *gates = own.product + b * 2 * H_, *reset = own.news + (B_ + b) * H_;
        const float* pre = own.pre + ((runs(b) ? place(b) : 0) * B_ + b) * G;
        for (int64_t j = 0; j < 2 * H_; ++j) gates[j] += pre[j];
        apply_function(own.cell.gate, gates, 2 * H_);
        for (int64_t j = 0; j < H_; ++j) reset[j] = gates[j] * own.h[b * Hp + j];
      }
      own.recurrent[1].run(B_, own.news + B_ * H_, H_, own.news, H_);
    }
    for (int64_t b = 0; b < B_; ++b) {
      if (!runs(b)) continue;
      const int64_t at = place(b) * B_ + b;
      step(own, own.pre + at * G, b, own.h + b * Hp);
      std::copy_n(own.h + b * Hp, H_, outputs_ + at * S + static_cast<int64_t>(d) * H_);
    }
  }
}

// One step of row b: its new state, in place.
void GeneralLayer::step(const Direction& own, const float* pre, int64_t b, float* h) const {
  if (own.cell.kind == GeneralCell::Kind::kGru || own.cell.kind == GeneralCell::Kind::kGruResetFirst)
    return step_gru(own, pre, b, h);
  const int64_t G = own.cell.gates() * H_;
  float* sums = own.product + b * G;
  for (int64_t j = 0; j < G; ++j) sums[j] += pre[j];
  if (own.cell.kind == GeneralCell::Kind::kPlain) {
    apply_function(own.cell.candidate, sums, H_);
    std::copy_n(sums, H_, h);
    return;
  }
  apply_function(own.cell.gate, sums, 2 * H_);
  apply_function(own.cell.candidate, sums + 2 * H_, H_);
  apply_function(own.cell.gate, sums + 3 * H_, H_);
  float* c = own.c + b * padded(H_);
  for (int64_t j = 0; j < H_; ++j) c[j] = sums[H_ + j] * c[j] + sums[j] * sums[2 * H_ + j];
  std::copy_n(c, H_, own.row);
  apply_function(own.cell.output, own.row, H_);
  for (int64_t j = 0; j < H_; ++j) h[j] = sums[3 * H_ + j] * own.row[j];
}

// h' = (1 - z) n + z h, with n = g(W_n x + b + R_n (r h)), or g(W_n x + b + r (R_n h + b_hn)).
void GeneralLayer::step_gru(const Direction& own, const float* pre, int64_t b, float* h) const {
  const bool first = own.cell.kind == GeneralCell::Kind::kGruResetFirst;
  float* gates = own.product + b * (first ? 2 : 3) * H_;  // r z, and the product of the candidate
  if (!first) {
    for (int64_t j = 0; j < 2 * H_; ++j) gates[j] += pre[j];
    apply_function(own.cell.gate, gates, 2 * H_);
  }
  for (int64_t j = 0; j < H_; ++j) {
    own.row[j] = pre[2 * H_ + j] + (first ? own.news[b * H_ + j] : gates[j] * gates[2 * H_ + j]);
  }
  apply_function(own.cell.candidate, own.row, H_);
  for (int64_t j = 0; j < H_; ++j) h[j] = (1.0F - gates[H_ + j]) * own.row[j] + gates[H_ + j] * h[j];
}

}  // namespace longhand::graph
