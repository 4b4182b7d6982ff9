#include "longhand/train/data_parallel.h"

#include <cmath>

#include "longhand/base/error.h"
#include "longhand/distributed/collectives.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/train/ranges.h"

namespace longhand::train {

DataParallel::DataParallel(tasks::Task& task, const Division& division, kernels::Context& context)
    : task_(task),
      context_(context),
      ranks_(division.ranks != nullptr ? *division.ranks : alone_),
      shards_(division.shards),
      own_shards_(split(division.shards, ranks_.size(), ranks_.rank())),
      tree_(own_shards_) {
  const auto extent = static_cast<int64_t>(task.parameters().values().size());
  if (size() > 1) exchange_.emplace(extent, shards_, ranks_);
  owned_ = exchange_ ? exchange_->owned_by(ranks_.rank()) : std::vector<Range>{{0, extent}};
}

void DataParallel::compute(int64_t index, uint64_t step) {
  ParameterArena& arena = task_.parameters();
  results_.clear();
  tree_.begin();
  std::vector<ParameterArena::Row> rows;
  data::Shard shard{own_shards_.begin, shards_};
  for (; shard.index + 1 < own_shards_.end; ++shard.index) {
    results_.push_back(task_.train_shard(index, step, shard));
    tree_.add(arena.gradients(), context_);
    const std::vector<ParameterArena::Row> touched = arena.touched_rows();
    rows.insert(rows.end(), touched.begin(), touched.end());
  }
  arena.allocate_gradients();
  const std::span<float> gradients = arena.gradients();
  const auto extent = static_cast<int64_t>(gradients.size());
  if (!exchange_) {
    results_.push_back(task_.train_shard(index, step, shard));
    tree_.add_last({0, extent}, gradients.data(), context_);
    for (const auto& [parameter, row] : rows) arena.touch(parameter, row);
    own_.assign(arena.touched().begin(), arena.touched().end());
    return;
  }
  // The gradients of the last shard travel as the backward pass leaves them, unless all ranks must first know which
  // rows of an embedding have any.
  const auto send_from = [&](int64_t offset) {
    const Range pieces = exchange_->pieces_from(offset);
    tree_.add_last(pieces, gradients.data(), context_);
    exchange_->send(pieces);
  };
  if (!arena.is_sparse()) {
    exchange_->begin(tree_.others(), gradients.data(), arena.touched());
    arena.set_observer(send_from);
  }
  results_.push_back(task_.train_shard(index, step, shard));
  arena.set_observer({});
  if (arena.is_sparse()) {
    for (const auto& [parameter, row] : rows) arena.touch(parameter, row);
    agree_on_rows();
    exchange_->begin(tree_.others(), gradients.data(), arena.touched());
  }
  send_from(0);
  exchange_->finish();
  own_ = common(arena.touched(), owned_);
}

// Touches what any rank has touched.
void DataParallel::agree_on_rows() {
  ParameterArena& arena = task_.parameters();
  const std::vector<ParameterArena::Row> rows = arena.touched_rows();
  const std::string own(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(rows[0]));
  for (const std::string& all : distributed::all_gather(own, ranks_)) {
    std::vector<ParameterArena::Row> theirs(all.size() / sizeof(rows[0]));
    all.copy(reinterpret_cast<char*>(theirs.data()), all.size());
    for (const auto& [parameter, row] : theirs) arena.touch(parameter, row);
  }
}

// Of each piece of kNormPiece elements.
std::vector<double> DataParallel::own_squares() {
  const auto squares = kernels::squared_norms(task_.parameters().gradients().data(), own_, context_);
  return {squares.begin(), squares.end()};
}

// Adds the squares of all pieces in the order of the parameters, whoever has them.
double DataParallel::norm_of(const std::vector<std::vector<double>>& squares) const {
  double sum = 0.0;
  if (!exchange_) {
    for (const double piece : squares[0]) sum += piece;
    return std::sqrt(sum);
  }
  std::vector<size_t> next(squares.size());
  for (const Range& range : task_.parameters().touched()) {
    for (int64_t begin = range.begin; begin < range.end;
         begin = (begin / kernels::kNormPiece + 1) * kernels::kNormPiece) {
      const auto owner = static_cast<size_t>(exchange_->owner(begin));
      sum += squares[owner][next[owner]++];
    }
  }
  return std::sqrt(sum);
}

std::vector<std::vector<double>> DataParallel::all_gather(const std::vector<double>& own) {
  const std::string text(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(double));
  std::vector<std::vector<double>> out;
  for (const std::string& all : distributed::all_gather(text, ranks_)) {
    out.emplace_back(all.size() / sizeof(double));
    all.copy(reinterpret_cast<char*>(out.back().data()), all.size());
  }
  return out;
}

AgreedStep DataParallel::agree(bool stop, bool save) {
  // Two flags, loss and count of each shard, then the squares.
  std::vector<double> own = {stop ? 1.0 : 0.0, save ? 1.0 : 0.0};
  for (const tasks::StepResult& result : results_) {
    own.push_back(result.loss_sum);
    own.push_back(static_cast<double>(result.count));
  }
  const std::vector<double> squares = own_squares();
  own.insert(own.end(), squares.begin(), squares.end());
  AgreedStep out;
  std::vector<std::vector<double>> all = all_gather(own);
  for (size_t r = 0; r < all.size(); ++r) {
    std::vector<double>& from = all[r];
    out.stop = out.stop || from[0] != 0.0;
    out.save = out.save || (r == 0 && from[1] != 0.0);
    const int64_t shards = split(shards_, size(), static_cast<int>(r)).size();
    LONGHAND_CHECK(static_cast<int64_t>(from.size()) >= 2 + 2 * shards);
    auto next = from.begin() + 2;
    for (int64_t i = 0; i < shards; ++i) {
      out.result.loss_sum += *next++;
      out.result.count += static_cast<int64_t>(*next++);
    }
    from.erase(from.begin(), next);
  }
  out.norm = norm_of(all);
  return out;
}

double DataParallel::norm() { return norm_of(all_gather(own_squares())); }

void DataParallel::share_values() {
  if (exchange_) exchange_->share(task_.parameters().values().data(), task_.parameters().touched());
}

void DataParallel::share(std::span<float> array) {
  const Range all{0, static_cast<int64_t>(array.size())};
  if (exchange_) exchange_->share(array.data(), {&all, 1});
}

void DataParallel::collect(std::span<float> array) {
  if (exchange_ && !array.empty()) exchange_->collect(array.data());
}

void DataParallel::forget_others(std::span<float> array) const {
  if (exchange_ && !array.empty()) exchange_->forget_others(array.data());
}

std::vector<std::pair<std::string, Buffer<float>*>> DataParallel::carried_state() {
  std::vector<std::pair<std::string, Buffer<float>*>> out;
  for (data::Shard shard{0, shards_}; shard.index < shards_; ++shard.index) {
    for (auto& state : task_.carried_state(shard)) out.push_back(std::move(state));
  }
  return out;
}

void DataParallel::gather_carried_state() {
  for (int rank = 1; rank < size(); ++rank) {
    const Range shards = split(shards_, size(), rank);
    std::vector<Buffer<float>*> arrays;
    for (data::Shard shard{shards.begin, shards_}; shard.index < shards.end; ++shard.index) {
      for (const auto& state : task_.carried_state(shard)) arrays.push_back(state.second);
    }
    distributed::send_to_first(arrays, rank, ranks_);
  }
}

}  // namespace longhand::train
