// Python classes for the layers of longhand.torch.LSTM. They take addresses of PyTorch tensors instead of DLPack
// capsules, which would cost more time than a short pass. python/longhand/torch checks the tensors.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "longhand/base/error.h"
#include "lstm_layers.h"
#include "module.h"

namespace longhand::python {
namespace {

using Address = uintptr_t;  // 0: null

template <class T>
T* pointer(Address address) {
  return reinterpret_cast<T*>(address);  // NOLINT: Tensor.data_ptr() returns an integer
}

template <class T>
std::vector<const T*> pointers(const std::vector<Address>& addresses) {
  std::vector<const T*> out;
  for (const Address address : addresses) out.push_back(pointer<const T>(address));
  return out;
}

// Address, stride of time steps, stride of rows; strides in elements.
using Rows = std::tuple<Address, int64_t, int64_t>;

template <class T>
RowsOf<T> rows_of(const Rows& rows) {
  return {pointer<T>(std::get<0>(rows)), std::get<1>(rows), std::get<2>(rows)};
}

LstmBatch packed_batch(const std::vector<int64_t>& sizes) {
  LstmBatch out{.steps = static_cast<int64_t>(sizes.size()), .batch = sizes.at(0), .lengths = {}, .offsets = {0}};
  out.lengths.assign(static_cast<size_t>(out.batch), 0);
  for (size_t t = 0; t < sizes.size(); ++t) {
    LONGHAND_CHECK(sizes[t] > 0 && sizes[t] <= sizes[t == 0 ? 0 : t - 1]);
    out.offsets.push_back(out.offsets.back() + sizes[t]);
    for (int64_t b = 0; b < sizes[t]; ++b) out.lengths[static_cast<size_t>(b)] = static_cast<int32_t>(t + 1);
  }
  return out;
}

nn::Pass pass_of(bool training, bool gradients) {
  return training ? nn::Pass::kTraining : gradients ? nn::Pass::kGradients : nn::Pass::kInference;
}

template <class T>
std::unique_ptr<LstmPass<T>> forward(LstmLayers<T>& layers, const LstmBatch& batch, const Rows& x,
                                     const std::vector<Address>& parameters, std::pair<Address, Address> first,
                                     const Rows& y, std::pair<Address, Address> last, bool training, bool gradients,
                                     uint64_t seed, int threads) {
  return layers.forward({.batch = batch,
                         .x = rows_of<const T>(x),
                         .parameters = pointers<T>(parameters),
                         .h_0 = pointer<const T>(first.first),
                         .c_0 = pointer<const T>(first.second),
                         .y = rows_of<T>(y),
                         .h_n = pointer<T>(last.first),
                         .c_n = pointer<T>(last.second),
                         .pass = pass_of(training, gradients),
                         .seed = seed,
                         .threads = threads});
}

template <class T>
void backward(LstmPass<T>& pass, const std::vector<Address>& parameters, const Rows& dy,
              std::pair<Address, Address> d_last, const Rows& dx, Address gradients,
              std::pair<Address, Address> d_first, int threads) {
  pass.backward({.parameters = pointers<T>(parameters),
                 .dy = rows_of<const T>(dy),
                 .dh_n = pointer<const T>(d_last.first),
                 .dc_n = pointer<const T>(d_last.second),
                 .dx = rows_of<T>(dx),
                 .gradients = pointer<T>(gradients),
                 .dh_0 = pointer<T>(d_first.first),
                 .dc_0 = pointer<T>(d_first.second),
                 .threads = threads});
}

template <class T>
void register_layers(nb::module_& module, const char* layers_name, const char* pass_name) {
  using Layers = LstmLayers<T>;
  nb::class_<LstmPass<T>>(module, pass_name)
      .def_prop_ro("is_done", &LstmPass<T>::is_done)
      .def("backward", &backward<T>, nb::arg("parameters"), nb::arg("dy"), nb::arg("d_last"), nb::arg("dx"),
           nb::arg("gradients"), nb::arg("d_first"), nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
  nb::class_<Layers>(module, layers_name)
      .def(nb::new_([](const nn::LstmOptions& options, int64_t inputs, bool bias) {
             return std::make_shared<Layers>(options, inputs, bias);
           }),
           nb::arg("options"), nb::arg("inputs"), nb::arg("bias"))
      .def_prop_ro("extent", &Layers::extent)
      .def_prop_ro(
          "parameters",
          [](const Layers& layers) {
            nb::list out;
            for (const LstmParameter& p : layers.parameters()) {
              out.append(nb::make_tuple(p.name, nb::tuple(nb::cast(p.shape)), p.offset, p.size, p.is_second_bias));
            }
            return out;
          })
      .def("forward", &forward<T>, nb::arg("batch"), nb::arg("x"), nb::arg("parameters"), nb::arg("first"),
           nb::arg("y"), nb::arg("last"), nb::arg("training"), nb::arg("gradients"), nb::arg("seed"),
           nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace

void register_lstm(nb::module_& module) {
  nb::set_leak_warnings(false);  // PyTorch keeps objects alive after interpreter shutdown
  using Options = nn::LstmOptions;
  nb::class_<Options>(module, "LstmOptions")
      .def(nb::init<>())
      .def_rw("hidden", &Options::hidden)
      .def_rw("layers", &Options::layers)
      .def_rw("bidirectional", &Options::bidirectional)
      .def_rw("proj", &Options::proj)
      .def_rw("layer_norm", &Options::layer_norm)
      .def_rw("peepholes", &Options::peepholes)
      .def_rw("dropout", &Options::dropout)
      .def_rw("dropout_input", &Options::dropout_input)
      .def_rw("dropout_output", &Options::dropout_output)
      .def_rw("variational", &Options::variational)
      .def_rw("dropout_recurrent", &Options::dropout_recurrent)
      .def_rw("weight_drop", &Options::weight_drop)
      .def_rw("zoneout", &Options::zoneout)
      .def_rw("zoneout_cell", &Options::zoneout_cell);
  nb::class_<LstmBatch>(module, "LstmBatch")
      .def(nb::new_([](int64_t steps, int64_t batch, const std::vector<int32_t>& lengths) {
             return LstmBatch{.steps = steps, .batch = batch, .lengths = lengths, .offsets = {}};
           }),
           nb::arg("steps"), nb::arg("batch"), nb::arg("lengths"))
      .def_static("packed", &packed_batch, nb::arg("sizes"));
  register_layers<float>(module, "LstmLayersFloat", "LstmPassFloat");
  register_layers<double>(module, "LstmLayersDouble", "LstmPassDouble");
}

}  // namespace longhand::python
