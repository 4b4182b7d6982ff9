// What the microscope looks at: a model, and a text (or table) as that model reads it. One per task, made by the four
// functions at the end; everything after them is the same for all tasks.
//
// N symbols of the text, in S sequences; T steps and B rows of a batch; W outputs of the layers, K of the model.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longhand/lab/probe.h"
#include "longhand/tasks/model_file.h"
#include "longhand/tasks/network_model.h"

namespace longhand::lab {

/// A number for each symbol of the text that units may follow: 0 and 1, or counts.
struct TextProperty {
  std::string name;
  std::vector<float> values;  ///< [N]
};

/// The symbols, as they are shown.
struct ShownText {
  std::vector<std::string> names;  ///< distinct symbols; nothing in them is invisible
  std::vector<uint8_t> ends_line;  ///< of each of these: a line break follows it
  std::vector<int32_t> symbols;    ///< [N] numbers of names
  std::vector<int64_t> starts{0};  ///< [S + 1] where each sequence begins
  bool spaced = false;             ///< words, with a blank between them

  int64_t size() const { return static_cast<int64_t>(symbols.size()); }
  int64_t sequences() const { return static_cast<int64_t>(starts.size()) - 1; }
  /// The sequence that has this symbol.
  int64_t sequence_of(int64_t position) const;
};

/// What the model made of the text: for each symbol, or for each sequence, the most probable outputs and the right one.
struct ModelOutputs {
  static constexpr int64_t kTop = 5;

  bool of_sequences = false;
  std::vector<std::string> names;
  std::vector<int32_t> top;            ///< [M, kTop] numbers of names, most probable first; -1: none
  std::vector<float> probability;      ///< [M, kTop]
  std::vector<int32_t> right;          ///< [M] what the text has; -1: unknown
  std::vector<float> nats;             ///< [M] -log p(right); not a number where that is unknown
  std::vector<std::string> forecasts;  ///< [S] of a regressor, in words; it has none of the above

  void resize(int64_t count);
  /// Ranks the probabilities [K] of output `m`.
  void set(int64_t m, const double* probabilities, int64_t K, int32_t right_one);
};

/// Something that the model decided.
struct Decision {
  int64_t position = 0;  ///< the symbol that is predicted or tagged; of a text or window, its last
  int64_t begin = 0;     ///< the symbols that are run for it: begin .. end - 1
  int64_t end = 0;
  int64_t first = 0;  ///< of these, the ones whose part in it is measured: first .. last - 1
  int64_t last = 0;
  int32_t target = -1;  ///< number of the output
};

/// Rows that are run side by side: each reads symbols begin .. end - 1, one of which may be replaced.
struct SubjectRows {
  int64_t begin = 0;
  int64_t end = 0;
  std::vector<int64_t> replaced;  ///< [B] position, or -1
};

struct MicroscopeOptions {
  int64_t max_symbols = 200000;
  int64_t max_units = 0;  ///< in the page; 0: as many as fit
  int64_t top = 3;        ///< units shown for each property
  std::string explain;    ///< positions, with commas between
  std::string explain_text;
  int64_t explain_most = 12;  ///< decisions explained besides those: the ones that surprised most
  int64_t context = 200;      ///< symbols whose part in a decision is measured
  std::string replace;        ///< symbol that takes the place of others; empty: the most frequent one
  std::string input = "auto";
  int64_t threads = 0;
  std::string engine = "fused";

  void add_to(OptionTable& table);
};

struct Subject {
  std::shared_ptr<const tasks::NetworkModel> model;
  std::string task;  ///< "language model"
  std::string noun;  ///< what a symbol is: "character", "word", "row"
  ShownText text;
  ModelOutputs outputs;
  std::vector<TextProperty> properties;
  std::vector<std::string> notes;  ///< what a user should know of the text: where it was cut, what was left out
  bool carries = false;            ///< outputs depend on what came before alone: sequences can be read in pieces
  std::string replacement;         ///< what takes the place of a symbol, in words
  std::string score = "log p";     ///< what a decision is measured by, in words
  std::string asks;                ///< what is decided: "next character", "tag", "label", "forecast"
  nn::Engine engine = nn::Engine::kFused;

  /// Lays rows out for the layers; good until the next call.
  std::function<ProbeInput(const SubjectRows&)> lay;
  /// Writes the outputs that follow from symbols begin .. end - 1, whose layers' outputs are y [end - begin,
  /// padded(W)].
  std::function<void(int64_t begin, int64_t end, const float* y, ModelOutputs&)> read;
  /// From the layers' outputs y [T, B, padded(W)] of a decision's symbols: the decision's score in each row. Of one row
  /// also the score's gradient d_y [T, padded(W)], unless that is null.
  std::function<void(const Decision&, int64_t rows, const float* y, double* scores, float* d_y)> measure;
  /// What the text has at a position, or else what the model took, as a decision. At most `most` symbols' part in it is
  /// measured.
  std::function<Decision(int64_t position, int64_t most, const ModelOutputs&)> decide;

  const nn::Network& network() const { return model->network(); }
};

/// How a symbol is shown: control characters, white space but the blank, and characters that change the direction of
/// writing or have no width by a sign or their number; bytes that are no UTF-8 as \xNN; long ones cut.
std::string shown_symbol(std::string_view symbol);

/// Each throws input and usage errors for a text that the model cannot read. `contents` is a file's; `source` its name.
/// The context must outlive the subject.
Subject language_model_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                               const MicroscopeOptions& options, kernels::Context& context);
Subject tagger_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                       const MicroscopeOptions& options, kernels::Context& context);
Subject classifier_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                           const MicroscopeOptions& options, kernels::Context& context);
Subject regressor_subject(const tasks::ModelFile& file, const std::string& contents, const std::string& source,
                          const MicroscopeOptions& options, kernels::Context& context);

}  // namespace longhand::lab
