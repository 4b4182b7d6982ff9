#include "longhand/exporters/c_cell_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

namespace longhand::exporters {
namespace {

using kernels::Function;

struct CCellFunction {
  const char* name;  // in lower case
  Function function;
  bool has_alpha = false, has_beta = false;
  float alpha = 0.0F, beta = 0.0F;
};

constexpr CCellFunction kCCellFunctions[] = {
    {"sigmoid", Function::kSigmoid},
    {"tanh", Function::kTanh},
    {"relu", Function::kRelu},
    {"softsign", Function::kSoftsign},
    {"softplus", Function::kSoftplus},
    {"leakyrelu", Function::kLeakyRelu, true, false, 0.01F},
    {"elu", Function::kElu, true, false, 1.0F},
    {"thresholdedrelu", Function::kThresholded, true, false, 1.0F},
    {"affine", Function::kAffine, true, true, 1.0F, 0.0F},
    {"scaledtanh", Function::kScaledTanh, true, true, 1.0F, 1.0F},
    {"hardsigmoid", Function::kHardSigmoid, true, true, 0.2F, 0.5F},
    {"selu", Function::kSelu, false, false, 1.67326319F, 1.05070102F},
    {"gelu", Function::kGelu},
    {"gelutanh", Function::kGeluTanh},
    {"silu", Function::kSilu},
    {"hardswish", Function::kHardSwish},
    {"mish", Function::kMish},
    {"exp", Function::kExp},
};

std::string small_letters(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

std::vector<CActivation> cell_functions(const CSite& site, const std::vector<std::string>& names) {
  const std::vector<double> alphas = site.numbers("activation_alpha"), betas = site.numbers("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<CActivation> out;
  for (const std::string& name : names) {
    const auto* row = std::find_if(std::begin(kCCellFunctions), std::end(kCCellFunctions),
                                   [&](const CCellFunction& each) { return each.name == small_letters(name); });
    if (row == std::end(kCCellFunctions)) site.fail(fmt::format("activations: '{}' is not known in C", name));
    CActivation one{row->function, row->alpha, row->beta};
    if (row->has_alpha && alpha < alphas.size()) one.alpha = static_cast<float>(alphas[alpha++]);
    if (row->has_beta && beta < betas.size()) one.beta = static_cast<float>(betas[beta++]);
    out.push_back(one);
  }
  return out;
}

}  // namespace

void read_c_cell_options(const CSite& site, int64_t direction, CCell& cell) {
  const auto d = static_cast<size_t>(direction);
  std::vector<std::string> names = site.texts("activations");
  if (cell.kind == CCell::Kind::kPlain && names.empty()) {
    names.assign(d + 1, site.text("activation", "tanh"));
  }
  const size_t each = cell.kind == CCell::Kind::kLstm ? 3 : cell.kind == CCell::Kind::kPlain ? 1 : 2;
  const std::vector<CActivation> functions = cell_functions(site, names);
  if (functions.size() >= each * (d + 1)) {
    if (each > 1) cell.gate = functions[d * each];
    cell.candidate = functions[d * each + (each > 1 ? 1 : 0)];
    cell.output = functions[d * each + each - 1];
  }
  if (cell.kind != CCell::Kind::kLstm) return;
  cell.gate_clip = static_cast<float>(site.number("clip", 0.0));
  cell.cell_clip = static_cast<float>(site.number("cell_clip", 0.0));
  cell.zone_h = static_cast<float>(site.number("zoneout", 0.0));
  cell.zone_c = static_cast<float>(site.number("zoneout_cell", 0.0));
  cell.coupled = site.integer("input_forget", 0) != 0;
}

void add_c_part(CProgram& program, int x, int64_t from, int y, int64_t to, int64_t n) {
  if (from == 0 && to == 0 && program.buffer(x).size == n && program.buffer(y).size == n) {
    return program.add_copy(x, y, "");
  }
  program.add({.name = program.name("part"),
               .comment = "",
               .body = fmt::format("for (int j = 0; j < {}; ++j) y[{} + j] = x[{} + j];\n", n, to, from),
               .arguments = {{"x", x, false}, {"y", y, true}}});
}

void add_c_zeros(CProgram& program, int y, int64_t n) {
  program.add({.name = program.name("zeros"),
               .comment = "",
               .body = fmt::format("for (int j = 0; j < {}; ++j) y[j] = 0.0f;\n", n),
               .arguments = {{"y", y, true}}});
}

}  // namespace longhand::exporters
