// Networks as C, compiled by the C compiler and run beside our own steps.
#include <fmt/core.h>
#include <map>

#include "longhand/kernels/weight_type.h"
#include "tests/exporters/c_programs.h"

namespace longhand::exporters {
namespace {

const std::string kCompiler = LONGHAND_C_COMPILER;

std::string frame(int64_t size) { return fmt::format("[[inputs]]\nsize = {}\n", size); }
std::string layer(const std::string& type, const std::string& options = "") {
  return fmt::format("[[layers]]\ntype = \"{}\"\n{}\n", type, options);
}
std::string lstm(int64_t units, const std::string& more = "") {
  return layer("lstm", fmt::format("units = {}\n{}", units, more));
}

// Networks of each layer, and of what they can be.
const std::map<std::string, std::string>& networks() {
  static const std::map<std::string, std::string> kNetworks = [] {
    std::map<std::string, std::string> out = {
        {"linear", frame(5) + layer("linear", "units = 7")},
        {"one", frame(1) + lstm(3) + layer("linear", "units = 1")},
        {"amp", frame(1) + lstm(20) + layer("linear", "units = 1")},
        {"two", frame(3) + lstm(6, "layers = 2") + layer("linear", "units = 2")},
        {"residual", frame(3) + lstm(6, "layers = 3\nresidual = true")},
        {"projected", frame(3) + lstm(9, "projection = 4\nlayers = 2")},
        {"normed", frame(3) + lstm(7, "layer_norm = true")},
        {"normed_projected", frame(3) + lstm(7, "layer_norm = true\nprojection = 3")},
        {"coupled", frame(3) + lstm(5, "input_forget = true")},
        {"clipped", frame(3) + lstm(5, "clip = 0.2\ncell_clip = 0.1")},
        {"zoned", frame(3) + lstm(5, "zoneout = 0.3\nzoneout_cell = 0.2")},
        {"zoned_more", frame(3) + lstm(5, "zoneout = 0.3\nzoneout_cell = 0.2\nlayer_norm = true\nprojection = 2")},
        {"activations", frame(3) + lstm(5,
                                        "activations = [\"HardSigmoid\", \"Softsign\", \"ScaledTanh\"]\n"
                                        "activation_alpha = [0.3, 1.5]\nactivation_beta = [0.4, 0.7]")},
        {"general", frame(3) + lstm(5, "activations = [\"Sigmoid\", \"Selu\", \"Mish\"]")},
        {"gru", frame(3) + layer("gru", "units = 6\nlayers = 2") + layer("linear", "units = 2")},
        {"gru_first", frame(3) + layer("gru", "units = 6\nreset_after = false")},
        {"gru_hard", frame(3) + layer("gru", "units = 6\nactivations = [\"HardSigmoid\", \"Relu\"]")},
        {"rnn", frame(3) + layer("rnn", "units = 6\nlayers = 2")},
        {"rnn_relu", frame(3) + layer("rnn", "units = 6\nactivation = \"relu\"")},
        {"rnn_softsign", frame(3) + layer("rnn", "units = 6\nactivation = \"Softsign\"")},
        {"initial", frame(3) + lstm(5, "initial_state = true")},
        {"last", frame(3) + lstm(5, "return = \"last\"") + layer("linear", "units = 2")},
        {"causal", frame(3) + layer("conv1d", "units = 4\nkernel = 3\npadding = \"causal\"") + layer("relu") + lstm(4)},
        {"dilated", frame(3) + layer("conv1d", "units = 4\nkernel = 3\ndilation = 4\npadding = \"causal\"")},
        {"grouped", frame(4) + layer("conv1d", "units = 6\nkernel = 2\ngroups = 2\npadding = \"causal\"")},
        {"norms", frame(6) + layer("layer-norm") + layer("linear", "units = 5") + layer("batch-norm")},
        {"softmax", frame(6) + layer("softmax")},
        {"log_softmax", frame(6) + layer("log-softmax")},
        {"context", frame(6) + layer("context", "size = 2") + layer("linear", "units = 3")},
        {"skip", "[[inputs]]\nname = \"audio\"\nsize = 1\n" + lstm(4) + layer("linear", "name = \"head\"\nunits = 1") +
                     layer("add", "from = [\"audio\", \"head\"]")},
        {"merged", frame(4) + layer("linear", "name = \"a\"\nunits = 3") + layer("tanh", "name = \"b\"") +
                       layer("concat", "name = \"c\"\nfrom = [\"a\", \"b\"]") +
                       layer("multiply", "name = \"d\"\nfrom = [\"c\", \"c\"]") +
                       layer("slice", "start = 1\nend = -1")},
        {"frames", frame(24) + layer("reshape", "shape = [12, 2]") +
                       layer("pad", "left = 2\nright = 3\nmode = \"reflect\"") +
                       layer("conv1d", "units = 6\nkernel = 3\nstride = 2\npadding = 1") + layer("magnitude") +
                       layer("transpose") + layer("flatten") + lstm(4)},
        {"frame_pool", frame(24) + layer("reshape", "shape = [8, 3]") +
                           layer("conv1d", "units = 4\nkernel = 3\npadding = \"same\"\nmode = \"replicate\"") +
                           layer("pool", "kind = \"max\"") + layer("linear", "units = 2")},
        {"frame_windows", frame(24) + layer("reshape", "shape = [12, 2]") +
                              layer("max-pool1d", "kernel = 3\nstride = 2\npadding = 1") +
                              layer("avg-pool1d", "kernel = 2\npadding = 1") + layer("flatten") + lstm(3)},
        {"frame_mean", frame(24) + layer("reshape", "shape = [8, 3]") + layer("pool", "kind = \"mean\"")},
        {"frame_attention", frame(24) + layer("reshape", "shape = [8, 3]") + layer("pool", "kind = \"attention\"")},
        {"symbols", "[[inputs]]\nsymbols = 11\n" + layer("embedding", "symbols = 11\nunits = 4") + lstm(5) +
                        layer("linear", "units = 11") + layer("softmax")},
        {"one_hot",
         "[[inputs]]\nsymbols = 11\n" + layer("one-hot", "classes = 11") + lstm(5) + layer("linear", "units = 11")},
        {"one_hot_linear",
         "[[inputs]]\nsymbols = 11\n" + layer("one-hot", "classes = 11") + layer("linear", "units = 4")},
    };
    for (const char* each : {"relu",     "leaky-relu",   "thresholded-relu", "elu",  "celu", "selu", "gelu",
                             "sigmoid",  "hard-sigmoid", "hard-swish",       "silu", "mish", "tanh", "scaled-tanh",
                             "softsign", "softplus",     "affine",           "exp",  "abs",  "neg"}) {
      std::string name = std::string("f_") + each;
      std::replace(name.begin(), name.end(), '-', '_');
      out[name] = frame(9) + layer("linear", "units = 9") + layer("scale", "scale = 4.0\nshift = -0.3") + layer(each);
    }
    out["f_log"] = frame(5) + layer("exp") + layer("log");
    out["f_sqrt"] = frame(5) + layer("exp") + layer("sqrt") + layer("reciprocal");
    out["f_clip"] = frame(5) + layer("clip", "min = -0.3\nmax = 0.2");
    return out;
  }();
  return kNetworks;
}

// Each row of each matrix as int8 would keep it.
graph::Graph as_int8(graph::Graph graph) {
  for (const graph::Node& node : graph.nodes) {
    for (const auto& [role, name] : node.weights) {
      graph::Array& array = graph.arrays.at(name);
      const bool matrix =
          array.dims.size() >= 2 && role.starts_with("weight") && role.find("peephole") == std::string::npos;
      if (!matrix) continue;
      const auto n = static_cast<int64_t>(array.floats.size()) / array.dims[0];
      for (int64_t row = 0; row < array.dims[0]; ++row) {
        float* values = array.floats.data() + row * n;
        const float scale = kernels::int8_scale(values, n);
        for (int64_t k = 0; k < n; ++k) values[k] = static_cast<float>(kernels::to_int8(values[k], scale)) * scale;
      }
    }
  }
  return graph;
}

void expect_same_steps(CPrograms& programs, const std::string& name, const graph::Graph& graph, double tolerance) {
  constexpr int64_t kSteps = 40;
  std::vector<float> y, expected;
  if (graph.inputs.front().type == graph::ElementType::kInt) {
    const std::vector<int32_t> x = testing::random_symbols(kSteps, 11, 1);
    y = programs.run(name, x);
    expected = own_steps(graph, x);
  } else {
    const int64_t width = graph.inputs.front().dims.back();
    std::vector<float> x = testing::random_vector<float>(kSteps * width, 1.5, 1);
    x.resize(static_cast<size_t>(kSteps * width));
    y = programs.run(name, x);
    expected = own_steps(graph, x);
  }
  ASSERT_EQ(y.size(), expected.size()) << name;
  testing::expect_close(y, expected, static_cast<int64_t>(y.size()), tolerance, name);
}

// Sums in another order, and functions with errors of 3e-7: over 40 steps of layers that forget, 5e-6 is ample.
constexpr double kTolerance = 5e-6;

void check_all(const std::string& options, const std::string& weights) {
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const auto& [name, toml] : networks()) {
    graphs[name] = drawn_network(toml);
    programs.add(name, graphs[name], {.weights = weights});
    if (weights == "int8") graphs[name] = as_int8(graphs[name]);
  }
  ASSERT_TRUE(programs.compile(kCompiler + " " + kStrictC + " " + options));
  for (const auto& [name, graph] : graphs) expect_same_steps(programs, name, graph, kTolerance);
}

TEST(ExportC, EveryLayerStepByStep) { check_all("-O2", "float"); }
TEST(ExportC, Int8IsThatOfTheRoundedWeights) { check_all("-O1", "int8"); }

// Whatever the numbers are: no undefined behaviour, no access out of bounds.
TEST(ExportC, NothingUndefined) { check_all("-O1 -g -fsanitize=undefined,address -fno-sanitize-recover=all", "float"); }

TEST(ExportC, With32Bits) {
  TemporaryFolder folder;
  io::write_file(folder / "t.c", "#include <string.h>\nint main(void) { return (int)strlen(\"\"); }\n");
  if (!succeeds(kCompiler + " -m32 -o '" + (folder / "t") + "' '" + (folder / "t.c") + "'", folder / "log") ||
      !succeeds(fmt::format("'{}'", folder / "t"), folder / "log")) {
    std::cout << "no C compiler for 32 bits is on this machine (Debian: gcc-multilib)\n";
    return;
  }
  check_all("-O2 -m32", "float");
}

TEST(ExportC, CompilesAsCpp) {
  CPrograms programs;
  for (const auto& [name, toml] : networks()) programs.add(name, drawn_network(toml));
  ASSERT_TRUE(programs.compile(std::string(LONGHAND_CXX_COMPILER) +
                               " -std=c++11 -pedantic -Wall -Wextra -Wshadow -Wconversion -Werror"));
}

}  // namespace
}  // namespace longhand::exporters
