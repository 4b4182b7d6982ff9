// The language model: symbols in, the distribution of the next symbol out.
//
//   embedding (or one-hot) -> recurrent layers, with dropout before, between and after -> linear -> softmax
#pragma once

#include <memory>
#include <span>
#include <string>

#include "longhand/data/batches.h"
#include "longhand/data/text.h"
#include "longhand/kernels/softmax.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights; stored in its file.
struct LanguageModelOptions {
  data::TextOptions text;
  nn::LstmOptions lstm;
  int64_t embed = 64;
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be together.
  void check() const;
};

/// How to read a corpus that a model is measured on.
struct EvaluateOptions {
  /// Side by side in so many rows, each of which begins without context; 1: exactly as written.
  int64_t rows = 1;
  /// Each symbol from so many before it alone; 0: from all that came before in its row. A bidirectional model needs
  /// it: it would read what it is to predict.
  int64_t context = 0;
  /// With a context: so many symbols, evenly spread; 0: all.
  int64_t most = 0;
};

/// How well a model predicts a corpus.
struct LanguageScore {
  double total_nats = 0.0;
  int64_t symbols = 0;     ///< that were predicted
  int64_t characters = 0;  ///< that they spell; of unknown words, those of what was read
  int64_t sequences = 0;
  int64_t unknown = 0;  ///< symbols read as <unk>, or left out

  double nats_per_symbol() const;
  double perplexity() const;
  double bits_per_character() const;
};

class LanguageModel {
 public:
  /// A model with all weights zero; `initialise` or `load` give them values.
  LanguageModel(const LanguageModelOptions& options, data::Vocabulary vocabulary);

  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged, or holds
  /// something else than a language model.
  static std::unique_ptr<LanguageModel> load(const std::string& path);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;

  void initialise(uint64_t seed);

  const LanguageModelOptions& options() const { return options_; }
  const data::Vocabulary& vocabulary() const { return vocabulary_; }
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  nn::LstmStack<float>& stack() { return stack_; }
  void parameters_changed();

  /// Loss of a batch in nats, summed over its targets. With `training`, also the gradients of the mean, which overwrite
  /// the arena's; `masks` keys the random ones. The state carries over to the next batch.
  double run(const data::Batch& batch, bool training, const nn::DropoutKey& masks, nn::Engine engine,
             kernels::Context& context);

  /// Scores a corpus. Leaves the carried state as it was.
  LanguageScore evaluate(const data::Corpus& corpus, const EvaluateOptions& options, nn::Engine engine,
                         kernels::Context& context);

  /// Forgets everything read so far. Not for bidirectional models, which cannot go on with a text.
  void begin_text();
  /// Reads one symbol and returns the logits [V] of the next, good until the next call.
  std::span<const float> read(int32_t symbol, nn::Engine engine, kernels::Context& context);

 private:
  enum class Memory { kNow, kLater };
  LanguageModel(const LanguageModelOptions& options, data::Vocabulary vocabulary, Memory memory);

  const float* embed(const data::Batch& batch, nn::Engine engine, kernels::Context& context);
  void embed_backward(const data::Batch& batch, nn::Engine engine, kernels::Context& context);
  nn::StackInput<float> stack_input(const data::Batch& batch, const float* x, const nn::DropoutKey& masks) const;
  void pack_output(bool training, kernels::Context& context);
  int64_t characters(const data::Corpus& corpus) const;

  LanguageModelOptions options_;
  data::Vocabulary vocabulary_;
  ParameterArena arena_;
  size_t embedding_ = 0;
  nn::LstmStack<float> stack_;
  size_t output_weight_;
  size_t output_bias_;

  nn::Packed output_packed_ = nn::Packed::kNothing;
  kernels::PackedLinear packed_output_;
  Buffer<float> x_, dx_, d_output_, losses_, logits_;
  Buffer<int32_t> rows_;
  data::Batch one_;
};

}  // namespace longhand::tasks
