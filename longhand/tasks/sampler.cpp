#include "longhand/tasks/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"

namespace longhand::tasks {

void SamplerOptions::add_to(OptionTable& table) {
  table.add("temperature", temperature, "sampling temperature; below 1 is closer to greedy, above 1 is more varied",
            more_than(0.0));
  table.add("top-k", top_k, "number of most probable symbols to sample from; 0: all", at_least(0));
  table.add("top-p", top_p, "cumulative probability of the most probable symbols to sample from (nucleus sampling)",
            between(1e-6, 1.0));
  table.add("greedy", greedy, "always take the most probable symbol");
  table.add("seed", seed, "random seed", at_least(0));
  table.add("context", context, "text to read before the prompt, not printed; not for models trained with `lines`");
  table.add("count", count,
            "number of lines to generate with a model trained with `lines`; 0: as many as fit in `length`",
            at_least(0));
  verse.add_to(table);
}

int32_t sample(std::span<const float> logits, const std::vector<bool>& banned, const SamplerOptions& options,
               uint64_t index) {
  // Symbols come off a heap, most probable first: nearly always a few of a large vocabulary are enough.
  std::vector<int32_t> heap;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!banned[i]) heap.push_back(static_cast<int32_t>(i));
  }
  LONGHAND_CHECK(!heap.empty());
  for (const float l : logits) {
    if (!std::isfinite(l)) {
      throw input_error("the model predicts a value that is not finite", "its weights are damaged; train it again");
    }
  }
  const auto logit = [&](int32_t i) { return static_cast<double>(logits[static_cast<size_t>(i)]); };
  const auto comes_later = [&](int32_t a, int32_t b) { return logit(a) != logit(b) ? logit(a) < logit(b) : a > b; };
  if (options.greedy) return *std::max_element(heap.begin(), heap.end(), comes_later);
  std::make_heap(heap.begin(), heap.end(), comes_later);
  const double max = logit(heap.front());
  const auto weight = [&](int32_t i) { return std::exp((logit(i) - max) / options.temperature); };
  const auto next = [&] {
    std::pop_heap(heap.begin(), heap.end(), comes_later);
    const int32_t symbol = heap.back();
    heap.pop_back();
    return symbol;
  };
  std::vector<int32_t> kept;  // in order of probability
  double total = 0.0;
  if (options.top_k > 0 && static_cast<size_t>(options.top_k) < heap.size()) {
    while (static_cast<int64_t>(kept.size()) < options.top_k) kept.push_back(next());
    for (const int32_t i : kept) total += weight(i);
    heap.clear();
  } else {
    for (const int32_t i : heap) total += weight(i);
  }
  if (options.top_p < 1.0) {
    double reached = 0.0;
    size_t count = 0;
    do {
      if (count == kept.size()) kept.push_back(next());
      reached += weight(kept[count++]);
    } while ((count < kept.size() || !heap.empty()) && reached < options.top_p * total);
    kept.resize(count);
    total = reached;
    heap.clear();
  }
  const CounterRng rng(static_cast<uint64_t>(options.seed), 0, RngPlace::kSample);
  double left = rng.uniform_double(index) * total;
  for (size_t i = 0;; ++i) {
    if (i == kept.size()) kept.push_back(next());
    left -= weight(kept[i]);
    if (left < 0.0 || (i + 1 == kept.size() && heap.empty())) return kept[i];
  }
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

TextReader::TextReader(const LanguageModel& model, nn::Engine engine, const nn::StepWeights* steps)
    : model_(model), state_(model.new_state()) {
  LONGHAND_CHECK(!model.options().lstm.bidirectional);
  if (engine == nn::Engine::kFused && model.options().lstm.is_lstm() && !model.is_ensemble()) {
    if (steps == nullptr) steps = &own_steps_.emplace(model.network());
    stepper_.emplace(*steps);
    logits_.resize(static_cast<size_t>(model.vocabulary().size()));
  } else {
    workspace_.emplace(model, engine, context_);
  }
  reset();
}

void TextReader::reset() {
  if (stepper_) {
    stepper_->reset();
  } else {
    state_ = model_.new_state();
  }
}

std::span<const float> TextReader::read(int32_t symbol) {
  if (!stepper_) return model_.read(symbol, state_, *workspace_);
  LONGHAND_CHECK(symbol >= 0 && symbol < model_.vocabulary().size());
  const FlushDenormals flush;
  stepper_->step(1, &symbol, logits_.data());
  return logits_;
}

void generate(const LanguageModel& model, const std::string& prompt, int64_t length, const SamplerOptions& options,
              data::Unknown unknown, TextReader& reader, const std::function<bool(const std::string&)>& emit) {
  LONGHAND_CHECK(model.why_not_generate().empty());
  const data::Vocabulary& vocabulary = model.vocabulary();
  const data::TextOptions& text = model.options().text;
  const int32_t begin = text.lines ? vocabulary.find(data::kBegin) : -1;
  const int32_t end = text.lines ? vocabulary.find(data::kEnd) : -1;

  data::TextOptions as_stream = text;  // a prompt is the beginning of a line, not a whole one
  as_stream.lines = false;
  const auto encoded = [&](const std::string& given, const char* name) {
    return data::encode(data::normalise(given, text, name), as_stream, vocabulary, unknown, name).symbols.memory();
  };
  std::vector<int32_t> start = encoded(prompt, "`prompt`");
  std::vector<int32_t> before = encoded(options.context, "`context`");
  if (text.lines) {
    start.insert(start.begin(), begin);
  } else {
    if (before.empty()) before = usual_context(vocabulary, text.level == "word", start);
    if (before.empty() && start.empty()) before.push_back(0);
  }

  if (text.lines && !options.context.empty()) {
    throw usage_error("`context`: expected a model trained without `lines`, found one trained with it",
                      "leave it out: lines do not depend on each other; give the start of a line with `prompt`");
  }
  if (!text.lines && (options.verse.any() || options.count > 0)) {
    throw usage_error(std::string(options.count > 0 ? "`count`" : "`form` and `acrostic`") +
                          ": expected a model trained with `lines`, found another",
                      "train it with `lines`, one poem a line");
  }
  const Verse form(options.verse, vocabulary);
  Verse verse = form;
  data::Writer writer(text);
  std::span<const float> logits;
  const auto read_start = [&](const std::vector<int32_t>& symbols) {
    reader.reset();
    verse = form;
    for (const int32_t symbol : symbols) {
      if (symbol != begin && !verse.write(symbol)) {
        throw usage_error(fmt::format("`prompt`: '{}' does not fit {}", vocabulary.symbol(symbol),
                                      options.verse.acrostic.empty() ? "`form` " + options.verse.form
                                                                     : "`acrostic` " + options.verse.acrostic),
                          "give the start of such a poem, or no prompt");
      }
      logits = reader.read(symbol);
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
      logits = reader.read(next);
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
