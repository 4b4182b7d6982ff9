// Convolutions, padding and pooling of windows as ONNX: over the time steps of sequences or within frames.
#include <limits>

#include "longhand/exporters/onnx_site.h"

namespace longhand::exporters {
namespace {

std::string onnx_mode(OnnxSite& site) {
  const std::string mode = site.text("mode", "zeros");
  return mode == "reflect" ? "reflect" : mode == "replicate" ? "edge" : "constant";
}

// Pads x [.., L, C] with `left` rows before the first row and `right` rows after the last.
std::string padded_rows(OnnxSite& site, const std::string& x, int64_t left, int64_t right, const std::string& output) {
  const auto axes = static_cast<size_t>(site.rank(0));
  std::vector<int64_t> pads(2 * axes, 0);
  pads[axes - 2] = left;
  pads[2 * axes - 2] = right;
  return site.make.op("Pad", {x, site.make.ints(pads)}, {onnx::text("mode", onnx_mode(site))}, output);
}

void write_row_padding(OnnxSite& site) {
  padded_rows(site, site.in(0), site.integer("left", 0), site.integer("right", 0), site.out());
}

// Reshapes frames [B, T, L, C] to [B T, L, C] and back, since ONNX's operators take a single batch axis.
class FramesAsBatch {
 public:
  explicit FramesAsBatch(OnnxSite& site) : site_(site), frames_(site.rank(0) == 4) {}

  std::string merged(const std::string& x) {
    if (!frames_) return x;
    OnnxMaker& make = site_.make;
    outer_ = make.extents(x, 0, 2);
    return make.op("Reshape", {x, make.concat({make.ints({-1}), make.extents(x, 2, 4)}, 0)});
  }
  void split(const std::string& y) {
    OnnxMaker& make = site_.make;
    if (!frames_) return (void)make.op("Identity", {y}, {}, site_.out());
    make.op("Reshape", {y, make.concat({outer_, make.extents(y, 1, 3)}, 0)}, {}, site_.out());
  }

 private:
  OnnxSite& site_;
  bool frames_;
  std::string outer_;
};

struct ConvolutionRows {
  int64_t left = 0, right = 0;
  bool keeps = false;  // left padding comes from the previous run
  bool same = false;   // pads so that the number of outputs is ceil(steps / stride)
};

ConvolutionRows rows_of_padding(OnnxSite& site, int64_t span) {
  const auto given = site.node().attributes.find("padding");
  if (given == site.node().attributes.end()) return {};
  const auto* name = std::get_if<std::string>(&given->second);
  if (name == nullptr) {
    const std::vector<int64_t> rows = site.integers("padding");
    return {.left = rows.front(), .right = rows.back()};
  }
  if (*name == "causal") return {.left = span - 1, .keeps = site.rank(0) == 3};
  return {.same = *name == "same"};
}

// Writes a conv1d. Its weights [units, channels / groups, kernel] have ONNX's layout.
void write_conv1d(OnnxSite& site) {
  OnnxMaker& make = site.make;
  const int64_t kernel = site.weight("weight").dims[2], dilation = site.integer("dilation", 1);
  const int64_t stride = site.integer("stride", 1), span = (kernel - 1) * dilation + 1, width = site.width(0);
  const ConvolutionRows rows = rows_of_padding(site, span);
  std::vector<convert::OnnxAttribute> attributes{
      onnx::wholes("kernel_shape", {kernel}), onnx::wholes("dilations", {dilation}), onnx::wholes("strides", {stride}),
      onnx::whole("group", site.integer("groups", 1))};
  std::string x = site.in(0), before;
  if (rows.keeps && rows.left > 0) {
    before = site.begin_state(site.node().name, {-1, rows.left, width});
    x = make.concat({before, x}, 1);
    site.end_state(before, make.slice(x, 1, -rows.left, kToEnd));
  } else if (rows.same && stride == 1) {
    x = padded_rows(site, x, (span - 1) / 2, span - 1 - (span - 1) / 2, "");
  } else if (rows.same) {
    if (onnx_mode(site) != "constant") site.fail("padding \"same\" with a stride: expected zeros", "name the rows");
    attributes.push_back(onnx::text("auto_pad", "SAME_UPPER"));
  } else if (rows.left + rows.right > 0) {
    x = padded_rows(site, x, rows.left, rows.right, "");
  }
  FramesAsBatch frames(site);
  x = make.transpose(frames.merged(x), {0, 2, 1});
  std::vector<std::string> inputs{x, site.weight_value("weight")};
  if (site.has_weight("bias")) inputs.push_back(site.weight_value("bias"));
  frames.split(make.transpose(make.op("Conv", inputs, attributes), {0, 2, 1}));
}

void write_pool1d(OnnxSite& site) {
  OnnxMaker& make = site.make;
  const int64_t kernel = site.integer("kernel", 1), stride = site.integer("stride", kernel);
  std::vector<int64_t> padding = site.integers("padding");
  if (padding.empty()) padding = {0};
  std::vector<convert::OnnxAttribute> attributes{onnx::wholes("kernel_shape", {kernel}),
                                                 onnx::wholes("strides", {stride}),
                                                 onnx::wholes("pads", {padding.front(), padding.back()})};
  const bool mean = site.node().type == "avg-pool1d";
  if (mean) attributes.push_back(onnx::whole("count_include_pad", 1));
  FramesAsBatch frames(site);
  const std::string x = make.transpose(frames.merged(site.in(0)), {0, 2, 1});
  frames.split(make.transpose(make.op(mean ? "AveragePool" : "MaxPool", {x}, attributes), {0, 2, 1}));
}

}  // namespace

OnnxFunctions onnx_window_functions() {
  return {
      {"pad", write_row_padding}, {"conv1d", write_conv1d}, {"max-pool1d", write_pool1d}, {"avg-pool1d", write_pool1d}};
}

}  // namespace longhand::exporters
