// The vocabularies of models that read words, in their files.
#pragma once

#include "longhand/data/words.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// An object with the lists `words`, `shapes` and `characters`.
nlohmann::json to_json(const data::WordVocabulary& vocabulary);
/// Throws an input error where the file has no such lists.
data::WordVocabulary read_word_vocabulary(const ModelFile& file);

}  // namespace longhand::tasks
