// How well a language model of a stream begins: from cold starts all over a text, after prompts out of it, and after
// prompts of one's own. docs/batching.md and examples/README.md have what it printed.
//
//   longhand_beginnings MODEL TEXT MAX_TOKENS [PROMPT ...]
//
// TEXT is normalised as the model's training text was, and cut after MAX_TOKENS symbols (0: not at all).
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "longhand/data/text.h"
#include "longhand/io/file.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/sampler.h"

namespace longhand {
namespace {

constexpr int64_t kPlaces = 500;
constexpr int64_t kPrompts = 300;
constexpr int64_t kSamples = 100;

struct Subject {
  const tasks::LanguageModel& model;
  std::string text;  // normalised
  kernels::Context context{1};
  tasks::LanguageModel::Workspace workspace{model, nn::Engine::kFused, context};
  tasks::TextReader reader{model, nn::Engine::kFused};

  std::vector<int32_t> encode(const std::string& some) const {
    const data::TextOptions& how = model.options().text;
    const data::Symbols all = data::encode(some, how, model.vocabulary(), data::Unknown::kUnk, "text").symbols;
    return all.copy(0, all.size());
  }
  std::string write(const std::string& prompt, int64_t length, const tasks::SamplerOptions& options) {
    std::string out = prompt;
    tasks::generate(model, prompt, length, options, data::Unknown::kSkip, reader, [&](const std::string& piece) {
      out += piece;
      return true;
    });
    return out;
  }
};

void print_cold_perplexities(Subject& s) {
  const data::Corpus corpus =
      data::encode(s.text, s.model.options().text, s.model.vocabulary(), data::Unknown::kUnk, "text");
  const tasks::ColdScore cold = s.model.evaluate_cold(corpus, kPlaces, 0.0, s.workspace);
  fmt::print("perplexity from {} cold starts, by symbols read:", cold.places);
  for (const auto& [first, last] : {std::pair(1, 5), {6, 10}, {11, 20}, {21, 50}, {51, 100}}) {
    fmt::print("  {} to {}: {:.3f}", first, last, std::exp(cold.mean(first, last)));
  }
  fmt::print("\n");
}

// Two or three words of the text, which the model goes on with greedily: how often as the text somewhere does?
void print_known_prompts(Subject& s) {
  int64_t known = 0, asked = 0;
  for (int64_t k = 0; k < kPrompts; ++k) {
    size_t at = s.text.size() * static_cast<size_t>(k) / kPrompts;
    at = s.text.find(' ', at);
    const size_t end = at == std::string::npos ? at : s.text.find(' ', at + 10);
    if (end == std::string::npos || end + 60 > s.text.size()) continue;
    ++asked;
    const std::string written = s.write(s.text.substr(at + 1, end - at - 1), 50, {.greedy = true});
    known += s.text.find(written) != std::string::npos ? 1 : 0;
  }
  fmt::print("greedy continuations of 50 symbols that stand in the text: {} of {}\n", known, asked);
}

// What should be read before a passage that begins with a word: nats of its first twenty symbols, by what is.
void print_contexts(Subject& s) {
  const std::vector<int32_t> all = s.encode(s.text);
  const data::Vocabulary& vocabulary = s.model.vocabulary();
  const bool words = s.model.options().text.level == "word";
  const auto begins = [&](size_t at) {
    const std::string& before = vocabulary.symbol(all[at - 1]);
    return words || before == " " || before == "\n";
  };
  for (const std::string& name :
       {std::string(), std::string("\n"), std::string("\n\n"), std::string(" "), std::string(".\n\n")}) {
    bool has = true;
    for (const char c : name) has = has && (words ? c == '\n' : vocabulary.find(std::string(1, c)) >= 0);
    if (!has) continue;
    const std::vector<int32_t> before = name.empty() ? std::vector<int32_t>() : s.encode(name);
    double near = 0.0, far = 0.0;
    int64_t passages = 0;
    for (int64_t k = 0; k < kPlaces; ++k) {
      size_t at = 1 + all.size() * static_cast<size_t>(k) / kPlaces;
      while (at + 20 < all.size() && !begins(at)) ++at;
      if (at + 20 >= all.size()) continue;
      ++passages;
      s.reader.reset();
      for (const int32_t symbol : before) s.reader.read(symbol);
      for (size_t t = 0; t < 20; ++t) {
        const std::span<const float> logits = s.reader.read(all[at + t]);
        double sum = 0.0;
        for (const float l : logits) sum += std::exp(static_cast<double>(l));
        const double nats = std::log(sum) - static_cast<double>(logits[static_cast<size_t>(all[at + t + 1])]);
        (t < 5 ? near : far) += nats;
      }
    }
    std::string shown;
    for (const char c : name) shown += c == '\n' ? std::string("\\n") : std::string(1, c);
    fmt::print("read before the beginning of a word: {:<8} nats per symbol, 1 to 5: {:.3f}, 6 to 20: {:.3f}\n",
               "'" + shown + "'", near / static_cast<double>(5 * passages), far / static_cast<double>(15 * passages));
  }
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      out.back().push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    } else if (!out.back().empty()) {
      out.emplace_back();
    }
  }
  out.pop_back();  // it may have been cut
  return out;
}

// How many words of what the model writes after a prompt are words of the text.
void print_words(Subject& s, const std::vector<std::string>& prompts) {
  const std::vector<std::string> list = words_of(s.text);
  const std::set<std::string> known(list.begin(), list.end());
  for (const std::string& prompt : prompts) {
    int64_t good = 0, all = 0, bad_samples = 0;
    for (int64_t seed = 0; seed < kSamples; ++seed) {
      const std::string written = s.write(prompt, 200, {.temperature = 0.8, .seed = seed});
      int64_t good_here = 0, here = 0;
      for (const std::string& word : words_of(written.substr(prompt.size()))) {
        ++here;
        good_here += known.count(word) > 0 ? 1 : 0;
      }
      good += good_here;
      all += here;
      bad_samples += 2 * good_here < here ? 1 : 0;
    }
    s.reader.reset();
    std::span<const float> logits;
    for (const int32_t symbol : s.encode("\n" + prompt)) logits = s.reader.read(symbol);
    const auto best = static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    double sum = 0.0;
    for (const float l : logits) sum += std::exp(static_cast<double>(l - logits[best]));
    const std::string& next = s.model.vocabulary().symbol(static_cast<int32_t>(best));
    fmt::print(
        "after '{}': most probable next '{}', {:.3f}; words of the text: {:.1f} % of {}; samples with fewer than "
        "half: {} of {}\n",
        prompt, next == "\n" ? "\\n" : next, 1.0 / sum, 100.0 * static_cast<double>(good) / static_cast<double>(all),
        all, bad_samples, kSamples);
  }
}

int run(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: longhand_beginnings MODEL TEXT MAX_TOKENS [PROMPT ...]\n");
    return 2;
  }
  const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(std::string(argv[1]));
  const data::TextOptions& options = model->options().text;
  const std::string text = data::normalise(io::read_file(argv[2]), options, argv[2]);
  Subject subject{*model, std::string(data::truncate(text, options, std::atoll(argv[3])))};
  print_cold_perplexities(subject);
  print_known_prompts(subject);
  print_contexts(subject);
  print_words(subject, {argv + 4, argv + argc});
  return 0;
}

}  // namespace
}  // namespace longhand

int main(int argc, char** argv) {
  try {
    return longhand::run(argc, argv);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
