// Descriptions of networks of layers, with weights that are drawn.
#include "longhand/graph/description.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"a\"\nunits = 2\n",
          "outputs = [\"a\"]\n[[inputs]]\nsymbols = [\"x\", \"y\"]\n[[layers]]\ntype = \"embedding\"\nname = \"a\"\n"
          "symbols = 2\nunits = 2\nprefix = \"p\"\nweights = { weight = \"w\" }\n"};
}

void read(std::string_view bytes) {
  const graph::Description description = graph::read_description(std::string(bytes), "fuzz");
  for (const graph::Node& node : description.graph.nodes) {
    for (const auto& [name, value] : node.attributes) {
      const auto* size = std::get_if<int64_t>(&value);
      if (size != nullptr && (*size > 64 || *size < -64)) return;  // large layers take long, and that is right
    }
  }
  if (description.graph.nodes.size() <= 16) graph::with_drawn_weights(description, 1, "fuzz");
}

}  // namespace longhand::fuzz
