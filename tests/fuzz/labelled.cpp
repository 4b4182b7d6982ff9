// Texts with labels, in every format, as a file and as a stream.
#include "longhand/data/labelled.h"
#include "longhand/base/error.h"
#include "longhand/data/source.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"__label__a x y\n__label__b z\n",
          "{\"label\": \"a\\u00e9\", \"text\": \"x\"}\n",
          "[{\"label\": 1, \"text\": \"x\"}, {\"label\": 2, \"text\": \"y\"}]",
          "label,text\na,\"x, \"\"y\"\"\"\n",
          "sep=;\nlabel;text\na;x\n",
          "sentence\tlabel\nx\ta\n\"y\tz\"\tb\n",
          "a x y\nb z\n"};
}

void read(std::string_view bytes) {
  for (const char* format : {"auto", "fasttext", "jsonl", "json", "csv", "tsv", "blank"}) {
    for (const data::Labels labels : {data::Labels::kWanted, data::Labels::kIgnored}) {
      try {
        data::check_labels(data::read_labelled(bytes, {.format = format}, labels, "input"), "input");
      } catch (const Error&) {
      }
    }
  }
  const std::string text = data::clean_text(bytes, "input");
  std::string_view rest = text;
  const std::string_view line = data::take_line(rest);
  data::read_text_line(line, data::recognise_texts(text, {}, {"a", "b"}, "input"), {}, "input", 1);
}

}  // namespace longhand::fuzz
