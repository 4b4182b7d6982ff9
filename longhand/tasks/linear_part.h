// The logistic regression of a classifier in its model file.
#pragma once

#include <vector>

#include "longhand/baselines/linear_classifier.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// How many arrays of the file are its.
inline constexpr size_t kLinearArrays = 2;

/// What the vocabulary says of it: its options and features.
nlohmann::json to_json(const baselines::LinearClassifier::Parts& parts);
/// `linear.idf` [F] and `linear.weights` [K (F + 1)]; the parts must outlive them.
std::vector<io::TensorToWrite> arrays_of(const baselines::LinearClassifier::Parts& parts);
/// Throws an input error where the file holds no sound one for its classes.
baselines::LinearClassifier read_linear_part(const ModelFile& file);

}  // namespace longhand::tasks
