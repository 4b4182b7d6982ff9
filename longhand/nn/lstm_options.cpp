#include "longhand/nn/lstm_options.h"

#include "longhand/base/error.h"
#include "longhand/nn/activation_text.h"

namespace longhand::nn {

void LstmOptions::add_to(OptionTable& table) {
  // Beyond this so little would be left, and scaled so much, that nothing could be learned.
  const OptionCheck rate = between(0.0, 0.99);
  OptionCheck rate_or_same = rate;
  rate_or_same.also = -1.0;
  table.add("cell", cell, "recurrent cell; rnn: plain recurrent layer with tanh, rnn-relu: with ReLU",
            one_of({"lstm", "gru", "rnn", "rnn-relu"}));
  table.add("hidden", hidden, "hidden units per layer and direction", between(1, 65536));
  table.add("layers", layers, "number of stacked layers", between(1, 64));
  table.add("bidirectional", bidirectional, "read sequences in both directions");
  table.add("proj", proj, "units of the projected state of each layer (Sak et al. 2014); 0: no projection",
            between(0, 65536));
  table.add("layer-norm", layer_norm, "apply layer normalisation to the gates and the cell state (Ba et al. 2016)");
  table.add("residual", residual, "add each layer's input to its output, from the second layer on");
  table.add("train-initial-state", train_initial_state, "learn the initial state, instead of starting from zeros");
  add_variants_to(table);
  table.add("dropout", dropout,
            "dropout probability of the first layer's input, between layers, and of the last layer's output", rate);
  table.add("dropout-input", dropout_input, "dropout probability of the first layer's input; -1: same as `dropout`",
            rate_or_same);
  table.add("dropout-output", dropout_output, "dropout probability of the last layer's output; -1: same as `dropout`",
            rate_or_same);
  table.add("variational", variational,
            "use one mask for all time steps in these three kinds of dropout (Gal and Ghahramani 2016)");
  table.add("dropout-recurrent", dropout_recurrent,
            "dropout probability of the state in the recurrent product, one mask for all time steps", rate);
  table.add("weight-drop", weight_drop,
            "dropout probability of the recurrent weights, one mask per batch (Merity et al. 2018)", rate);
  table.add("zoneout", zoneout, "probability that a unit of h keeps its value for a time step (Krueger et al. 2017)",
            rate);
  table.add("zoneout-cell", zoneout_cell, "probability that a unit of c keeps its value for a time step", rate);
  table.add("activation-reg", activation_reg,
            "activation regularisation (AR) coefficient: weight of the mean squared output in the loss", at_least(0.0));
  table.add("temporal-reg", temporal_reg,
            "temporal activation regularisation (TAR) coefficient: weight of the squared changes of the output between "
            "time steps in the loss",
            at_least(0.0));
}

void LstmOptions::add_variants_to(OptionTable& table) {
  const OptionCheck bound = between(0.0, 1e30);
  table.add("peepholes", peepholes,
            "peephole connections: input and forget gate see the cell of the step before, the output gate the new one "
            "(Gers and Schmidhuber 2000)");
  table.add("coupled-gates", coupled_gates,
            "the forget gate is 1 - the input gate, and its own weights are not used (Greff et al. 2017)");
  table.add("gate-clip", gate_clip,
            "bound of what the activations of gates and candidate are applied to (ONNX: clip); 0: none", bound);
  table.add("cell-clip", cell_clip, "bound of the cell state (TensorFlow: cell_clip); 0: none", bound);
  table.add("gate-activation", gate_activation,
            "activation function of the gates, with constants as in hard-sigmoid:0.2:0.5 (ALPHA, BETA); one of " +
                activation_names());
  table.add("candidate-activation", candidate_activation, "activation function of the candidate; names as above");
  table.add("output-activation", output_activation,
            "activation function of the cell state in the output; names as above");
}

kernels::LstmCell LstmOptions::lstm_cell() const {
  return {.gate = parse_activation("gate-activation", gate_activation),
          .candidate = parse_activation("candidate-activation", candidate_activation),
          .output = parse_activation("output-activation", output_activation),
          .coupled = coupled_gates,
          .gate_clip = gate_clip,
          .cell_clip = cell_clip};
}

Cell LstmOptions::kind() const {
  if (cell == "gru") return Cell::kGru;
  if (cell == "rnn") return Cell::kRnn;
  if (cell == "rnn-relu") return Cell::kRnnRelu;
  LONGHAND_CHECK(cell == "lstm");
  return Cell::kLstm;
}

int64_t LstmOptions::gates() const {
  switch (kind()) {
    case Cell::kLstm: return 4;
    case Cell::kGru: return 3;
    case Cell::kRnn:
    case Cell::kRnnRelu: return 1;
  }
  LONGHAND_CHECK(false);
}

std::string LstmOptions::layer_name() const { return kind() == Cell::kRnnRelu ? "rnn" : cell; }

std::string LstmOptions::misplaced() const {
  if (is_lstm()) return "";
  if (proj > 0) return "proj";
  if (layer_norm) return "layer-norm";
  if (dropout_recurrent > 0.0) return "dropout-recurrent";
  if (zoneout > 0.0) return "zoneout";
  if (zoneout_cell > 0.0) return "zoneout-cell";
  if (peepholes) return "peepholes";
  if (coupled_gates) return "coupled-gates";
  if (gate_clip > 0.0) return "gate-clip";
  if (cell_clip > 0.0) return "cell-clip";
  if (gate_activation != "sigmoid") return "gate-activation";
  if (candidate_activation != "tanh") return "candidate-activation";
  if (output_activation != "tanh") return "output-activation";
  return "";
}

void LstmOptions::check() const {
  if (const std::string name = misplaced(); !name.empty()) {
    throw usage_error("`" + name + "`: expected `cell` lstm, found `cell` " + cell,
                      "leave `" + name + "` out, or give `cell` lstm");
  }
  lstm_cell();
  if (coupled_gates && layer_norm) {
    throw usage_error("`coupled-gates`: expected no `layer-norm`, found both",
                      "layer normalisation is over all four gates, and coupled gates have no forget gate of their own; "
                      "leave one of the two out");
  }
  if (proj >= hidden) {
    throw usage_error(
        "`proj`: expected less than `hidden` (" + std::to_string(hidden) + "), found " + std::to_string(proj),
        "a projection makes the state smaller; give a smaller one, or none");
  }
}

std::vector<std::string> LstmOptions::without_effect() const {
  std::vector<std::string> out;
  if (residual && layers == 1) out.emplace_back("`residual` does nothing with one layer");
  if (variational && dropout == 0.0 && input_dropout() == 0.0 && output_dropout() == 0.0) {
    out.emplace_back("`variational` does nothing without `dropout`, `dropout-input` or `dropout-output`");
  }
  return out;
}

}  // namespace longhand::nn
