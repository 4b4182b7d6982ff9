#include "longhand/runs/classifier_findings.h"

#include <algorithm>
#include <numeric>

#include "longhand/io/page_text.h"

namespace longhand::runs {
namespace {

constexpr size_t kLongestWrongText = 400;

// Which classes have rows of their own: all, or the most frequent.
std::vector<bool> shown_classes(const tasks::ClassScore& score, size_t max) {
  const size_t K = score.counts.size();
  std::vector<bool> out(K, K <= max);
  if (K <= max) return out;
  std::vector<size_t> order(K);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return score.counts[a].gold > score.counts[b].gold; });
  for (size_t i = 0; i + 1 < max; ++i) out[order[i]] = true;  // one is left for all others
  return out;
}

}  // namespace

ConfusionMatrix confusion_matrix(const tasks::ClassScore& score, const std::vector<std::string>& names, size_t max) {
  ConfusionMatrix out;
  const std::vector<bool> shown = shown_classes(score, max);
  std::vector<size_t> place(names.size());
  for (size_t k = 0; k < names.size(); ++k) {
    if (!shown[k]) continue;
    place[k] = out.columns.size();
    out.columns.push_back(names[k]);
  }
  for (size_t k = 0; k < names.size(); ++k) {
    if (shown[k]) continue;
    place[k] = out.columns.size();
    ++out.merged;
  }
  if (out.merged > 0) out.columns.push_back("(" + std::to_string(out.merged) + " other classes)");
  out.rows = out.columns;
  const size_t C = out.columns.size();
  if (score.unseen > 0) out.rows.emplace_back("(not in the model)");
  out.counts.assign(out.rows.size() * C, 0);
  for (size_t k = 0; k < names.size() && score.unseen > 0; ++k) out.counts[C * C + place[k]] += score.counts[k].found;
  for (const auto& [pair, count] : score.confusion) {
    const size_t row = place[static_cast<size_t>(pair.first)], column = place[static_cast<size_t>(pair.second)];
    out.counts[row * C + column] += count;
    if (score.unseen > 0) out.counts[C * C + column] -= count;
  }
  return out;
}

void ClassExaminer::add(int64_t text, std::span<const double> probabilities) {
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  const int64_t predicted = best - probabilities.begin(), gold = corpus_.class_of(text);
  if (predicted == gold) return;
  worst_.insert({*best, text, predicted, gold < 0 ? 0.0 : probabilities[static_cast<size_t>(gold)]});
  if (worst_.size() > kWorst) worst_.erase(std::prev(worst_.end()));
}

ClassFindings ClassExaminer::findings(const tasks::ClassScore& score) const {
  ClassFindings out{.texts = score.texts,
                    .wrong = score.texts,
                    .confusion = confusion_matrix(score, model_.classes(), kMostClasses),
                    .classes = {},
                    .most_confident = {}};
  const std::vector<bool> shown = shown_classes(score, kMostClasses);
  for (size_t k = 0; k < score.counts.size(); ++k) {
    out.wrong -= score.counts[k].right;
    const auto index = static_cast<int64_t>(k);
    if (!shown[k] || score.counts[k].gold + score.counts[k].found == 0) continue;
    out.classes.push_back({.name = model_.classes()[k],
                           .texts = score.counts[k].gold,
                           .precision = score.precision(index),
                           .recall = score.recall(index),
                           .f1 = score.f1(index)});
  }
  for (const Wrong& wrong : worst_) {
    const data::LabelledText& example = corpus_.example(wrong.text);
    out.most_confident.push_back({.text = io::shortened(example.text, kLongestWrongText),
                                  .line = example.line,
                                  .gold = example.label,
                                  .predicted = model_.classes()[static_cast<size_t>(wrong.predicted)],
                                  .probability = wrong.probability,
                                  .gold_probability = wrong.gold_probability});
  }
  return out;
}

}  // namespace longhand::runs
