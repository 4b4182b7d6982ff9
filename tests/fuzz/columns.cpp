// Sentences in columns, their schemes, and scores of predicted tags.
#include "longhand/data/columns.h"
#include "longhand/base/error.h"
#include "longhand/data/chunks.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"# text = a\n1\ta\ta\tNOUN\tNN\t_\t0\troot\t_\t_\n1-2\tx\t_\t_\t_\t_\t_\t_\t_\t_\n\n",
          "# global.columns = ID FORM UPOS\n1\ta\tNOUN\n", "-DOCSTART- O\n\na B-X I-X\nb O O\r\n",
          "a S-A\nb B-A\nc M-A\nd E-A\n\ne U-A\n", "1\tder\tO\n2\tEU\tB\n"};
}

void read(std::string_view bytes) {
  for (const int64_t word_column : {0, 2}) {
    try {
      data::ColumnFile file =
          data::read_columns(bytes, {.word_column = word_column}, data::ColumnReader::Tags::kWanted, "input");
      const data::Scheme scheme = data::recognise_scheme(file.sentences, "input");
      data::repair_scheme(file.sentences, scheme, "input");
      data::check_scheme(file.sentences, scheme, "input");
    } catch (const Error&) {
    }
  }
  try {
    data::read_columns(bytes, {}, data::ColumnReader::Tags::kIgnored, "input");
  } catch (const Error&) {
  }
  data::score_predictions(bytes, "input").conlleval();
}

}  // namespace longhand::fuzz
