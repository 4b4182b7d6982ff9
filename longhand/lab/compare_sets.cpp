#include "longhand/lab/compare_sets.h"

#include <fmt/core.h>

#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

// One variant for each value of an option.
std::vector<Variant> values_of(const std::string& option, const std::vector<std::string>& values,
                               const std::string& before = "") {
  std::vector<Variant> out;
  for (const std::string& value : values) out.push_back({before + value, {{option, value}}});
  return out;
}

std::vector<Variant> optimizers() {
  std::vector<Variant> out;
  for (const auto& [rule, rate] : {std::pair("sgd", "1"),
                                   {"momentum", "0.1"},
                                   {"nesterov", "0.1"},
                                   {"adagrad", "0.03"},
                                   {"adadelta", "1"},
                                   {"rmsprop", "0.003"},
                                   {"adam", "0.003"},
                                   {"adamw", "0.003"},
                                   {"nadam", "0.003"},
                                   {"asgd", "1"}}) {
    out.push_back({rule, {{"optimizer", rule}, {"lr", rate}}});
  }
  return out;
}

}  // namespace

const std::vector<CompareSet>& compare_sets() {
  static const std::vector<CompareSet> kSets = {
      {.name = "engines",
       .title = "Three engines: reference, autograd, fused",
       .variants = values_of("engine", {"reference", "autograd", "fused"}),
       // Dive into Deep Learning, chapter 10.1, on The Time Machine with 256 units.
       .published = {{"d2l book, from scratch", 2782, 1.1}, {"d2l book, packaged", 5309, 1.0}}},
      {.name = "optimizers",
       .title = "Optimizers, each at its best learning rate",
       .variants = optimizers(),
       .searches_rate = true},
      {.name = "learning-rates",
       .title = "Learning rates",
       .variants = values_of("lr", {"0.0005", "0.001", "0.002", "0.005", "0.01"}, "lr ")},
      {.name = "initialisers",
       .title = "Initial weights",
       .variants = values_of("init", {"zeros", "constant", "uniform", "normal", "standard-uniform", "xavier-uniform",
                                      "xavier-normal", "he-uniform", "he-normal", "orthogonal"})},
      {.name = "depths",
       .title = "One layer, two layers, both directions",
       .variants = {{"one layer", {{"layers", "1"}, {"bidirectional", "false"}}},
                    {"two layers", {{"layers", "2"}, {"bidirectional", "false"}}},
                    {"bidirectional", {{"layers", "1"}, {"bidirectional", "true"}}}}},
      {.name = "cells", .title = "Recurrent cells", .variants = values_of("cell", {"rnn", "gru", "lstm"})},
  };
  return kSets;
}

void add_option(Variant& variant, const std::string& option, const std::string& value) {
  variant.name += (variant.name.empty() ? "" : ", ") + option + " " + visible(value);
  variant.options.emplace_back(option, value);
}

CompareSet grid_set(const std::string& path, const std::vector<io::GridAxis>& axes) {
  CompareSet set{.name = "grid", .title = "Every combination of " + path, .variants = {{}}};
  for (const io::GridAxis& axis : axes) {
    if (axis.values.size() > static_cast<size_t>(kMaxVariants) / set.variants.size()) {
      throw usage_error(fmt::format("{}: expected at most {} combinations, found more", path, kMaxVariants),
                        "draw some of them with --search random");
    }
    std::vector<Variant> product;
    for (const Variant& variant : set.variants) {
      for (const std::string& value : axis.values) {
        Variant longer = variant;
        add_option(longer, axis.option, value);
        product.push_back(std::move(longer));
      }
    }
    set.variants = std::move(product);
  }
  if (axes.empty()) set.variants = {{"as given", {}}};
  return set;
}

double ladder_rate(int rung) {
  const int power = rung >= 0 ? rung / 2 : -((1 - rung) / 2);
  // Through text, so that a rate is the one that its decimal number names.
  return std::stod((rung - 2 * power == 1 ? "3e" : "1e") + std::to_string(power));
}

int nearest_rung(double rate) { return static_cast<int>(std::lround(2.0 * std::log10(rate))); }

}  // namespace longhand::lab
