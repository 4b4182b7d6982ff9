// The self-test finds errors: one is planted in one term of a backward pass, in a copy of the source, which is compiled
// and linked in the place of the right one.
#include <sys/wait.h>

#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::lab {
namespace {

struct Mutant {
  const char* name;
  const char* file;
  const char* from;  // occurs in the file
  const char* to;    // takes its place everywhere there
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.from << " -> " << mutant.to; }

constexpr const char* kReference = "longhand/kernels/reference_lstm.h";
constexpr const char* kReferenceCell = "longhand/kernels/reference_cell.h";
constexpr const char* kFused = "longhand/kernels/lstm_backward.cpp";
constexpr const char* kFusedCell = "longhand/kernels/lstm_cell_backward-inl.h";
constexpr const char* kFusedActivation = "longhand/kernels/activation-inl.h";
constexpr const char* kRecurrentReference = "longhand/kernels/reference_recurrent.h";
constexpr const char* kRecurrentFused = "longhand/kernels/recurrent_backward.cpp";
constexpr const char* kWeights = "longhand/kernels/weight_gradients.cpp";
constexpr const char* kSymbols = "longhand/kernels/lstm_symbols.cpp";
constexpr const char* kNorm = "longhand/kernels/layer_norm-inl.h";
constexpr const char* kStack = "longhand/nn/lstm_stack.cpp";
constexpr const char* kStackCells = "longhand/nn/lstm_stack_cells.cpp";
constexpr const char* kStackLanes = "longhand/nn/lstm_stack_lanes.cpp";
constexpr const char* kStackTape = "longhand/nn/lstm_stack_tape.cpp";

constexpr Mutant kMutants[] = {
    {"None", kReference, "normalise", "normalise"},
    // The textbook backward pass.
    {"ReferenceLaterStepsLost20", kReference, "dh[row * Rp + j] + dh_carry[j]", "dh[row * Rp + j]"},
    {"ReferenceOutputLost20", kReference, "dh[row * Rp + j] + dh_carry[j]", "dh_carry[j]"},
    {"ReferenceCellByOutput21", kReferenceCell, "s, y, dm * unit.gate[3]", "s, y, dm"},
    {"ReferenceCellLaterLost21", kReference, "ds[k] + (T(1) - z) * dc_carry[k]", "ds[k]"},
    {"ReferenceForgetOnTheWay21", kReferenceCell, "f * dc + (p.i", "dc + (p.i"},
    {"ReferenceInputGate22", kReferenceCell, ": dc * g);", ": dc);"},
    {"ReferenceForgetGate23", kReferenceCell, "unit, 1, dc * c_prev)", "unit, 1, dc)"},
    {"ReferenceCandidate24", kReferenceCell, "unit, 2, dc * i)", "unit, 2, dc)"},
    {"ReferenceOutputGate25", kReferenceCell, "unit, 3, dm * y)", "unit, 3, dm)"},
    {"ReferenceSigmoid78", kReferenceCell, "return dy * y * (T(1) - y);", "return dy * y;"},
    {"ReferenceTanh78", kReferenceCell, "return dy * (T(1) - y * y);", "return dy * (T(1) - y);"},
    {"ReferenceRelu78", kReferenceCell, "return x > T(0) ? dy : T(0);", "return dy;"},
    {"ReferenceAffine78", kReferenceCell, "return dy * alpha;", "return dy;"},
    {"ReferenceLeakyRelu78", kReferenceCell, "x > T(0) ? dy : dy * alpha;", "x > T(0) ? dy : T(0);"},
    {"ReferenceThresholdedRelu78", kReferenceCell, "return x < alpha ? T(0) : dy;", "return x < T(0) ? T(0) : dy;"},
    {"ReferenceScaledTanh78", kReferenceCell, "dy * alpha * beta * (T(1)", "dy * alpha * (T(1)"},
    {"ReferenceHardSigmoid78", kReferenceCell, "return y > T(0) && y < T(1) ? dy * alpha : T(0);",
     "return y > T(0) ? dy * alpha : T(0);"},
    {"ReferenceElu78", kReferenceCell, "dy * (y + alpha)", "dy * y"},
    {"ReferenceSoftsign78", kReferenceCell, "dy / ((T(1) + std::abs(x)) * (T(1) + std::abs(x)))",
     "dy / (T(1) + std::abs(x))"},
    {"ReferenceSoftplus78", kReferenceCell, "return dy * sigmoid(x);", "return dy * y;"},
    {"ReferencePeepholesOnTheWay80", kReferenceCell, "(p.i * d.da_i + p.f * d.da_f)", "p.i * d.da_i"},
    {"ReferencePeepholeOfTheOutput80", kReferenceCell, "dc + p.o * da_o", "dc"},
    {"ReferencePeepholes80", kReferenceCell, "da_o * clip(cell.cell_clip, before_clip)", "da_o * c_prev"},
    {"ReferencePeepholesLost80", kReference, "gradients.peepholes[H + k] += d.dp.f;", ""},
    {"ReferenceCoupled81", kReferenceCell, "dc * (g - c_prev)", "dc * g"},
    {"ReferenceCoupledForgetGate81", kReferenceCell, "cell.coupled ? T(0) : gate_backward", "gate_backward"},
    {"ReferenceGateClip82", kReferenceCell, "return clip_backward(cell.gate_clip, unit.a[k], d);", "return d;"},
    {"ReferenceCellClip83", kReferenceCell, "clip_backward(cell.cell_clip, before_clip, dc + p.o * da_o)",
     "dc + p.o * da_o"},
    {"ReferenceInput26", kReference, "dx[j] += Round::of(w[k * n + j]) * d", "dx[j] -= Round::of(w[k * n + j]) * d"},
    {"ReferenceWeights27and28", kReference, "dw[k * n + j] += d * Round::of(x[j])",
     "dw[k * n + j] = d * Round::of(x[j])"},
    {"ReferenceBias29", kReference, "gradients.bias[k] += ", "gradients.bias[k] -= "},
    {"ReferenceInitialState30", kReference, "if (dc_first != nullptr) std::copy_n(dc_carry.data()",
     "if (dc_first != nullptr) std::copy_n(dc_now.data()"},
    {"ReferenceProjection33", kReference, "dh_now.data(), 1, R, H, gradients.w_hr, dm.data()",
     "dh_carry.data(), 1, R, H, gradients.w_hr, dm.data()"},
    {"ReferenceRecurrentMask34", kReference, "masks.recurrent[b * Rp + j] * dr[j]", "dr[j]"},
    {"ReferenceMaskedOperand34", kReference, "masks.recurrent != nullptr ? cache.masked_h + row * Rp : h + prev * Rp",
     "h + prev * Rp"},
    {"ReferenceZoneoutTaken36", kReference, "(T(1) - z) * arriving", "arriving"},
    {"ReferenceZoneoutKept36", kReference, "dh_carry[j] = z * arriving", "dh_carry[j] = T(0)"},
    {"ReferenceZoneoutCellTaken37", kReference, "(T(1) - z) * dc_carry[k]", "dc_carry[k]"},
    {"ReferenceZoneoutCellKept37", kReference, "d.dc_prev + z * dc_carry[k]", "d.dc_prev"},
    {"ReferenceNormMean39", kReference, "gain[k] * dy[at] - mean - n[at]", "gain[k] * dy[at] - n[at]"},
    {"ReferenceNormMeanN39", kReference, "- mean - n[at] * mean_n", "- mean"},
    {"ReferenceGain40", kReference, "dgain[k] += dy[at] * n[at]", "dgain[k] += dy[at]"},
    {"ReferenceBiasC41", kReference, "gradients.bias_c[k] += ds[k]", "gradients.bias_c[k] -= ds[k]"},
    {"ReferenceCarryReplaced", kReference, "dh_carry[j] += masks", "dh_carry[j] = masks"},
    // The fused one.
    {"FusedLaterStepsLost20", kFused, "hn::Add(hn::Load(d, above + j), hn::Load(d, later + j))",
     "hn::Load(d, above + j)"},
    {"FusedOutputLost20", kFused, "hn::Add(hn::Load(d, above + j), hn::Load(d, later + j))", "hn::Load(d, later + j)"},
    {"FusedCellByOutput21", kFusedCell, "hn::NegMulAdd(tanh_s, tanh_s, one)", "hn::Sub(one, tanh_s)"},
    {"FusedCellLaterLost21", kFusedCell, "hn::Add(ds, dc)", "ds"},
    {"FusedForgetOnTheWay21", kFusedCell, "return dc_f;", "return dc_now;"},
    {"FusedInputGate22", kFusedCell, "hn::Mul(hn::Mul(dc_i, g), hn::Sub(one, i))", "hn::Mul(dc_i, g)"},
    {"FusedForgetGate23", kFusedCell, "hn::Mul(dc_f, hn::Load(d, row.c_prev + u))", "dc_f"},
    {"FusedCandidate24", kFusedCell, "hn::NegMulAdd(g, g, one)", "hn::MulAdd(g, g, one)"},
    {"FusedOutputGate25", kFusedCell, "hn::Mul(dm_o, tanh_s), hn::Sub(one, o)", "hn::Mul(dm_o, tanh_s), o"},
    {"FusedSigmoid78", kFusedActivation, "hn::Mul(hn::Mul(dy, y), hn::Sub(one, y))", "hn::Mul(dy, y)"},
    {"FusedTanh78", kFusedActivation, "hn::Mul(dy, hn::NegMulAdd(y, y, one))", "hn::Mul(dy, hn::Sub(one, y))"},
    {"FusedRelu78", kFusedActivation, "return hn::IfThenElseZero(hn::Gt(x, zero), dy);", "return dy;"},
    {"FusedAffine78", kFusedActivation, "return hn::Mul(dy, alpha);", "return dy;"},
    {"FusedLeakyRelu78", kFusedActivation, "hn::IfThenElse(hn::Gt(x, zero), dy, hn::Mul(dy, alpha))",
     "hn::IfThenElseZero(hn::Gt(x, zero), dy)"},
    {"FusedThresholdedRelu78", kFusedActivation, "hn::IfThenZeroElse(hn::Lt(x, alpha), dy)",
     "hn::IfThenZeroElse(hn::Lt(x, zero), dy)"},
    {"FusedScaledTanh78", kFusedActivation, "hn::Mul(dy, hn::Mul(alpha, beta))", "hn::Mul(dy, alpha)"},
    {"FusedHardSigmoid78", kFusedActivation, "hn::And(hn::Gt(y, zero), hn::Lt(y, one))", "hn::Gt(y, zero)"},
    {"FusedElu78", kFusedActivation, "hn::Mul(dy, hn::Add(y, alpha))", "hn::Mul(dy, y)"},
    {"FusedSoftsign78", kFusedActivation, "hn::Div(dy, hn::Mul(denominator, denominator))", "hn::Div(dy, denominator)"},
    {"FusedSoftplus78", kFusedActivation, "hn::Mul(dy, sigmoid(x))", "hn::Mul(dy, y)"},
    {"FusedVariantOutputGate25", kFusedCell, "gate(row, 3, u, Hp, o, hn::Mul(dm, y))", "gate(row, 3, u, Hp, o, dm)"},
    {"FusedVariantForgetGate23", kFusedCell, "gate(row, 1, u, Hp, f, hn::Mul(dc_now, c_prev))",
     "gate(row, 1, u, Hp, f, dc_now)"},
    {"FusedPeepholeOfF80", kFusedCell, "hn::MulAdd(hn::Load(d, peepholes + Hp + u), da_f, dc_f)", "dc_f"},
    {"FusedPeepholeOfI80", kFusedCell, "hn::MulAdd(hn::Load(d, peepholes + u), da_i, by_f)", "by_f"},
    {"FusedPeepholeOfO80", kFusedCell, "dc_now = hn::MulAdd(hn::Load(d, peepholes + 2 * Hp + u), da_o, dc_now);", ""},
    {"FusedPeepholeWeights80", kFusedCell, "hn::Mul(da_o, clipped(c))", "hn::Mul(da_o, c_prev)"},
    {"FusedPeepholesLost80", kFused,
     "add_sum(pass.d_peepholes, nullptr, 3, H, rows, args.gradients.peepholes, context);", ""},
    {"FusedCoupled81", kFusedCell, "options.coupled ? hn::Sub(g, c_prev) : g", "g"},
    {"FusedCoupledForgetGate81", kFusedCell, "options.coupled ? hn::Zero(d) : gate", "gate"},
    {"FusedGateClip82", kFusedCell, "hn::Gt(hn::Abs(x), most), activation_backward",
     "hn::Gt(x, most), activation_backward"},
    {"FusedCellClip83", kFusedCell,
     "hn::IfThenZeroElse(hn::Gt(hn::Abs(c), hn::Set(d, static_cast<float>(options.cell_clip))), dc_now)", "dc_now"},
    {"FusedInput26", kFused, "input_gradient_of(args, packed, d_ih)",
     "input_gradient_of(args, packed, args.cache.gates)"},
    {"FusedInputOfBothDirections26", kWeights, ".accumulate = args.add_to_dx", ".accumulate = false"},
    {"FusedInputOfRaggedRows26", kWeights, "std::fill_n(args.dx +", "if (false) std::fill_n(args.dx +"},
    {"FusedInputWeights27", kFused, "add_weight_gradients(d_hh, {w_hh, w_ih}, rows.count, context);",
     "add_weight_gradients(d_hh, {w_hh}, rows.count, context);"},
    {"FusedInitialHidden30", kFused, "copy_rows(pass.dh, Rp, args.dh_first)",
     "copy_rows(pass.dh_kept, Rp, args.dh_first)"},
    {"FusedNormRows39", "longhand/kernels/layer_norm.cpp", "args.gain, args.rstd[row * args.rstd_stride], 4, H, n);",
     "args.gain, 1.0F, 4, H, n);"},
    {"FusedRecurrentWeights28", kFused, "StepOperand{args.h, 1, R, Rp, rows.prev}",
     "StepOperand{args.h, 1, R, Rp, rows.rows}"},
    {"FusedBias29", kFused, "add_sum(args.cache.gates, nullptr, 4, H, rows, args.gradients.bias, context);", ""},
    {"FusedInitialState30", kFused, "copy_rows(pass.dc, Hp, args.dc_first)", "copy_rows(pass.dm, Hp, args.dc_first)"},
    {"FusedFinalState30", kFused, "copy_rows(args.dc_last, Hp, pass.dc)", "copy_rows(nullptr, Hp, pass.dc)"},
    {"FusedProjection33", kFused, ".a = pass.d_output + t * B * Rp", ".a = pass.dh"},
    {"FusedRecurrentMask34", kFused, "masks.recurrent != nullptr && j < Rp", "false && j < Rp"},
    {"FusedMaskedOperand34", kFused, "const bool masked = args.masks.recurrent != nullptr;",
     "const bool masked = false;"},
    {"FusedZoneoutTaken36", kFused, "hn::Store(hn::Mul(hn::Sub(hn::Set(d, 1.0F), z), dh), d, dh_now + j)",
     "hn::Store(dh, d, dh_now + j)"},
    {"FusedZoneoutKept36", kFused, "masks.zone_h != nullptr && j < Rp", "false && j < Rp"},
    {"FusedZoneoutCellTaken37", kFusedCell, "hn::MulAdd(hn::Sub(hn::Set(d, 1.0F), z), dc, ds)", "hn::Add(dc, ds)"},
    {"FusedZoneoutCellKept37", kFusedCell, "hn::MulAdd(z, dc, dc_prev)", "dc_prev"},
    {"FusedNormMean39", kNorm, "hn::Sub(dn, mean)", "dn"},
    {"FusedNormMeanN39", kNorm, "hn::NegMulAdd(hn::Load(d, n + k + u), mean_n, hn::Sub(dn, mean))",
     "hn::Sub(dn, mean)"},
    {"FusedGainHh40", kFused, "add_sum(da, args.cache.norm_hh, 4, H, rows, args.gradients.gain_hh, context);",
     "add_sum(da, nullptr, 4, H, rows, args.gradients.gain_hh, context);"},
    {"FusedGainIh40", kFused, "add_sum(da, args.cache.norm_ih, 4, H, rows, args.gradients.gain_ih, context);", ""},
    {"FusedGainC41", kFused, "add_sum(pass.d_cell, args.cache.norm_c, 1", "add_sum(pass.d_cell, nullptr, 1"},
    {"FusedBiasC41", kFused, "add_sum(pass.d_cell, nullptr, 1, H, rows, args.gradients.bias_c, context);", ""},
    {"FusedSymbolWeights27", kSymbols,
     "w_ih[k * I + picked.distinct.symbols[s]] += ", "w_ih[k * I + picked.distinct.symbols[s]] = "},
    {"FusedSymbolGain40", kSymbols, "context.columns[at] * normalised[at]", "context.columns[at]"},
    // The other cells, by the textbook and fused.
    {"ReferenceGruGoesOn63", kRecurrentReference, "dh_carry[k] = z * dh_now", "dh_carry[k] = dh_now"},
    {"ReferenceGruCandidate64", kRecurrentReference, "dh_now * (T(1) - z) * (T(1) - n * n)", "dh_now * (T(1) - n * n)"},
    {"ReferenceGruUpdate65", kRecurrentReference, "dh_now * (h_prev[k] - n)", "dh_now * (h_now[k] - n)"},
    {"ReferenceGruReset66", kRecurrentReference, "du_n * v_n * r * (T(1) - r)", "du_n * r * (T(1) - r)"},
    {"ReferenceGruApart67", kRecurrentReference, "dv[2 * Hp + k] = du_n * r", "dv[2 * Hp + k] = du_n"},
    {"ReferenceGruBias70", kRecurrentReference, "bias_hh[k] += dv[", "bias_hh[k] += du["},
    {"ReferenceTanhSlope75", kRecurrentReference, "T(1) - h * h", "T(1) - h"},
    {"ReferenceReluSlope75", kRecurrentReference, "h <= T(0) ? T(0) : T(1)", "T(1)"},
    {"ReferencePlainCarry74", kRecurrentReference, "dh_carry[k] = T(0)", "dh_carry[k] = dh_now"},
    {"FusedGruGoesOn63", kRecurrentFused, "hn::Store(dh_z, d, row.dh + u)", "hn::Store(dh, d, row.dh + u)"},
    {"FusedGruLaterLost63", kRecurrentFused, "gemm_part(product, {0, count}, vectors, strips);\n}", "}"},
    {"FusedGruCandidate64", kRecurrentFused, "hn::Mul(hn::Mul(dh, one_z), hn::NegMulAdd(n, n, one))",
     "hn::Mul(dh, hn::NegMulAdd(n, n, one))"},
    {"FusedGruUpdate65", kRecurrentFused, "hn::Sub(hn::Load(d, row.h_prev + u), n)", "hn::Load(d, row.h_prev + u)"},
    {"FusedGruReset66", kRecurrentFused, "hn::Mul(hn::Mul(dv_n, hn::Load(d, kept + 3 * Hp)), hn::Sub(one, r))",
     "hn::Mul(dv_n, hn::Load(d, kept + 3 * Hp))"},
    {"FusedGruApart67", kRecurrentFused, "const V dv_n = hn::Mul(du_n, r);", "const V dv_n = du_n;"},
    {"FusedGruWeights69", kRecurrentFused, "of_n(3, w_hh)", "of_n(2, w_hh)"},
    {"FusedGruBias70", kRecurrentFused, "(gate == 2 ? 3 : gate) * Hp + k % H", "gate * Hp + k % H"},
    {"FusedTanhSlope75", kRecurrentFused, "hn::Mul(dh, hn::NegMulAdd(h, h, hn::Set(d, 1.0F)))",
     "hn::Mul(dh, hn::Sub(hn::Set(d, 1.0F), h))"},
    {"FusedReluSlope75", kRecurrentFused, "hn::IfThenZeroElse(hn::Le(h, hn::Zero(d)), dh)", "dh"},
    {"FusedFirstState76", kRecurrentFused, "if (steps.begin == 0 && args.dh_last != nullptr)", "if (false)"},
    // The stack around them, on which fused and reference both stand.
    {"StackWeightDrop35", kStack, "d.weight_mask[i] * d.d_dropped_w_hh[i]", "d.d_dropped_w_hh[i]"},
    {"StackResidual42", kStackLanes, "dx[i] += layer.dy[i];", "dx[i] -= layer.dy[i];"},
    {"StackInitialState43", kStack, "gradients[d.offsets.c_0 + k] += ", "gradients[d.offsets.c_0 + k] -= "},
    {"StackReverseInput", kStackCells, ".add_to_dx = d.reverse", ".add_to_dx = false"},
    {"StackDropoutBetween44", kStackLanes, "if (dx != nullptr && drops(layer)) {", "if (false) {"},
    {"StackDropoutOutput44", kStack, "if (drops_output()) {", "if (false) {"},
    // Its penalties, and those of the tape.
    {"StackPenaltyFactor49and50", kStack, "T(2) * gradient.penalty_scale", "gradient.penalty_scale"},
    {"StackPenaltyWidth49and50", kStack, "gradient.penalty_scale / static_cast<T>(width)",
     "gradient.penalty_scale / static_cast<T>(stride)"},
    {"StackActivationFactor49", kStack, "d[j] += alpha * y[j];", "d[j] += T(2) * alpha * y[j];"},
    {"StackActivationLost49", kStack, "d[j] += alpha * y[j];", "d[j] += T(0);"},
    {"StackActivationAfterMask49", kStack, "T* y = final_output_ + (t * B + b) * stride;\n      for",
     "T* y = raw_output_ + (t * B + b) * stride;\n      for"},
    {"StackTemporalLater50", kStack, "d[j] += change;", "d[j] -= change;"},
    {"StackTemporalEarlier50", kStack, "d[j - B * stride] -= change;", "d[j - B * stride] += change;"},
    {"StackTemporalEarlierLost50", kStack, "d[j - B * stride] -= change;", ""},
    {"StackTemporalFirstPair50", kStack, "for (int64_t t = 1; t < length; ++t)",
     "for (int64_t t = 2; t < length; ++t)"},
    {"StackTemporalPastEnd50", kStack, "for (int64_t t = 1; t < length; ++t)",
     "for (int64_t t = 1; t < input.steps; ++t)"},
    {"StackTemporalBeforeMask50", kStack, "T* y = raw_output_ +", "T* y = final_output_ +"},
    {"StackPenaltyValue49", kStack, "squares += static_cast<double>(y[j] * y[j])",
     "squares += static_cast<double>(raw[j] * raw[j])"},
    {"StackPenaltyValue50", kStack, "t > 0 ? raw[j] - raw[j - B * stride]", "t > 0 ? y[j] - y[j - B * stride]"},
    {"TapeActivationBeforeMask49", kStackTape, "seed_square(r.y[at], alpha)", "seed_square(r.raw[at], alpha)"},
    {"TapeTemporalAfterMask50", kStackTape, "subtract(r.raw[at], r.raw[at - 1])", "subtract(r.y[at], r.y[at - 1])"},
    {"TapeTemporalScale50", kStackTape, "static_cast<T>(options().lstm.temporal_reg) / static_cast<T>(width)",
     "static_cast<T>(options().lstm.temporal_reg)"},
    {"TapePenaltyPastEnd49and50", kStackTape, "t < input.lengths[b] ? T(1) : T(0)", "t < input.steps ? T(1) : T(0)"},
};

class Mutation : public ::testing::TestWithParam<Mutant> {};

TEST_P(Mutation, IsFoundByTheSelfTest) {
  const Mutant& mutant = GetParam();
  const testing::TemporaryFolder folder;
  std::string source = io::read_file(std::string(LONGHAND_SOURCE_DIR "/") + mutant.file);
  const std::string from = mutant.from, to = mutant.to;
  size_t found = 0;
  for (size_t at = source.find(from); at != std::string::npos; at = source.find(from, at + to.size())) {
    source.replace(at, from.size(), to);
    ++found;
  }
  ASSERT_GT(found, 0U) << "the term to change is no longer in " << mutant.file;
  const std::filesystem::path copy = std::filesystem::path(folder.string()) / mutant.file;
  std::filesystem::create_directories(copy.parent_path());
  io::write_file(copy.string(), source);

  // Sources that contain what was changed, and all that they define: the library's own are then never taken.
  const bool header = copy.extension() == ".h";
  const std::string users = copy.string().ends_with("-inl.h") ? kFused : header ? kStackCells : mutant.file;
  const std::string unit = header ? LONGHAND_SOURCE_DIR "/" + users : copy.string();
  const std::string program = folder / "mutant";
  const std::string command =
      std::string(LONGHAND_COMPILER " -std=c++20 -O0 -w " LONGHAND_CXX_FLAGS " -I") + folder.string() +
      " -I" LONGHAND_SOURCE_DIR " " + LONGHAND_KERNEL_DEFINITIONS + " " + unit + " " LONGHAND_MUTANT_MAIN " -o " +
      program + " " LONGHAND_LAB_LIBRARY " " LONGHAND_LIBRARY " -lhwy -lfmt -lutf8proc -ltomlplusplus -lpthread";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const int status = std::system(program.c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), from == to ? 0 : 3);
}

// Some of them, and the right source, in every run of the tests; all of them in the thorough one.
std::vector<Mutant> sample() {
  std::vector<Mutant> out;
  for (size_t i = 0; i < std::size(kMutants); i += 7) out.push_back(kMutants[i]);
  return out;
}
const auto kName = [](const auto& test) { return std::string(test.param.name); };
INSTANTIATE_TEST_SUITE_P(Sample, Mutation, ::testing::ValuesIn(sample()), kName);
INSTANTIATE_TEST_SUITE_P(Thorough, Mutation, ::testing::ValuesIn(kMutants), kName);

}  // namespace
}  // namespace longhand::lab
