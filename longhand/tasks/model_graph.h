// A model of any task as a network of layers, to be run by the executor of graphs or written in the format of another
// program. How texts become numbers stays with the caller: a graph reads integers and numbers.
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
// | regressor      | inputs [B, T, I]; targets [B, T, O] where their past is  | forecast [B, A O], step by  |
// |                | read, and they are no inputs                             | step; both in the data's    |
// |                |                                                          | own units                   |
// | network        | its own                                                  | its own                     |
//
// Inputs that a model does not read are not there. Masks are 1 for a word or character, 0 in the padding after the
// last one.
#pragma once

#include <map>
#include <string>

#include "longhand/graph/graph.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

struct ModelGraphOptions {
  /// Whether the sequences of a batch may have different lengths: then taggers and classifiers have the input `mask`.
  bool ragged = true;
};

/// The model, with dropout and the like off, and the expectations of zoneout; of an ensemble, all members and the mean
/// of their predictions. Throws an input error of two lines for a damaged file, and for what no graph can hold: an
/// ensemble of taggers with a CRF, and a classifier whose logistic regression has a share.
graph::Graph model_graph(const ModelFile& file, const ModelGraphOptions& options = {});

/// What a program must know beside the graph, by name:
///
/// - `task`;
/// - `options`: JSON, all options of the model (of an ensemble, a list of them);
/// - `vocabulary`: JSON, as the model's file has it: symbols; words, shapes, characters, labels or classes, rules for
///   tokens; columns and their scales;
/// - `labels`: JSON, a list: a tagger's labels, or a classifier's classes, in the order of the outputs;
/// - `crf`: JSON, of a tagger whose label sequences are restricted or scored as a whole: `transitions` [K][K] from a
///   label to the next, `start` [K], `end` [K], and `allowed` [K + 1][K + 1], 0 where a label may not follow another
///   (row K is the beginning, column K the end);
/// - `outputs`: JSON, a list: what each number of a regressor's forecast is ("price+1");
/// - `min_rows`: rows that a regressor's window has at least;
/// - `sample_rate`: frames a second.
std::map<std::string, std::string> model_texts(const ModelFile& file);

}  // namespace longhand::tasks
