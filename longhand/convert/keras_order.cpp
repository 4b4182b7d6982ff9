// The order in which a model's calls can be made.
#include <fmt/core.h>

#include <functional>
#include <queue>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/keras_graph.h"

namespace longhand::convert {
namespace {

[[noreturn]] void fail_at(const std::string& path, const std::string& problem, const std::string& advice) {
  throw input_error(path + ": " + problem, advice);
}

}  // namespace

void sort_keras_calls(KerasModel& model, const std::string& path) {
  std::map<std::pair<std::string, int64_t>, std::pair<size_t, size_t>> places;
  for (size_t l = 0; l < model.layers.size(); ++l) {
    for (size_t c = 0; c < model.layers[l].calls.size(); ++c) {
      places[{model.layers[l].name, static_cast<int64_t>(c)}] = {l, c};
    }
  }
  std::map<std::pair<size_t, size_t>, size_t> waits;
  std::map<std::pair<size_t, size_t>, std::vector<std::pair<size_t, size_t>>> readers;
  std::priority_queue<std::pair<size_t, size_t>, std::vector<std::pair<size_t, size_t>>, std::greater<>> ready;
  const auto place_of = [&](const KerasTensor& tensor) {
    const auto found = places.find({tensor.layer, tensor.call});
    if (found == places.end()) {
      fail_at(path, fmt::format("a layer reads '{}', which is not there", visible(tensor.layer)),
              "the file is damaged");
    }
    return found->second;
  };
  for (const auto& named : places) {
    const auto& place = named.second;
    const KerasCall& call = model.layers[place.first].calls[place.second];
    size_t& count = waits[place];
    const auto wait_for = [&](const std::vector<KerasArgument>& arguments) {
      for (const KerasArgument& each : arguments) {
        if (!each.tensor) continue;
        readers[place_of(*each.tensor)].push_back(place);
        ++count;
      }
    };
    wait_for(call.arguments);
    for (const auto& [key, arguments] : call.named) wait_for(arguments);
    if (count == 0) ready.push(place);
  }
  while (!ready.empty()) {
    const auto place = ready.top();
    ready.pop();
    model.order.push_back(place);
    for (const auto& reader : readers[place]) {
      if (--waits[reader] == 0) ready.push(reader);
    }
  }
  for (const auto& [name, place] : places) {
    if (waits[place] > 0)
      fail_at(path, fmt::format("layer '{}' reads itself", visible(name.first)), "the file is damaged");
  }
  for (const KerasTensor& tensor : model.inputs) place_of(tensor);
  for (const KerasTensor& tensor : model.outputs) place_of(tensor);
}

}  // namespace longhand::convert
