// What a tagger is compared with: a CRF on features of words, or the most frequent tag of each word.
#include <fmt/core.h>

#include "longhand/base/format.h"
#include "longhand/runs/task_baselines.h"

namespace longhand::runs {

const char* const kTaggerAdvice =
    "more `epochs`, characters (`hidden-characters`), `crf` for chunks, several seeds in one model (`longhand "
    "combine`), or pretrained word vectors (`vectors`)";

TaggerBaseline TaggerBaseline::fit(std::span<const data::TaggedSentence> train, data::Scheme scheme, ThreadPool& pool) {
  if (scheme == data::Scheme::kNone) {
    return {baselines::TagFrequency::fit(train), "most frequent tag of each word (by ending for unknown words)", ""};
  }
  TaggerBaseline out{baselines::LinearCrf::fit(train, scheme, {}, pool), "CRF on words, shapes and affixes", ""};
  const auto all = static_cast<int64_t>(train.size());
  if (const int64_t used = std::get<baselines::LinearCrf>(out.model).sentences(); used < all) {
    out.note =
        fmt::format("fitted on {} of {}", format_count(static_cast<double>(used)), format_count(all, "sentence"));
  }
  return out;
}

void TaggerBaseline::write(const std::string& path) const {
  std::visit(
      [&](const auto& fitted) {
        baselines::BaselineWriter file(fitted.kKind);
        file.add("name", name);
        file.add("note", note);
        fitted.write(file);
        file.write(path);
      },
      model);
}

TaggerBaseline TaggerBaseline::read(const std::string& path) {
  const baselines::BaselineFile file = baselines::BaselineFile::read(path);
  if (file.kind() == baselines::TagFrequency::kKind) {
    return {baselines::TagFrequency::read(file), file.text("name"), file.text("note")};
  }
  file.expect(file.kind() == baselines::LinearCrf::kKind, "the baseline of a tagger");
  return {baselines::LinearCrf::read(file), file.text("name"), file.text("note")};
}

BaselineFindings TaggerBaseline::measure(std::span<const data::TaggedSentence> sentences) const {
  data::ChunkScore score;
  for (const data::TaggedSentence& sentence : sentences) {
    score.add(sentence.tags, std::visit([&](const auto& fitted) { return fitted.tag(sentence.words); }, model));
  }
  BaselineFindings out{.name = name, .note = note, .measured = {}, .metrics = {}, .verdict = {}};
  if (std::holds_alternative<baselines::LinearCrf>(model)) {
    out.metrics = {
        {"f1", score.all.f1(), true}, {"precision", score.all.precision(), true}, {"recall", score.all.recall(), true}};
  }
  out.metrics.push_back({"accuracy", score.accuracy(), true});
  return out;
}

}  // namespace longhand::runs
