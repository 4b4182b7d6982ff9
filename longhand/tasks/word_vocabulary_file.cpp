#include "longhand/tasks/word_vocabulary_file.h"

namespace longhand::tasks {

nlohmann::json to_json(const data::WordVocabulary& vocabulary) {
  const auto symbols = [](const data::Vocabulary& v) { return v.to_json().at("symbols"); };
  return {{"words", symbols(vocabulary.words)},
          {"shapes", symbols(vocabulary.shapes)},
          {"characters", symbols(vocabulary.characters)}};
}

data::WordVocabulary read_word_vocabulary(const ModelFile& file) {
  data::WordVocabulary out{data::Vocabulary(file.texts("words")), data::Vocabulary(file.texts("shapes")),
                           data::Vocabulary(file.texts("characters"))};
  for (const data::Vocabulary* v : {&out.words, &out.shapes, &out.characters}) {
    if (v->find(data::kUnknown) != 0) {
      throw input_error(file.path() + ": vocabulary: expected <unk> as the first of each list, found another",
                        "the file is damaged; use an intact copy");
    }
  }
  return out;
}

}  // namespace longhand::tasks
