// Model files of networks of layers: a first step is planned and run.
#include <unistd.h>

#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "longhand/io/file.h"
#include "longhand/tasks/graph_file.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  const std::string path = "/dev/shm/longhand-fuzz-network-" + std::to_string(::getpid());
  std::vector<std::string> out;
  for (const char* text :
       {"[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"a\"\nunits = 2\n[[layers]]\n"
        "type = \"conv1d\"\nname = \"b\"\nunits = 2\nkernel = 2\npadding = \"causal\"\n",
        "[[inputs]]\nsymbols = 3\n[[layers]]\ntype = \"embedding\"\nname = \"a\"\nsymbols = 3\nunits = 2\n"
        "[[layers]]\ntype = \"gru\"\nname = \"b\"\nunits = 2\n[[layers]]\ntype = \"pool\"\n"}) {
    tasks::write_network(path, graph::with_drawn_weights(graph::read_description(text, "seed"), 1, "seed"));
    out.push_back(io::read_file(path));
  }
  ::unlink(path.c_str());
  return out;
}

void read(std::string_view bytes) {
  const auto network = std::make_shared<const graph::Network>(
      tasks::read_network(tasks::ModelFile::parse("fuzz", std::string(bytes))), "fuzz");
  graph::Plan plan(network, {.most_elements = 1 << 20});
  plan.run();
}

}  // namespace longhand::fuzz
