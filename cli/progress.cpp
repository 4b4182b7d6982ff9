#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cli/console.h"
#include "longhand/tasks/language_model.h"

namespace longhand::cli {
namespace {

// Time left, from the speed so far. Epochs still to come are taken to be as long as this one.
std::string time_left(const train::Progress& p) {
  const auto steps_left = static_cast<double>((p.epochs - p.epoch) * p.steps_in_epoch + p.steps_in_epoch - p.index);
  const double seconds = p.step > 0 ? p.seconds / static_cast<double>(p.step) * steps_left : 0.0;
  return format_duration(seconds);
}

// Nats per symbol. Memorised texts aside, a text's further past is worth some hundredths of a nat.
constexpr double kMuchWorse = 0.25;

std::string loss(const train::Progress& p) {
  const std::string text = fmt::format("loss {:.4f}", p.loss());
  return p.has_perplexity ? text + fmt::format("  perplexity {:.2f}", std::exp(p.loss())) : text;
}

std::string speed(const train::Progress& p) {
  return format_count(p.tokens_per_second) + (p.has_perplexity ? " tokens" : " items");
}

std::string describe(const train::Progress& p) {
  return fmt::format("epoch {}/{}  step {}  {}  {}/s", p.epoch, p.epochs, format_count(static_cast<double>(p.step)),
                     loss(p), speed(p));
}

size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

std::string describe_cold(const std::vector<tasks::Metric>& metrics) {
  std::string out;
  for (const auto& [first, last] : tasks::ColdScore::kBands) {
    const tasks::Metric* metric = tasks::find_metric(metrics, fmt::format("cold_nats_{}_{}", first, last));
    if (metric == nullptr) continue;
    out += out.empty() ? fmt::format("{:.4f} nats per symbol after {} to {} symbols", metric->value, first, last)
                       : fmt::format(", {:.4f} after {} to {}", metric->value, first, last);
  }
  return out;
}

void print_cold_warning(const std::vector<tasks::Metric>& metrics, double warm_nats) {
  const tasks::Metric* far = tasks::find_metric(metrics, "cold_nats_21_100");
  if (far == nullptr || far->value < warm_nats + kMuchWorse) return;
  say("note: this model predicts poorly after a cold start: 21 to 100 symbols after it, the loss is {:.2f} nats per "
      "symbol\n"
      "      above that within a text, so text generated from a prompt will be poor; train with --row-starts moving\n"
      "      and a larger --reset-state, or give `generate` a long --context\n",
      far->value - warm_nats);
}

std::string format_duration(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string format_count(double count) {
  return fmt::format("{}", fmt::group_digits(static_cast<int64_t>(std::llround(count))));
}

std::string format_count(int64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", fmt::group_digits(count), noun, count == 1 ? "" : "s");
}

ProgressDisplay::ProgressDisplay(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string(term) == "dumb") terminal_ = false;
}

bool ProgressDisplay::due(double seconds) {
  const auto now = Clock::now();
  if (std::chrono::duration<double>(now - last_).count() < seconds) return false;
  last_ = now;
  return true;
}

void ProgressDisplay::show(const std::string& line) {
  if (terminal_) {
    // A longer line would wrap, and the next could not be written over it.
    write_message("\r\x1b[K" + visible(line.substr(0, terminal_width() - 1)));
    shown_ = true;
  } else {
    say("{}\n", line);
  }
}

void ProgressDisplay::on_step(const train::Progress& p) {
  if (quiet_ || !terminal_ || !due(0.1)) return;
  // What matters most comes first: a narrow terminal cuts the end off.
  show(fmt::format("epoch {}/{}  {}{}  {} left  {}/s", p.epoch, p.epochs, loss(p), valid_, time_left(p), speed(p)));
}

void ProgressDisplay::on_evaluation(const train::Evaluation& evaluation) {
  if (quiet_) return;
  valid_.clear();
  if (!evaluation.valid.empty()) {
    const tasks::Metric* perplexity = tasks::find_metric(evaluation.valid, "perplexity");
    const tasks::Metric& first = evaluation.valid.front();
    valid_ = perplexity != nullptr ? fmt::format("  held-out {:.2f}", perplexity->value)
                                   : fmt::format("  held-out {} {:.2f}", first.name, first.value);
  }
  const train::Progress& p = evaluation.progress;
  if (!terminal_ && (due(2.0) || p.epoch == p.epochs)) {
    show(describe(p) + valid_ + (evaluation.best ? " (best)" : "") + "  " + time_left(p) + " left");
  }
}

void ProgressDisplay::clear() {
  if (shown_) write_message("\r\x1b[K");
  shown_ = false;
}

}  // namespace longhand::cli
