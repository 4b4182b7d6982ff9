#include "longhand/lab/run_workers.h"

#include <nlohmann/json.hpp>

#include "longhand/base/error.h"

namespace longhand::lab {

std::string to_text(const RunOrder& order) {
  return nlohmann::json{{"options", order.options},
                        {"seed", order.seed},
                        {"until_epoch", order.until_epoch},
                        {"folder", order.folder},
                        {"key", order.key}}
      .dump();
}

RunOrder read_order(const std::string& text) {
  try {
    const nlohmann::json order = nlohmann::json::parse(text);
    return {.options = order.at("options"),
            .seed = order.at("seed"),
            .until_epoch = order.at("until_epoch"),
            .folder = order.at("folder"),
            .key = order.at("key")};
  } catch (const nlohmann::json::exception&) {
    throw input_error("expected the description of a run, found something else",
                      "start the same version of longhand on all hosts");
  }
}

}  // namespace longhand::lab
