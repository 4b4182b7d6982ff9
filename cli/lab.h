// The verbs of `longhand lab`, a file each, and what they have in common: options, the live line, and the report.
#pragma once

#include <memory>
#include <string>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "longhand/lab/jobs.h"
#include "longhand/lab/lab_report.h"
#include "longhand/lab/sequence_task.h"

namespace longhand::cli {

void declare_lab_gradients(const Verb& lab);
void declare_lab_remedies(const Verb& lab);
void declare_lab_memory(const Verb& lab);
void declare_lab_microscope(const Verb& lab);

/// Options of every experiment.
struct LabControl {
  std::string verb;  ///< "gradients"
  std::string out{};
  int64_t threads = 0;
  bool pictures = false;
  bool quiet = false;
  bool json = false;

  void add_to(OptionTable& table);
  /// The folder to write to.
  std::string folder() const { return out.empty() ? "runs/lab-" + verb : out; }
};

/// The task of a name: a memory task with that gap; or a text, read in windows of so many characters, and measured over
/// so many.
std::unique_ptr<lab::SequenceTask> lab_task(const std::string& data, int64_t window, int64_t reach);

/// An experiment that runs: the line that shows its progress, Ctrl-C, and its report in the end.
class LabRun {
 public:
  /// Makes the folder.
  explicit LabRun(const LabControl& control);

  const lab::Watcher& watcher() const { return watcher_; }
  /// Says that it was interrupted; returns the exit code.
  int interrupted();
  /// Completes the report, writes its files, and prints the table or the JSON; returns the exit code.
  int finish(lab::LabReport report, const GivenOptions& given);

 private:
  const LabControl& control_;
  WorkProgress progress_;
  lab::Watcher watcher_;
};

}  // namespace longhand::cli
