#include "longhand/baselines/linear_crf.h"

#include <algorithm>
#include <cmath>

#include "longhand/baselines/word_features.h"

namespace longhand::baselines {

void LinearCrf::allow_steps() {
  const int64_t columns = K() + 1;
  allowed_.assign(static_cast<size_t>(columns * columns), 1);
  const auto name = [&](int64_t k) { return k < K() ? std::string_view(labels_[static_cast<size_t>(k)]) : ""; };
  for (int64_t from = 0; from <= K(); ++from) {
    for (int64_t to = 0; to <= K(); ++to) {
      allowed_[static_cast<size_t>(from * columns + to)] =
          data::may_follow(name(from), name(to), data::Scheme::kIob2) ? 1 : 0;
    }
  }
}

nn::CrfLayer<double> LinearCrf::chain(const double* weights) const {
  const double* transitions = weights + label_of_.size();
  return {.labels = K(),
          .transitions = transitions,
          .start = transitions + K() * K(),
          .end = transitions + K() * K() + K(),
          .allowed = allowed_.data()};
}

std::vector<std::vector<int32_t>> LinearCrf::features_of(const std::vector<std::string>& words) const {
  std::vector<std::vector<int32_t>> out(words.size());
  for_each_word_feature(words, [&](size_t t, std::string_view feature) {
    if (const auto at = index_.find(feature); at != index_.end()) out[t].push_back(at->second);
  });
  return out;
}

void LinearCrf::add_scores(std::span<const int32_t> features, const double* weights, double* scores) const {
  for (const int32_t f : features) {
    for (int32_t i = begin_[static_cast<size_t>(f)]; i < begin_[static_cast<size_t>(f) + 1]; ++i) {
      scores[label_of_[static_cast<size_t>(i)]] += weights[i];
    }
  }
}

std::vector<std::string> LinearCrf::tag(const std::vector<std::string>& words) const {
  if (words.empty()) return {};
  const std::vector<std::vector<int32_t>> features = features_of(words);
  std::vector<double> scores(words.size() * labels_.size(), 0.0);
  for (size_t t = 0; t < words.size(); ++t) {
    add_scores(features[t], weights_.data(), scores.data() + t * labels_.size());
  }
  const nn::CrfInput<double> input{
      .steps = static_cast<int64_t>(words.size()), .batch = 1, .scores = scores.data(), .stride = K()};
  const std::vector<nn::LabelPath> best = nn::crf_best_paths(chain(weights_.data()), input, 0, 1);
  if (best.empty()) throw input_error("baseline: the weights of the CRF leave no tags", "remove its file");
  std::vector<std::string> tags;
  for (const int32_t label : best.front().labels) tags.push_back(labels_[static_cast<size_t>(label)]);
  return data::chunk_tags(data::chunks(tags), static_cast<int64_t>(tags.size()), scheme_);
}

void LinearCrf::write(BaselineWriter& out) const {
  out.add("scheme", data::scheme_name(scheme_));
  out.add("sentences", std::to_string(sentences_));
  out.add_texts("labels", labels_);
  std::vector<std::string> names(index_.size());
  for (const auto& [name, f] : index_) names[static_cast<size_t>(f)] = name;
  out.add_texts("features", names);
  out.add_numbers("begin", begin_);
  out.add_numbers("label_of", label_of_);
  out.add_numbers("weights", weights_);
}

LinearCrf LinearCrf::read(const BaselineFile& file) {
  LinearCrf out;
  const std::vector<std::string> schemes = data::scheme_names();
  const std::string& scheme = file.text("scheme");
  file.expect(std::find(schemes.begin(), schemes.end(), scheme) != schemes.end(), "a tagging scheme");
  out.scheme_ = data::parse_scheme(scheme);
  file.expect(out.scheme_ != data::Scheme::kNone, "a tagging scheme of chunks");
  out.sentences_ = file.number("sentences", 1, int64_t{1} << 50);
  out.labels_ = file.texts("labels");
  constexpr size_t kMostLabels = 10'000;
  file.expect(!out.labels_.empty() && out.labels_.size() <= kMostLabels && out.labels_.front() == "O", "labels");
  for (const std::string& label : out.labels_) {
    const bool good = label == "O" || ((label[0] == 'B' || label[0] == 'I') && (label.size() == 1 || label[1] == '-'));
    file.expect(!label.empty() && good, "labels in the scheme IOB2");
  }
  for (const std::string& name : file.texts("features")) {
    const bool is_new = out.index_.emplace(name, static_cast<int32_t>(out.index_.size())).second;
    file.expect(is_new, "different texts in 'features'");
  }
  out.begin_ = file.numbers<int32_t>("begin", out.index_.size() + 1);
  out.label_of_ = file.numbers<int32_t>("label_of");
  file.expect(out.begin_.front() == 0 && static_cast<size_t>(out.begin_.back()) == out.label_of_.size() &&
                  std::is_sorted(out.begin_.begin(), out.begin_.end()),
              "the weights of each feature");
  for (const int32_t label : out.label_of_) file.expect(label >= 0 && label < out.K(), "known labels in 'label_of'");
  const size_t labels = out.labels_.size();
  out.weights_ = file.numbers<double>("weights", out.label_of_.size() + labels * labels + 2 * labels);
  constexpr double kLargest = 1e100;  // sums of which stay finite
  for (const double weight : out.weights_) file.expect(std::abs(weight) < kLargest, "weights of a moderate size");
  out.allow_steps();
  return out;
}

}  // namespace longhand::baselines
