// Small models of each task with drawn parameters, and files of them, to be compared with what is made of these files.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"
#include "tests/testing.h"

namespace longhand::tasks {

/// Parameters that begin as zeros or ones would hide mistakes: all get something added.
template <class Model>
void perturb(Model& model, uint64_t seed) {
  const CounterRng rng(seed, 1, RngPlace::kSample);
  const ParameterArena& layout = model.parameters();
  for (size_t i = 0; i < layout.parameters().size(); ++i) {
    for (int64_t k = 0; k < layout.parameters()[i].size; ++k) {
      model.parameters().value(i)[k] +=
          0.3F * static_cast<float>(rng.normal(static_cast<uint64_t>(layout.parameters()[i].offset + k)));
    }
  }
  model.parameters_changed();
  kernels::Context context(1);
  model.pack(context);
}

/// A model as a file holds it.
template <class Model>
ModelFile written(const Model& model, const std::string& path) {
  model.save(path, model.parameters().values());
  return ModelFile::read(path);
}

/// Cells and stacks that together have every option that changes what a layer computes, with a name each.
inline std::vector<std::pair<std::string, nn::LstmOptions>> layer_options() {
  nn::LstmOptions base;
  base.hidden = 10;
  std::vector<std::pair<std::string, nn::LstmOptions>> out;
  const auto add = [&](const std::string& name, auto change) {
    out.emplace_back(name, base);
    change(out.back().second);
  };
  using Options = nn::LstmOptions;
  add("plain", [](Options&) {});
  add("two layers", [](Options& o) { o.layers = 2; });
  add("residual", [](Options& o) { o.layers = 3, o.residual = true; });
  add("projection", [](Options& o) { o.layers = 2, o.proj = 6; });
  add("layer norm", [](Options& o) { o.layers = 2, o.layer_norm = true; });
  add("zoneout", [](Options& o) { o.zoneout = 0.1, o.zoneout_cell = 0.3; });
  add("zoneout of c", [](Options& o) { o.zoneout_cell = 0.2; });
  add("zoneout of h, projection", [](Options& o) { o.zoneout = 0.2, o.proj = 6; });
  add("initial state", [](Options& o) { o.train_initial_state = true, o.layers = 2; });
  add("initial state, projection", [](Options& o) { o.train_initial_state = true, o.proj = 4; });
  add("peepholes", [](Options& o) { o.peepholes = true; });
  add("coupled gates", [](Options& o) { o.coupled_gates = true; });
  add("coupled gates, peepholes", [](Options& o) { o.coupled_gates = o.peepholes = true; });
  add("gate clip", [](Options& o) { o.gate_clip = 0.8; });
  add("cell clip", [](Options& o) { o.cell_clip = 0.2; });
  add("activations", [](Options& o) {
    o.gate_activation = "hard-sigmoid:0.25:0.4", o.candidate_activation = "softsign", o.output_activation = "elu:0.7";
  });
  add("layer norm, peepholes, zoneout, projection", [](Options& o) {
    o.layer_norm = o.peepholes = true, o.zoneout = 0.1, o.zoneout_cell = 0.2, o.proj = 6, o.layers = 2;
  });
  add("everything", [](Options& o) {
    o.layers = 2, o.proj = 6, o.layer_norm = o.residual = o.train_initial_state = o.peepholes = true;
    o.zoneout = 0.1, o.zoneout_cell = 0.2, o.gate_clip = 1.5, o.cell_clip = 0.7;
    o.dropout = 0.3, o.dropout_recurrent = 0.2, o.weight_drop = 0.2;
  });
  add("gru", [](Options& o) { o.cell = "gru", o.layers = 2; });
  add("gru, initial state", [](Options& o) { o.cell = "gru", o.train_initial_state = true; });
  add("rnn", [](Options& o) { o.cell = "rnn", o.layers = 2, o.residual = true; });
  add("rnn relu", [](Options& o) { o.cell = "rnn-relu"; });
  return out;
}

/// The same in both directions.
inline std::vector<std::pair<std::string, nn::LstmOptions>> all_layer_options() {
  std::vector<std::pair<std::string, nn::LstmOptions>> out = layer_options();
  for (auto [name, options] : layer_options()) {
    options.bidirectional = true;
    out.emplace_back(name + ", both directions", options);
  }
  return out;
}

inline std::unique_ptr<LanguageModel> language_model(const nn::LstmOptions& lstm, int64_t embed, bool tied = false,
                                                     uint64_t seed = 5) {
  LanguageModelOptions options;
  options.lstm = lstm;
  options.embed = embed;
  options.tie_weights = tied;
  auto out = std::make_unique<LanguageModel>(options, data::build_vocabulary("abcdefg\n", options.text));
  out->initialise(seed);
  perturb(*out, seed);
  return out;
}

inline const data::Words& known_words() {
  static const data::Words kWords = {"Anna", "saw", "Bert", "in", "London", "today", "the", "x"};
  return kWords;
}

inline std::unique_ptr<Tagger> tagger(const TaggerOptions& given, uint64_t seed = 5) {
  TaggerOptions options = given;
  options.scheme = "iob2";
  auto out = std::make_unique<Tagger>(options, data::build_word_vocabulary({&known_words()}, options.words),
                                      std::vector<std::string>{"O", "B-X", "I-X", "E-X", "S-X"});
  out->initialise(seed);
  perturb(*out, seed);
  return out;
}

inline std::unique_ptr<Classifier> classifier(const ClassifierOptions& options, uint64_t seed = 5) {
  auto out = std::make_unique<Classifier>(options, data::build_word_vocabulary({&known_words()}, options.words),
                                          std::vector<std::string>{"a", "b", "c"});
  out->initialise(seed);
  perturb(*out, seed);
  return out;
}

/// Sentences of different lengths, words that are not known, and characters that are not.
inline data::WordBatch word_batch(data::Lexicon lexicon) {
  const std::vector<data::Words> sentences = {
      {"Anna", "saw", "Bert", "in", "Ödland", "today"}, {"x"}, {"the", "unknownwordsarelong", "London"}};
  std::vector<std::vector<int32_t>> entries;
  for (const data::Words& words : sentences) {
    std::vector<int32_t>& sentence = entries.emplace_back();
    for (const std::string& word : words) sentence.push_back(lexicon.find(word));
  }
  const std::vector<std::span<const int32_t>> views(entries.begin(), entries.end());
  data::WordBatch out;
  data::make_batch(lexicon, views, {}, out);
  return out;
}

}  // namespace longhand::tasks
