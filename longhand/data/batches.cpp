#include "longhand/data/batches.h"

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::data {
double StreamOptions::reset_at(double done) const {
  constexpr double kTail = 0.2;  // of the run, in which the probability falls
  return reset * std::clamp((1.0 - done) / kTail, 0.0, 1.0);
}

Batches::Batches(const Corpus& corpus, bool lines, int64_t bptt, const GroupOptions& options,
                 const StreamOptions& stream)
    : corpus_(corpus), lines_(lines), bptt_(bptt), options_(options), stream_(stream) {
  LONGHAND_CHECK(options.batch > 0 && bptt > 0 && options.accumulate > 0 && corpus.targets() > 0);
  begin_epoch(0);
}

void Batches::begin_epoch(int64_t epoch) {
  const CounterRng rng = batch_rng(options_.seed, epoch);
  epoch_ = epoch;
  rows_.clear();
  windows_.clear();
  updates_.clear();
  const int64_t all = lines_ ? corpus_.sequences() : corpus_.targets();
  batch_ = batch_in(epoch);
  begins_anew_ = epoch == 0 || !goes_on() || batch_ != batch_in(epoch - 1);
  group_ = std::min(all, options_.whole ? batch_ : batch_ * options_.accumulate);
  if (lines_) {
    plan_lines(rng);
  } else if (goes_on()) {
    plan_moving_stream();
  } else {
    plan_stream(rng);
  }
  if (options_.whole) {
    Update whole{0, static_cast<int64_t>(windows_.size()), 0};
    for (const Update& update : updates_) whole.symbols += update.symbols;
    updates_.assign(1, whole);
  }
}

// A batch does not grow until nothing is left to read in a row.
int64_t Batches::batch_in(int64_t epoch) const {
  return options_.batch_in(epoch, lines_ ? corpus_.sequences() : corpus_.targets() / (bptt_ * options_.accumulate));
}

void Batches::plan_stream(const CounterRng& rng) {
  const int64_t targets = corpus_.targets();
  const int64_t rows = group_;
  const int64_t turn = stream_.moving ? static_cast<int64_t>(rng.below(1, static_cast<uint64_t>(targets))) : 0;
  for (int64_t b = 0; b < rows; ++b) {
    const int64_t begin = targets * b / rows;
    rows_.push_back({(turn + begin) % targets, targets * (b + 1) / rows - begin});
  }
  int64_t first = 0;
  if (options_.shuffle && longest(0, rows) > bptt_) {
    first = bptt_ - static_cast<int64_t>(rng.below(0, static_cast<uint64_t>(bptt_ / 2 + 1)));
    add_update(0, rows, 0, first);
  }
  add_windows(0, rows, first);
}

// Steps that a row of the present size has gone when an epoch begins: once around the ring for as many epochs as there
// are rows, and a bit more that differs between epochs.
int64_t Batches::steps_before(int64_t epoch) const {
  const int64_t targets = corpus_.targets();
  const int64_t bit = std::clamp<int64_t>(targets / group_ / 2, 1, bptt_);
  const uint64_t drawn = epoch == 0 ? 0 : batch_rng(options_.seed, epoch).below(0, static_cast<uint64_t>(bit));
  return epoch * targets / group_ + static_cast<int64_t>(drawn);
}

void Batches::plan_moving_stream() {
  const int64_t targets = corpus_.targets();
  const int64_t before = steps_before(epoch_), steps = steps_before(epoch_ + 1) - before;
  for (int64_t b = 0; b < group_; ++b) rows_.push_back({(targets * b / group_ + before) % targets, steps});
  add_windows(0, group_, 0);
}

// Which of the rows are reset at the start of a window: a draw for each, whatever rows are asked for with it.
void Batches::draw_resets(const Window& window, Range rows, Batch& batch) const {
  batch.resets.clear();
  if (lines_ || !options_.shuffle || stream_.reset == 0.0) return;
  const Row& row = rows_[static_cast<size_t>(window.first_row)];
  const double in_epoch = static_cast<double>(window.offset) / static_cast<double>(row.length);
  const double p = stream_.reset_at((static_cast<double>(epoch_) + in_epoch) / static_cast<double>(stream_.epochs));
  const CounterRng rng = batch_rng(options_.seed, epoch_);
  const int64_t first_draw = 2 + window.offset * group_ + window.first_row;
  for (int64_t b = rows.begin; b < rows.end; ++b) {
    batch.resets.push_back(static_cast<double>(rng.uniform(static_cast<uint64_t>(first_draw + b))) < p ? 1 : 0);
  }
}

void Batches::plan_lines(const CounterRng& rng) {
  std::vector<int64_t> lengths;
  for (int64_t s = 0; s < corpus_.sequences(); ++s) {
    const auto i = static_cast<size_t>(s);
    lengths.push_back(corpus_.starts[i + 1] - corpus_.starts[i] - 1);
  }
  Grouped grouped = group_by_length(lengths, group_, options_.shuffle, rng);
  deal_to_shards(grouped, group_, batch_, options_.shards);
  for (const int64_t s : grouped.order) {
    rows_.push_back({corpus_.starts[static_cast<size_t>(s)], lengths[static_cast<size_t>(s)]});
  }
  const auto lines = static_cast<int64_t>(rows_.size());
  for (const int64_t begin : grouped.first_of) add_windows(begin, std::min(group_, lines - begin), 0);
}

int64_t Batches::longest(int64_t first_row, int64_t rows) const {
  int64_t max = 0;
  for (int64_t b = 0; b < rows; ++b) max = std::max(max, rows_[static_cast<size_t>(first_row + b)].length);
  return max;
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
  // Windows of equal length: a short last one would make an update from few symbols.
  const int64_t length = longest(first_row, rows) - offset;
  const int64_t count = (length + bptt_ - 1) / bptt_;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = length * i / count;
    add_update(first_row, rows, offset + begin, length * (i + 1) / count - begin);
  }
}

void Batches::get(int64_t update, int64_t part, Shard shard, Batch& batch) const {
  const Window& window = windows_[static_cast<size_t>(updates_[static_cast<size_t>(update)].first_window + part)];
  const Range rows = shard.rows(window.rows);
  batch.slot = window.slot;
  batch.steps = window.steps;
  batch.rows = rows.size();
  batch.fresh = begins_anew_ && window.offset == 0;
  draw_resets(window, rows, batch);
  batch.symbols = 0;
  batch.ragged = batch.last_only = false;
  batch.inputs.assign(static_cast<size_t>(window.steps * batch.rows), 0);
  batch.targets.assign(static_cast<size_t>(window.steps * batch.rows), 0);
  batch.lengths.resize(static_cast<size_t>(batch.rows));
  batch.places.resize(static_cast<size_t>(batch.rows));
  for (int64_t b = 0; b < batch.rows; ++b) {
    const Row& row = rows_[static_cast<size_t>(window.first_row + rows.begin + b)];
    const int64_t length = std::clamp<int64_t>(row.length - window.offset, 0, window.steps);
    batch.lengths[static_cast<size_t>(b)] = static_cast<int32_t>(length);
    batch.ragged = batch.ragged || length < window.steps;
    batch.symbols += length;
    // A row of a stream that reaches the end of the text continues at its start.
    int64_t at = row.start + window.offset;
    const int64_t ring = lines_ ? at + length + 1 : corpus_.targets();
    batch.places[static_cast<size_t>(b)] = at % ring;
    for (int64_t t = 0; t < length; ++t, ++at) {
      const int32_t* symbol = corpus_.symbols.data() + at % ring;
      batch.inputs[static_cast<size_t>(t * batch.rows + b)] = symbol[0];
      batch.targets[static_cast<size_t>(t * batch.rows + b)] = symbol[1];
    }
  }
}

ContextBatches::ContextBatches(const Corpus& corpus, int64_t context, int64_t max) : corpus_(corpus) {
  const int64_t all = corpus.targets();
  const int64_t chosen = max > 0 ? std::min(max, all) : all;
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
  batch.resets.clear();
  const auto first = static_cast<size_t>(index * kRows);
  const size_t rows = std::min<size_t>(kRows, targets_.size() - first);
  batch.rows = static_cast<int64_t>(rows);
  batch.fresh = batch.ragged = batch.last_only = true;
  batch.symbols = batch.rows;
  batch.steps = 0;
  batch.lengths.resize(rows);
  batch.places.resize(rows);
  for (size_t b = 0; b < rows; ++b) {
    const Target& target = targets_[first + b];
    batch.places[b] = target.first;
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

ColdStarts::ColdStarts(const Corpus& corpus, int64_t distance, int64_t places, double turn) : corpus_(corpus) {
  LONGHAND_CHECK(corpus.sequences() == 1 && corpus.targets() > 0 && distance > 0 && places > 0 && turn < 1.0);
  steps_ = std::min(distance, corpus.targets());
  const int64_t begins = corpus.targets() - steps_ + 1;  // places from which a passage has all its targets
  const int64_t chosen = std::min(places, begins);
  for (int64_t i = 0; i < chosen; ++i) {
    const double share = (static_cast<double>(i) + turn) / static_cast<double>(chosen);
    places_.push_back(std::min(begins - 1, static_cast<int64_t>(share * static_cast<double>(begins))));
  }
}

void ColdStarts::get(int64_t index, Batch& batch) const {
  const int64_t first = index * kRows;
  batch.slot = 0;
  batch.steps = steps_;
  batch.rows = std::min(kRows, places() - first);
  batch.fresh = true;
  batch.resets.clear();
  batch.ragged = batch.last_only = false;
  batch.symbols = batch.rows * batch.steps;
  batch.inputs.resize(static_cast<size_t>(batch.symbols));
  batch.targets.resize(static_cast<size_t>(batch.symbols));
  batch.lengths.assign(static_cast<size_t>(batch.rows), static_cast<int32_t>(batch.steps));
  for (int64_t b = 0; b < batch.rows; ++b) {
    const int32_t* from = corpus_.symbols.data() + places_[static_cast<size_t>(first + b)];
    for (int64_t t = 0; t < batch.steps; ++t) {
      batch.inputs[static_cast<size_t>(t * batch.rows + b)] = from[t];
      batch.targets[static_cast<size_t>(t * batch.rows + b)] = from[t + 1];
    }
  }
}

}  // namespace longhand::data
