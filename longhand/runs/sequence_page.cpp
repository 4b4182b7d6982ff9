// The part of a report that shows a network's outputs on a recording.
#include <fmt/core.h>

#include "longhand/base/format.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

constexpr int kMadeColour = 0, kTargetColour = 9, kErrorColour = 1;
constexpr size_t kLongestOutputName = 40;

io::Chart by_sequence_step(const std::string& title, std::vector<io::Curve> curves) {
  return {.title = title, .x_title = "step", .whole_x = true, .curves = std::move(curves), .mark = {}};
}

}  // namespace

std::string page_of(const SequenceFindings& findings) {
  if (findings.curves.empty()) return "";
  std::string html = "<h2>Target and prediction</h2><p>Of " + io::isolated(io::shortened(findings.recording, 200)) +
                     ", " + format_count(findings.steps, "step") +
                     " that were measured; where these are many, the lowest and the highest of some at a time are "
                     "drawn.</p>\n";
  for (const SequenceCurves& curves : findings.curves) {
    const std::string name = io::shortened(curves.name, kLongestOutputName);
    html += io::draw(by_sequence_step(
        name, {{"target", kTargetColour, curves.actual}, {"prediction", kMadeColour, curves.predicted}}));
    html += io::draw(by_sequence_step(
        name + ": around the largest value",
        {{"target", kTargetColour, curves.close_actual}, {"prediction", kMadeColour, curves.close_predicted}}));
    html += io::draw(by_sequence_step(name + ": prediction minus target", {{"error", kErrorColour, curves.errors}}));
  }
  return html;
}

}  // namespace longhand::runs
