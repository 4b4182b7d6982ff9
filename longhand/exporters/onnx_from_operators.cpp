// Nodes that are ONNX operators already, as in imported networks: written in the form of the file's opset.
#include <algorithm>
#include <set>
#include <sstream>

#include "longhand/exporters/onnx_site.h"

namespace longhand::exporters {
namespace {

// Whether an ONNX attribute is a float, even if our attribute is an integer.
bool has_real_value(const std::string& name) {
  static const std::set<std::string> kReal = {"alpha", "beta", "gamma", "epsilon", "clip", "lambd", "bias", "momentum"};
  return kReal.contains(name);
}

convert::OnnxAttribute attribute_with(OnnxSite& site, const std::string& name, const graph::Attribute& value) {
  if (has_real_value(name)) return onnx::real(name, site.number(name, 0.0));
  if (name == "activation_alpha" || name == "activation_beta") return onnx::reals(name, site.numbers(name));
  if (const auto* one = std::get_if<int64_t>(&value)) return onnx::whole(name, *one);
  if (const auto* one = std::get_if<double>(&value)) return onnx::real(name, *one);
  if (const auto* one = std::get_if<std::string>(&value)) return onnx::text(name, *one);
  if (const auto* all = std::get_if<std::vector<int64_t>>(&value)) return onnx::wholes(name, *all);
  if (const auto* all = std::get_if<std::vector<double>>(&value)) return onnx::reals(name, *all);
  return onnx::texts(name, std::get<std::vector<std::string>>(value));
}

std::vector<convert::OnnxAttribute> attributes_without(OnnxSite& site, const std::set<std::string>& left_out) {
  std::vector<convert::OnnxAttribute> out;
  for (const auto& [name, value] : site.node().attributes) {
    if (!left_out.contains(name)) out.push_back(attribute_with(site, name, value));
  }
  for (const auto& [role, array] : site.node().weights)
    out.push_back(onnx::tensor(role, site.graph().arrays.at(array)));
  return out;
}

// Writes the node unchanged.
void write_operator_again(OnnxSite& site) {
  std::vector<std::string> outputs = site.node().outputs;
  if (outputs.size() == 1) {
    site.make.op(site.node().type, site.all_inputs(), attributes_without(site, {}), site.out());
    return;
  }
  site.make.add(site.node().type, site.all_inputs(), outputs, attributes_without(site, {}));
}

// Writes the node with attributes `names` as inputs, in this order after the first input.
void write_with_inputs(OnnxSite& site, const std::vector<const char*>& names, const std::set<std::string>& left_out) {
  std::vector<std::string> inputs = site.all_inputs();
  std::set<std::string> gone = left_out;
  for (size_t i = 0; i < names.size(); ++i) {
    gone.insert(names[i]);
    if (!site.has_attribute(names[i]) || site.has(i + 1)) continue;
    inputs.resize(std::max(inputs.size(), i + 2));
    inputs[i + 1] = site.make.ints(site.integers(names[i]));
  }
  const std::vector<std::string>& outputs = site.node().outputs;
  if (outputs.size() == 1) {
    site.make.op(site.node().type, inputs, attributes_without(site, gone), site.out());
  } else {
    site.make.add(site.node().type, inputs, outputs, attributes_without(site, gone));
  }
}

void write_axes(OnnxSite& site) { write_with_inputs(site, {"axes"}, {}); }
void write_slice(OnnxSite& site) { write_with_inputs(site, {"starts", "ends", "axes"}, {}); }
void write_reshape(OnnxSite& site) { write_with_inputs(site, {"shape"}, {}); }

// Writes a Split. Equal parts need no sizes, since the number of outputs is known.
void write_split(OnnxSite& site) {
  std::vector<std::string> outputs = site.node().outputs;
  for (std::string& output : outputs) {
    if (output.empty()) output = site.make.fresh("unused");
  }
  std::vector<std::string> inputs = site.all_inputs();
  const graph::Dims dims = site.dims(0);
  const int64_t axis = site.integer("axis", 0), rank = site.rank(0);
  const int64_t extent = dims[static_cast<size_t>(axis < 0 ? axis + rank : axis)];
  if (site.has_attribute("split")) {
    inputs.push_back(site.make.ints(site.integers("split")));
  } else if (inputs.size() < 2 && extent >= 0 && extent % static_cast<int64_t>(outputs.size()) != 0) {
    const auto n = static_cast<int64_t>(outputs.size()), each = (extent + n - 1) / n;
    std::vector<int64_t> sizes(outputs.size(), each);
    sizes.back() = extent - (n - 1) * each;
    inputs.push_back(site.make.ints(sizes));
  }
  site.make.add("Split", inputs, outputs, attributes_without(site, {"split", "num_outputs"}));
}

// Writes a reduction. Its axes are an input or an attribute; none: all axes.
void write_reduction(OnnxSite& site) {
  std::vector<int64_t> axes = site.integers("axes");
  if (site.has(1)) {
    axes = site.extents().known_ints(site.node().inputs[1], "node '" + site.node().name + "'");
  }
  const bool keep = site.integer("keepdims", 1) != 0;
  if (axes.empty() && site.integer("noop_with_empty_axes", 0) != 0) {
    return (void)site.make.op("Identity", {site.in(0)}, {}, site.out());
  }
  if (axes.empty()) {
    for (int64_t axis = 0; axis < site.rank(0); ++axis) axes.push_back(axis);
  }
  site.make.reduce(site.node().type, site.in(0), axes, keep, site.out());
}

// Writes a softmax. Before opset 13, softmax was over all axes from `axis` on together.
void write_softmax(OnnxSite& site) {
  OnnxMaker& make = site.make;
  if (site.integer("flat", 0) == 0) {
    make.op(site.node().type, {site.in(0)}, {onnx::whole("axis", site.integer("axis", -1))}, site.out());
    return;
  }
  const std::string flat = make.op("Flatten", {site.in(0)}, {onnx::whole("axis", site.integer("axis", 1))});
  make.op("Reshape", {make.op(site.node().type, {flat}, {onnx::whole("axis", -1)}), make.op("Shape", {site.in(0)})}, {},
          site.out());
}

void write_cast(OnnxSite& site) {
  const std::string to = site.text("to", "float");
  const io::DType dtype = to == "int" ? io::DType::kI64 : to == "bool" ? io::DType::kBool : io::DType::kF32;
  site.make.op("Identity", {site.make.as(dtype, site.in(0))}, {}, site.out());
}

void write_clip(OnnxSite& site) {
  std::vector<std::string> inputs = site.all_inputs();
  inputs.resize(3);
  for (size_t i = 0; i < 2; ++i) {
    const char* name = i == 0 ? "min" : "max";
    if (site.has_attribute(name)) inputs[i + 1] = site.make.number(site.number(name, 0.0));
  }
  site.make.op("Clip", inputs, {}, site.out());
}

void write_pad(OnnxSite& site) {
  std::vector<std::string> inputs = site.all_inputs();
  inputs.resize(std::max<size_t>(inputs.size(), 3));
  if (site.has_attribute("pads")) inputs[1] = site.make.ints(site.integers("pads"));
  if (site.has_attribute("value")) inputs[2] = site.make.number(site.number("value", 0.0));
  site.make.op("Pad", inputs, attributes_without(site, {"pads", "value"}), site.out());
}

void write_layer_normalization(OnnxSite& site) {
  if (site.make.opset() >= 17) return write_operator_again(site);
  const int64_t axis = site.integer("axis", -1);
  if (axis != -1 && axis != site.rank(0) - 1) site.fail("expected the last axis", "import it without");
  std::string y = site.make.normalised(site.in(0), site.number("epsilon", 1e-5));
  if (site.has(1)) y = site.make.op("Mul", {y, site.in(1)});
  if (site.has(2)) y = site.make.op("Add", {y, site.in(2)});
  site.make.op("Identity", {y}, {}, site.out());
}

void write_identity(OnnxSite& site) { site.make.op("Identity", {site.in(0)}, {}, site.out()); }

void write_constant(OnnxSite& site) {
  site.make.op("Identity", {site.make.array(site.node().name + ".value", site.weight("value"))}, {}, site.out());
}

// Writes the branch that an If takes in place of the If. The condition must be known before a run.
void write_if(OnnxSite& site) {
  const graph::Node& node = site.node();
  const auto array = site.graph().arrays.find(node.inputs[0]);
  const std::vector<int64_t> condition = array != site.graph().arrays.end()
                                             ? array->second.ints
                                             : site.extents().known_ints(node.inputs[0], "node '" + node.name + "'");
  const size_t taken = !condition.empty() && condition.front() != 0 ? 0 : 1;
  add_onnx_nodes(site.all(), node.branches[taken]);
  site.make.set_owner(node.name);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    const std::string& from = node.branch_outputs[taken][i];
    const auto made = site.graph().arrays.find(from);
    site.make.op("Identity", {made == site.graph().arrays.end() ? from : site.make.array(from, made->second)}, {},
                 node.outputs[i]);
  }
}

// Writes LSTM, GRU and RNN with the time axis first, the only layout that onnxruntime supports. States that are kept
// between runs become inputs and outputs.
void write_onnx_recurrent(OnnxSite& site) {
  OnnxMaker& make = site.make;
  const bool batch_first = site.integer("layout", 0) != 0, has_cell = site.node().type == "LSTM";
  const auto turned = [&](const std::string& x) {
    return batch_first && !x.empty() ? make.transpose(x, {1, 0, 2}) : x;
  };
  std::vector<std::string> inputs = site.all_inputs();
  inputs.resize(has_cell ? 8 : 6);
  inputs[0] = turned(inputs[0]);
  if (!inputs[4].empty()) inputs[4] = make.as(io::DType::kI32, inputs[4]);
  const size_t states = has_cell ? 2 : 1;
  std::vector<std::string> carried;
  for (size_t i = 0; i < states; ++i) {
    std::string& state = inputs[5 + i];
    if (site.integer("keep_state", 0) == 0) {
      state = turned(state);
      continue;
    }
    std::vector<float> initial;
    const auto given = site.graph().arrays.find(site.has(5 + i) ? site.node().inputs[5 + i] : "");
    if (given != site.graph().arrays.end()) initial = given->second.floats;
    const graph::Array& r = site.graph().arrays.at(site.node().inputs[2]);
    state = site.begin_state(site.node().name + (i == 0 ? "_h" : "_c"), {r.dims[0], -1, r.dims[2]}, initial);
    carried.push_back(state);
  }
  std::vector<std::string> outputs = site.node().outputs, made(1 + states);
  outputs.resize(1 + states);
  for (size_t i = 0; i < made.size(); ++i) {
    const bool plain = !batch_first && !outputs[i].empty();
    if (plain || !outputs[i].empty() || (i > 0 && !carried.empty())) made[i] = plain ? outputs[i] : make.fresh("Y");
  }
  make.add(site.node().type, inputs, made, attributes_without(site, {"layout", "keep_state"}));
  for (size_t i = 0; i < carried.size(); ++i) site.end_state(carried[i], made[1 + i]);
  for (size_t i = 0; batch_first && i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    make.transpose(made[i], i == 0 ? std::vector<int64_t>{2, 0, 1, 3} : std::vector<int64_t>{1, 0, 2}, outputs[i]);
  }
}

// Leaves out attributes of older opsets that have no effect.
void write_batch_normalization(OnnxSite& site) {
  site.make.op("BatchNormalization", site.all_inputs(), attributes_without(site, {"spatial", "momentum"}), site.out());
}
void write_average_pool(OnnxSite& site) {
  site.make.op("AveragePool", site.all_inputs(), attributes_without(site, {"dilations"}), site.out());
}

void write_top(OnnxSite& site) {
  std::vector<std::string> inputs = site.all_inputs(), outputs = site.node().outputs;
  if (site.has_attribute("k")) inputs.push_back(site.make.ints({site.integer("k", 1)}));
  outputs.resize(2);
  for (std::string& output : outputs) {
    if (output.empty()) output = site.make.fresh("unused");
  }
  site.make.add("TopK", inputs, outputs, attributes_without(site, {"k"}));
}

void write_refused(OnnxSite& site) {
  site.fail("operators of 8-bit numbers are not written", "export the model that was quantised");
}

}  // namespace

OnnxFunctions onnx_operator_functions() {
  OnnxFunctions out;
  std::istringstream same(
      "Gemm MatMul Conv ConvTranspose MaxPool GlobalAveragePool GlobalMaxPool Einsum Add Sub Mul Div Pow Mod Min "
      "Max Sum Mean Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not Where PRelu Relu LeakyRelu "
      "ThresholdedRelu Elu Celu Selu Sigmoid HardSigmoid Tanh Softsign Softplus Exp Log Sqrt Abs Neg Reciprocal "
      "Floor Ceil Round Sign Sin Cos Erf ArgMax ArgMin CumSum InstanceNormalization Identity ConstantOfShape "
      "Shape Size Flatten Transpose Concat Gather GatherElements ScatterElements OneHot ReverseSequence Trilu "
      "IsNaN Expand Tile Range");
  for (std::string type; same >> type;) out[type] = write_operator_again;
  for (const char* type : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                           "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"}) {
    out[type] = write_reduction;
  }
  for (const char* type : {"LSTM", "GRU", "RNN"}) out[type] = write_onnx_recurrent;
  for (const char* type :
       {"DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeLSTM"}) {
    out[type] = write_refused;
  }
  out["BatchNormalization"] = write_batch_normalization;
  out["AveragePool"] = write_average_pool;
  out["TopK"] = write_top;
  out["Squeeze"] = out["Unsqueeze"] = write_axes;
  out["Slice"] = write_slice;
  out["Reshape"] = write_reshape;
  out["Split"] = write_split;
  out["Softmax"] = out["LogSoftmax"] = write_softmax;
  out["Cast"] = write_cast;
  out["Clip"] = write_clip;
  out["Pad"] = write_pad;
  out["LayerNormalization"] = write_layer_normalization;
  out["Dropout"] = write_identity;
  out["Constant"] = write_constant;
  out["If"] = write_if;
  return out;
}

}  // namespace longhand::exporters
