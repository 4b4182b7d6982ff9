// A tagger's training run: its settings, and the way from them to a folder with a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/tasks/tagger_task.h"

namespace longhand::cli {

/// Everything that makes a run, and so everything that config.toml holds.
struct TaggerSettings {
  TaggerSettings();

  CommonSettings common;
  data::VectorOptions vectors;
  double unknown_rate = 0.25;
  bool strict = false;
  tasks::TaggerOptions model;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// What was asked for and does nothing, as sentences for the user.
  std::vector<std::string> notes() const;
};

/// Makes sentences keep the scheme, or with `strict` throws where they do not. Returns a line for the user that begins
/// with a newline, or nothing.
std::string keep_scheme(std::vector<data::TaggedSentence>& sentences, data::Scheme scheme, bool strict,
                        const std::string& source);

class TaggerRun {
 public:
  using Settings = TaggerSettings;
  static constexpr const char* kVerb = "tagger";
  static constexpr const char* kHelp = "Train a tagger on sentences with a tag for each word";
  static constexpr const char* kNoun = "word";
  static constexpr const char* kExample = "give --data FILE, in CoNLL-U or in columns";

  /// Reads the sentences and makes the model. Throws for whatever is wrong with settings or sentences; nothing is on
  /// the disk by then.
  explicit TaggerRun(const TaggerSettings& settings);

  std::string description() const { return description_; }
  /// Trains in an existing folder, or resumes the run in it, and writes the report.
  RunResult run(const std::string& folder, bool resume, const train::Observer& observer);

 private:
  TaggerSettings settings_;
  kernels::Context context_;
  std::unique_ptr<tasks::Tagger> model_;
  std::vector<data::TaggedSentence> test_;
  std::unique_ptr<tasks::TaggerTask> task_;
  std::string description_;
};

}  // namespace longhand::cli
