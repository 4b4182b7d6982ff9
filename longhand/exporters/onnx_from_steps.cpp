// Nodes between the layers of sequence networks as ONNX: reshaping of time steps, pooling, context.
#include <limits>

#include "longhand/exporters/onnx_site.h"

namespace longhand::exporters {
namespace {

void write_step_reshape(OnnxSite& site) {
  std::vector<int64_t> shape = site.extents().dims(site.out());
  shape[0] = shape[1] = 0;  // 0: unchanged
  site.make.reshape(site.in(0), shape, site.out());
}

void write_step_flatten(OnnxSite& site) {
  if (site.rank(0) < 3) return (void)site.make.op("Identity", {site.in(0)}, {}, site.out());
  site.make.reshape(site.in(0), {0, 0, -1}, site.out());
}

void write_step_transpose(OnnxSite& site) { site.make.transpose(site.in(0), {0, 1, 3, 2}, site.out()); }

void write_part(OnnxSite& site) {
  const int64_t begin = site.integer("start", 0), end = site.has_attribute("end") ? site.integer("end", 0) : kToEnd;
  site.make.op("Slice", {site.in(0), site.make.ints({begin}), site.make.ints({end}), site.make.ints({-1})}, {},
               site.out());
}

void write_reverse(OnnxSite& site) {
  site.make.op(
      "Slice",
      {site.in(0), site.make.ints({-1}), site.make.ints({kToBegin}), site.make.ints({1}), site.make.ints({-1})}, {},
      site.out());
}

void write_dropout(OnnxSite& site) { site.make.op("Identity", {site.in(0)}, {}, site.out()); }

// [B, T, C] -> [B, T, n + C]: prepends the last n elements of the previous step to each step.
void write_context(OnnxSite& site) {
  const int64_t n = site.integer("size", 0);
  const std::string before = site.begin_state(site.node().name, {-1, n});
  const std::string ends = site.make.slice(site.in(0), 2, -n, kToEnd);
  const std::string all = site.make.concat({site.make.unsqueeze(before, {1}), ends}, 1);
  site.make.concat({site.make.slice(all, 1, 0, -1), site.in(0)}, 2, site.out());
  site.end_state(before, site.make.squeeze(site.make.slice(all, 1, -1, kToEnd), {1}));
}

void write_magnitude(OnnxSite& site) {
  const int64_t F = site.width(0) / 2;
  const auto squared = [&](int64_t begin, int64_t end) {
    const std::string part = site.make.slice(site.in(0), -1, begin, end);
    return site.make.op("Mul", {part, part});
  };
  site.make.op("Sqrt", {site.make.op("Add", {squared(0, F), squared(F, 2 * F)})}, {}, site.out());
}

// Pooling over the second-to-last axis. `mask_` [..., L, 1] is 1.0 or 0.0; empty: no mask.
class Pooling {
 public:
  explicit Pooling(OnnxSite& site) : site_(site), make_(site.make), axis_(site.rank(0) - 2) {
    if (site.has(1)) mask_ = make_.unsqueeze(make_.as(io::DType::kF32, site.in(1)), {-1});
  }

  void write() {
    const std::string kind = site_.text("kind", "last");
    if (kind == "mean") return mean();
    if (kind == "max") return (void)make_.reduce("ReduceMax", without_padding(-kLarge), {axis_}, false, site_.out());
    if (kind == "attention") return attention();
    last();
  }

 private:
  static constexpr double kLarge = 3.0e38;  // finite, but larger than any activation

  // Returns x with masked rows set to `number`.
  std::string without_padding(double number) {
    if (mask_.empty()) return site_.in(0);
    return make_.op("Where", {make_.as(io::DType::kBool, mask_), site_.in(0), make_.number(number)});
  }

  void mean() {
    if (mask_.empty()) return (void)make_.reduce("ReduceMean", site_.in(0), {axis_}, false, site_.out());
    const std::string sum = make_.reduce("ReduceSum", make_.op("Mul", {site_.in(0), mask_}), {axis_}, false);
    const std::string rows = make_.op("Max", {make_.reduce("ReduceSum", mask_, {axis_}, false), make_.number(1.0)});
    make_.op("Div", {sum, rows}, {}, site_.out());
  }

  void attention() {
    const graph::Array& query = site_.weight("query");
    const std::string column =
        make_.array(site_.node().weights.at("query") + ".column", graph::array({query.dims.front(), 1}, query.floats));
    std::string scores = make_.op("MatMul", {make_.op("Tanh", {site_.in(0)}), column});
    if (!mask_.empty()) {
      scores = make_.op("Where", {make_.as(io::DType::kBool, mask_), scores, make_.number(-kLarge)});
    }
    const std::string shares = make_.op("Softmax", {scores}, {onnx::whole("axis", axis_)});
    make_.reduce("ReduceSum", make_.op("Mul", {shares, site_.in(0)}), {axis_}, false, site_.out());
  }

  // Writes the last row. With two directions: the first half of the last row, and the second half of the first row.
  // Unmasked rows come first.
  void last() {
    const int64_t W = site_.width(0), directions = site_.integer("directions", 1);
    const auto row = [&](int64_t begin, int64_t end) {
      return make_.squeeze(make_.slice(site_.in(0), axis_, begin, end), {axis_});
    };
    std::string forward = mask_.empty() ? row(-1, kToEnd) : last_read();
    if (directions == 1) return (void)make_.op("Identity", {forward}, {}, site_.out());
    make_.concat({make_.slice(forward, -1, 0, W / 2), make_.slice(row(0, 1), -1, W / 2, W)}, -1, site_.out());
  }

  // Returns the last unmasked row: the sum over rows, each multiplied by 1 if it is the last unmasked row and by 0
  // otherwise.
  std::string last_read() {
    const std::string next = make_.slice(mask_, axis_, 1, kToEnd);
    const std::string none = make_.op("Mul", {make_.slice(mask_, axis_, 0, 1), make_.number(0.0)});
    const std::string ends = make_.op("Sub", {mask_, make_.concat({next, none}, axis_)});
    return make_.reduce("ReduceSum", make_.op("Mul", {site_.in(0), ends}), {axis_}, false);
  }

  OnnxSite& site_;
  OnnxMaker& make_;
  int64_t axis_;
  std::string mask_;
};

void write_pool(OnnxSite& site) { Pooling(site).write(); }

}  // namespace

OnnxFunctions onnx_step_functions() {
  return {{"reshape", write_step_reshape}, {"flatten", write_step_flatten}, {"transpose", write_step_transpose},
          {"slice", write_part},           {"reverse", write_reverse},      {"dropout", write_dropout},
          {"context", write_context},      {"magnitude", write_magnitude},  {"pool", write_pool}};
}

}  // namespace longhand::exporters
