// The parts of a report's page that are of one task, in HTML for a page that io::page_start began with `pages_style`.
// What they show is in the *_findings.h, whose numbers are tested there. Whatever comes from data is shown as text.
#pragma once

#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/runs/classifier_findings.h"
#include "longhand/runs/language_findings.h"
#include "longhand/runs/regressor_findings.h"
#include "longhand/runs/sequence_findings.h"
#include "longhand/runs/tagger_findings.h"

namespace longhand::runs {

/// Forecasts over what came, for every target: errors, curves, residuals, errors by step ahead.
std::string page_of(const ForecastFindings& findings);
/// Of these the measures, of each series too, and the last forecasts with their intervals.
std::string measures_page(const ForecastFindings& findings);
/// Of these the last forecasts over what came: a chart for each target and step that is drawn.
std::vector<io::Chart> charts_of(const ForecastFindings& findings);
/// What a network made of recordings, over what it should have made.
std::string page_of(const SequenceFindings& findings);
/// The confusion matrix, the figures of each class, and the texts that were most confidently wrong.
std::string page_of(const ClassFindings& findings);
/// Precision, recall and F1 by type, and the tags that were confused, with examples.
std::string page_of(const TagFindings& findings);
/// The most surprising lines, their symbols shaded.
std::string page_of(const LineFindings& findings);
std::string page_of(const ColdCurve& cold);
/// The samples of each prompt side by side, by temperature.
std::string page_of(const std::vector<Sample>& samples);

/// The CSS of all of them.
std::string pages_style();

}  // namespace longhand::runs
