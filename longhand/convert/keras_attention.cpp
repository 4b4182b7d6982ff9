// Keras's layers of attention, of steps that are there as a whole.
#include <fmt/core.h>

#include <cmath>

#include "longhand/base/utf8.h"
#include "longhand/convert/json_tools.h"
#include "longhand/convert/keras_site.h"

namespace longhand::convert {
namespace {

// Scores [B, Tq, Tv] without what the masks of values and of the order leave out: 1e9 is taken from them.
std::string masked_scores(const KerasSite& site, std::string scores, const KerasValue& q, const KerasValue& v,
                          const graph::Dims& per_head) {
  if (!v.mask.empty()) {
    const std::string none = site.part("Not", "padding", {v.mask});
    const std::string number = site.part("Cast", "padding_number", {none}, {{"to", "float"}});
    std::vector<int64_t> axes = {1};
    if (!per_head.empty()) axes.push_back(2);
    const std::string row = site.part("Unsqueeze", "padding_row", {number, site.whole("axes_padding", axes)});
    const std::string much = site.part("Mul", "padding_cost", {row, site.numbers("much", {1}, {1e9F})});
    scores = site.part("Sub", "kept", {scores, much});
  }
  if (!site.is_on("use_causal_mask") && !site.flag("causal", false)) return scores;
  site.expect_steps(q);
  site.expect_steps(v);
  const std::string later = site.builder.made_array(
      "later", q.dims[0], v.dims[0], [](int64_t row, int64_t column) { return row >= column ? 0.0F : 1e9F; });
  return site.part("Sub", "causal", {scores, later});
}

// Queries, values and keys [B, T, C].
struct Attended {
  KerasValue q, v, k;
};

Attended read_inputs(const KerasSite& site) {
  KerasValues all = site.inputs();
  for (const char* key : {"query", "value", "key"}) {
    for (KerasValue& each : site.take_named(key)) all.push_back(std::move(each));
  }
  if (all.size() < 2 || all.size() > 3) site.fail("expected a query, a value and perhaps a key");
  Attended out{.q = all[0], .v = all[1], .k = all.size() == 3 ? all[2] : all[1]};
  for (const KerasValue& each : all) {
    if (each.dims.size() != 2 || each.is_symbols) site.fail("expected sequences of numbers");
  }
  return out;
}

// softmax(scores) v; where the query's mask leaves a step out, zeros.
KerasValue attended(const KerasSite& site, const Attended& in, const std::string& scores) {
  const std::string kept = masked_scores(site, scores, in.q, in.v, {});
  const std::string shares = site.part("Softmax", "shares", {kept}, {{"axis", int64_t{-1}}});
  KerasValue out = in.q;
  out.dims = {in.q.dims[0], in.v.width()};
  out.name = site.add("MatMul", {shares, in.v.name});
  if (in.q.mask.empty()) return out;
  const std::string number = site.part("Cast", "query_mask", {in.q.mask}, {{"to", "float"}});
  const std::string column = site.part("Unsqueeze", "query_column", {number, site.whole("axes_query", {2})});
  out.name = site.part("Mul", "there", {out.name, column});
  return out;
}

KerasValues add_attention(const KerasSite& site) {
  const Attended in = read_inputs(site);
  if (site.text("score_mode", "dot") != "dot") site.fail("expected the score_mode dot");
  if (site.is_on("return_attention_scores")) site.fail("expected its scores not to be outputs");
  if (in.q.width() != in.k.width()) site.fail("expected queries and keys of one size");
  const KerasArrays& arrays = site.take(0, 1);
  const std::string turned = site.part("Transpose", "keys", {in.k.name}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  std::string scores = site.part("MatMul", "scores", {in.q.name, turned});
  if (!arrays.empty()) {
    if (arrays[0].second.floats.size() != 1) site.fail("expected one scale", "the file is damaged");
    scores = site.part("Mul", "scaled", {scores, site.numbers("scale", {1}, arrays[0].second.floats)});
  }
  return {attended(site, in, scores)};
}

// scores = sum over C of scale * tanh(q + k)
KerasValues add_additive(const KerasSite& site) {
  const Attended in = read_inputs(site);
  if (site.is_on("return_attention_scores")) site.fail("expected its scores not to be outputs");
  if (in.q.width() != in.k.width()) site.fail("expected queries and keys of one size");
  const KerasArrays& arrays = site.take(0, 1);
  const std::string q = site.part("Unsqueeze", "queries", {in.q.name, site.whole("axes_q", {2})});
  const std::string k = site.part("Unsqueeze", "keys", {in.k.name, site.whole("axes_k", {1})});
  std::string pairs = site.part("Tanh", "tanh", {site.part("Add", "pairs", {q, k})});
  if (!arrays.empty()) {
    if (static_cast<int64_t>(arrays[0].second.floats.size()) != in.q.width())
      site.fail("expected a scale for each number");
    pairs = site.part("Mul", "scaled", {pairs, site.numbers("scale", {in.q.width()}, arrays[0].second.floats)});
  }
  const std::string scores =
      site.part("ReduceSum", "scores", {pairs, site.whole("axes_c", {-1})}, {{"keepdims", int64_t{0}}});
  return {attended(site, in, scores)};
}

// A projection [C, N, D] (and a bias [N, D]) to [B, N, T, D].
std::string heads_of(const KerasSite& site, const KerasValue& x, const graph::Array& kernel, const graph::Array* bias,
                     const std::string& called) {
  if (kernel.dims.size() != 3 || kernel.dims[0] != x.width())
    site.fail("expected kernels [C, heads, size]", "it is damaged");
  const int64_t N = kernel.dims[1], D = kernel.dims[2];
  graph::Array flat = kernel;
  flat.dims = {x.width(), N * D};
  NetworkBuilder::Weights weights = {{"weight", transposed(flat)}};
  if (bias != nullptr) weights["bias"] = graph::array({N * D}, bias->floats);
  const std::string all = site.part("linear", called, {x.name}, {}, std::move(weights));
  const std::string apart = site.part("reshape", called + "_heads", {all}, {{"shape", std::vector<int64_t>{N, D}}});
  return site.part("Transpose", called + "_turned", {apart}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
}

// Vaswani et al. 2017, with queries scaled by 1 / sqrt(D).
KerasValues add_multi_head(const KerasSite& site) {
  const Attended in = read_inputs(site);
  if (site.is_on("return_attention_scores")) site.fail("expected its scores not to be outputs");
  if (!in.q.mask.empty() || !in.v.mask.empty() || !in.k.mask.empty()) site.fail("expected inputs without masks");
  if (!site.list("attention_axes").empty() && site.list("attention_axes") != std::vector<int64_t>{1}) {
    site.fail("expected attention over the steps");
  }
  const bool biased = site.flag("use_bias", true);
  const size_t each = biased ? 2 : 1;
  const KerasArrays& arrays = site.take(4 * each, 4 * each);
  const auto kernel = [&](size_t i) -> const graph::Array& { return arrays[i * each].second; };
  const auto bias = [&](size_t i) { return biased ? &arrays[i * each + 1].second : nullptr; };
  const std::string q = heads_of(site, in.q, kernel(0), bias(0), "query"),
                    k = heads_of(site, in.k, kernel(1), bias(1), "key"),
                    v = heads_of(site, in.v, kernel(2), bias(2), "value");
  const int64_t N = kernel(0).dims[1], D = kernel(0).dims[2], Dv = kernel(2).dims[2];
  const std::string turned = site.part("Transpose", "keys", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const float scale = 1.0F / std::sqrt(static_cast<float>(D));
  const std::string scaled = site.part("Mul", "scaled", {q, site.numbers("scale", {1}, {scale})});
  const std::string scores = site.part("MatMul", "scores", {scaled, turned});
  const std::string kept = masked_scores(site, scores, in.q, in.v, {N});
  const std::string shares = site.part("Softmax", "shares", {kept}, {{"axis", int64_t{-1}}});
  const std::string mixed = site.part("MatMul", "mixed", {shares, v});
  const std::string back = site.part("Transpose", "steps", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  const graph::Array& last = kernel(3);
  if (last.dims.size() != 3 || last.dims[0] != N || last.dims[1] != Dv) {
    site.fail("expected a kernel [heads, size, C]", "it is damaged");
  }
  graph::Array flat = last;
  flat.dims = {N * Dv, last.dims[2]};
  NetworkBuilder::Weights weights = {{"weight", transposed(flat)}};
  if (biased) weights["bias"] = graph::array({last.dims[2]}, bias(3)->floats);
  KerasValue out = in.q;
  out.name = site.add("linear", {site.part("flatten", "together", {back})}, {}, std::move(weights));
  out.dims.back() = last.dims[2];
  return {out};
}

}  // namespace

KerasFunction find_attention_layer(const std::string& type) {
  if (type == "Attention") return add_attention;
  if (type == "AdditiveAttention") return add_additive;
  return type == "MultiHeadAttention" ? add_multi_head : nullptr;
}

}  // namespace longhand::convert
