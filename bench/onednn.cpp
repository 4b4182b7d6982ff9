#include "bench/onednn.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

namespace longhand::bench {

using dnnl::memory;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

struct OneDnnLstm::Parts {
  Parts(const LayerSizes& s, int thread_count) : threads(thread_count) {
    omp_set_num_threads(threads);
    const auto of = [](const memory::dims& dims, Tag tag) { return memory::desc(dims, memory::data_type::f32, tag); };
    const auto L = s.layers, T = s.steps, B = s.batch, I = s.inputs, H = s.hidden;
    const memory::desc x = of({T, B, I}, Tag::tnc), y = of({T, B, H}, Tag::tnc), state = of({L, 1, B, H}, Tag::ldnc);
    const memory::desc bias = of({L, 1, 4, H}, Tag::ldgo);
    const memory::desc any_ih = of({L, 1, I, 4, H}, Tag::any), any_hh = of({L, 1, H, 4, H}, Tag::any);
    const auto forward_of = [&](dnnl::prop_kind kind) {
      return dnnl::lstm_forward::primitive_desc({kind, dnnl::rnn_direction::unidirectional_left2right, x, state, state,
                                                 any_ih, any_hh, bias, y, state, state},
                                                engine);
    };
    const auto inference_desc = forward_of(dnnl::prop_kind::forward_inference);
    const auto training_desc = forward_of(dnnl::prop_kind::forward_training);
    const dnnl::lstm_backward::desc backward_of(dnnl::prop_kind::backward,
                                                dnnl::rnn_direction::unidirectional_left2right,           //
                                                x, state, state, any_ih, any_hh, bias, y, state, state,   // values
                                                x, state, state, any_ih, any_hh, bias, y, state, state);  // gradients
    const dnnl::lstm_backward::primitive_desc backward_desc(backward_of, engine, training_desc);
    const auto filled = [&](const memory::desc& desc, float scale) {
      memory m(desc, engine);
      auto* data = static_cast<float*>(m.get_data_handle());
      for (size_t i = 0; i < desc.get_size() / sizeof(float); ++i) {
        data[i] = scale * (static_cast<float>(i * 7919 % 17) - 8.0F) / 8.0F;
      }
      return m;
    };
    w_ih = filled(of({L, 1, I, 4, H}, Tag::ldgoi), 0.1F);
    w_hh = filled(of({L, 1, H, 4, H}, Tag::ldgoi), 0.1F);
    dw_ih = filled(of({L, 1, I, 4, H}, Tag::ldgoi), 0.0F);
    dw_hh = filled(of({L, 1, H, 4, H}, Tag::ldgoi), 0.0F);
    const auto empty = [&](const memory::desc& desc) { return filled(desc, 0.0F); };
    const Arguments data = {{DNNL_ARG_SRC_LAYER, filled(x, 1.0F)}, {DNNL_ARG_SRC_ITER, empty(state)},
                            {DNNL_ARG_SRC_ITER_C, empty(state)},   {DNNL_ARG_BIAS, filled(bias, 0.1F)},
                            {DNNL_ARG_DST_LAYER, empty(y)},        {DNNL_ARG_DST_ITER, empty(state)},
                            {DNNL_ARG_DST_ITER_C, empty(state)}};
    inference = dnnl::lstm_forward(inference_desc);
    inference_arguments = data;
    inference_arguments[DNNL_ARG_WEIGHTS_LAYER] = empty(inference_desc.weights_layer_desc());
    inference_arguments[DNNL_ARG_WEIGHTS_ITER] = empty(inference_desc.weights_iter_desc());
    dnnl::reorder(w_ih, inference_arguments[DNNL_ARG_WEIGHTS_LAYER])
        .execute(stream, w_ih, inference_arguments[DNNL_ARG_WEIGHTS_LAYER]);
    dnnl::reorder(w_hh, inference_arguments[DNNL_ARG_WEIGHTS_ITER])
        .execute(stream, w_hh, inference_arguments[DNNL_ARG_WEIGHTS_ITER]);
    training = dnnl::lstm_forward(training_desc);
    training_arguments = data;
    training_arguments[DNNL_ARG_WORKSPACE] = memory(training_desc.workspace_desc(), engine);
    training_arguments[DNNL_ARG_WEIGHTS_LAYER] = empty(training_desc.weights_layer_desc());
    training_arguments[DNNL_ARG_WEIGHTS_ITER] = empty(training_desc.weights_iter_desc());
    backward = dnnl::lstm_backward(backward_desc);
    backward_arguments = training_arguments;
    backward_arguments[DNNL_ARG_WEIGHTS_LAYER] = empty(backward_desc.weights_layer_desc());
    backward_arguments[DNNL_ARG_WEIGHTS_ITER] = empty(backward_desc.weights_iter_desc());
    backward_arguments[DNNL_ARG_DIFF_DST_LAYER] = filled(y, 0.001F);
    backward_arguments[DNNL_ARG_DIFF_DST_ITER] = empty(state);
    backward_arguments[DNNL_ARG_DIFF_DST_ITER_C] = empty(state);
    backward_arguments[DNNL_ARG_DIFF_SRC_LAYER] = empty(x);
    backward_arguments[DNNL_ARG_DIFF_SRC_ITER] = empty(state);
    backward_arguments[DNNL_ARG_DIFF_SRC_ITER_C] = empty(state);
    backward_arguments[DNNL_ARG_DIFF_WEIGHTS_LAYER] = empty(backward_desc.diff_weights_layer_desc());
    backward_arguments[DNNL_ARG_DIFF_WEIGHTS_ITER] = empty(backward_desc.diff_weights_iter_desc());
    backward_arguments[DNNL_ARG_DIFF_BIAS] = empty(bias);
    const auto add = [&](memory& from, memory& to) { return dnnl::reorder(from, to); };
    to_training_ih = add(w_ih, training_arguments[DNNL_ARG_WEIGHTS_LAYER]);
    to_training_hh = add(w_hh, training_arguments[DNNL_ARG_WEIGHTS_ITER]);
    to_backward_ih = add(w_ih, backward_arguments[DNNL_ARG_WEIGHTS_LAYER]);
    to_backward_hh = add(w_hh, backward_arguments[DNNL_ARG_WEIGHTS_ITER]);
    from_backward_ih = add(backward_arguments[DNNL_ARG_DIFF_WEIGHTS_LAYER], dw_ih);
    from_backward_hh = add(backward_arguments[DNNL_ARG_DIFF_WEIGHTS_ITER], dw_hh);
  }

  int threads;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  memory w_ih, w_hh, dw_ih, dw_hh;
  dnnl::lstm_forward inference, training;
  dnnl::lstm_backward backward;
  dnnl::reorder to_training_ih, to_training_hh, to_backward_ih, to_backward_hh, from_backward_ih, from_backward_hh;
  Arguments inference_arguments, training_arguments, backward_arguments;
};

OneDnnLstm::OneDnnLstm(const LayerSizes& sizes, int threads) : parts_(std::make_unique<Parts>(sizes, threads)) {}
OneDnnLstm::~OneDnnLstm() = default;

void OneDnnLstm::forward() {
  omp_set_num_threads(parts_->threads);
  parts_->inference.execute(parts_->stream, parts_->inference_arguments);
  parts_->stream.wait();
}

void OneDnnLstm::train() {
  Parts& p = *parts_;
  omp_set_num_threads(p.threads);
  p.to_training_ih.execute(p.stream, p.w_ih, p.training_arguments[DNNL_ARG_WEIGHTS_LAYER]);
  p.to_training_hh.execute(p.stream, p.w_hh, p.training_arguments[DNNL_ARG_WEIGHTS_ITER]);
  p.training.execute(p.stream, p.training_arguments);
  p.to_backward_ih.execute(p.stream, p.w_ih, p.backward_arguments[DNNL_ARG_WEIGHTS_LAYER]);
  p.to_backward_hh.execute(p.stream, p.w_hh, p.backward_arguments[DNNL_ARG_WEIGHTS_ITER]);
  p.backward.execute(p.stream, p.backward_arguments);
  p.from_backward_ih.execute(p.stream, p.backward_arguments[DNNL_ARG_DIFF_WEIGHTS_LAYER], p.dw_ih);
  p.from_backward_hh.execute(p.stream, p.backward_arguments[DNNL_ARG_DIFF_WEIGHTS_ITER], p.dw_hh);
  p.stream.wait();
}

}  // namespace longhand::bench
