// The language model: symbols in, the distribution of the next symbol out.
//
//   embedding (or one-hot) -> recurrent layers, with dropout before, between and after -> linear -> softmax
//
// With tied weights the linear layer's are the embedding's (Press and Wolf 2017; Inan et al. 2017), and where the
// layers' output is not as wide as the embedding, another linear layer, without a bias, makes it so.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "longhand/data/batches.h"
#include "longhand/data/text.h"
#include "longhand/tasks/ensemble.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights; stored in its file.
struct LanguageModelOptions {
  data::TextOptions text;
  nn::LstmOptions lstm;
  int64_t embed = 64;
  bool tie_weights = false;        ///< the output layer's weights are the embedding's
  double dropout_embedding = 0.0;  ///< whole symbols' embeddings are zero, one mask a batch (Gal and Ghahramani 2016)
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Names of the options that say how texts are read: the members of an ensemble have the same.
  static std::vector<std::string> shared();
};

/// How to read a corpus that a model is measured on.
struct EvaluateOptions {
  /// Number of rows that the text is divided into, each of which starts without context; 1: exact.
  int64_t rows = 1;
  /// Number of symbols before each target that it is predicted from; 0: all before it in its row. A bidirectional model
  /// needs it: it would read what it is to predict.
  int64_t context = 0;
  /// With a context: number of targets, evenly spaced; 0: all.
  int64_t max = 0;
  /// Told of each target, in any order: its place in the corpus, and how surprising it is.
  std::function<void(int64_t place, double nats)> on_symbol{};
  OnDone on_done{};  ///< in symbols
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

/// How well a model predicts when it begins in the middle of a text with a zero state, as it does after a prompt: by
/// how many symbols it has read since.
struct ColdScore {
  static constexpr int64_t kDistance = 100;  ///< read from each place, where the corpus is long enough

  int64_t places = 0;        ///< where it began
  std::vector<double> nats;  ///< element d - 1: mean nats per symbol, of the symbol predicted from the first d

  /// The mean over distances `first` .. `last`, or as far as was read; not a number where that is not at all.
  double mean(int64_t first, int64_t last) const;
  /// The means over `kBands`, as far as was read, called cold_nats_1_5 and so on.
  std::vector<Metric> metrics() const;
  static constexpr std::pair<int64_t, int64_t> kBands[] = {{1, 5}, {6, 20}, {21, 100}};
};

class LanguageModel : public EnsembleModel<LanguageModel> {
 public:
  static constexpr const char* kTask = "language_model";  ///< in its file

  /// A model whose parameters have no values: `initialise` or `load` give them some.
  LanguageModel(const LanguageModelOptions& options, data::Vocabulary vocabulary);

  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged, or holds
  /// something else than a language model. The model is packed.
  static std::unique_ptr<LanguageModel> load(const std::string& path);
  static std::unique_ptr<LanguageModel> load(const ModelFile& file) { return load_ensemble<LanguageModel>(file); }
  /// The same for one model, such as a member of an ensemble.
  static std::unique_ptr<LanguageModel> load_member(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;

  const LanguageModelOptions& options() const { return options_; }
  const data::Vocabulary& vocabulary() const { return vocabulary_; }
  /// Why it cannot continue a text, "a bidirectional model cannot generate: ..."; empty: it can.
  std::string why_not_generate() const;

  struct Workspace : EnsembleWorkspace<LanguageModel, Workspace> {
    using EnsembleWorkspace::EnsembleWorkspace;

    Buffer<float> d_output, losses, logits;
    data::Batch one;
  };

  /// What has been read of some sequences, by all members.
  struct State : nn::StackState<float> {
    explicit State(const LanguageModel& model);

    std::vector<State> others;  ///< of the members after the first
  };

  /// A state for the functions below, without rows until its first batch.
  State new_state() const { return State(*this); }
  /// Cross-entropy of a batch in nats, summed over its targets. `state` carries over to the next batch. Of an ensemble,
  /// it is that of the mean of the members' probabilities.
  double loss(const data::Batch& batch, State& state, Workspace& workspace) const;
  /// The same of the model with its regularisers, and the gradients as `training` wants them. Label smoothing and
  /// penalties are in the gradients, not in the loss.
  double train(const data::Batch& batch, nn::StackState<float>& state, const nn::GradientPass& training,
               Workspace& workspace);
  /// The penalty of the workspace's last training pass; see StackWorkspace::penalty.
  double penalty(const data::Batch& batch, const Workspace& workspace) const;

  /// Scores a corpus.
  LanguageScore evaluate(const data::Corpus& corpus, const EvaluateOptions& options, Workspace& workspace) const;

  /// Scores a corpus, which is one sequence, from cold starts at evenly spread places. `turn` is that of
  /// data::ColdStarts. Not for bidirectional models.
  ColdScore evaluate_cold(const data::Corpus& corpus, int64_t places, double turn, Workspace& workspace) const;

  /// Reads one symbol after those that the state has seen, and returns the logits [V] of the next, good until the
  /// workspace is used again. Those of an ensemble are the logarithms of the mean probabilities. Not for bidirectional
  /// models, which cannot continue a text; one with `reverse` reads the symbols of a text from its end.
  std::span<const float> read(int32_t symbol, State& state, Workspace& workspace) const;

 private:
  nn::NetworkInput input(const data::Batch& batch, const nn::DropoutKey& masks) const;
  double member_loss(const data::Batch& batch, nn::StackState<float>& state, Workspace& workspace) const;
  void read_member(int32_t symbol, nn::StackState<float>& state, Workspace& workspace) const;
  void begin(const data::Batch& batch, nn::StackState<float>& state) const;
  static nn::OutputRows output_rows(const data::Batch& batch, const float* output, Workspace& workspace);
  int64_t characters(const data::Corpus& corpus) const;

  LanguageModelOptions options_;
  data::Vocabulary vocabulary_;
};

}  // namespace longhand::tasks
