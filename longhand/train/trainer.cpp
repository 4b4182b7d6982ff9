#include "longhand/train/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/distributed/collectives.h"
#include "longhand/version.h"

namespace longhand::train {
namespace {

using Clock = std::chrono::steady_clock;

// Some clocks that should not have been seen to run backwards.
double seconds_since(Clock::time_point start) {
  return std::max(0.0, std::chrono::duration<double>(Clock::now() - start).count());
}

}  // namespace

// On several ranks, each keeps the averages of the weights that it updates.
Trainer::Averaged::Averaged(Trainer& trainer) : trainer_(trainer) {
  const std::span<float> averages = trainer.optimizer_.averages();
  if (!averages.empty()) trainer.parallel_.share(averages);
  swap();
}

void Trainer::Averaged::swap() {
  const std::span<float> averages = trainer_.optimizer_.averages();
  if (averages.empty()) return;
  std::swap_ranges(averages.begin(), averages.end(), trainer_.task_.parameters().values().begin());
  trainer_.task_.parameters_changed();
}

void TrainOptions::add_to(OptionTable& table) {
  table.add("epochs", epochs, "number of passes over the training data", at_least(1));
  optimizer.add_to(table);
  schedule.add_to(table);
  layers.add_to(table);
  table.add("patience", patience, "evaluations without improvement before training stops; 0: no early stopping",
            at_least(0));
  table.add("checkpoint-seconds", checkpoint_seconds, "seconds between checkpoints", at_least(0.0));
  table.add("tensorboard", tensorboard, "also write the metrics for TensorBoard");
}

void TrainOptions::check(tasks::Task& task) const {
  layers.check(task.parameters());
  if (optimizer.optimizer == "asgd" && optimizer.average != "none") {
    throw usage_error("`average` " + optimizer.average + ": cannot be combined with `optimizer` asgd",
                      "asgd averages the weights by itself; leave one of the two out");
  }
  if (optimizer.optimizer == "asgd" && optimizer.average_after < 0 && !task.has_validation()) {
    throw usage_error(
        "`optimizer` asgd: averaging starts when the held-out loss stops improving, and nothing is held out",
        "give `valid` or `valid-fraction`, or set `average-after`");
  }
}

Trainer::Trainer(tasks::Task& task, const TrainOptions& options, const std::string& folder, kernels::Context& context,
                 Observer observer, FixedOptions fixed, const Division& division)
    : task_(task),
      options_(options),
      files_(folder),
      context_(context),
      observer_(std::move(observer)),
      fixed_(std::move(fixed)),
      fingerprint_(task.fingerprint()),
      parallel_(task, division, context),
      optimizer_(options.optimizer, static_cast<int64_t>(task.parameters().values().size()),
                 [this](std::span<float> moments) { parallel_.forget_others(moments); }),
      schedule_(options.schedule, options.optimizer.learning_rate),
      layers_(options.layers, task.parameters()) {
  progress_.epochs = options.epochs;
  progress_.has_perplexity = task.has_perplexity();
  progress_.ranks = parallel_.size();
  options.check(task);
  check_alike();
}

// Frees the moments of parameters that other ranks update.
void Trainer::forget_moments_of_others() {
  for (const std::span<float> moments : optimizer_.moments()) parallel_.forget_others(moments);
}

// Checks that all ranks have the same model, data and options.
void Trainer::check_alike() {
  if (parallel_.size() == 1) return;
  using Texts = std::vector<std::string>;
  const auto gather = [&](const std::string& own) { return distributed::all_gather(own, parallel_.ranks()); };
  const auto check = [&](const Texts& all, const char* what, const char* advice) {
    for (size_t r = 1; r < all.size(); ++r) {
      if (all[r] == all[0]) continue;
      throw distributed::AgreedError(
          ExitCode::kInput,
          fmt::format("{}: it has {} than rank 0: {}", distributed::describe(parallel_.ranks(), static_cast<int>(r)),
                      what, first_difference(all[0], all[r])),
          advice);
    }
  };
  std::string options =
      fmt::format("version {}, epochs {}, patience {}", LONGHAND_VERSION, options_.epochs, options_.patience);
  for (const auto& [name, value] : fixed_) options += fmt::format(", {} {}", name, value);
  check(gather(options), "another version or other options", "give all processes the same binary and the same options");
  // Ranks may hold the same data in different forms; then all compute the slower, common fingerprint.
  Texts data = gather(fingerprint_);
  const auto other = std::find_if(data.begin(), data.end(), [&](const auto& each) { return each != fingerprint_; });
  data = gather(other == data.end() ? fingerprint_ : task_.fingerprint_like(*other));
  check(data, "other data or another model", "give all processes the same files");
}

TrainResult Trainer::run(int64_t until_epoch) {
  if (parallel_.is_first()) {
    metrics_ = std::make_unique<io::LineWriter>(files_.metrics, static_cast<size_t>(metrics_bytes_));
    if (options_.tensorboard) {
      events_ = std::make_unique<io::EventWriter>(files_.events, static_cast<size_t>(events_bytes_));
    }
  }
  // A place that cannot be written is found before any time is spent.
  if (!resumed_) write_checkpoint();
  saved_at_ = Clock::now();
  Outcome outcome = Outcome::kFinished;
  const auto out_of_patience = [&] { return options_.patience > 0 && evaluations_since_best_ >= options_.patience; };

  while (outcome == Outcome::kFinished && !out_of_patience()) {
    if (progress_.index == progress_.steps_in_epoch) {
      if (progress_.epoch >= options_.epochs) break;
      if (until_epoch > 0 && progress_.epoch >= until_epoch) {
        outcome = Outcome::kPaused;
        break;
      }
      begin_epoch();
    }
    if (stop_ || (parallel_.size() == 1 && wants_to_stop())) {
      outcome = Outcome::kInterrupted;
      break;
    }
    step();
    if (progress_.index == progress_.steps_in_epoch) end_epoch();
    if (save_ || (parallel_.size() == 1 && wants_to_save())) {
      write_checkpoint();
      saved_at_ = Clock::now();
    }
  }
  if (outcome == Outcome::kFinished && out_of_patience()) outcome = Outcome::kOutOfPatience;
  write_checkpoint();
  return {outcome, progress_, best_valid_, best_epoch_};
}

bool Trainer::wants_to_save() const { return seconds_since(saved_at_) >= options_.checkpoint_seconds; }

void Trainer::begin_epoch() {
  task_.begin_epoch(progress_.epoch);
  layers_.begin_epoch(progress_.epoch, progress_.step);
  ++progress_.epoch;
  progress_.steps_in_epoch = task_.steps();
  progress_.batch = task_.batch();
  progress_.index = 0;
  progress_.loss_sum = progress_.norm_sum = 0.0;
  progress_.count = 0;
  epoch_seconds_ = 0.0;
}

void Trainer::step() {
  const auto start = Clock::now();
  const GradientExchange* exchange = parallel_.exchange();
  const ExchangeCosts before = exchange != nullptr ? exchange->costs() : ExchangeCosts{};
  parallel_.compute(progress_.index, static_cast<uint64_t>(progress_.step));
  // On several ranks what the first one's clock and any one's user want is agreed on once a step.
  const bool several = parallel_.size() > 1;
  const AgreedStep agreed = parallel_.agree(several && wants_to_stop(), several && wants_to_save());
  stop_ = agreed.stop;
  save_ = agreed.save;
  if (!std::isfinite(agreed.result.loss_sum)) throw diverged("loss");
  if (!std::isfinite(agreed.norm)) throw diverged("gradient");
  update(agreed);
  const tasks::StepResult& result = agreed.result;
  if (progress_.step == 0 && result.count > 0) {
    progress_.first_loss = result.loss_sum / static_cast<double>(result.count);
  }
  ++progress_.step;
  ++progress_.index;
  progress_.loss_sum += result.loss_sum;
  progress_.norm_sum += agreed.norm;
  progress_.count += result.count;
  progress_.total_count += result.count;
  const double seconds = seconds_since(start);
  progress_.seconds += seconds;
  epoch_seconds_ += seconds;
  progress_.tokens_per_second = static_cast<double>(progress_.count) / epoch_seconds_;
  if (exchange != nullptr) {
    const ExchangeCosts after = exchange->costs();
    ++progress_.exchanges;
    progress_.exchanging_seconds += seconds;
    progress_.exchange_seconds += after.seconds - before.seconds;
    progress_.waited_seconds += after.waited - before.waited;
    progress_.exchanged_bytes += static_cast<double>(after.bytes - before.bytes);
  }
  if (parallel_.is_first() && observer_.on_step) observer_.on_step(progress_);
}

// Each rank updates what it owns.
void Trainer::update(const AgreedStep& agreed) {
  ParameterArena& parameters = task_.parameters();
  const std::span<float> values = parameters.values(), gradients = parameters.gradients();
  const auto epochs_done = static_cast<double>(progress_.epoch - 1) +
                           static_cast<double>(progress_.index) / static_cast<double>(progress_.steps_in_epoch);
  const double done = epochs_done / static_cast<double>(options_.epochs);
  progress_.learning_rate = schedule_.rate({.step = progress_.step, .epoch = progress_.epoch - 1, .done = done});
  if (optimizer_.starts_averaging(done)) optimizer_.begin_averaging(progress_.step, values);
  const bool clipped = optimizer_.clip_values(gradients, parallel_.own(), context_);
  const double norm = clipped ? parallel_.norm() : agreed.norm;
  optimizer_.update(values, gradients, layers_.parts(parallel_.own()), parallel_.owned(), norm, progress_.learning_rate,
                    progress_.step, context_);
  parallel_.share_values();
  task_.parameters_changed();
}

Divergence Trainer::diverged(const std::string& what) const {
  return Divergence(
      ExitCode::kInput,
      fmt::format("step {} (epoch {}): the {} is not finite; training has stopped, and {} holds the last good state",
                  progress_.step + 1, progress_.epoch, what, files_.checkpoint),
      fmt::format("use a lower `lr` (now {}) or a lower `clip-norm` above 0 (now {}; 0: no clipping), and start again",
                  options_.optimizer.learning_rate, options_.optimizer.clip_norm));
}

// What the first rank measures, on all. Measuring may set parameters that no gradient moves: they go to all, too.
std::vector<tasks::Metric> Trainer::measure() {
  const Averaged averaged(*this);
  std::vector<tasks::Metric> metrics;
  std::string text;
  if (parallel_.is_first()) {
    metrics = task_.has_validation() ? task_.validate() : task_.measure_training();
    if (parallel_.size() == 1) return metrics;
    nlohmann::json all = nlohmann::json::array();
    // As bits, since JSON has no NaN.
    for (const auto& [name, value, more] : metrics) all.push_back({name, std::bit_cast<uint64_t>(value), more});
    text = all.dump();
  }
  distributed::broadcast(text, parallel_.ranks());
  if (!parallel_.is_first()) {
    for (const nlohmann::json& m : nlohmann::json::parse(text)) {
      metrics.push_back({m.at(0), std::bit_cast<double>(m.at(1).get<uint64_t>()), m.at(2)});
    }
  }
  distributed::broadcast(std::as_writable_bytes(task_.parameters().values()), parallel_.ranks());
  task_.parameters_changed();
  return metrics;
}

void Trainer::end_epoch() {
  Evaluation evaluation{progress_, {}, {}, false};
  double loss = progress_.loss();
  std::vector<tasks::Metric> metrics = measure();
  if (task_.has_validation()) {
    evaluation.valid = std::move(metrics);
    loss = tasks::find_metric(evaluation.valid, "loss")->value;
    if (!std::isfinite(loss)) throw diverged("held-out loss");
    const tasks::Metric& first = evaluation.valid.front();
    const double score = first.more_is_better ? -first.value : first.value;
    evaluation.best = !best_score_ || score < *best_score_;
    evaluations_since_best_ = evaluation.best ? 0 : evaluations_since_best_ + 1;
    if (evaluation.best) {
      best_score_ = score;
      best_valid_ = evaluation.valid;
      best_epoch_ = progress_.epoch;
      keep_best();
    }
  } else {
    evaluation.train = std::move(metrics);
  }
  schedule_.observe(loss);
  if (optimizer_.waits_for_trigger()) {
    losses_.push_back(loss);
    if (non_monotone(losses_, options_.optimizer.average_trigger)) {
      optimizer_.begin_averaging(progress_.step, task_.parameters().values());
    }
  }
  if (!parallel_.is_first()) return;
  const std::string line = metrics_line(evaluation);
  metrics_->write(line);
  metrics_bytes_ = static_cast<int64_t>(metrics_->bytes());
  if (events_) write_events(evaluation);
  if (observer_.on_evaluation) observer_.on_evaluation(evaluation);
}

// For the first rank to write.
void Trainer::keep_best() {
  const Averaged averaged(*this);
  const std::span<const float> values = task_.parameters().values();
  best_values_.resize(static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), best_values_.data());
  best_unsaved_ = true;
}

void Trainer::write_events(const Evaluation& evaluation) {
  const Progress& p = evaluation.progress;
  std::vector<std::pair<std::string, double>> scalars = {{"train/loss", p.loss()},
                                                         {"train/learning_rate", p.learning_rate},
                                                         {"train/gradient_norm", p.mean_norm()},
                                                         {"train/tokens_per_second", p.tokens_per_second}};
  if (p.has_perplexity) scalars.emplace_back("train/perplexity", std::exp(p.loss()));
  for (const tasks::Metric& metric : evaluation.train) scalars.emplace_back("train/" + metric.name, metric.value);
  for (const tasks::Metric& metric : evaluation.valid) scalars.emplace_back("valid/" + metric.name, metric.value);
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  events_->write(now, p.step, scalars);
  events_bytes_ = events_->bytes();
}

std::string Trainer::metrics_line(const Evaluation& evaluation) const {
  const Progress& p = evaluation.progress;
  nlohmann::ordered_json line = {{"epoch", p.epoch},
                                 {"step", p.step},
                                 {"seconds", p.seconds},
                                 {"train_loss", p.loss()},
                                 {"valid_loss", nullptr},
                                 {"learning_rate", p.learning_rate},
                                 {"gradient_norm", p.mean_norm()},
                                 {"batch", p.batch},
                                 {"tokens_per_second", p.tokens_per_second}};
  if (p.has_perplexity) {
    line["train_perplexity"] = std::exp(p.loss());
    line["valid_perplexity"] = nullptr;
  }
  for (const tasks::Metric& metric : evaluation.train) line["train_" + metric.name] = metric.value;
  for (const tasks::Metric& metric : evaluation.valid) line["valid_" + metric.name] = metric.value;
  return line.dump();
}

}  // namespace longhand::train
