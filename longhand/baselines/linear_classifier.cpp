#include "longhand/baselines/linear_classifier.h"

#include <linear.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "longhand/baselines/even_part.h"

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

// Each class is solved for, and has weights, of its own; of two classes, one.
int64_t solved_classes(int64_t classes) { return classes == 2 ? 1 : classes; }

int64_t count_words(std::span<const data::Words* const> texts) {
  int64_t words = 0;
  for (const data::Words* text : texts) words += static_cast<int64_t>(text->size());
  return words;
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

// For the features that are known, (1 + log tf) idf, of length 1; or 1, which their ratios then weigh.
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
  if (options_.bayes) {
    for (auto& item : out) item.second = 1.0;
    return out;
  }
  double squares = 0.0;
  for (auto& [feature, value] : out) {
    value = (1.0 + std::log(value)) * static_cast<double>(idf_[static_cast<size_t>(feature)]);
    squares += value * value;
  }
  for (auto& [feature, value] : out) value /= std::sqrt(squares);
  return out;
}

// The logarithm of the ratio of each feature's share among the features of class k to that among the others'. A feature
// is counted once in a text, and once more everywhere.
std::vector<double> LinearClassifier::ratios(std::span<const Vector> texts, std::span<const int32_t> of_texts,
                                             int64_t k) const {
  std::vector<double> own(idf_.size(), 1.0), other(idf_.size(), 1.0);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (const auto& item : texts[i]) (of_texts[i] == k ? own : other)[static_cast<size_t>(item.first)] += 1.0;
  }
  const double all_own = std::accumulate(own.begin(), own.end(), 0.0);
  const double all_other = std::accumulate(other.begin(), other.end(), 0.0);
  for (size_t f = 0; f < own.size(); ++f) own[f] = std::log(own[f] / all_own) - std::log(other[f] / all_other);
  return own;
}

LinearClassifier LinearClassifier::fit(std::span<const data::Words* const> texts, std::span<const int32_t> of_texts,
                                       int64_t classes, const LinearClassifierOptions& options) {
  LONGHAND_CHECK(texts.size() == of_texts.size() && classes >= 2);
  LinearClassifier out;
  out.options_ = options;
  out.classes_ = classes;
  out.count(texts);
  const auto F = static_cast<size_t>(out.features());
  std::vector<Vector> vectors;
  std::vector<feature_node> nodes;
  std::vector<size_t> begins;
  for (const data::Words* text : texts) {
    vectors.push_back(out.vector_of(*text));
    begins.push_back(nodes.size());
    for (const auto& [feature, value] : vectors.back()) nodes.push_back({feature + 1, value});
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
    std::vector<double> scales(F + 1, 1.0);
    if (options.bayes) {
      const std::vector<double> ratios = out.ratios(vectors, of_texts, k);
      std::copy(ratios.begin(), ratios.end(), scales.begin());
      for (feature_node& node : nodes) {
        if (node.index > 0) node.value = scales[static_cast<size_t>(node.index - 1)];
      }
    }
    const std::vector<double> w = fit_binary(rows, signs, static_cast<int>(F) + 1, options.C);
    for (size_t f = 0; f <= F; ++f) row[f] = static_cast<float>(w[f] * scales[f]);
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

LinearClassifier::Parts LinearClassifier::parts() const {
  Parts out{.options = options_, .classes = classes_, .features = {}, .idf = idf_, .weights = weights_};
  out.features.resize(idf_.size());
  for (const auto& [name, f] : index_) out.features[static_cast<size_t>(f)] = name;
  return out;
}

std::string LinearClassifier::flaw(const Parts& parts) {
  const size_t F = parts.features.size();
  const auto positive = [](float x) { return std::isfinite(x) && x > 0.0F; };
  const auto finite = [](float x) { return std::isfinite(x); };
  if (!std::isfinite(parts.options.C) || parts.options.C <= 0.0) return "a 'C' above 0";
  if (parts.idf.size() != F || !std::all_of(parts.idf.begin(), parts.idf.end(), positive)) {
    return "a positive number in 'idf' for each feature";
  }
  const bool sound = parts.classes >= 2 && parts.weights.size() % (F + 1) == 0 &&
                     static_cast<int64_t>(parts.weights.size() / (F + 1)) == parts.classes;
  if (!sound || !std::all_of(parts.weights.begin(), parts.weights.end(), finite)) {
    return "a weight for each feature and class";
  }
  const std::unordered_set<std::string_view> different(parts.features.begin(), parts.features.end());
  return different.size() == F ? "" : "different texts in 'features'";
}

LinearClassifier::LinearClassifier(Parts parts)
    : options_(parts.options), classes_(parts.classes), idf_(std::move(parts.idf)), weights_(std::move(parts.weights)) {
  for (std::string& name : parts.features) index_.emplace(std::move(name), static_cast<int32_t>(index_.size()));
}

void LinearClassifier::write(BaselineWriter& out) const {
  const Parts all = parts();
  out.add("pairs", all.options.pairs ? "1" : "0");
  out.add("bayes", all.options.bayes ? "1" : "0");
  out.add("C", shortest(all.options.C));
  out.add("classes", std::to_string(all.classes));
  out.add_texts("features", all.features);
  out.add_numbers("idf", all.idf);
  out.add_numbers("weights", all.weights);
}

LinearClassifier LinearClassifier::read(const BaselineFile& file) {
  Parts parts;
  parts.options.pairs = file.number("pairs", 0, 1) == 1;
  parts.options.bayes = file.number("bayes", 0, 1) == 1;
  parts.options.C = std::strtod(file.text("C").c_str(), nullptr);
  parts.classes = file.number("classes", 2, int64_t{1} << 31);
  parts.features = file.texts("features");
  parts.idf = file.numbers<float>("idf");
  parts.weights = file.numbers<float>("weights");
  const std::string wrong = flaw(parts);
  file.expect(wrong.empty(), wrong);
  return LinearClassifier(std::move(parts));
}

std::vector<size_t> classifier_texts(std::span<const data::Words* const> texts, int64_t classes, int64_t max_words) {
  const int64_t words = count_words(texts), most = std::min(max_words, kMostClassifierWork / solved_classes(classes));
  return even_part(texts.size(), static_cast<double>(words), static_cast<double>(most));
}

ChosenLinearClassifier choose_linear_classifier(std::span<const data::Words* const> texts,
                                                std::span<const int32_t> of_texts, int64_t classes, int64_t max_words) {
  std::vector<const data::Words*> used;
  std::vector<int32_t> labels;
  for (const size_t i : classifier_texts(texts, classes, max_words)) {
    used.push_back(texts[i]);
    labels.push_back(of_texts[i]);
  }
  const int64_t solved = solved_classes(classes), words = count_words(used);

  // Five-fold cross-validation; one fold of a large set says enough.
  constexpr size_t kFolds = 5;
  constexpr int64_t kManyWords = 500'000;
  const size_t tried = words * solved > kManyWords ? 1 : kFolds;
  std::vector<LinearClassifierOptions> choices;
  for (const bool pairs : {false, true}) {
    for (const double C : {1.0, 4.0, 16.0, 64.0}) choices.push_back({.pairs = pairs, .C = C, .bayes = false});
  }
  for (const double C : {0.03, 0.1, 0.3, 1.0}) choices.push_back({.pairs = true, .C = C, .bayes = true});
  LinearClassifierOptions best;
  int64_t best_right = -1;
  double best_loss = 0.0;
  for (const LinearClassifierOptions& choice : choices) {
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
      loss += log_loss(LinearClassifier::fit(in, of_in, classes, choice), out, of_out, right);
    }
    if (right < best_right || (right == best_right && loss >= best_loss)) continue;
    best = choice;
    best_right = right;
    best_loss = loss;
  }
  return {LinearClassifier::fit(used, labels, classes, best), static_cast<int64_t>(used.size())};
}

}  // namespace longhand::baselines
