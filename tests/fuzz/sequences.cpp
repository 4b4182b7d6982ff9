// Arrays of a .npz as sequences of a network, which is then run on them.
#include "longhand/convert/sequences.h"
#include "longhand/graph/description.h"
#include "longhand/io/npy.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {
namespace {

const std::shared_ptr<const graph::Network>& network() {
  static const auto out = std::make_shared<const graph::Network>(
      graph::with_drawn_weights(
          graph::read_description("outputs = [\"c\", \"r\"]\n[[inputs]]\nname = \"x\"\nsize = 2\n[[inputs]]\n"
                                  "name = \"y\"\nsize = 1\n[[layers]]\ntype = \"concat\"\nname = \"c\"\n"
                                  "from = [\"x\", \"y\"]\n[[layers]]\ntype = \"lstm\"\nname = \"r\"\nunits = 2\n",
                                  "seed"),
          1, "seed"),
      "seed");
  return out;
}

io::Array numbers(std::vector<int64_t> shape) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return io::make_array(std::move(shape), std::vector<float>(static_cast<size_t>(n), 0.5F));
}

}  // namespace

std::vector<std::string> seeds() {
  const std::vector<int64_t> lengths = {2, 1};
  return {convert::npz_bytes("seed", {{"x", numbers({3, 2})}, {"y", numbers({3, 1})}}),
          convert::npz_bytes("seed", {{"lengths", io::make_array({2}, std::span<const int64_t>(lengths))},
                                      {"x", numbers({2, 2, 2})},
                                      {"y", numbers({2, 2, 1})}}),
          convert::npz_bytes("seed", {{"a/x", numbers({1, 2})}, {"a/y", numbers({1})}})};
}

void read(std::string_view bytes) {
  std::vector<std::string> others;
  const convert::NamedArrays arrays = convert::input_arrays(
      network()->graph(), convert::read_npz("input", std::string(bytes)), "mine", "input", others);
  const convert::Sequences found = convert::find_sequences(network()->graph(), arrays, "input");
  convert::SequenceRunner runner(network());
  std::vector<std::vector<graph::Array>> outputs(2);
  for (const convert::Sequence& each : found.list) {
    const std::vector<graph::Array> answers = runner.run(each);
    for (size_t i = 0; i < 2; ++i) outputs[i].push_back(answers[i]);
  }
  for (size_t i = 0; i < 2; ++i) convert::stacked(outputs[i], runner.batch_axis(i), "output");
}

}  // namespace longhand::fuzz
