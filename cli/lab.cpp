// longhand lab: experiments on models, and a look into them.
#include "cli/lab.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/sources.h"
#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::cli {

void LabControl::add_to(OptionTable& table) {
  table.begin_group("Running");
  table.add("out", out, "folder for the report: page, JSON and CSV; by default runs/lab-" + verb);
  table.add("pictures", pictures, "write each plot as an SVG file, too");
  table.add("threads", threads, "number of threads; 0: one per processor", between(0, 1024));
  table.add("quiet", quiet, "print no progress");
  table.add("json", json, "print the result as a JSON object");
}

std::unique_ptr<lab::SequenceTask> lab_task(const std::string& data, int64_t window, int64_t reach) {
  const std::vector<std::string>& tasks = lab::memory_tasks();
  if (std::find(tasks.begin(), tasks.end(), data) != tasks.end()) return lab::memory_task(data, window);
  return lab::text_task(sources().text(data), window, shown_name(data), reach);
}

LabRun::LabRun(const LabControl& control) : control_(control), progress_("", control.quiet) {
  io::make_folder(control.folder());  // what is wrong with it is said before the work
  stop_on_interrupt();
  watcher_ = {.on_progress = [this](double done, double total) { progress_.on_done(done, total); },
              .should_stop = longhand::cli::interrupted};
}

int LabRun::interrupted() {
  progress_.clear();
  say("interrupted; nothing was written\n");
  return static_cast<int>(ExitCode::kInterrupted);
}

int LabRun::finish(lab::LabReport report, const GivenOptions& given) {
  progress_.clear();
  report.command = "longhand lab " + control_.verb + given.as_typed();
  report.machine = machine();
  const std::string folder = control_.folder();
  lab::write_report(folder, report, control_.pictures);
  if (control_.json) {
    write_json(report.data.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    put("{}\nreport  {}/{}.html\n", lab::to_text(report), visible(folder), report.name);
  }
  return 0;
}

void declare_lab(const Verb& longhand) {
  const Verb lab =
      longhand.add("lab", "Measure how far gradients reach, what models remember, and what their units do");
  declare_lab_gradients(lab);
  declare_lab_remedies(lab);
  declare_lab_memory(lab);
  declare_lab_microscope(lab);
}

}  // namespace longhand::cli
