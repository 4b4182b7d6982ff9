#include "longhand/nn/lstm_options.h"

#include "longhand/base/error.h"

namespace longhand::nn {

void LstmOptions::add_to(OptionTable& table) {
  // Beyond this so little would be left, and scaled so much, that nothing could be learned.
  const OptionCheck rate = between(0.0, 0.99);
  OptionCheck rate_or_same = rate;
  rate_or_same.also = -1.0;
  table.add("cell", cell, "recurrent cell; gru and rnn (with tanh), for comparison, run on --engine autograd alone",
            one_of({"lstm", "gru", "rnn"}));
  table.add("hidden", hidden, "units in each layer, H", between(1, 65536));
  table.add("layers", layers, "recurrent layers, one above the other", between(1, 64));
  table.add("bidirectional", bidirectional, "read each sequence in both directions");
  table.add("proj", proj, "project each layer's state to this size; 0: do not", between(0, 65536));
  table.add("layer-norm", layer_norm, "normalise the gates and the cell of each layer");
  table.add("residual", residual, "from the second layer on, add a layer's input to its output");
  table.add("train-initial-state", train_initial_state, "learn the state in which sequences begin");
  table.add("dropout", dropout, "dropout on the embedding, between layers, and on the last one's output", rate);
  table.add("dropout-input", dropout_input, "dropout on the embedding; -1: as --dropout", rate_or_same);
  table.add("dropout-output", dropout_output, "dropout on the last layer's output; -1: as --dropout", rate_or_same);
  table.add("variational", variational, "use one mask for all steps of a batch in these three");
  table.add("dropout-recurrent", dropout_recurrent,
            "dropout on the state in the recurrent product, one mask for all steps", rate);
  table.add("weight-drop", weight_drop, "dropout on the recurrent weights, one mask a batch", rate);
  table.add("zoneout", zoneout, "probability that a unit of h stays as it was for a step", rate);
  table.add("zoneout-cell", zoneout_cell, "probability that a unit of c stays as it was for a step", rate);
  table.add("activation-reg", activation_reg, "times the mean squared output, after dropout, is added to the loss",
            at_least(0.0));
  table.add("temporal-reg", temporal_reg,
            "times the squared changes of the output from step to step, per symbol, is added to the loss",
            at_least(0.0));
}

Cell LstmOptions::kind() const {
  if (cell == "gru") return Cell::kGru;
  if (cell == "rnn") return Cell::kRnn;
  LONGHAND_CHECK(cell == "lstm");
  return Cell::kLstm;
}

int64_t LstmOptions::gates() const {
  switch (kind()) {
    case Cell::kLstm: return 4;
    case Cell::kGru: return 3;
    case Cell::kRnn: return 1;
  }
  LONGHAND_CHECK(false);
}

Engine LstmOptions::engine(const std::string& name) const {
  const Engine engine = parse_engine(name);
  if (!is_lstm() && engine != Engine::kAutograd) {
    throw usage_error("--cell " + cell + ": expected --engine autograd, found " + name,
                      "cells other than the LSTM run on the tape alone; give --engine autograd");
  }
  return engine;
}

std::string LstmOptions::misplaced() const {
  if (is_lstm()) return "";
  if (proj > 0) return "proj";
  if (layer_norm) return "layer-norm";
  if (dropout_recurrent > 0.0) return "dropout-recurrent";
  if (zoneout > 0.0) return "zoneout";
  if (zoneout_cell > 0.0) return "zoneout-cell";
  return "";
}

void LstmOptions::check() const {
  if (const std::string name = misplaced(); !name.empty()) {
    throw usage_error("--" + name + ": expected --cell lstm with it, found --cell " + cell,
                      "leave --" + name + " out, or give --cell lstm");
  }
  if (proj >= hidden) {
    throw usage_error(
        "--proj: expected less than --hidden (" + std::to_string(hidden) + "), found " + std::to_string(proj),
        "a projection makes the state smaller; give a smaller one, or none");
  }
}

std::vector<std::string> LstmOptions::without_effect() const {
  std::vector<std::string> out;
  if (residual && layers == 1) out.emplace_back("--residual does nothing with one layer");
  if (variational && dropout == 0.0 && input_dropout() == 0.0 && output_dropout() == 0.0) {
    out.emplace_back("--variational does nothing without --dropout, --dropout-input or --dropout-output");
  }
  return out;
}

}  // namespace longhand::nn
