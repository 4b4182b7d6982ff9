// The files of baselines, of every kind.
#include "longhand/baselines/linear_classifier.h"
#include "longhand/baselines/linear_crf.h"
#include "longhand/baselines/ngram.h"
#include "longhand/baselines/tag_frequency.h"
#include "longhand/io/file.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {
namespace {

template <class Model>
std::string bytes_of(const Model& model) {
  const std::string path = "/dev/shm/longhand-fuzz-seed-" + std::to_string(::getpid());
  baselines::BaselineWriter out(Model::kKind);
  model.write(out);
  out.write(path);
  std::string bytes = io::read_file(path);
  ::unlink(path.c_str());
  return bytes;
}

}  // namespace

std::vector<std::string> seeds() {
  data::Corpus corpus;
  corpus.symbols = {0, 1, 2, 1, 0, 1, 1, 2};
  corpus.starts = {0, 8};
  const std::vector<data::TaggedSentence> sentences = {{{"in", "Rome", "now"}, {"O", "B-LOC", "O"}, {}}};
  const data::Words a = {"good", "film"}, b = {"bad", "film"};
  const std::vector<const data::Words*> texts = {&a, &b};
  const std::vector<int32_t> classes = {0, 1};
  ThreadPool pool(1);
  return {bytes_of(baselines::fit_ngram(corpus, 3, 3)), bytes_of(baselines::TagFrequency::fit(sentences)),
          bytes_of(baselines::LinearCrf::fit(sentences, data::Scheme::kIob2, {}, pool)),
          bytes_of(baselines::LinearClassifier::fit(texts, classes, 2, {}))};
}

void read(std::string_view bytes) {
  using namespace baselines;
  const MemoryFile in_memory(bytes);
  const BaselineFile file = BaselineFile::read(in_memory.path());
  if (file.kind() == Ngram::kKind) {
    const Ngram model = Ngram::read(file);
    Ngram::History history(model);
    for (int32_t i = 0; i < 20; ++i) history.next(static_cast<int32_t>(i % model.symbols()));
  }
  if (file.kind() == TagFrequency::kKind) TagFrequency::read(file).tag("Word");
  if (file.kind() == LinearCrf::kKind) LinearCrf::read(file).tag({"in", "Rome", "7"});
  if (file.kind() == LinearClassifier::kKind) LinearClassifier::read(file).probabilities({"a", "film"});
}

}  // namespace longhand::fuzz
