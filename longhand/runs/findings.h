// What was asked of a trained model for its report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/runs/baseline.h"
#include "longhand/runs/classifier_findings.h"
#include "longhand/runs/language_findings.h"
#include "longhand/runs/regressor_findings.h"
#include "longhand/runs/sequence_findings.h"
#include "longhand/runs/tagger_findings.h"
#include "longhand/tasks/task.h"

namespace longhand::runs {

struct Findings {
  std::vector<tasks::Metric> test;  ///< on the test data, or those of an evaluation; empty: none
  std::vector<Sample> samples;
  std::optional<ColdCurve> cold;

  std::string examined{};      ///< the data that all below is of: "test data"; empty: none
  std::string not_examined{};  ///< why not: a sentence for the reader; empty where there is nothing to say
  std::optional<ForecastFindings> forecasts{};
  std::optional<ClassFindings> classes{};
  std::optional<TagFindings> tags{};
  std::optional<LineFindings> lines{};
  std::optional<SequenceFindings> sequences{};
  std::optional<BaselineFindings> baseline{};  ///< on the same data, once it is fitted
};

}  // namespace longhand::runs
