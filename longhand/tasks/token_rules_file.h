// What a tokenizer has learned, in a model's file.
#pragma once

#include "longhand/data/token_rules.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

nlohmann::json to_json(const data::TokenRules& rules);
/// Those under `tokens` in the file's vocabulary; none where there is no such name. Throws an input error for what are
/// no rules.
data::TokenRules read_token_rules(const ModelFile& file);

}  // namespace longhand::tasks
