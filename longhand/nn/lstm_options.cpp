#include "longhand/nn/lstm_options.h"

namespace longhand::nn {

void LstmOptions::add_to(OptionTable& table) {
  table.add("hidden", hidden, "LSTM units in each layer, H", between(1, 65536));
  table.add("layers", layers, "LSTM layers, one above the other", between(1, 64));
  table.add("bidirectional", bidirectional, "read each sequence in both directions");
  table.add("proj", proj, "project each layer's state to this size; 0: do not", between(0, 65536));
  table.add("layer-norm", layer_norm, "normalise the gates and the cell of each layer");
  table.add("residual", residual, "from the second layer on, add a layer's input to its output");
  table.add("train-initial-state", train_initial_state, "learn the state in which sequences begin");
  table.add("dropout", dropout, "dropout on the embedding, between layers, and on the last one's output", fraction());
  table.add("dropout-input", dropout_input, "dropout on the embedding; -1: as --dropout", fraction_or(-1.0));
  table.add("dropout-output", dropout_output, "dropout on the last layer's output; -1: as --dropout",
            fraction_or(-1.0));
  table.add("variational", variational, "use one mask for all steps of a sequence in these three");
  table.add("dropout-recurrent", dropout_recurrent,
            "dropout on the state in the recurrent product, one mask for all steps", fraction());
  table.add("weight-drop", weight_drop, "dropout on the recurrent weights, one mask a batch", fraction());
  table.add("zoneout", zoneout, "probability that a unit of h stays as it was for a step", fraction());
  table.add("zoneout-cell", zoneout_cell, "probability that a unit of c stays as it was for a step", fraction());
}

}  // namespace longhand::nn
