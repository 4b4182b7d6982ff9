// The microscope's page: one HTML file that fetches nothing. Its script (in four parts), style and body are in the
// folder microscope/. The script alone may run, by its hash in the page's content security policy. The text and
// everything else that is not ours is in blocks of JSON and base64, which the script shows as text.
#pragma once

#include <string>

#include "longhand/lab/microscope.h"

namespace longhand::lab {

/// The whole page. `model` and `text` are the names of the files, `command` is what made it.
std::string microscope_page(const Microscope& found, const std::string& model, const std::string& text,
                            const std::string& command);

/// Base64 (RFC 4648) with padding.
std::string base64(std::string_view bytes);

}  // namespace longhand::lab
