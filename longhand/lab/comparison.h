// What a comparison of training runs shows once its runs are done: variants of one training, each with one or several
// seeds, as a table, as JSON and as CSV. It neither starts runs nor reads their folders; comparison_page.h has the
// page.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longhand::lab {

/// What models are chosen by: the first metric of their task.
struct Measure {
  std::string name = "loss";
  bool more_is_better = false;
};

/// State of a run after an evaluation. Losses are in nats per symbol, or whatever the task predicts.
struct CurvePoint {
  double epoch = 0.0;
  double seconds = 0.0;  ///< of training until then
  double train_loss = 0.0;
  std::optional<double> valid_loss;
};

/// One training run of a variant. Numbers may be infinite or NaN where a training went astray.
struct ComparedRun {
  int64_t seed = 0;
  std::string failure;  ///< why the run failed; empty if it did not
  int64_t parameters = 0;
  int64_t epochs = 0;
  int64_t best_epoch = 0;               ///< the one with the best held-out measure
  double train_loss = 0.0;              ///< nats, in the last epoch
  std::optional<double> valid_loss;     ///< nats, in the best epoch; none where nothing was held out
  std::optional<double> valid_measure;  ///< likewise; none: the loss is the measure
  Measure measure;                      ///< which that is
  double tokens_per_second = 0.0;
  double seconds = 0.0;     ///< of training
  double memory_mib = 0.0;  ///< the largest resident size of its process
  std::vector<CurvePoint> curve;
};

/// How a trial of successive halving was judged on one of its rungs.
struct ComparedRung {
  int64_t epochs = 0;  ///< at the end of which
  int64_t rank = 0;    ///< 1 is the best
  int64_t of = 0;      ///< trials on the rung
};

/// A set of options under a name, and its runs, which differ in the seed alone.
struct ComparedVariant {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;  ///< those that differ from the common ones
  std::string note;                                          ///< a remark to stand below the name
  std::vector<ComparedRun> runs;
  std::vector<ComparedRung> rungs{};  ///< of successive halving
  int64_t stopped_after = 0;          ///< epochs after which it was stopped, since others were better; 0: it was not
};

/// How the variants were chosen, where not all combinations were tried.
struct SearchSummary {
  std::string method;  ///< random or halving
  int64_t trials = 0;
  int64_t seed = 0;
  int64_t factor = 0;                  ///< of halving
  std::vector<int64_t> rung_epochs{};  ///< likewise
};

/// Figures from elsewhere, shown above ours and marked as published, on other machines. Zero is one that is not known.
struct PublishedRow {
  std::string name;
  double tokens_per_second = 0.0;
  double perplexity = 0.0;
};

/// The simple model that all variants with the same data are compared with, on the held-out data.
struct ComparedBaseline {
  std::string name;
  std::vector<std::string> variants;    ///< whose data it was fitted on
  std::optional<double> valid_loss;     ///< where it has one
  std::optional<double> valid_measure;  ///< the variants' measure
};

/// Texts may hold any characters; every form of output escapes them in its way.
struct RunComparison {
  std::string title;
  std::string command;  ///< that made it
  std::string machine;
  std::string noun = "token";                               ///< what speed counts
  bool has_perplexity = true;                               ///< of language models: the exponentials of the losses
  std::vector<std::pair<std::string, std::string>> common;  ///< options of all variants
  std::vector<PublishedRow> published;
  std::vector<ComparedVariant> variants;
  std::vector<ComparedBaseline> baselines{};  ///< one for each data set
  std::optional<SearchSummary> search{};      ///< then the variants are in the order of their rank
};

/// What several seeds gave.
struct Spread {
  double median = 0.0;  ///< of an even count the mean of the middle two
  double low = 0.0;
  double high = 0.0;
};

/// NaN counts as larger than every number. Of nothing, all three are NaN.
Spread spread(std::vector<double> values);

/// The table for a terminal of `width` columns. Medians over the seeds; where a variant has several, a second line says
/// from which to which, in as many columns as there is room for. The best variant (by the held-out measure if anything
/// was held out, else by the training loss) has a `*`. Below a variant: how many of its runs failed, and why.
std::string to_text(const RunComparison& comparison, int width);

/// The same table in Markdown, ranges in brackets.
std::string to_markdown(const RunComparison& comparison);

/// Everything, with a summary (median, low, high) for each variant. Perplexities are exp(loss), of language models;
/// other tasks have their measure, as valid_NAME. Numbers that are not
/// finite are null; bytes that are not UTF-8 become U+FFFD.
nlohmann::ordered_json to_json(const RunComparison& comparison);

/// A line for each run, below one with the names of the columns: fields quoted as in RFC 4180, lines ended by a
/// newline. A failed run's figures, and those of nothing held out, are empty.
std::string to_csv(const RunComparison& comparison);

}  // namespace longhand::lab
