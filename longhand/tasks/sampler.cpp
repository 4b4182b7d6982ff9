#include "longhand/tasks/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"

namespace longhand::tasks {

void SamplerOptions::add_to(OptionTable& table) {
  table.add("temperature", temperature, "below 1 bolder, above 1 more varied", more_than(0.0));
  table.add("top-k", top_k, "draw among the k most probable symbols; 0: all", at_least(0));
  table.add("top-p", top_p, "draw among the most probable symbols that together reach this probability",
            between(1e-6, 1.0));
  table.add("greedy", greedy, "always take the most probable symbol");
  table.add("seed", seed, "the same seed gives the same text", at_least(0));
  table.add("context", context,
            "text that the model reads before the prompt and that is not printed; not for a model of lines");
  table.add("count", count,
            "lines to write, with a model of lines, each of --length symbols at most; 0: as many as fit in --length",
            at_least(0));
  verse.add_to(table);
}

int32_t sample(std::span<const float> logits, const std::vector<bool>& banned, const SamplerOptions& options,
               uint64_t index) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!banned[i]) order.push_back(static_cast<int32_t>(i));
  }
  LONGHAND_CHECK(!order.empty());
  for (const float l : logits) {
    if (!std::isfinite(l)) {
      throw input_error("the model predicts a value that is not finite", "its weights are damaged; train it again");
    }
  }
  const auto logit = [&](int32_t i) { return static_cast<double>(logits[static_cast<size_t>(i)]); };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logit(a) > logit(b); });
  if (options.greedy) return order.front();
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < order.size()) {
    order.resize(static_cast<size_t>(options.top_k));
  }
  std::vector<double> weights;
  for (const int32_t i : order) weights.push_back(std::exp((logit(i) - logit(order.front())) / options.temperature));
  double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (options.top_p < 1.0) {
    double reached = 0.0;
    size_t keep = 0;
    do reached += weights[keep++];
    while (keep < weights.size() && reached < options.top_p * total);
    weights.resize(keep);
    total = reached;
  }
  const CounterRng rng(static_cast<uint64_t>(options.seed), 0, RngPlace::kSample);
  double left = rng.uniform_double(index) * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0.0) return order[i];
  }
  return order[weights.size() - 1];
}

namespace {

// What is read before `start` where no context is given: a line's end, or else a blank, unless `start` begins with one.
// Before words, nothing: most do not begin a line. docs/batching.md has the measurements.
std::vector<int32_t> usual_context(const data::Vocabulary& vocabulary, bool words, const std::vector<int32_t>& start) {
  if (words && !start.empty()) return {};
  std::vector<int32_t> out;
  for (const std::string_view symbol : {std::string_view("\n"), data::kEnd, std::string_view(" ")}) {
    const int32_t index = vocabulary.find(symbol);
    if (index < 0) continue;
    if (!start.empty() && start.front() == index) return {};
    if (out.empty()) out.push_back(index);
  }
  return out;
}

}  // namespace

void generate(LanguageModel& model, const std::string& prompt, int64_t length, const SamplerOptions& options,
              data::Unknown unknown, nn::Engine engine, kernels::Context& context,
              const std::function<bool(const std::string&)>& emit) {
  const data::Vocabulary& vocabulary = model.vocabulary();
  const data::TextOptions& text = model.options().text;
  const int32_t begin = text.lines ? vocabulary.find(data::kBegin) : -1;
  const int32_t end = text.lines ? vocabulary.find(data::kEnd) : -1;

  data::TextOptions as_stream = text;  // a prompt is the beginning of a line, not a whole one
  as_stream.lines = false;
  const auto encoded = [&](const std::string& given, const char* name) {
    return data::encode(data::normalise(given, text, name), as_stream, vocabulary, unknown, name).symbols;
  };
  std::vector<int32_t> start = encoded(prompt, "--prompt");
  std::vector<int32_t> before = encoded(options.context, "--context");
  if (text.lines) {
    start.insert(start.begin(), begin);
  } else {
    if (before.empty()) before = usual_context(vocabulary, text.level == "word", start);
    if (before.empty() && start.empty()) before.push_back(0);
  }

  if (text.lines && !options.context.empty()) {
    throw usage_error("--context: expected a model of a stream, found one that was trained on lines",
                      "leave it out: each line begins anew; give its beginning with --prompt");
  }
  if (!text.lines && (options.verse.any() || options.count > 0)) {
    throw usage_error(std::string(options.count > 0 ? "--count" : "--form and --acrostic") +
                          ": expected a model that was trained on lines, found one of a stream",
                      "train it with --lines, one poem a line");
  }
  const Verse form(options.verse, vocabulary);
  Verse verse = form;
  data::Writer writer(text);
  std::span<const float> logits;
  const auto read_start = [&](const std::vector<int32_t>& symbols) {
    model.begin_text();
    verse = form;
    for (const int32_t symbol : symbols) {
      if (symbol != begin && !verse.write(symbol)) {
        throw usage_error(fmt::format("--prompt: '{}' does not fit {}", vocabulary.symbol(symbol),
                                      options.verse.acrostic.empty() ? "--form " + options.verse.form
                                                                     : "--acrostic " + options.verse.acrostic),
                          "give a beginning of such a poem, or none");
      }
      logits = model.read(symbol, engine, context);
    }
  };
  for (const int32_t symbol : before) writer.next(vocabulary.symbol(symbol));
  for (const int32_t symbol : start) writer.next(vocabulary.symbol(symbol));
  if (!text.lines) start.insert(start.begin(), before.begin(), before.end());
  read_start(start);
  if (!options.verse.any() && options.count == 0) start.resize(text.lines ? 1 : 0);  // of the lines after the first
  int64_t lines = 0;
  int64_t in_line = 0;
  for (int64_t i = 0; options.count > 0 || i < length; ++i) {
    const bool enough = verse.finished() || (options.count > 0 && in_line++ == length);
    const int32_t forced = enough ? end : verse.forced();
    const int32_t next = forced >= 0 ? forced : sample(logits, verse.banned(), options, static_cast<uint64_t>(i));
    if (!verse.finished()) verse.write(next);
    if (!emit(writer.next(vocabulary.symbol(next)))) return;
    const bool ended = next == end && end >= 0;
    lines += ended ? 1 : 0;
    if (options.count > 0 ? lines == options.count : i + 1 == length) return;
    if (!ended) {
      logits = model.read(next, engine, context);
      continue;
    }
    in_line = 0;
    read_start(start);
    for (size_t k = 1; k < start.size(); ++k) {
      if (!emit(writer.next(vocabulary.symbol(start[k])))) return;
    }
  }
}

}  // namespace longhand::tasks
