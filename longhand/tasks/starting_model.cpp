// Models that others start from: reading them, and the options that follow from them.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/unicode.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/tagger.h"
#include "longhand/tasks/transfer.h"

namespace longhand::tasks {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

// What layers must share to compute the same; regularisers are the user's.
const std::vector<std::string> kLayerOptions = {"cell",
                                                "hidden",
                                                "layers",
                                                "proj",
                                                "layer-norm",
                                                "residual",
                                                "train-initial-state",
                                                "peepholes",
                                                "coupled-gates",
                                                "gate-clip",
                                                "cell-clip",
                                                "gate-activation",
                                                "candidate-activation",
                                                "output-activation"};

template <class ModelOptions>
void share(ModelOptions options, const std::vector<std::string>& names, Options& out) {
  OptionTable table;
  options.add_to(table);
  for (const std::string& name : names) {
    const Option* option = table.find(name);
    LONGHAND_CHECK(option != nullptr);
    out.emplace_back(name, option->text());
  }
}

template <class WordModel>
void read_word_model(const ModelFile& file, StartingModel& out) {
  std::unique_ptr<WordModel> model = WordModel::load(file);
  out.lstm = model->options().lstm;
  out.encoder = model->options().encoder;
  out.words = model->vocabulary().words;
  out.shapes = model->vocabulary().shapes;
  out.characters = model->vocabulary().characters;
  share(model->options(),
        {"bidirectional", "embed", "embed-shape", "embed-characters", "hidden-characters", "lowercase"}, out.shared);
  share(model->options(), kLayerOptions, out.shared);
  out.model = std::move(model);
}

void read_language_model(const ModelFile& file, StartingModel& out) {
  std::unique_ptr<LanguageModel> model = LanguageModel::load(file);
  const LanguageModelOptions& options = model->options();
  out.level = options.text.level;
  out.reverse = options.text.reverse;
  out.lstm = options.lstm;
  out.encoder = {.embed = options.embed, .embed_shape = 0, .embed_characters = 0, .hidden_characters = 0};
  out.words = model->vocabulary();
  share(options, {"level", "lowercase", "letters-only", "reverse", "bidirectional", "embed", "tie-weights"},
        out.shared);
  share(options, kLayerOptions, out.shared);
  out.model = std::move(model);
}

const std::string& value_of(const Options& options, const std::string& name) {
  return std::find_if(options.begin(), options.end(), [&](const auto& each) { return each.first == name; })->second;
}

void check_language_model(const StartingModel& from, const char* option) {
  if (from.level == "byte") {
    throw usage_error(fmt::format("`{}`: expected a language model of words or characters, found one of bytes: {}",
                                  option, from.path),
                      "train one with `level` word or char");
  }
  if (from.encoder.embed == 0) {
    throw usage_error(fmt::format("`{}`: expected a language model with an embedding, found one with one-hot input: {}",
                                  option, from.path),
                      "train one with `embed` above 0");
  }
  if (!from.of_characters()) return;
  // The character LSTM of words has none of these.
  for (const auto& [name, plain] : Options{{"cell", "lstm"},
                                           {"proj", "0"},
                                           {"layer-norm", "false"},
                                           {"train-initial-state", "false"},
                                           {"peepholes", "false"},
                                           {"coupled-gates", "false"},
                                           {"gate-clip", "0"},
                                           {"cell-clip", "0"},
                                           {"gate-activation", "sigmoid"},
                                           {"candidate-activation", "tanh"},
                                           {"output-activation", "tanh"}}) {
    if (const std::string& found = value_of(from.shared, name); found != plain) {
      throw usage_error(fmt::format("`{}`: the LSTM over the characters of a word has `{}` {}, and {} has {}", option,
                                    name, plain, from.path, found),
                        "train a language model with that option");
    }
  }
}

void check_directions(const StartingModels& from) {
  if (from.forward != nullptr && from.forward->reverse) {
    throw usage_error("`from`: expected a model that reads texts from their beginning, found one with `reverse`: " +
                          from.forward->path,
                      "give it as `from-reverse`");
  }
  if (from.reverse == nullptr) return;
  if (!from.reverse->reverse || from.reverse->lstm.bidirectional) {
    throw usage_error(fmt::format("`from-reverse`: expected a language model trained with `reverse`, found a {}: {}",
                                  from.reverse->reverse ? "bidirectional one" : from.reverse->task, from.reverse->path),
                      "train one with `train lm` and `reverse`");
  }
  if (from.forward == nullptr) return;
  if (!from.forward->is_language_model() || from.forward->lstm.bidirectional) {
    throw usage_error("`from-reverse`: cannot be combined with `from` " + from.forward->path + ", a " +
                          (from.forward->is_language_model() ? "bidirectional model" : from.forward->task),
                      "leave it out: that model has both directions, or is no language model");
  }
  if (from.forward->level != from.reverse->level) {
    throw usage_error(fmt::format("`from` and `from-reverse`: expected models of the same `level`, found {} and {}",
                                  from.forward->level, from.reverse->level),
                      "give two models of words, or two of characters");
  }
}

}  // namespace

StartingModel StartingModel::read(const std::string& path) {
  const ModelFile file = ModelFile::read(path);
  file.expect_one_model("start from one of the runs that it was made from");
  StartingModel out;
  out.path = path;
  if (file.task() == LanguageModel::kTask) {
    out.task = "language model";
    read_language_model(file, out);
  } else if (file.task() == Tagger::kTask) {
    out.task = file.task();
    read_word_model<Tagger>(file, out);
  } else if (file.task() == Classifier::kTask) {
    out.task = file.task();
    read_word_model<Classifier>(file, out);
  } else {
    throw usage_error(
        fmt::format("`from`: expected a language model, a tagger or a classifier, found a {}: {}", file.task(), path),
        "give a model of one of these");
  }
  return out;
}

const Parameter* StartingModel::find(const std::string& name) const {
  for (const Parameter& parameter : model->parameters().parameters()) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Options options_for_words(const StartingModels& from) {
  check_directions(from);
  if (from.forward != nullptr && !from.forward->is_language_model()) return from.forward->shared;
  Options out;
  int64_t embed = 0;
  const auto need = [&](const StartingModel& model, const std::string& name, const std::string& value) {
    const auto found = std::find_if(out.begin(), out.end(), [&](const auto& each) { return each.first == name; });
    if (found == out.end()) {
      out.emplace_back(name, value);
    } else if (found->second != value) {
      throw usage_error(fmt::format("`from-reverse`: expected `{}` {}, as in {}, found {} in {}", name, found->second,
                                    from.forward->path, value, model.path),
                        "train both language models with the same layers");
    }
  };
  for (const auto& [model, option] : {std::pair(from.forward, "from"), std::pair(from.reverse, "from-reverse")}) {
    if (model == nullptr) continue;
    check_language_model(*model, option);
    embed += model->encoder.embed;
    if (model->of_characters()) {
      need(*model, "hidden-characters", std::to_string(model->lstm.hidden));
    } else {
      for (const std::string& name : kLayerOptions) need(*model, name, value_of(model->shared, name));
      if (model->reverse || model->lstm.bidirectional) need(*model, "bidirectional", "true");
    }
  }
  const StartingModel& any = from.forward != nullptr ? *from.forward : *from.reverse;
  out.emplace_back(any.of_characters() ? "embed-characters" : "embed", std::to_string(embed));
  return out;
}

Options options_for_language_model(const StartingModels& from) {
  if (!from.forward->is_language_model()) {
    throw usage_error(
        fmt::format("`from`: expected a language model, found a {}: {}", from.forward->task, from.forward->path),
        "a language model starts from another one");
  }
  return from.forward->shared;
}

void add_known_words(const StartingModels& from, bool lowercase, int64_t max_words, data::WordVocabulary& vocabulary) {
  const auto append = [](const data::Vocabulary& known, int64_t max, bool lower, const auto& wanted,
                         data::Vocabulary& to) {
    std::vector<std::string> added;
    std::unordered_map<std::string, bool> seen;
    for (int32_t s = 0; s < known.size() && static_cast<int64_t>(added.size()) < max; ++s) {
      const std::string& symbol = known.symbol(s);
      if (!wanted(symbol)) continue;
      std::string word = lower ? lowercased(symbol) : symbol;
      if (to.find(word) < 0 && seen.emplace(word, true).second) added.push_back(std::move(word));
    }
    if (added.empty()) return;
    std::vector<std::string> all;
    for (int32_t s = 0; s < to.size(); ++s) all.push_back(to.symbol(s));
    all.insert(all.end(), added.begin(), added.end());
    to = data::Vocabulary(std::move(all));
  };
  const auto is_word = [](const std::string& s) { return s != data::kUnknown && s != data::kBegin && s != data::kEnd; };
  const auto is_character = [&](const std::string& s) { return is_word(s) && s.find_first_of(" \t\n") == s.npos; };
  const int64_t known_before = vocabulary.words.size();
  for (const StartingModel* model : {from.forward, from.reverse}) {
    if (model == nullptr) continue;
    if (model->of_characters()) {
      append(model->words, model->words.size(), false, is_character, vocabulary.characters);
      continue;
    }
    append(model->words, max_words - (vocabulary.words.size() - known_before), lowercase, is_word, vocabulary.words);
    append(model->shapes, model->shapes.size(), false, is_word, vocabulary.shapes);
    append(model->characters, model->characters.size(), false, is_word, vocabulary.characters);
  }
}

}  // namespace longhand::tasks
