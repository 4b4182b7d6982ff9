#include "longhand/tasks/linear_part.h"

namespace longhand::tasks {
namespace {

constexpr const char* kIdf = "linear.idf";
constexpr const char* kWeights = "linear.weights";

int64_t weight_count(size_t classes, size_t features) { return static_cast<int64_t>(classes * (features + 1)); }

}  // namespace

nlohmann::json to_json(const baselines::LinearClassifier::Parts& parts) {
  return {{"pairs", parts.options.pairs},
          {"bayes", parts.options.bayes},
          {"C", parts.options.C},
          {"features", parts.features}};
}

std::vector<io::TensorToWrite> arrays_of(const baselines::LinearClassifier::Parts& parts) {
  const auto F = static_cast<int64_t>(parts.idf.size());
  return {{kIdf, std::vector<int64_t>{F}, parts.idf},
          {kWeights, std::vector<int64_t>{static_cast<int64_t>(parts.weights.size())}, parts.weights}};
}

baselines::LinearClassifier read_linear_part(const ModelFile& file) {
  const auto damaged = [&](const std::string& expected) {
    return input_error(file.path() + ": logistic regression: expected " + expected,
                       "the file is damaged; use an intact copy");
  };
  baselines::LinearClassifier::Parts parts;
  const size_t classes = file.texts("classes").size();
  try {
    const nlohmann::json& linear = file.vocabulary().at("linear");
    parts.options = {.pairs = linear.at("pairs").get<bool>(),
                     .C = linear.at("C").get<double>(),
                     .bayes = linear.at("bayes").get<bool>()};
    parts.features = linear.at("features").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw damaged("'linear' with pairs, bayes, C and features");
  }
  parts.classes = static_cast<int64_t>(classes);
  parts.idf = file.floats(kIdf, {static_cast<int64_t>(parts.features.size())});
  parts.weights = file.floats(kWeights, {weight_count(classes, parts.features.size())});
  const std::string flaw = baselines::LinearClassifier::flaw(parts);
  if (!flaw.empty()) throw damaged(flaw);
  return baselines::LinearClassifier(std::move(parts));
}

}  // namespace longhand::tasks
