// A linear-chain conditional random field (Lafferty et al. 2001): the score of a label sequence is the sum of the
// network's scores of its labels and of transition scores. Its loss and gradients (forward-backward algorithm), and its
// most probable sequences (Viterbi algorithm). The equations are (52) to (56) of
// docs/derivatives.md.
//
// T steps, B sequences, K labels. Sums are made in double, and the same for any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "longhand/base/threads.h"

namespace longhand::nn {

template <class T>
struct CrfLayer {
  int64_t labels = 0;              ///< K
  const T* transitions = nullptr;  ///< [K, K] from a label (row) to the next (column); null: zeros, and so are
  const T* start = nullptr;        ///< [K] of the first label
  const T* end = nullptr;          ///< [K] of the last
  /// [K + 1, K + 1], 0 where a label may not follow another: row K is the beginning, column K the end. Null: all may.
  /// Sequences with such a step have probability zero.
  const uint8_t* allowed = nullptr;

  bool may_follow(int64_t from, int64_t to) const {
    return allowed == nullptr || allowed[from * (labels + 1) + to] != 0;
  }
};

template <class T>
struct CrfInput {
  int64_t steps = 0;
  int64_t batch = 0;
  const int32_t* lengths = nullptr;  ///< [B]; null: all T
  const T* scores = nullptr;         ///< [T, B, K] of each label at each step
  int64_t stride = 0;

  int64_t length(int64_t row) const { return lengths == nullptr ? steps : lengths[row]; }
};

template <class T>
struct CrfLoss {
  const int32_t* targets = nullptr;  ///< [T, B]
  double* loss = nullptr;            ///< [B] written: -log p(targets), in nats; infinite where they are not allowed
  T scale = T(1);                    ///< the gradients are those of scale * (sum of the losses)
  T* d_scores = nullptr;             ///< [T, B, K] written, zeros where a sequence has ended; null: no gradients at all
  T* d_transitions = nullptr;        ///< [K, K] added to, and so are
  T* d_start = nullptr;              ///< [K]
  T* d_end = nullptr;                ///< [K]
};

/// A sequence of length 0 has a loss of 0.
template <class T>
void crf_loss(const CrfLayer<T>& crf, const CrfInput<T>& input, const CrfLoss<T>& loss, ThreadPool& pool);

/// The probability of each label at each step of sequence `row`: [length, K] (54).
template <class T>
std::vector<double> crf_marginals(const CrfLayer<T>& crf, const CrfInput<T>& input, int64_t row);

struct LabelPath {
  std::vector<int32_t> labels;
  double log_probability = 0.0;
};

/// The `n` most probable label sequences of sequence `row`, best first; fewer where fewer are allowed, none where none
/// is or where no score is finite. Of equally probable ones the smaller labels go first.
template <class T>
std::vector<LabelPath> crf_best_paths(const CrfLayer<T>& crf, const CrfInput<T>& input, int64_t row, int64_t n);

}  // namespace longhand::nn
