// Texts: cleaned, normalised, cut into symbols of each level, and into words.
#include "longhand/data/text.h"
#include "longhand/base/error.h"
#include "longhand/data/source.h"
#include "longhand/data/tokenizer.h"
#include "longhand/data/words.h"
#include "longhand/tasks/verse.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"The time traveller,\r\nso it will be convenient\n",
          "\xEF\xBB\xBF"
          "caf\u00e9 \u6625\u590f\n",
          "a\x80\xff"};
}

void read(std::string_view bytes) {
  const std::string text(bytes);
  for (const char* level : {"byte", "char", "word"}) {
    for (const bool lines : {false, true}) {
      try {
        const data::TextOptions options{.level = level, .lowercase = true, .lines = lines, .min_count = lines ? 2 : 1};
        const std::string normal = data::normalise(text, options, "input");
        const data::Vocabulary vocabulary = data::build_vocabulary(normal, options, true);
        data::encode(normal, options, vocabulary, data::Unknown::kUnk, "input");
        const tasks::Verse verse({}, vocabulary);
      } catch (const Error&) {
      }
    }
  }
  const std::string clean = data::clean_text(text, "input");
  for (const std::string& word : data::Tokenizer().words(clean)) data::word_shape(word);
}

}  // namespace longhand::fuzz
