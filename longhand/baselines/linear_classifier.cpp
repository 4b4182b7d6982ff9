#include "longhand/baselines/linear_classifier.h"

#include <linear.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace longhand::baselines {
namespace {

// Calls use(feature) for each word and, if wanted, each pair of neighbours of a text. Words have no blanks in them.
template <class Use>
void for_each_feature(const data::Words& text, bool pairs, const Use& use) {
  std::string pair;
  for (size_t i = 0; i < text.size(); ++i) {
    use(std::string_view(text[i]));
    if (!pairs || i + 1 == text.size()) continue;
    pair.assign(text[i]).append(1, ' ').append(text[i + 1]);
    use(std::string_view(pair));
  }
}

// What liblinear solves, for one class against the rest. Its solver 0, a trust-region Newton method, draws no random
// numbers.
std::vector<double> fit_binary(std::vector<feature_node*>& rows, std::vector<double>& signs, int features, double C) {
  problem data{};
  data.l = static_cast<int>(rows.size());
  data.n = features;
  data.y = signs.data();
  data.x = rows.data();
  data.bias = -1.0;  // it is among the features
  parameter how{};
  how.solver_type = L2R_LR;
  how.eps = 0.001;
  how.C = C;
  ::model* fitted = ::train(&data, &how);
  std::vector<double> out(fitted->w, fitted->w + features);
  // The weights are those of the label that liblinear saw first.
  if (fitted->label[0] != 1) {
    for (double& w : out) w = -w;
  }
  ::free_and_destroy_model(&fitted);
  return out;
}

double log_loss(const LinearClassifier& model, std::span<const data::Words* const> texts,
                std::span<const int32_t> of_texts, int64_t& right) {
  double sum = 0.0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<double> p = model.probabilities(*texts[i]);
    right += std::max_element(p.begin(), p.end()) - p.begin() == of_texts[i] ? 1 : 0;
    sum -= std::log(std::max(p[static_cast<size_t>(of_texts[i])], 1e-300));
  }
  return sum;
}

}  // namespace

void LinearClassifier::count(std::span<const data::Words* const> texts) {
  std::vector<int64_t> frequency, last;  // texts with the feature, and the last one that was seen
  for (size_t t = 0; t < texts.size(); ++t) {
    for_each_feature(*texts[t], options_.pairs, [&](std::string_view feature) {
      auto at = index_.find(feature);
      if (at == index_.end()) {
        at = index_.emplace(feature, static_cast<int32_t>(index_.size())).first;
        frequency.push_back(0);
        last.push_back(-1);
      }
      const auto f = static_cast<size_t>(at->second);
      if (last[f] == static_cast<int64_t>(t)) return;
      last[f] = static_cast<int64_t>(t);
      ++frequency[f];
    });
  }
  // As if there were one more text, with every feature.
  const double all = static_cast<double>(texts.size()) + 1.0;
  for (const int64_t n : frequency) {
    idf_.push_back(static_cast<float>(std::log(all / (static_cast<double>(n) + 1.0)) + 1.0));
  }
}

// (1 + log tf) idf, of length 1, for the features that are known.
LinearClassifier::Vector LinearClassifier::vector_of(const data::Words& text) const {
  Vector out;
  for_each_feature(text, options_.pairs, [&](std::string_view feature) {
    if (const auto at = index_.find(feature); at != index_.end()) out.emplace_back(at->second, 1.0);
  });
  std::sort(out.begin(), out.end());
  size_t kept = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    if (kept > 0 && out[kept - 1].first == out[i].first) {
      out[kept - 1].second += 1.0;
    } else {
      out[kept++] = out[i];
    }
  }
  out.resize(kept);
  double squares = 0.0;
  for (auto& [feature, value] : out) {
    value = (1.0 + std::log(value)) * static_cast<double>(idf_[static_cast<size_t>(feature)]);
    squares += value * value;
  }
  for (auto& [feature, value] : out) value /= std::sqrt(squares);
  return out;
}

LinearClassifier LinearClassifier::fit(std::span<const data::Words* const> texts, std::span<const int32_t> of_texts,
                                       int64_t classes, const LinearClassifierOptions& options) {
  LONGHAND_CHECK(texts.size() == of_texts.size() && classes >= 2);
  LinearClassifier out;
  out.options_ = options;
  out.classes_ = classes;
  out.count(texts);
  const auto F = static_cast<size_t>(out.features());
  std::vector<feature_node> nodes;
  std::vector<size_t> begins;
  for (const data::Words* text : texts) {
    begins.push_back(nodes.size());
    for (const auto& [feature, value] : out.vector_of(*text)) nodes.push_back({feature + 1, value});
    nodes.push_back({static_cast<int>(F) + 1, 1.0});
    nodes.push_back({-1, 0.0});
  }
  std::vector<feature_node*> rows;
  for (const size_t begin : begins) rows.push_back(nodes.data() + begin);
  ::set_print_string_function([](const char*) {});
  out.weights_.assign(static_cast<size_t>(classes) * (F + 1), 0.0F);
  std::vector<double> signs(texts.size());
  const auto fit_class = [&](int64_t k) {
    bool any = false;
    for (size_t i = 0; i < signs.size(); ++i) {
      signs[i] = of_texts[i] == k ? 1.0 : -1.0;
      any = any || of_texts[i] == k;
    }
    float* row = out.weights_.data() + static_cast<size_t>(k) * (F + 1);
    if (!any) {  // in a part of the texts
      row[F] = -20.0F;
      return;
    }
    const std::vector<double> w = fit_binary(rows, signs, static_cast<int>(F) + 1, options.C);
    std::transform(w.begin(), w.end(), row, [](double x) { return static_cast<float>(x); });
  };
  if (classes == 2) {  // the second is the rest of the first
    fit_class(0);
    for (size_t f = 0; f <= F; ++f) out.weights_[F + 1 + f] = -out.weights_[f];
    return out;
  }
  for (int64_t k = 0; k < classes; ++k) fit_class(k);
  return out;
}

std::vector<double> LinearClassifier::probabilities(const data::Words& text) const {
  const Vector x = vector_of(text);
  const auto F = static_cast<size_t>(features());
  std::vector<double> out;
  double sum = 0.0;
  for (size_t k = 0; k < static_cast<size_t>(classes_); ++k) {
    const float* row = weights_.data() + k * (F + 1);
    double score = static_cast<double>(row[F]);
    for (const auto& [feature, value] : x) score += static_cast<double>(row[static_cast<size_t>(feature)]) * value;
    out.push_back(1.0 / (1.0 + std::exp(-score)));
    sum += out.back();
  }
  for (double& p : out) p = sum > 0.0 ? p / sum : 1.0 / static_cast<double>(classes_);
  return out;
}

void LinearClassifier::write(BaselineWriter& out) const {
  out.add("pairs", options_.pairs ? "1" : "0");
  out.add("C", shortest(options_.C));
  out.add("classes", std::to_string(classes_));
  std::vector<std::string> names(idf_.size());
  for (const auto& [name, f] : index_) names[static_cast<size_t>(f)] = name;
  out.add_texts("features", names);
  out.add_numbers("idf", idf_);
  out.add_numbers("weights", weights_);
}

LinearClassifier LinearClassifier::read(const BaselineFile& file) {
  LinearClassifier out;
  out.options_.pairs = file.number("pairs", 0, 1) == 1;
  out.options_.C = std::strtod(file.text("C").c_str(), nullptr);
  file.expect(std::isfinite(out.options_.C) && out.options_.C > 0.0, "a 'C' above 0");
  const std::vector<std::string> names = file.texts("features");
  for (const std::string& name : names) {
    const bool is_new = out.index_.emplace(name, static_cast<int32_t>(out.index_.size())).second;
    file.expect(is_new, "different texts in 'features'");
  }
  out.idf_ = file.numbers<float>("idf", names.size());
  out.weights_ = file.numbers<float>("weights");
  out.classes_ = static_cast<int64_t>(out.weights_.size() / (names.size() + 1));
  file.expect(out.classes_ >= 2 && out.weights_.size() % (names.size() + 1) == 0 &&
                  file.number("classes", 2, int64_t{1} << 31) == out.classes_,
              "a weight for each feature and class");
  for (const float weight : out.idf_) file.expect(weight > 0.0F, "positive numbers in 'idf'");
  return out;
}

ChosenLinearClassifier choose_linear_classifier(std::span<const data::Words* const> texts,
                                                std::span<const int32_t> of_texts, int64_t classes, int64_t max_words) {
  // Each class is solved for, and has weights, of its own; of two classes, one.
  const int64_t solved = classes == 2 ? 1 : classes;
  max_words = std::min(max_words, kMostClassifierWork / solved);
  int64_t words = 0;
  for (const data::Words* text : texts) words += static_cast<int64_t>(text->size());
  // Files may be sorted by class, so that texts are left out evenly.
  const double share = std::min(1.0, static_cast<double>(max_words) / static_cast<double>(std::max<int64_t>(words, 1)));
  std::vector<const data::Words*> used;
  std::vector<int32_t> labels;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto due = static_cast<size_t>(std::ceil(share * static_cast<double>(i + 1)));
    if (used.size() >= due) continue;
    used.push_back(texts[i]);
    labels.push_back(of_texts[i]);
  }
  words = std::min(words, max_words);

  // Five-fold cross-validation; one fold of a large set says enough.
  constexpr size_t kFolds = 5;
  constexpr int64_t kManyWords = 500'000;
  const size_t tried = words * solved > kManyWords ? 1 : kFolds;
  LinearClassifierOptions best;
  int64_t best_right = -1;
  double best_loss = 0.0;
  for (const bool pairs : {false, true}) {
    for (const double C : {1.0, 4.0, 16.0, 64.0}) {
      int64_t right = 0;
      double loss = 0.0;
      for (size_t fold = 0; fold < tried; ++fold) {
        std::vector<const data::Words*> in, out;
        std::vector<int32_t> of_in, of_out;
        for (size_t i = 0; i < used.size(); ++i) {
          const bool left_out = i % kFolds == fold;
          (left_out ? out : in).push_back(used[i]);
          (left_out ? of_out : of_in).push_back(labels[i]);
        }
        loss += log_loss(LinearClassifier::fit(in, of_in, classes, {pairs, C}), out, of_out, right);
      }
      if (right < best_right || (right == best_right && loss >= best_loss)) continue;
      best = {pairs, C};
      best_right = right;
      best_loss = loss;
    }
  }
  return {LinearClassifier::fit(used, labels, classes, best), static_cast<int64_t>(used.size())};
}

}  // namespace longhand::baselines
