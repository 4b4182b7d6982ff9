#include "longhand/data/batches.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/error.h"

namespace longhand::data {
namespace {

// Fisher and Yates' shuffle with numbers first .. first + n of the generator.
template <class T>
void shuffle(std::vector<T>& items, const CounterRng& rng, uint64_t first) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(first + i, i)]);
}

}  // namespace

Batches::Batches(const Corpus& corpus, bool lines, const BatchOptions& options)
    : corpus_(corpus), lines_(lines), options_(options) {
  LONGHAND_CHECK(options.batch > 0 && options.bptt > 0 && options.accumulate > 0 && corpus.targets() > 0);
  begin_epoch(0);
}

void Batches::begin_epoch(int64_t epoch) {
  const CounterRng rng(options_.seed, static_cast<uint64_t>(epoch), RngPlace::kBatches);
  rows_.clear();
  windows_.clear();
  updates_.clear();
  const int64_t changes = options_.every > 0 ? epoch / options_.every : 0;
  const double wanted = static_cast<double>(options_.batch) * std::pow(options_.factor, static_cast<double>(changes));
  // A batch does not grow until nothing is left to read in a row.
  const int64_t all = lines_ ? corpus_.sequences() : corpus_.targets();
  const int64_t most = std::max(options_.batch, lines_ ? all : all / (options_.bptt * options_.accumulate));
  batch_ = std::llround(std::clamp(wanted, 1.0, static_cast<double>(most)));
  group_ = std::min(all, options_.whole ? batch_ : batch_ * options_.accumulate);
  if (lines_) {
    plan_lines(rng);
  } else {
    plan_stream(rng);
  }
  if (options_.whole) {
    Update whole{0, static_cast<int64_t>(windows_.size()), 0};
    for (const Update& update : updates_) whole.symbols += update.symbols;
    updates_.assign(1, whole);
  }
}

void Batches::plan_stream(const CounterRng& rng) {
  const int64_t targets = corpus_.targets();
  const int64_t rows = group_;
  for (int64_t b = 0; b < rows; ++b) {
    const int64_t begin = targets * b / rows;
    rows_.push_back({begin, targets * (b + 1) / rows - begin});
  }
  int64_t first = 0;
  if (options_.shuffle && longest(0, rows) > options_.bptt) {
    first = options_.bptt - static_cast<int64_t>(rng.below(0, static_cast<uint64_t>(options_.bptt / 2 + 1)));
    add_update(0, rows, 0, first);
  }
  add_windows(0, rows, first);
}

void Batches::plan_lines(const CounterRng& rng) {
  for (int64_t s = 0; s < corpus_.sequences(); ++s) {
    const auto i = static_cast<size_t>(s);
    rows_.push_back({corpus_.starts[i], corpus_.starts[i + 1] - corpus_.starts[i] - 1});
  }
  const auto lines = static_cast<int64_t>(rows_.size());
  if (options_.shuffle) shuffle(rows_, rng, 0);
  // Rows of like length waste no work on each other, and too many sorted together would no longer be shuffled.
  const int64_t pool = options_.shuffle ? 16 * group_ : lines;
  for (int64_t begin = 0; begin < lines; begin += pool) {
    const auto end = rows_.begin() + std::min(lines, begin + pool);
    std::stable_sort(rows_.begin() + begin, end, [](const Row& a, const Row& b) { return a.length > b.length; });
  }
  std::vector<int64_t> groups;
  for (int64_t begin = 0; begin < lines; begin += group_) groups.push_back(begin);
  if (options_.shuffle) shuffle(groups, rng, static_cast<uint64_t>(lines) + 1);
  for (const int64_t begin : groups) add_windows(begin, std::min(group_, lines - begin), 0);
}

int64_t Batches::longest(int64_t first_row, int64_t rows) const {
  int64_t most = 0;
  for (int64_t b = 0; b < rows; ++b) most = std::max(most, rows_[static_cast<size_t>(first_row + b)].length);
  return most;
}

int64_t Batches::symbols(const Window& window) const {
  int64_t count = 0;
  for (int64_t b = 0; b < window.rows; ++b) {
    const Row& row = rows_[static_cast<size_t>(window.first_row + b)];
    count += std::clamp<int64_t>(row.length - window.offset, 0, window.steps);
  }
  return count;
}

// The window of a group, cut into parts of `batch_` rows, but for those whose rows have all ended.
void Batches::add_update(int64_t first_row, int64_t rows, int64_t offset, int64_t steps) {
  Update update{static_cast<int64_t>(windows_.size()), 0, 0};
  for (int64_t begin = 0; begin < rows; begin += batch_) {
    const Window part{first_row + begin, std::min(batch_, rows - begin), offset, steps, begin / batch_};
    const int64_t count = symbols(part);
    if (count == 0) continue;
    windows_.push_back(part);
    update.symbols += count;
    ++update.parts;
  }
  updates_.push_back(update);
}

void Batches::add_windows(int64_t first_row, int64_t rows, int64_t offset) {
  // Windows of even length: a short one at the end would make an update of its own from little evidence.
  const int64_t length = longest(first_row, rows) - offset;
  const int64_t count = (length + options_.bptt - 1) / options_.bptt;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = length * i / count;
    add_update(first_row, rows, offset + begin, length * (i + 1) / count - begin);
  }
}

void Batches::get(int64_t update, int64_t part, Batch& batch) const {
  const Window& window = windows_[static_cast<size_t>(updates_[static_cast<size_t>(update)].first_window + part)];
  batch.slot = window.slot;
  batch.steps = window.steps;
  batch.rows = window.rows;
  batch.fresh = window.offset == 0;
  batch.symbols = 0;
  batch.ragged = batch.last_only = false;
  batch.inputs.assign(static_cast<size_t>(window.steps * window.rows), 0);
  batch.targets.assign(static_cast<size_t>(window.steps * window.rows), 0);
  batch.lengths.resize(static_cast<size_t>(window.rows));
  for (int64_t b = 0; b < window.rows; ++b) {
    const Row& row = rows_[static_cast<size_t>(window.first_row + b)];
    const int64_t length = std::clamp<int64_t>(row.length - window.offset, 0, window.steps);
    batch.lengths[static_cast<size_t>(b)] = static_cast<int32_t>(length);
    batch.ragged = batch.ragged || length < window.steps;
    batch.symbols += length;
    const int32_t* from = corpus_.symbols.data() + row.start + window.offset;
    for (int64_t t = 0; t < length; ++t) {
      batch.inputs[static_cast<size_t>(t * window.rows + b)] = from[t];
      batch.targets[static_cast<size_t>(t * window.rows + b)] = from[t + 1];
    }
  }
}

ContextBatches::ContextBatches(const Corpus& corpus, int64_t context, int64_t most) : corpus_(corpus) {
  const int64_t all = corpus.targets();
  const int64_t chosen = most > 0 ? std::min(most, all) : all;
  int64_t seen = 0;
  for (int64_t s = 0; s < corpus.sequences(); ++s) {
    const int64_t start = corpus.starts[static_cast<size_t>(s)];
    for (int64_t at = start + 1; at < corpus.starts[static_cast<size_t>(s) + 1]; ++at, ++seen) {
      const bool wanted = (seen + 1) * chosen / all > seen * chosen / all;
      if (wanted) targets_.push_back({std::max(start, at - context), at});
    }
  }
}

void ContextBatches::get(int64_t index, Batch& batch) const {
  const auto first = static_cast<size_t>(index * kRows);
  const size_t rows = std::min<size_t>(kRows, targets_.size() - first);
  batch.rows = static_cast<int64_t>(rows);
  batch.fresh = batch.ragged = batch.last_only = true;
  batch.symbols = batch.rows;
  batch.steps = 0;
  batch.lengths.resize(rows);
  for (size_t b = 0; b < rows; ++b) {
    const Target& target = targets_[first + b];
    batch.lengths[b] = static_cast<int32_t>(target.at - target.first);
    batch.steps = std::max<int64_t>(batch.steps, batch.lengths[b]);
  }
  batch.inputs.assign(static_cast<size_t>(batch.steps) * rows, 0);
  batch.targets.assign(static_cast<size_t>(batch.steps) * rows, 0);
  for (size_t b = 0; b < rows; ++b) {
    const int32_t* context = corpus_.symbols.data() + targets_[first + b].first;
    const auto length = static_cast<size_t>(batch.lengths[b]);
    for (size_t t = 0; t < length; ++t) batch.inputs[t * rows + b] = context[t];
    batch.targets[(length - 1) * rows + b] = context[length];
  }
}

}  // namespace longhand::data
