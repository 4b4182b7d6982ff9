#include "cli/compare_progress.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/format.h"

namespace longhand::cli {
namespace {

// "hidden 64, lr 0.003, seed 1"
std::string run_name(const lab::Variant& variant, const runs::Settings& settings) {
  const bool said = variant.name.find("lr ") != std::string::npos;
  const std::string rate = said ? "" : fmt::format(", lr {}", settings.training.optimizer.learning_rate);
  return fmt::format("{}{}, seed {}", variant.name, rate, settings.seed);
}

std::string loss_text(double loss) { return loss < 1e4 ? fmt::format("{:.4f}", loss) : fmt::format("{:.3e}", loss); }

// "1:20 left, until 14:32", with the day where it is another.
std::string end_text(double seconds) {
  const std::time_t now = std::time(nullptr);
  const std::time_t end = now + static_cast<std::time_t>(seconds + 0.5);
  std::tm today{}, then{};
  ::localtime_r(&now, &today);
  ::localtime_r(&end, &then);
  const bool same_day = today.tm_year == then.tm_year && today.tm_yday == then.tm_yday;
  const char* const format = same_day ? "%H:%M" : "%Y-%m-%d %H:%M";
  char text[32];
  std::strftime(text, sizeof text, format, &then);
  return fmt::format("{} left, until {}", format_duration(seconds), text);
}

std::string describe(const lab::SchedulerState& state) {
  const auto running = static_cast<int64_t>(state.running.size());
  std::string out = fmt::format("{} of {} runs done", state.done, state.done + running + state.waiting);
  if (state.workers > 1) out += fmt::format(", {} running", running);
  if (state.seconds_left) out += "  " + end_text(*state.seconds_left);
  if (running != 1) return out;
  const auto& [run, at] = state.running.front();
  if (at.epoch == 0) return out;
  return out + fmt::format("  epoch {}/{}  loss {}  {}, seed {}", at.epoch, at.epochs, loss_text(at.loss),
                           run->request.variant.name, run->order.seed);
}

}  // namespace

void CompareProgress::on_run(const lab::Variant& variant, const runs::Settings& settings,
                             const lab::ComparedOutcome& outcome) {
  if (line_.quiet()) return;
  const lab::ComparedRun& run = outcome.run;
  std::string what = with_dashes(run.failure);
  if (run.failure.empty()) {
    what = "loss " + loss_text(run.train_loss);
    if (run.valid_loss) what += ", held out " + loss_text(*run.valid_loss);
    what += fmt::format(", {}", format_duration(run.seconds));
  }
  line_.clear();
  say("{}: {}{}\n", run_name(variant, settings), what, outcome.was_done ? " (reused)" : "");
}

void CompareProgress::on_retry(const lab::Variant& variant, const runs::Settings& settings,
                               const std::string& failure) {
  if (line_.quiet()) return;
  line_.clear();
  say("{}: {}; it is tried once more\n", run_name(variant, settings), failure);
}

void CompareProgress::on_state(const lab::SchedulerState& state) {
  if (!line_.terminal() && !state.seconds_left) return;  // nothing to say that stays true
  if (line_.quiet() || !line_.due(line_.terminal() ? 0.2 : 15.0)) return;
  line_.show(describe(state));
}

}  // namespace longhand::cli
