// A run on one page: report.html, made from the run's own files, with nothing to fetch.
#pragma once

#include <string>

namespace longhand::lab {

/// Writes `folder`/report.html from metrics.jsonl and config.toml in the folder: curves of loss and gradient norm, the
/// last figures, `sample` (a text the model wrote; may be empty) and the configuration. Throws an input error where a
/// file is missing or damaged.
void write_report(const std::string& folder, const std::string& sample);

}  // namespace longhand::lab
