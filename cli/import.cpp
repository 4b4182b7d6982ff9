// longhand import: a network of layers, from a description and the weights of another program.
#include <cstring>

#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/network_table.h"
#include "longhand/base/error.h"
#include "longhand/graph/description.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/graph_file.h"

namespace longhand::cli {
namespace {

std::map<std::string, graph::Array> read_arrays(const std::string& path) {
  const io::Safetensors file = io::Safetensors::read(path);
  std::map<std::string, graph::Array> out;
  for (const auto& [name, tensor] : file.tensors()) {
    graph::Array& array = out[name];
    array.dims = tensor.shape;
    if (tensor.dtype == "F32") {
      array.floats.resize(tensor.bytes.size() / sizeof(float));
      std::memcpy(array.floats.data(), tensor.bytes.data(), tensor.bytes.size());
    } else if (tensor.dtype == "I64") {
      array.type = graph::ElementType::kInt;
      array.ints.resize(tensor.bytes.size() / sizeof(int64_t));
      std::memcpy(array.ints.data(), tensor.bytes.data(), tensor.bytes.size());
    } else {
      throw input_error(path + ": expected arrays of float32 or int64, found '" + name + "' of " + tensor.dtype,
                        "convert it first");
    }
  }
  return out;
}

class Import {
 public:
  Import() {
    table_.add("network", network_, "description of the layers, a TOML file");
    table_.add("out", out_, "model file to write");
    table_.add("seed", seed_, "seed of the weights that are drawn where no file has them", at_least(0));
  }

  void declare(const Verb& verb) {
    verb.add_argument("FILE", file_, "weights, as safetensors; none: they are drawn", false);
    verb.add_options(table_, given_);
  }

  int run() {
    given_.apply(table_);
    if (network_.empty() || out_.empty()) {
      throw usage_error("longhand import: expected --network and --out, found one of them or none",
                        "describe the layers in a TOML file, and name the model to write");
    }
    const graph::Description description = graph::read_description(io::read_file(network_), network_);
    const graph::Graph graph = file_.empty()
                                   ? graph::with_drawn_weights(description, static_cast<uint64_t>(seed_), network_)
                                   : graph::with_arrays(description, read_arrays(file_), file_);
    print_network(graph, file_.empty() ? network_ : file_);  // which also plans it
    tasks::write_network(out_, graph);
    put("model   {}\n", visible(out_));
    return 0;
  }

 private:
  std::string file_, network_, out_;
  int64_t seed_ = 1;
  OptionTable table_;
  GivenOptions given_;
};

}  // namespace

void declare_import(const Verb& longhand) {
  longhand.add_command<Import>("import", "Make a model of a description of layers and a file of weights");
}

}  // namespace longhand::cli
