// Converts a model of any task to a graph of layers, which the executor runs and the exporters write. The graph reads
// integers and floats; the caller encodes text.
//
// | task           | inputs                                                   | outputs                     |
// |----------------|----------------------------------------------------------|-----------------------------|
// | language_model | symbols [B, T]                                           | logits, probabilities       |
// |                |                                                          | [B, T, V] of the next       |
// |                |                                                          | symbol                      |
// | tagger         | words [B, T]; shapes [B, T]; characters [B, T, S],       | logits [B, T, K]; without a |
// |                | character_mask [B, T, S]; mask [B, T]                    | CRF also probabilities      |
// | classifier     | the same                                                 | logits, probabilities       |
// |                |                                                          | [B, K]                      |
// | regressor      | inputs [B, T, I]; targets [B, T, O], if past targets are | forecast [B, A O], step by  |
// |                | read that are not inputs; known [B, T, K] and            | step; standard_deviation or |
// |                | known_ahead [B, A, K]; static_numbers [B, N]; static_C   | dispersion [B, A O], or     |
// |                | [B] for each text column C; series_mean, series_scale    | quantiles [B, A O, Q]; all  |
// |                | [B, O]                                                   | in the data's own units     |
// | network        | its own                                                  | its own                     |
//
// A graph has only the inputs that its model reads. Masks are 1 for a word or character, 0 for padding at the end.
#pragma once

#include <map>
#include <string>

#include "longhand/graph/graph.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

struct ModelGraphOptions {
  /// Whether sequences of a batch may have different lengths. Then graphs of taggers and classifiers have the input
  /// `mask`.
  bool ragged = true;
};

/// Returns the model's graph for inference: no dropout, zoneout by its expectation. The graph of an ensemble averages
/// its members' predictions. Throws an input error for a damaged file, and for models that a graph cannot represent:
/// an ensemble of taggers with a CRF, and a classifier that is mixed with a logistic regression.
graph::Graph model_graph(const ModelFile& file, const ModelGraphOptions& options = {});

/// Returns the texts that a program needs besides the graph, by name:
///
/// - `task`;
/// - `options`: JSON, all options of the model (of an ensemble, a list of them);
/// - `vocabulary`: JSON, as the model's file has it: symbols; words, shapes, characters, labels or classes, rules for
///   tokens; columns and their scales;
/// - `labels`: JSON, a list: a tagger's labels, or a classifier's classes, in the order of the outputs;
/// - `crf`: JSON, of a tagger whose label sequences are restricted or scored as a whole: `transitions` [K][K] from a
///   label to the next, `start` [K], `end` [K], and `allowed` [K + 1][K + 1], 0 where a label may not follow another
///   (row K is the start, column K the end);
/// - `outputs`: JSON, a list: names of the numbers of a regressor's forecast ("price+1");
/// - `ports`: JSON, a list: name, meaning (`what`) and `columns` of each input and output of a regressor; `values` of a
///   static column of texts;
/// - `distribution`: JSON, `kind` (the option `output`) and `levels` of a regressor's forecast;
/// - `min_rows`: minimum number of rows in a regressor's window;
/// - `sample_rate`: in Hz.
std::map<std::string, std::string> model_texts(const ModelFile& file);

}  // namespace longhand::tasks
