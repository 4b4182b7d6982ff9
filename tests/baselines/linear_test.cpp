// The linear classifier, the CRF and the most frequent tags.
#include <cmath>

#include "longhand/baselines/linear_classifier.h"
#include "longhand/baselines/linear_crf.h"
#include "longhand/baselines/tag_frequency.h"
#include "longhand/baselines/word_features.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::baselines {
namespace {

template <class Model>
Model again(const Model& model) {
  const testing::TemporaryFolder folder;
  BaselineWriter out(Model::kKind);
  model.write(out);
  out.write(folder / "baseline");
  return Model::read(BaselineFile::read(folder / "baseline"));
}

std::string numbered(const char* word, int64_t number) { return std::string(word).append(std::to_string(number)); }

struct Texts {
  std::vector<data::Words> words;
  std::vector<int32_t> classes;
  std::vector<const data::Words*> pointers() const {
    std::vector<const data::Words*> out;
    for (const data::Words& w : words) out.push_back(&w);
    return out;
  }
};

// The class is in the word at one place, or, with `of_pairs`, in whether two words are in one order or the other.
Texts texts(int64_t n, int64_t classes, bool of_pairs, uint32_t place) {
  const std::vector<int32_t> random = testing::random_symbols(n * 6, 1000, place);
  Texts out;
  for (int64_t i = 0; i < n; ++i) {
    const auto at = [&](int64_t k) { return random[static_cast<size_t>(i * 6 + k)]; };
    const auto k = static_cast<int32_t>(at(0) % classes);
    data::Words words;
    for (int64_t j = 1; j < 4; ++j) words.push_back(numbered("w", at(j) % 20));
    if (of_pairs) {
      const data::Words two = k == 0 ? data::Words{"not", "bad"} : data::Words{"bad", "not"};
      words.insert(words.begin() + at(4) % 3, two.begin(), two.end());
    } else {
      words.push_back(numbered("class", k));
    }
    out.words.push_back(words);
    out.classes.push_back(k);
  }
  return out;
}

double accuracy(const LinearClassifier& model, const Texts& on) {
  double right = 0.0;
  for (size_t i = 0; i < on.words.size(); ++i) {
    const std::vector<double> p = model.probabilities(on.words[i]);
    double sum = 0.0;
    for (const double x : p) sum += x;
    EXPECT_NEAR(sum, 1.0, 1e-12);
    right += std::max_element(p.begin(), p.end()) - p.begin() == on.classes[i] ? 1.0 : 0.0;
  }
  return right / static_cast<double>(on.words.size());
}

TEST(LinearClassifier, FindsTheWordsThatTellClassesApart) {
  const Texts train = texts(200, 3, false, 1), test = texts(100, 3, false, 2);
  EXPECT_EQ(accuracy(LinearClassifier::fit(train.pointers(), train.classes, 3, {.pairs = false, .C = 4.0}), test), 1.0);
}

TEST(LinearClassifier, ChoosesPairsWhereOrderMatters) {
  const Texts train = texts(400, 2, true, 1), test = texts(200, 2, true, 2);
  const auto [model, used] = choose_linear_classifier(train.pointers(), train.classes, 2);
  EXPECT_TRUE(model.options().pairs);
  EXPECT_EQ(used, 400);
  EXPECT_EQ(accuracy(model, test), 1.0);
  EXPECT_LT(accuracy(LinearClassifier::fit(train.pointers(), train.classes, 2, {.pairs = false}), test), 0.7);
}

// The optimum of |w|^2 / 2 + C sum log(1 + exp(-y w x)): the gradient is zero there. Two texts with a word each have
// x = (1, 0, 1) and (0, 1, 1), and by symmetry w = (a, -a, 0) with a = C / (1 + exp(a)).
TEST(LinearClassifier, IsAtTheOptimum) {
  Texts two;
  two.words = {{"a"}, {"b"}};
  two.classes = {0, 1};
  for (const double C : {0.5, 1.0, 10.0}) {
    double a = 0.0;
    for (int i = 0; i < 200; ++i) a = 0.5 * (a + C / (1.0 + std::exp(a)));
    const LinearClassifier model = LinearClassifier::fit(two.pointers(), two.classes, 2, {.pairs = false, .C = C});
    EXPECT_NEAR(model.probabilities({"a"})[0], 1.0 / (1.0 + std::exp(-a)), 2e-3) << C;  // the solver's own tolerance
    EXPECT_NEAR(model.probabilities({"b"})[1], 1.0 / (1.0 + std::exp(-a)), 2e-3) << C;
    EXPECT_NEAR(model.probabilities({"unknown"})[0], 0.5, 1e-6);
  }
}

// With the weights of naive Bayes the same two texts have x = (log 2, 0, 1) and (0, -log 2, 1): each word is counted
// twice in its own class and once in the other. So w = (v, v, 0), and s = v log 2 = C (log 2)^2 / (1 + exp(s)).
TEST(LinearClassifier, IsAtTheOptimumOfBayesWeights) {
  Texts two;
  two.words = {{"a"}, {"b"}};
  two.classes = {0, 1};
  const double square = std::log(2.0) * std::log(2.0);
  for (const double C : {0.5, 1.0, 10.0}) {
    double s = 0.0;
    for (int i = 0; i < 200; ++i) s = 0.5 * (s + C * square / (1.0 + std::exp(s)));
    const LinearClassifier model =
        LinearClassifier::fit(two.pointers(), two.classes, 2, {.pairs = false, .C = C, .bayes = true});
    EXPECT_NEAR(model.probabilities({"a"})[0], 1.0 / (1.0 + std::exp(-s)), 2e-3) << C;
    EXPECT_NEAR(model.probabilities({"b", "b"})[1], 1.0 / (1.0 + std::exp(-s)), 2e-3) << C;
    EXPECT_EQ(again(model).probabilities({"a"}), model.probabilities({"a"}));
  }
}

TEST(LinearClassifier, UsesPartOfManyTextsEvenly) {
  const Texts train = texts(400, 2, false, 1);
  const auto [model, used] = choose_linear_classifier(train.pointers(), train.classes, 2, 800);
  EXPECT_EQ(used, 200);  // of four words each
  EXPECT_EQ(accuracy(model, texts(100, 2, false, 2)), 1.0);
}

TEST(LinearClassifier, IsTheSameAfterItWasWrittenAndRead) {
  const Texts train = texts(100, 3, false, 1);
  const LinearClassifier model = LinearClassifier::fit(train.pointers(), train.classes, 3, {});
  const LinearClassifier read = again(model);
  EXPECT_EQ(read.features(), model.features());
  for (const data::Words& words : train.words) EXPECT_EQ(read.probabilities(words), model.probabilities(words));
}

TEST(TagFrequency, GivesEachWordItsMostFrequentTag) {
  std::vector<data::TaggedSentence> sentences = {{{"the", "play", "ended"}, {"DET", "NOUN", "VERB"}, {}},
                                                 {{"the", "play", "slowly"}, {"DET", "NOUN", "ADV"}, {}},
                                                 {{"they", "play", "Vienna"}, {"PRON", "VERB", "PROPN"}, {}},
                                                 {{"they", "talked", "7"}, {"PRON", "VERB", "NUM"}, {}}};
  const TagFrequency model = TagFrequency::fit(sentences);
  EXPECT_EQ(model.tag("play"), "NOUN");
  EXPECT_EQ(model.tag("walked"), "VERB");            // by -alked
  EXPECT_EQ(model.tag("quickly"), "ADV");            // by -ly
  EXPECT_EQ(model.tag("Sienna"), "PROPN");           // by -ienna after a capital
  EXPECT_EQ(model.tag("9"), "NUM");                  // by its shape
  EXPECT_EQ(model.tag("\xC3\xA9\xC3\xA9"), "VERB");  // likewise: most rare words of small letters are verbs
  const TagFrequency read = again(model);
  for (const char* word : {"play", "walked", "quickly", "Sienna", "9", "x"}) EXPECT_EQ(read.tag(word), model.tag(word));
}

// Names follow "in", and of two words the second begins with a capital.
std::vector<data::TaggedSentence> names(int64_t n, uint32_t place) {
  const std::vector<int32_t> random = testing::random_symbols(n * 8, 1000, place);
  std::vector<data::TaggedSentence> out;
  for (int64_t i = 0; i < n; ++i) {
    data::TaggedSentence s;
    for (int64_t j = 0; j < 3; ++j) {
      const int32_t r = random[static_cast<size_t>(i * 8 + j)];
      s.words.push_back(numbered("w", r % 30));
      s.tags.push_back("O");
      if (r % 2 == 0) continue;
      s.words.push_back(r % 3 == 0 ? "in" : "by");
      s.tags.push_back("O");
      const std::string type = r % 3 == 0 ? "LOC" : "PER";
      s.words.push_back(numbered("Name", r));
      s.tags.push_back("B-" + type);
      if (r % 5 == 0) {
        s.words.push_back(numbered("Name", r + 1000));
        s.tags.push_back("I-" + type);
      }
    }
    out.push_back(std::move(s));
  }
  return out;
}

data::ChunkScore score(const LinearCrf& model, const std::vector<data::TaggedSentence>& sentences) {
  data::ChunkScore out;
  for (const data::TaggedSentence& s : sentences) out.add(s.tags, model.tag(s.words));
  return out;
}

TEST(LinearCrf, FindsNamesThatItHasNeverSeen) {
  ThreadPool pool(1);
  const LinearCrf model = LinearCrf::fit(names(150, 1), data::Scheme::kIob2, {}, pool);
  EXPECT_EQ(score(model, names(60, 2)).all.f1(), 100.0);
  const LinearCrf read = again(model);
  for (const data::TaggedSentence& s : names(20, 3)) EXPECT_EQ(read.tag(s.words), model.tag(s.words));
  EXPECT_TRUE(model.tag({}).empty());
}

TEST(LinearCrf, IsTheSameOnAnyNumberOfThreads) {
  const testing::TemporaryFolder folder;
  const std::vector<data::TaggedSentence> sentences = names(150, 1);
  std::vector<std::string> files;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    BaselineWriter out(LinearCrf::kKind);
    LinearCrf::fit(sentences, data::Scheme::kIob2, {.max_iterations = 20}, pool).write(out);
    out.write(folder / "baseline");
    files.push_back(io::read_file(folder / "baseline"));
  }
  EXPECT_EQ(files[0], files[1]);
}

// The solver is in C, through which no exception may pass: it is stopped first.
TEST(LinearCrf, StopsWhereAnEvaluationThrows) {
  ThreadPool pool(2);
  for (const int last : {1, 2, 7}) {
    int evaluations = 0;
    LinearCrfOptions options;
    options.on_evaluation = [&] {
      if (++evaluations == last) throw std::runtime_error("stop");
    };
    EXPECT_THROW(LinearCrf::fit(names(40, 3), data::Scheme::kIob2, options, pool), std::runtime_error) << last;
    EXPECT_EQ(evaluations, last);
  }
}

TEST(LinearCrf, WritesTheSchemeOfItsDataAndNoTagsThatBreakIt) {
  std::vector<data::TaggedSentence> sentences = names(100, 1);
  for (data::TaggedSentence& s : sentences) {
    s.tags = data::chunk_tags(data::chunks(s.tags), static_cast<int64_t>(s.tags.size()), data::Scheme::kBioes);
  }
  ThreadPool pool(1);
  const LinearCrf model = LinearCrf::fit(sentences, data::Scheme::kBioes, {.max_iterations = 3}, pool);
  bool any = false;
  std::vector<data::TaggedSentence> tagged = sentences;
  for (data::TaggedSentence& s : tagged) {
    s.tags = model.tag(s.words);
    for (const std::string& tag : s.tags) any = any || tag.starts_with("S-");
  }
  EXPECT_TRUE(any);
  EXPECT_NO_THROW(data::check_scheme(tagged, data::Scheme::kBioes, "tagged"));
}

TEST(LinearCrf, UsesAsManySentencesAsItsBudgetAllows) {
  ThreadPool pool(1);
  const std::vector<data::TaggedSentence> sentences = names(150, 1);
  double words = 0.0;
  for (const data::TaggedSentence& s : sentences) words += static_cast<double>(s.words.size());
  const double K = 5.0;  // O, and two for each type
  const LinearCrf model =
      LinearCrf::fit(sentences, data::Scheme::kIob2, {.budget = words / 3.0 * 50.0 * (100.0 + 3.0 * K * K)}, pool);
  EXPECT_NEAR(static_cast<double>(model.sentences()), 50.0, 1.0);  // rounded up
  EXPECT_GT(score(model, names(60, 2)).all.f1(), 90.0);
}

}  // namespace
}  // namespace longhand::baselines
