#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cli/console.h"
#include "longhand/base/format.h"

namespace longhand::cli {
namespace {

// Time left, from the speed so far. Epochs still to come are taken to be as long as this one.
std::string time_left(const train::Progress& p) {
  const auto steps_left = static_cast<double>((p.epochs - p.epoch) * p.steps_in_epoch + p.steps_in_epoch - p.index);
  const double seconds = p.step > 0 ? p.seconds / static_cast<double>(p.step) * steps_left : 0.0;
  return format_duration(seconds);
}

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

LiveLine::LiveLine(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string(term) == "dumb") terminal_ = false;
}

bool LiveLine::due(double seconds) {
  const auto now = Clock::now();
  if (std::chrono::duration<double>(now - last_).count() < seconds) return false;
  last_ = now;
  return true;
}

void LiveLine::show(const std::string& line) {
  if (quiet_) return;
  if (terminal_) {
    // A longer line would wrap, and the next could not be written over it.
    write_message("\r\x1b[K" + visible(line.substr(0, terminal_width() - 1)));
    shown_ = true;
  } else {
    say("{}\n", line);
  }
}

void LiveLine::clear() {
  if (shown_) write_message("\r\x1b[K");
  shown_ = false;
}

void ProgressDisplay::on_step(const train::Progress& p) {
  if (!line_.terminal() || !line_.due(0.1)) return;
  // What matters most comes first: a narrow terminal cuts the end off.
  line_.show(
      fmt::format("epoch {}/{}  {}{}  {} left  {}/s", p.epoch, p.epochs, loss(p), valid_, time_left(p), speed(p)));
}

void ProgressDisplay::on_evaluation(const train::Evaluation& evaluation) {
  valid_.clear();
  if (!evaluation.valid.empty()) {
    const tasks::Metric* perplexity = tasks::find_metric(evaluation.valid, "perplexity");
    const tasks::Metric& first = evaluation.valid.front();
    valid_ = perplexity != nullptr ? fmt::format("  held-out {:.2f}", perplexity->value)
                                   : fmt::format("  held-out {} {:.2f}", first.name, first.value);
  }
  const train::Progress& p = evaluation.progress;
  if (!line_.terminal() && (line_.due(2.0) || p.epoch == p.epochs)) {
    line_.show(describe(p) + valid_ + (evaluation.best ? " (best)" : "") + "  " + time_left(p) + " left");
  }
}

void WorkProgress::on_done(double done, double total) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  // Nobody needs to be told of a second; where lines stay, one a while is enough.
  if (seconds < 1.0 || !line_.due(line_.terminal() ? 0.1 : 15.0)) return;
  std::string text = noun_.empty() ? fmt::format("{:.0f} %", 100.0 * done / total)
                                   : fmt::format("{:.0f} of {:.0f} {}", done, total, noun_);
  if (done > 0.0) text += fmt::format("  {} left", format_duration(seconds / done * (total - done)));
  line_.show(text);
}

}  // namespace longhand::cli
