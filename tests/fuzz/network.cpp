// Model files of networks of layers: a first step is planned and run; what it was trained for and its scales are read.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "longhand/graph/description.h"
#include "longhand/graph/plan.h"
#include "longhand/io/file.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/trained_network.h"
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
    const graph::Graph graph = graph::with_drawn_weights(graph::read_description(text, "seed"), 1, "seed");
    tasks::write_network(path, graph);
    out.push_back(io::read_file(path));
    if (graph.inputs.front().type == graph::ElementType::kInt) continue;
    const tasks::NetworkScaling scaling{.inputs = {{{1.0, 2.0}, {0.0, 3.0}}}, .targets = {{4.0, 2.0}, {1.0, 1.0}}};
    const tasks::NetworkPurpose purpose{.loss = {}, .inputs = {"x"}, .targets = {"y"}, .spread = {1.0, 2.0}};
    tasks::write_network(path, tasks::with_scaling(graph, scaling), purpose.to_json().dump());
    out.push_back(io::read_file(path));
  }
  ::unlink(path.c_str());
  return out;
}

void read(std::string_view bytes) {
  const tasks::ModelFile file = tasks::ModelFile::parse("fuzz", std::string(bytes));
  const auto network = std::make_shared<const graph::Network>(tasks::read_network(file), "fuzz");
  graph::Plan plan(network, {.most_elements = 1 << 20});
  plan.run();
  graph::Graph graph = network->graph();
  const tasks::NetworkScaling scaling = tasks::take_scaling(graph);
  graph::check(tasks::with_scaling(std::move(graph), scaling), "fuzz");
  const std::string training = file.training();
  if (!training.empty()) tasks::NetworkPurpose::from_json(nlohmann::json::parse(training, nullptr, false), "fuzz");
}

}  // namespace longhand::fuzz
