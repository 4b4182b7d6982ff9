// A small language model on a small text, and options for it that several tests share.
#pragma once

#include <functional>
#include <string>

#include "longhand/base/error.h"
#include "longhand/tasks/language_model.h"
#include "tests/testing.h"

namespace longhand::tasks {

inline const char* const kText = "the cat sat on the mat and the dog sat on the log while the cat sat on the dog\n";

struct Model {
  explicit Model(LanguageModelOptions options, const std::string& text = kText)
      : vocabulary(data::build_vocabulary(text, options.text)),
        model(options, vocabulary),
        corpus(data::encode(text, options.text, vocabulary, data::Unknown::kUnk, "test")) {
    model.initialise(5);
  }
  data::Vocabulary vocabulary;
  LanguageModel model;
  data::Corpus corpus;
};

using testing::error_of;

// Options of the layers that together touch all parts of the stack.
inline const nn::LstmOptions kAllOptions{.hidden = 20,
                                         .layers = 2,
                                         .proj = 12,
                                         .layer_norm = true,
                                         .residual = true,
                                         .train_initial_state = true,
                                         .dropout = 0.1,
                                         .variational = true,
                                         .dropout_recurrent = 0.1,
                                         .weight_drop = 0.1,
                                         .zoneout = 0.1,
                                         .zoneout_cell = 0.1};

inline LanguageModelOptions with_lstm(const nn::LstmOptions& lstm, int64_t embed) {
  LanguageModelOptions options;
  options.lstm = lstm;
  options.embed = embed;
  return options;
}

}  // namespace longhand::tasks
