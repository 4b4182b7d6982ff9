// longhand data words: the words that taggers and classifiers read in their files, as a text for language models.
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/sources.h"
#include "longhand/data/columns.h"
#include "longhand/data/labelled.h"
#include "longhand/data/tokenizer.h"
#include "longhand/data/words.h"

namespace longhand::cli {
namespace {

std::string line_of(const data::Words& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out.empty() ? out : out + "\n";
}

// Words of tagged sentences.
struct TaggedWords {
  data::ColumnOptions columns;

  void add_to(OptionTable& table) { columns.add_to(table); }
  std::string text(const std::string& contents, const std::string& source) const {
    std::string out;
    for (const data::TaggedSentence& sentence :
         data::read_columns(contents, columns, data::ColumnReader::Tags::kIgnored, source).sentences) {
      out += line_of(sentence.words);
    }
    return out;
  }
};

// Words of labelled texts.
struct LabelledWords {
  data::LabelledOptions columns;
  data::TokenizerOptions tokens;

  void add_to(OptionTable& table) {
    columns.add_to(table);
    tokens.add_to(table, false);
  }
  std::string text(const std::string& contents, const std::string& source) const {
    const data::Tokenizer tokenizer(tokens);
    std::string out;
    for (const data::LabelledText& example :
         data::read_labelled(contents, columns, data::Labels::kWanted, source).examples) {
      out += line_of(tokenizer.words(example.text));
    }
    return out;
  }
};

template <class Reader>
class DataWords {
 public:
  DataWords() { reader_.add_to(table_); }

  void declare(const Verb& verb) {
    verb.add_argument("FILE", source_, "file, - for standard input, or name from `longhand data list`", true);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    runs::Sources from = sources();
    write_output(reader_.text(from.file(source_), runs::shown_name(source_)));
    return 0;
  }

 private:
  std::string source_;
  Reader reader_;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_data_words(const Verb& data) {
  const Verb words = data.add("words", "Print the words of a tagger's or classifier's data, as text for `train lm`");
  words.add_command<DataWords<TaggedWords>>("tagger", "Print the words of tagged sentences, a sentence per line");
  words.add_command<DataWords<LabelledWords>>("classifier", "Print the words of labelled texts, a text per line");
}

}  // namespace longhand::cli
