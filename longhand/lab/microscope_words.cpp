#include "longhand/lab/microscope_words.h"

#include <fmt/format.h>

#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/format.h"

namespace longhand::lab {
namespace {

// Replaces every part of a word by that of an unknown one: no vocabulary has such a character.
constexpr const char* kUnknownWord = "\xEF\xBF\xBD";

}  // namespace

ProbeInput WordSequences::lay(const SubjectRows& rows) {
  const int32_t unknown = lexicon.find(kUnknownWord);
  std::vector<std::vector<int32_t>> sentences;
  for (const int64_t replaced : rows.replaced) {
    sentences.emplace_back(entries.begin() + rows.begin, entries.begin() + rows.end);
    if (replaced >= 0) sentences.back()[static_cast<size_t>(replaced - rows.begin)] = unknown;
  }
  const std::vector<std::span<const int32_t>> views(sentences.begin(), sentences.end());
  data::make_batch(lexicon, views, {}, batch);
  const float* x = network.words()->forward(batch, nn::Pass::kInference, output.engine, workspace, output.context);
  return {.steps = batch.steps, .rows = batch.rows, .x = x};
}

const float* WordSequences::run_output(const float* y, int64_t n) {
  const int64_t stride = padded(network.output().outputs());
  scores.resize(n * stride);
  network.output().forward({.n = n, .x = y}, scores.data(), stride, output);
  return scores.data();
}

Decision WordSequences::decision(int64_t position, int64_t most) const {
  const size_t s = sequence_of(position);
  Decision out{.position = position, .begin = starts[s], .end = starts[s + 1]};
  out.first = std::max(out.begin, std::min(position - most / 2, out.end - most));
  out.last = std::min(out.end, out.first + most);
  return out;
}

size_t WordText::add(const std::vector<std::string>& words) {
  const auto room = static_cast<size_t>(std::max<int64_t>(most - text.size(), 0));
  const size_t count = std::min(words.size(), room);
  in_pieces += static_cast<int64_t>(count) > kLongestSequence ? 1 : 0;
  for (size_t i = 0; i < count; ++i) {
    const auto [found, is_new] = numbers.try_emplace(words[i], static_cast<int32_t>(raw.size()));
    if (is_new) {
      raw.push_back(words[i]);
      text.names.push_back(shown_symbol(words[i]));
      text.ends_line.push_back(0);
    }
    text.symbols.push_back(found->second);
    const bool piece = (static_cast<int64_t>(i) + 1) % kLongestSequence == 0;
    if (piece || i + 1 == count) text.starts.push_back(text.size());
  }
  return count;
}

void WordText::finish(WordSequences& sequences, const std::string& source) const {
  if (text.size() < 2) {
    throw input_error(fmt::format("{}: too short: expected at least 2 words, found {}", source, text.size()),
                      "give a longer text");
  }
  std::vector<int32_t> entry_of;
  for (const std::string& word : raw) entry_of.push_back(sequences.lexicon.find(word));
  for (const int32_t symbol : text.symbols) sequences.entries.push_back(entry_of[static_cast<size_t>(symbol)]);
  sequences.starts = text.starts;
}

void WordText::note(std::vector<std::string>& notes, bool cut) const {
  if (cut) notes.push_back(fmt::format("the text is cut after {} (--max-symbols)", format_count(text.size(), "word")));
  if (in_pieces > 0) {
    notes.push_back(fmt::format("{} longer than {} words: read in pieces of that many, as sequences of their own",
                                in_pieces == 1 ? "a sequence is" : fmt::format("{} sequences are", in_pieces),
                                kLongestSequence));
  }
}

int32_t label_of(const ModelOutputs& outputs, size_t m) {
  return outputs.right[m] >= 0 ? outputs.right[m] : outputs.top[m * ModelOutputs::kTop];
}

std::vector<std::string> shown_names(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) out.push_back(shown_symbol(name));
  return out;
}

void append_softmax(const float* scores, int64_t K, std::vector<double>& out) {
  const auto largest = static_cast<double>(*std::max_element(scores, scores + K));
  const size_t first = out.size();
  double sum = 0.0;
  for (int64_t k = 0; k < K; ++k) {
    out.push_back(std::exp(static_cast<double>(scores[k]) - largest));
    sum += out.back();
  }
  for (size_t i = first; i < out.size(); ++i) out[i] /= sum;
}

}  // namespace longhand::lab
