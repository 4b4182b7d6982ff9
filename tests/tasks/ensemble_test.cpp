// Ensembles: that they predict the mean of what their members predict, that one member predicts what it did alone, and
// that what does not go together is refused.
#include "longhand/tasks/ensemble.h"

#include <cmath>
#include <numeric>

#include "longhand/io/safetensors.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/regressor_task.h"
#include "longhand/tasks/sampler.h"
#include "longhand/tasks/tagger_task.h"
#include "tests/tasks/model.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

using nn::Engine;
using testing::TemporaryFolder;

/// Models of one task, and the ensemble that was read from the file made of theirs.
template <class TaskModel>
struct Combined {
  explicit Combined(std::vector<std::unique_ptr<TaskModel>> made) : members(std::move(made)) {
    for (size_t i = 0; i < members.size(); ++i) {
      const std::string path = folder / std::to_string(i);
      members[i]->initialise(5 + i);
      members[i]->save(path, members[i]->parameters().values());
      files.push_back(ModelFile::read(path));
    }
    combine<TaskModel>(files, folder / "all");
    ensemble = TaskModel::load(ModelFile::read(folder / "all"));
    combine<TaskModel>(std::span(files).first(1), folder / "first");
    first = TaskModel::load(ModelFile::read(folder / "first"));
  }

  TemporaryFolder folder;
  std::vector<std::unique_ptr<TaskModel>> members;
  std::vector<ModelFile> files;
  std::unique_ptr<TaskModel> ensemble, first;
};

const data::WordVocabulary& words() {
  static const data::Words kWords = {"Anna", "saw", "Bert", "in", "London", "today", "the"};
  static const data::WordVocabulary kVocabulary = data::build_word_vocabulary({&kWords}, {});
  return kVocabulary;
}

std::vector<data::LabelledText> texts() {
  return {{"Anna saw Bert", "a", 1}, {"in London", "b", 2}, {"unknown words today", "c", 3}, {"the", "a", 4}};
}

// Members of different widths, layers, cells and encoders.
template <class Options>
std::vector<Options> word_options() {
  std::vector<Options> out(3);
  for (Options& options : out) {
    options.lstm.hidden = 7;
    options.encoder = {.embed = 9, .embed_shape = 3, .embed_characters = 4, .hidden_characters = 5};
  }
  out[1].lstm.hidden = 12;
  out[1].lstm.layers = 2;
  out[1].encoder.hidden_characters = 0;
  out[2].lstm.cell = "gru";
  out[2].lstm.bidirectional = false;
  out[2].encoder.embed_shape = 0;
  return out;
}

Combined<Classifier> classifiers() {
  std::vector<std::unique_ptr<Classifier>> out;
  std::vector<ClassifierOptions> options = word_options<ClassifierOptions>();
  options[1].pool = "attention";
  for (const ClassifierOptions& each : options) {
    out.push_back(std::make_unique<Classifier>(each, words(), std::vector<std::string>{"a", "b", "c"}));
  }
  return Combined<Classifier>(std::move(out));
}

std::vector<double> read(const Classifier& model, Engine engine, int threads) {
  kernels::Context context(threads);
  Classifier::Workspace workspace(model, engine, context);
  const LabelledCorpus corpus(model, texts());
  ClassBatch batch;
  std::vector<int64_t> all(static_cast<size_t>(corpus.size()));
  std::iota(all.begin(), all.end(), 0);
  corpus.get(all, {}, batch);
  const std::span<const double> probabilities = model.read(batch.words, workspace);
  return {probabilities.begin(), probabilities.end()};
}

TEST(Ensemble, ClassifiesByTheMeanOfTheProbabilities) {
  const Combined<Classifier> all = classifiers();
  EXPECT_EQ(all.ensemble->members(), 3);
  EXPECT_EQ(all.ensemble->parameter_count(), all.members[0]->parameters().count() +
                                                 all.members[1]->parameters().count() +
                                                 all.members[2]->parameters().count());
  for (const Engine engine : {Engine::kFused, Engine::kReference}) {
    std::vector<double> mean(12);
    for (const auto& member : all.members) {
      const std::vector<double> own = read(*member, engine, 1);
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += own[i] / 3.0;
    }
    const std::vector<double> found = read(*all.ensemble, engine, 1);
    testing::expect_close(found, mean, 12, 1e-14, "probabilities");
    EXPECT_NE(found, read(*all.members[0], engine, 1));
    EXPECT_EQ(read(*all.ensemble, engine, 3), found);
    EXPECT_EQ(read(*all.first, engine, 2), read(*all.members[0], engine, 1));
  }
}

Combined<Tagger> taggers(const std::string& scheme, const std::vector<bool>& crf) {
  std::vector<std::unique_ptr<Tagger>> out;
  std::vector<TaggerOptions> options = word_options<TaggerOptions>();
  const std::vector<std::string> labels =
      scheme == "none" ? std::vector<std::string>{"N", "V", "D"}
                       : std::vector<std::string>{"O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"};
  for (size_t i = 0; i < options.size(); ++i) {
    options[i].scheme = scheme;
    options[i].crf = crf[i];
    options[i].init.output = "standard-normal";
    out.push_back(std::make_unique<Tagger>(options[i], words(), labels));
  }
  return Combined<Tagger>(std::move(out));
}

std::vector<data::TaggedSentence> tagged(const std::string& scheme) {
  const bool chunks = scheme != "none";
  return {{{"Anna", "saw", "Bert"}, chunks ? data::Words{"B-X", "O", "B-Y"} : data::Words{"N", "V", "N"}, {1, 2, 3}},
          {{"in", "the", "London", "today"},
           chunks ? data::Words{"O", "B-X", "I-X", "O"} : data::Words{"D", "D", "N", "N"},
           {5, 6, 7, 8}}};
}

// Of each word, the mean over the members of the probability of each label.
std::vector<std::vector<double>> mean_probabilities(const Combined<Tagger>& all, const TaggedCorpus& corpus) {
  kernels::Context context(1);
  std::vector<std::vector<double>> mean(2);
  for (const auto& member : all.members) {
    Tagger::Workspace workspace(*member, Engine::kFused, context);
    TagBatch batch;
    corpus.get(std::vector<int64_t>{0, 1}, {}, batch);
    member->read(batch.words, workspace);
    const auto K = static_cast<int64_t>(member->labels().size());
    nn::CrfLayer<float> layer = member->crf();
    if (!member->options().crf) layer.allowed = nullptr;  // then each label is by itself
    for (int64_t row = 0; row < 2; ++row) {
      const std::vector<double> own = nn::crf_marginals(layer,
                                                        nn::CrfInput<float>{.steps = batch.words.steps,
                                                                            .batch = 2,
                                                                            .lengths = batch.words.lengths.data(),
                                                                            .scores = workspace.scores.data(),
                                                                            .stride = padded(K)},
                                                        row);
      std::vector<double>& sum = mean[static_cast<size_t>(row)];
      sum.resize(own.size());
      for (size_t i = 0; i < own.size(); ++i) sum[i] += own[i] / 3.0;
    }
  }
  return mean;
}

TEST(Ensemble, TagsByTheMeanOfTheMarginals) {
  for (const std::string scheme : {"none", "iob2"}) {
    for (const std::vector<bool>& crf :
         {std::vector<bool>{false, false, false}, {true, true, true}, {true, false, true}}) {
      SCOPED_TRACE(scheme + (crf[0] ? " crf" : "") + (crf[1] ? " crf" : ""));
      const Combined<Tagger> all = taggers(scheme, crf);
      const TaggedCorpus corpus(*all.ensemble, tagged(scheme));
      const std::vector<std::vector<double>> mean = mean_probabilities(all, corpus);
      const auto K = static_cast<int64_t>(all.ensemble->labels().size());
      TagBatch batch;
      corpus.get(std::vector<int64_t>{0, 1}, {}, batch);

      // The most probable taggings, by trying all that the scheme allows.
      kernels::Context context(1), threads(3);
      Tagger::Workspace workspace(*all.ensemble, Engine::kFused, context);
      Tagger::Workspace threaded(*all.ensemble, Engine::kFused, threads);
      all.ensemble->read(batch.words, workspace);
      all.ensemble->read(batch.words, threaded);
      const std::vector<std::vector<Tagging>> found = all.ensemble->best(batch.words, 2, workspace);
      const std::vector<std::vector<Tagging>> again = all.ensemble->best(batch.words, 2, threaded);
      double nats = 0.0;
      for (int64_t row = 0; row < 2; ++row) {
        const auto r = static_cast<size_t>(row);
        const int64_t length = batch.words.lengths[r];
        double total = 0.0, best = 0.0;
        std::vector<int64_t> labels(static_cast<size_t>(length)), best_labels;
        const nn::CrfLayer<float> layer = all.ensemble->crf();
        EXPECT_EQ(layer.transitions, nullptr);
        const int64_t ways = static_cast<int64_t>(std::pow(static_cast<double>(K), static_cast<double>(length)) + 0.5);
        for (int64_t way = 0; way < ways; ++way) {
          double p = 1.0;
          int64_t rest = way, before = K;
          for (int64_t t = 0; t < length; ++t, rest /= K) {
            const int64_t k = rest % K;
            labels[static_cast<size_t>(t)] = k;
            p *= layer.may_follow(before, k) ? mean[r][static_cast<size_t>(t * K + k)] : 0.0;
            before = k;
          }
          p *= layer.may_follow(before, K) ? 1.0 : 0.0;
          total += p;
          if (p > best) {
            best = p;
            best_labels = labels;
          }
        }
        EXPECT_NEAR(found[r].front().probability, best / total, 1e-5 * best / total);
        EXPECT_GT(found[r][0].probability, found[r][1].probability);
        EXPECT_EQ(found[r][0].tags, again[r][0].tags);
        EXPECT_EQ(found[r][1].probability, again[r][1].probability);
        if (scheme == "none") {
          for (size_t t = 0; t < best_labels.size(); ++t) {
            EXPECT_EQ(found[r][0].tags[t], all.ensemble->labels()[static_cast<size_t>(best_labels[t])]);
          }
        }
        for (int64_t t = 0; t < length; ++t) {
          const auto label = static_cast<int64_t>(batch.labels[static_cast<size_t>(t * 2 + row)]);
          nats -= std::log(mean[r][static_cast<size_t>(t * K + label)]);
        }
      }
      int64_t counted = 0;
      EXPECT_NEAR(all.ensemble->loss(batch, counted, workspace), nats, 1e-5 * nats);
      EXPECT_EQ(counted, 7);

      // One member is the model itself, with its chain.
      Tagger::Workspace of_first(*all.first, Engine::kFused, context);
      Tagger::Workspace of_member(*all.members[0], Engine::kFused, context);
      EXPECT_EQ(all.first->loss(batch, counted, of_first), all.members[0]->loss(batch, counted, of_member));
      EXPECT_EQ(all.first->best(batch.words, 1, of_first)[0][0].probability,
                all.members[0]->best(batch.words, 1, of_member)[0][0].probability);
    }
  }
}

Combined<Regressor> regressors() {
  std::vector<std::unique_ptr<Regressor>> out;
  for (int i = 0; i < 3; ++i) {
    RegressorOptions options;
    options.series = {.inputs = "a,b", .target = "b,c", .window = 5, .horizon = 3};
    options.lstm.hidden = 5 + 4 * i;
    options.difference = i == 1;
    out.push_back(std::make_unique<Regressor>(options, Columns{.inputs = {"a", "b"},
                                                               .targets = {"b", "c"},
                                                               .input_scales = {{2.0, 0.7}, {0.1, 0.5}},
                                                               .target_scales = {{0.1, 0.5}, {15.0, 8.0}}}));
  }
  return Combined<Regressor>(std::move(out));
}

TEST(Ensemble, ForecastsTheMeanInTheUnitsOfTheData) {
  const Combined<Regressor> all = regressors();
  std::string text = "a,b,c\n";
  const CounterRng rng(9, 0, RngPlace::kSample);
  for (uint64_t i = 0; i < 30; ++i) {
    text += std::to_string(2.0 + rng.normal(3 * i)) + "," + std::to_string(rng.normal(3 * i + 1)) + "," +
            std::to_string(15.0 + 8.0 * rng.normal(3 * i + 2)) + "\n";
  }
  const data::SeriesOptions& series = all.members[0]->options().series;
  const data::Table table = data::read_table(text, series, "t.csv");
  const std::vector<data::Window> windows = data::windows(table, series, 0, table.rows);
  const auto forecasts = [&](const Regressor& model, int threads) {
    kernels::Context context(threads);
    Regressor::Workspace workspace(model, Engine::kFused, context);
    std::vector<double> out;
    evaluate(model, table, windows, workspace,
             {.on_window = [&](const data::Window&,
                               auto forecast) { out.insert(out.end(), forecast.begin(), forecast.end()); },
              .on_done = {}});
    return out;
  };
  const std::vector<double> found = forecasts(*all.ensemble, 1);
  std::vector<double> mean(found.size());
  for (const auto& member : all.members) {
    const std::vector<double> own = forecasts(*member, 1);
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += own[i] / 3.0;
  }
  testing::expect_close(found, mean, static_cast<int64_t>(mean.size()), 1e-6, "forecasts");
  EXPECT_EQ(forecasts(*all.ensemble, 3), found);
  EXPECT_EQ(forecasts(*all.first, 1), forecasts(*all.members[0], 1));
  EXPECT_NE(found, forecasts(*all.members[0], 1));
}

Combined<LanguageModel> language_models(bool lines) {
  std::vector<std::unique_ptr<LanguageModel>> out;
  data::TextOptions text;
  text.lines = lines;
  for (int i = 0; i < 3; ++i) {
    LanguageModelOptions options;
    options.text = text;
    options.lstm.hidden = 5 + 4 * i;
    options.embed = i == 2 ? 0 : 6;
    options.lstm.cell = i == 1 ? "gru" : "lstm";
    options.init.output = "standard-normal";
    out.push_back(std::make_unique<LanguageModel>(options, data::build_vocabulary(kText, text)));
  }
  return Combined<LanguageModel>(std::move(out));
}

TEST(Ensemble, PredictsSymbolsByTheMeanOfTheProbabilities) {
  for (const bool lines : {false, true}) {
    const Combined<LanguageModel> all = language_models(lines);
    const data::Corpus corpus =
        data::encode(kText, all.first->options().text, all.first->vocabulary(), data::Unknown::kError, "test");
    // Of each symbol, nats by its place.
    const auto losses = [&](const LanguageModel& model, int threads) {
      kernels::Context context(threads);
      LanguageModel::Workspace workspace(model, Engine::kFused, context);
      std::vector<double> out(corpus.symbols.size());
      const LanguageScore score = model.evaluate(
          corpus, {.rows = 2, .on_symbol = [&](int64_t at, double nats) { out[static_cast<size_t>(at)] = nats; }},
          workspace);
      EXPECT_NEAR(std::accumulate(out.begin(), out.end(), 0.0), score.total_nats, 1e-4);
      return out;
    };
    const std::vector<double> found = losses(*all.ensemble, 1);
    std::vector<double> mean(found.size());
    for (const auto& member : all.members) {
      const std::vector<double> own = losses(*member, 1);
      for (size_t i = 0; i < mean.size(); ++i) mean[i] += std::exp(-own[i]) / 3.0;
    }
    for (size_t i = 0; i < mean.size(); ++i) EXPECT_NEAR(found[i], -std::log(mean[i]), 1e-5) << i;
    EXPECT_EQ(losses(*all.ensemble, 3), found);
    EXPECT_EQ(losses(*all.first, 1), losses(*all.members[0], 1));

    // Symbol by symbol: the same, from logits whose probabilities sum to 1.
    TextReader reader(*all.ensemble, Engine::kFused);
    for (int again = 0; again < 2; ++again) {  // and after a reset
      reader.reset();
      for (size_t i = 0; i + 1 < 20; ++i) {
        const std::span<const float> logits = reader.read(corpus.symbols[i]);
        double sum = 0.0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        EXPECT_NEAR(sum, 1.0, 1e-5);
        const double nats = -static_cast<double>(logits[static_cast<size_t>(corpus.symbols[i + 1])]);
        if (lines) {  // whose sequences begin as the reader does
          EXPECT_NEAR(nats, found[i + 1], 1e-5);
        }
      }
    }
    if (lines) continue;
    kernels::Context context(1);
    LanguageModel::Workspace workspace(*all.ensemble, Engine::kFused, context);
    const ColdScore cold = all.ensemble->evaluate_cold(corpus, 3, 0.0, workspace);
    EXPECT_FALSE(cold.nats.empty());
    for (const double nats : cold.nats) EXPECT_TRUE(std::isfinite(nats) && nats > 0.0);
  }
}

TEST(Ensemble, OfEnsemblesHasAllTheirMembers) {
  const Combined<Classifier> all = classifiers();
  const std::vector<ModelFile> files = {ModelFile::read(all.folder / "first"), all.files[1],
                                        ModelFile::read(all.folder / "all")};
  combine<Classifier>(files, all.folder / "five");
  const ModelFile five = ModelFile::read(all.folder / "five");
  EXPECT_EQ(five.members(), 5U);
  const std::vector<double> of_three = read(*all.ensemble, Engine::kFused, 1);
  const std::vector<double> first = read(*all.members[0], Engine::kFused, 1);
  const std::vector<double> second = read(*all.members[1], Engine::kFused, 1);
  std::vector<double> mean(12);
  for (size_t i = 0; i < 12; ++i) mean[i] = (3.0 * of_three[i] + first[i] + second[i]) / 5.0;
  testing::expect_close(read(*Classifier::load(five), Engine::kFused, 1), mean, 12, 1e-14, "probabilities");

  std::vector<ModelFile> many(13, five);
  EXPECT_EQ(error_of([&] { combine<Classifier>(many, all.folder / "many"); }),
            "expected at most 64 members of an ensemble, found 65");
  EXPECT_FALSE(std::filesystem::exists(all.folder / "many"));
}

TEST(Ensemble, IsKeptInSmallerWeights) {
  const Combined<Classifier> all = classifiers();
  for (const auto type : {kernels::WeightType::kBf16, kernels::WeightType::kInt8}) {
    ModelFile::read(all.folder / "all").write_quantised(all.folder / "small", type);
    const ModelFile small = ModelFile::read(all.folder / "small");
    testing::expect_close(read(*Classifier::load(small), Engine::kFused, 1), read(*all.ensemble, Engine::kFused, 1), 12,
                          0.02, "probabilities");
    EXPECT_NE(error_of([&] { combine<Classifier>({&small, 1}, all.folder / "again"); }), "");
  }
}

TEST(Ensemble, RefusesWhatDoesNotGoTogether) {
  const TemporaryFolder folder;
  const auto file_of = [&](const std::string& name, const ClassifierOptions& options,
                           const data::WordVocabulary& vocabulary, const std::vector<std::string>& classes) {
    Classifier model(options, vocabulary, classes);
    model.initialise(1);
    model.save(folder / name, model.parameters().values());
    return ModelFile::read(folder / name);
  };
  const ClassifierOptions plain = word_options<ClassifierOptions>().front();
  ClassifierOptions cased = plain;
  cased.words.lowercase = false;
  const data::Words others = {"Anna", "saw", "Bert", "in", "Paris", "today", "the"}, fewer = {"Anna"};
  const ModelFile first = file_of("first", plain, words(), {"a", "b"});
  const auto refusal = [&](const ModelFile& second) {
    const std::vector<ModelFile> files = {first, second};
    std::string error = error_of([&] { combine<Classifier>(files, folder / "out"); });
    for (const std::string name : {"first", "other"}) {
      const std::string path = folder / name;
      for (size_t at = error.find(path); at != std::string::npos; at = error.find(path)) {
        error.replace(at, path.size(), name);
      }
    }
    return error;
  };
  EXPECT_EQ(refusal(file_of("other", cased, words(), {"a", "b"})),
            "other: expected `lowercase` true, as first has, found false");
  EXPECT_EQ(refusal(file_of("other", plain, words(), {"a", "b", "c"})),
            "other: vocabulary: expected 2 classes, as first has, found 3");
  EXPECT_EQ(refusal(file_of("other", plain, words(), {"b", "a"})),
            "other: vocabulary: expected \"a\" as number 1 of the classes, as first has, found \"b\"");
  EXPECT_NE(refusal(file_of("other", plain, data::build_word_vocabulary({&others}, {}), {"a", "b"}))
                .find("vocabulary: expected"),
            std::string::npos);
  EXPECT_NE(refusal(file_of("other", plain, data::build_word_vocabulary({&fewer}, {}), {"a", "b"})), "");
  Model language({.lstm = {.hidden = 5}, .embed = 3});
  language.model.save(folder / "other", language.model.parameters().values());
  EXPECT_EQ(refusal(ModelFile::read(folder / "other")), "other: expected a classifier, found a language_model");
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));

  const std::vector<ModelFile> two = {first, first};
  combine<Classifier>(two, folder / "two");
  EXPECT_NE(error_of([&] { ModelFile::read(folder / "two").expect_one_model("advice"); }).find("an ensemble of 2"),
            std::string::npos);
}

// Damage of the file of an ensemble that a single model's does not have.
TEST(EnsembleFile, RefusesAlteredFiles) {
  const Combined<Classifier> all = classifiers();
  const io::Safetensors whole = io::Safetensors::read(all.folder / "all");
  const auto refused = [&](const std::function<void(nlohmann::json & config)>& alter, const std::string& renamed) {
    std::map<std::string, std::string> metadata = whole.metadata();
    nlohmann::json config = nlohmann::json::parse(metadata["config"]);
    alter(config);
    metadata["config"] = config.dump();
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [name, tensor] : whole.tensors()) {
      tensors.emplace_back(name == "members.1.output.bias" ? renamed : name, tensor.shape, tensor.dtype, tensor.bytes);
    }
    io::write_safetensors(all.folder / "altered", metadata, tensors);
    return error_of([&] { Classifier::load(ModelFile::read(all.folder / "altered")); });
  };
  const std::string bias = "members.1.output.bias";
  EXPECT_EQ(refused([](auto&) {}, bias), "");
  EXPECT_NE(refused([](auto&) {}, "members.9.output.bias").find("1 to 64 members"), std::string::npos);
  EXPECT_NE(refused([](auto&) {}, "output.bias").find("1 to 64 members"), std::string::npos);
  EXPECT_NE(refused([](auto&) {}, "members.1.bias").find("members.1.output.bias"), std::string::npos);
  EXPECT_NE(refused([](auto&) {}, "members.0.bias").find("arrays that begin with members.0."), std::string::npos);
  const std::vector<std::function<void(nlohmann::json&)>> alterations = {
      [](auto& config) { config["members"].erase(2); },
      [](auto& config) { config["members"].push_back(config["members"][0]); },
      [](auto& config) { config["members"] = 3; },
      [](auto& config) { config["members"] = nlohmann::json::array(); },
      [](auto& config) { config.erase("members"); },
      [](auto& config) { config["members"][1] = "x"; },
      [](auto& config) { config["members"][1].erase("options"); },
      [](auto& config) { config["members"][1]["options"]["hidden"] = 13; },
      [](auto& config) { config["members"][1]["options"]["lowercase"] = false; },
      [](auto& config) { config["format"] = 1; },
      [](auto& config) { config["format"] = 3; },
  };
  for (size_t i = 0; i < alterations.size(); ++i) EXPECT_NE(refused(alterations[i], bias), "") << i;
}

}  // namespace
}  // namespace longhand::tasks
