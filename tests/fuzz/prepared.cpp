// Prepared texts of language models: the header, the vocabulary and the symbols.
#include "longhand/base/error.h"
#include "longhand/data/batches.h"
#include "longhand/io/file.h"
#include "longhand/runs/prepare.h"
#include "longhand/runs/prepared_text.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  const std::string path = "/dev/shm/longhand-fuzz-seed-" + std::to_string(::getpid());
  std::vector<std::string> out;
  for (const char* level : {"char", "word"}) {
    for (const bool lines : {false, true}) {
      const runs::PrepareOptions options{.text = {.level = level, .lines = lines, .min_count = 2}};
      io::write_file(path, "the cat sat on the mat\nthe caf\u00e9 sat\non the mat\n");
      const runs::TextFile text(path, "seed", options, {});
      text.prepare(text.vocabulary(false), false, path + "-out");
      out.push_back(io::read_file(path + "-out"));
    }
  }
  ::unlink(path.c_str());
  ::unlink((path + "-out").c_str());
  return out;
}

void read(std::string_view bytes) {
  const MemoryFile in_memory(bytes);
  const runs::PreparedText text = runs::PreparedText::open(in_memory.path());
  text.verify();
  data::Corpus corpus = text.corpus();
  if (corpus.targets() < 1) return;
  const bool lines = text.options().text.lines;
  data::Batch batch;
  const data::Batches batches(corpus, lines, 5, {.batch = 3});
  for (int64_t i = 0; i < std::min<int64_t>(batches.size(), 100); ++i) batches.get(i, batch);
  data::split_off(corpus, 0.3, lines, text.options().text.reverse);
}

}  // namespace longhand::fuzz
