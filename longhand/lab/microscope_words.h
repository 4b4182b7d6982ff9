// What taggers and classifiers under the microscope have in common: sentences and texts of words, each a sequence of
// its own.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "longhand/data/words.h"
#include "longhand/lab/microscope_subject.h"

namespace longhand::lab {

/// A longer sequence is read in pieces of this many words.
inline constexpr int64_t kLongestSequence = 1000;

/// Words of sequences as the layers read them.
struct WordSequences {
  WordSequences(const nn::Network& of, data::Lexicon words, nn::Engine used, kernels::Context& of_user)
      : network(of), lexicon(std::move(words)), workspace(*of.words()), output(used, of_user) {}

  const nn::Network& network;
  data::Lexicon lexicon;
  std::vector<int32_t> entries;    ///< [N]
  std::vector<int64_t> starts{0};  ///< [S + 1]
  data::WordBatch batch;
  nn::WordWorkspace workspace;
  nn::OutputWorkspace output;
  Buffer<float> scores, d_scores;

  size_t sequence_of(int64_t position) const {
    return static_cast<size_t>(std::upper_bound(starts.begin(), starts.end(), position) - starts.begin() - 1);
  }
  ProbeInput lay(const SubjectRows& rows);
  /// Scores [n, padded(K)] of n rows of the layers' outputs.
  const float* run_output(const float* y, int64_t n);
  /// The decision at a position, without its target: the whole sequence is run for it.
  Decision decision(int64_t position, int64_t most) const;
};

/// Lists sentences as shown text, and cuts them.
struct WordText {
  explicit WordText(int64_t max_symbols) : most(max_symbols) {}

  int64_t most;
  ShownText text{.spaced = true};
  std::vector<std::string> raw;  ///< by number of shown symbol
  std::unordered_map<std::string, int32_t> numbers;
  int64_t in_pieces = 0;

  bool full() const { return text.size() >= most; }
  /// Adds a sequence. Returns how many of its words were taken.
  size_t add(const std::vector<std::string>& words);
  /// Looks all words up. Throws an input error where there are none.
  void finish(WordSequences& sequences, const std::string& source) const;
  void note(std::vector<std::string>& notes, bool cut) const;
};

/// The label that a decision is about: the right one, or else the most probable.
int32_t label_of(const ModelOutputs& outputs, size_t m);
std::vector<std::string> shown_names(const std::vector<std::string>& names);
/// Probabilities [K] of scores, added to `out`.
void append_softmax(const float* scores, int64_t K, std::vector<double>& out);
inline constexpr const char* kReplacedByUnknown = "<unk>, an unknown word of unknown characters";

template <class Own>
void set_functions(Subject& out, const std::shared_ptr<Own>& own) {
  out.lay = [own](const SubjectRows& rows) { return own->lay(rows); };
  out.read = [own](int64_t begin, int64_t end, const float* y, ModelOutputs& outputs) {
    own->read(begin, end, y, outputs);
  };
  out.measure = [own](const Decision& decision, int64_t rows, const float* y, double* scores, float* d_y) {
    own->measure(decision, rows, y, scores, d_y);
  };
}

}  // namespace longhand::lab
