// The logistic regression of a classifier (option `linear-share`) in the classifier's model file.
#pragma once

#include <vector>

#include "longhand/baselines/linear_classifier.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// Number of arrays of the logistic regression in the file.
inline constexpr size_t kLinearArrays = 2;

/// The entry `linear` of the file's vocabulary: options and features of the regression.
nlohmann::json to_json(const baselines::LinearClassifier::Parts& parts);
/// The arrays `linear.idf` [F] and `linear.weights` [K (F + 1)], for F features and K classes. They are views of
/// `parts`, which must outlive them.
std::vector<io::TensorToWrite> arrays_of(const baselines::LinearClassifier::Parts& parts);
/// Reads the logistic regression. Throws an input error if the file has none, or if its sizes or numbers are wrong.
baselines::LinearClassifier read_linear_part(const ModelFile& file);

}  // namespace longhand::tasks
