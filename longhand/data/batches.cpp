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
  std::vector<int64_t>().swap(order_);  // its memory goes to the next order
  groups_.clear();
  windows_before_.assign(1, 0);
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
  const int64_t longest = (targets + rows - 1) / rows;
  const bool drawn = options_.shuffle && longest > bptt_;
  const int64_t first = drawn ? bptt_ - static_cast<int64_t>(rng.below(0, static_cast<uint64_t>(bptt_ / 2 + 1))) : 0;
  add_group({0, rows, longest, first});
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
  add_group({0, group_, steps, 0});
}

// Draws which rows are reset at the start of a window. The draw of a row does not depend on which rows are asked for.
void Batches::draw_resets(const Part& part, Range rows, Batch& batch) const {
  batch.resets.clear();
  if (lines_ || !options_.shuffle || stream_.reset == 0.0) return;
  const Window& window = part.window;
  const int64_t first_row = window.group.first_row + part.begin;
  const double in_epoch = static_cast<double>(window.offset) / static_cast<double>(row(first_row).length);
  const double p = stream_.reset_at((static_cast<double>(epoch_) + in_epoch) / static_cast<double>(stream_.epochs));
  const CounterRng rng = batch_rng(options_.seed, epoch_);
  const int64_t first_draw = 2 + window.offset * group_ + first_row;
  for (int64_t b = rows.begin; b < rows.end; ++b) {
    batch.resets.push_back(static_cast<double>(rng.uniform(static_cast<uint64_t>(first_draw + b))) < p ? 1 : 0);
  }
}

int64_t Batches::line_length(int64_t line) const {
  int64_t bounds[2];
  corpus_.starts.read(static_cast<size_t>(line), 2, bounds);
  return bounds[1] - bounds[0] - 1;
}

// Sorted by length and dealt to shards, so that the first line of a group is its longest.
void Batches::plan_lines(const CounterRng& rng) {
  const int64_t lines = corpus_.sequences();
  Grouped grouped = group_by_length(
      lines, [this](int64_t line) { return line_length(line); }, group_, options_.shuffle, rng);
  deal_to_shards(grouped, group_, batch_, options_.shards);
  order_ = std::move(grouped.order);
  for (const int64_t begin : grouped.first_of) {
    add_group({begin, std::min(group_, lines - begin), row(begin).length, 0});
  }
}

Batches::Row Batches::row(int64_t number) const {
  if (!lines_) return rows_[static_cast<size_t>(number)];
  const int64_t line = order_[static_cast<size_t>(number)];
  return {corpus_.starts[static_cast<size_t>(line)], line_length(line)};
}

// Windows of equal length: a short last one would make an update from few symbols.
int64_t Batches::windows_of(const Group& group) const {
  return (group.first > 0 ? 1 : 0) + (group.length - group.first + bptt_ - 1) / bptt_;
}

void Batches::add_group(const Group& group) {
  groups_.push_back(group);
  windows_before_.push_back(windows_before_.back() + windows_of(group));
}

Batches::Window Batches::window(int64_t number) const {
  const auto after = std::upper_bound(windows_before_.begin(), windows_before_.end(), number);
  const auto g = static_cast<size_t>(after - windows_before_.begin()) - 1;
  const Group& group = groups_[g];
  int64_t i = number - windows_before_[g], count = windows_of(group);
  if (group.first > 0) {
    if (i == 0) return {group, 0, group.first};
    --i, --count;
  }
  const int64_t length = group.length - group.first;
  const int64_t begin = length * i / count;
  return {group, group.first + begin, length * (i + 1) / count - begin};
}

int64_t Batches::symbols_of(const Window& window, int64_t begin, int64_t rows) const {
  int64_t count = 0;
  for (int64_t b = begin; b < begin + rows; ++b) {
    count += std::clamp<int64_t>(row(window.group.first_row + b).length - window.offset, 0, window.steps);
  }
  return count;
}

// Parts of `batch_` rows, but for those whose rows have all ended.
int64_t Batches::parts_of(const Window& window) const {
  int64_t count = 0;
  for (int64_t begin = 0; begin < window.group.rows; begin += batch_) {
    if (symbols_of(window, begin, std::min(batch_, window.group.rows - begin)) > 0) ++count;
  }
  return count;
}

int64_t Batches::parts(int64_t update) const {
  if (!options_.whole) return parts_of(window(update));
  return windows();  // a group has no more rows than a part
}

int64_t Batches::symbols(int64_t update) const {
  if (options_.whole) return corpus_.targets();
  const Window all = window(update);
  return symbols_of(all, 0, all.group.rows);
}

Batches::Part Batches::part(int64_t update, int64_t number) const {
  if (options_.whole) {
    const Window all = window(number);
    return {all, 0, all.group.rows};
  }
  const Window all = window(update);
  for (int64_t begin = 0;; begin += batch_) {
    const int64_t rows = std::min(batch_, all.group.rows - begin);
    if (symbols_of(all, begin, rows) > 0 && number-- == 0) return {all, begin, rows};
  }
}

void Batches::get(int64_t update, int64_t number, Shard shard, Batch& batch) const {
  const Part part = this->part(update, number);
  const Window& window = part.window;
  const Range rows = shard.rows(part.rows);
  batch.slot = part.begin / batch_;
  batch.steps = window.steps;
  batch.rows = rows.size();
  batch.fresh = begins_anew_ && window.offset == 0;
  draw_resets(part, rows, batch);
  batch.symbols = 0;
  batch.ragged = batch.last_only = false;
  batch.inputs.assign(static_cast<size_t>(window.steps * batch.rows), 0);
  batch.targets.assign(static_cast<size_t>(window.steps * batch.rows), 0);
  batch.lengths.resize(static_cast<size_t>(batch.rows));
  batch.places.resize(static_cast<size_t>(batch.rows));
  const auto stride = static_cast<size_t>(batch.rows);
  for (int64_t b = 0; b < batch.rows; ++b) {
    const Row row = this->row(window.group.first_row + part.begin + rows.begin + b);
    const int64_t length = std::clamp<int64_t>(row.length - window.offset, 0, window.steps);
    batch.lengths[static_cast<size_t>(b)] = static_cast<int32_t>(length);
    batch.ragged = batch.ragged || length < window.steps;
    batch.symbols += length;
    // A row of a stream that reaches the end of the text continues at its start.
    int64_t at = row.start + window.offset;
    const int64_t ring = lines_ ? at + length + 1 : corpus_.targets();
    batch.places[static_cast<size_t>(b)] = at % ring;
    for (int64_t t = 0, count = 0; t < length; t += count, at += count) {
      count = std::min(length - t, ring - at % ring);
      const auto from = static_cast<size_t>(at % ring), n = static_cast<size_t>(count);
      const auto to = static_cast<size_t>(t * batch.rows + b);
      corpus_.symbols.read(from, n, batch.inputs.data() + to, stride);
      corpus_.symbols.read(from + 1, n, batch.targets.data() + to, stride);
    }
  }
}

ContextBatches::ContextBatches(const Corpus& corpus, int64_t context, int64_t max)
    : corpus_(corpus),
      context_(context),
      all_(corpus.targets()),
      chosen_(max > 0 ? std::min(max, corpus.targets()) : corpus.targets()) {}

// Target number n is the first for which n + 1 of the chosen ones are within its part of all.
ContextBatches::Target ContextBatches::target(int64_t number) const {
  const int64_t step = all_ / chosen_, more = all_ % chosen_;
  const int64_t seen = (number + 1) * step + ((number + 1) * more + chosen_ - 1) / chosen_ - 1;  // targets before it
  // Targets before sequence s: its start, less the first symbols of those before.
  int64_t s = 0;
  for (int64_t end = corpus_.sequences(); end - s > 1;) {
    const int64_t middle = s + (end - s) / 2;
    (corpus_.starts[static_cast<size_t>(middle)] - middle <= seen ? s : end) = middle;
  }
  const int64_t start = corpus_.starts[static_cast<size_t>(s)], at = start + 1 + seen - (start - s);
  return {std::max(start, at - context_), at};
}

void ContextBatches::get(int64_t index, Batch& batch) const {
  batch.resets.clear();
  const int64_t first = index * kRows;
  batch.rows = std::min(kRows, chosen_ - first);
  const auto rows = static_cast<size_t>(batch.rows);
  batch.fresh = batch.ragged = batch.last_only = true;
  batch.symbols = batch.rows;
  batch.steps = 0;
  batch.lengths.resize(rows);
  batch.places.resize(rows);
  for (size_t b = 0; b < rows; ++b) {
    const Target target = this->target(first + static_cast<int64_t>(b));
    batch.places[b] = target.first;
    batch.lengths[b] = static_cast<int32_t>(target.at - target.first);
    batch.steps = std::max<int64_t>(batch.steps, batch.lengths[b]);
  }
  batch.inputs.assign(static_cast<size_t>(batch.steps) * rows, 0);
  batch.targets.assign(static_cast<size_t>(batch.steps) * rows, 0);
  for (size_t b = 0; b < rows; ++b) {
    const auto length = static_cast<size_t>(batch.lengths[b]), from = static_cast<size_t>(batch.places[b]);
    corpus_.symbols.read(from, length, batch.inputs.data() + b, rows);
    batch.targets[(length - 1) * rows + b] = corpus_.symbols[from + length];
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
    const auto from = static_cast<size_t>(places_[static_cast<size_t>(first + b)]);
    const auto steps = static_cast<size_t>(batch.steps), rows = static_cast<size_t>(batch.rows);
    corpus_.symbols.read(from, steps, batch.inputs.data() + b, rows);
    corpus_.symbols.read(from + 1, steps, batch.targets.data() + b, rows);
  }
}

}  // namespace longhand::data
