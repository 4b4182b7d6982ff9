#include "longhand/train/layer_groups.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "longhand/base/error.h"

namespace longhand::train {
namespace {

constexpr const char* kEncoder = "encoder";

bool is_encoder(const std::string& name) { return name == "embedding" || name == "shapes" || name == "characters"; }

// The NAME of "layers.NAME.weight" or "layers.NAME.lstm.weight_ih_l0", in networks of layers.
std::string layer_of_network(const std::string& parameter) {
  std::string name = parameter.substr(7, parameter.rfind('.') - 7);
  for (const char* stack : {".lstm", ".gru", ".rnn"}) {
    const bool recurrent = parameter.find("_l", parameter.rfind('.')) != std::string::npos;
    if (recurrent && name.ends_with(stack)) return name.substr(0, name.rfind('.'));
  }
  return name;
}

// The group of a parameter: "embedding" for "embedding.weight", "layer-0" for "lstm.weight_ih_l0_reverse", "output" for
// others such as "crf.transitions". In networks of layers, the layer's name.
std::string layer_of(const std::string& parameter) {
  const std::string first = parameter.substr(0, parameter.find('.'));
  if (is_encoder(first)) return first;
  if (first == "layers") return layer_of_network(parameter);
  if (first != "lstm" && first != "gru" && first != "rnn") return "output";
  const size_t at = parameter.find("_l") + 2;
  return "layer-" + parameter.substr(at, parameter.find_first_not_of("0123456789", at) - at);
}

// From the lowest.
int64_t height(const std::string& layer) {
  if (is_encoder(layer)) return -1;
  if (!layer.starts_with("layer-")) return INT64_MAX;
  int64_t number = 0;
  std::from_chars(layer.data() + 6, layer.data() + layer.size(), number);
  return number;
}

std::vector<std::string> listed_names(const std::string& list) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const size_t first = list.find_first_not_of(' ', begin), last = list.find_last_not_of(' ', end - 1);
    if (first < end) out.push_back(list.substr(first, last - first + 1));
    begin = end + 1;
  }
  return out;
}

bool is_listed(const std::vector<std::string>& names, const std::string& layer) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name == layer || (name == kEncoder && is_encoder(layer)); });
}

}  // namespace

std::vector<std::string> layer_names(const ParameterArena& parameters) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  for (const Parameter& p : parameters.parameters()) add(layer_of(p.name));
  if (is_encoder(out.front())) out.insert(out.begin(), kEncoder);
  return out;
}

void LayerOptions::add_to(OptionTable& table) {
  table.add("layer-rate-divisor", rate_divisor,
            "divisor of the learning rate from each layer to the next below (discriminative fine-tuning; 2.6 in Howard "
            "and Ruder 2018); the encoder of words is below the first layer",
            at_least(1.0));
  table.add("thaw-every", thaw_every,
            "epochs until the next layer below is trained too, from the output layer down (gradual unfreezing); 0: all "
            "are trained from the start",
            at_least(0));
  table.add("frozen", frozen,
            "layers that are not trained, with commas between: encoder, embedding, shapes, characters, layer-0, ..., "
            "output");
}

void LayerOptions::check(const ParameterArena& parameters) const {
  const std::vector<std::string> names = listed_names(frozen), known = layer_names(parameters);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string all;
    for (const std::string& each : known) all += (all.empty() ? "" : ", ") + each;
    throw usage_error("`frozen`: expected names of the model's layers, found '" + name + "'",
                      "it has " + all + did_you_mean(name, known));
  }
  const auto is_constant = [&](const std::string& name) { return name == kEncoder || is_listed(names, name); };
  if (!names.empty() && std::all_of(known.begin(), known.end(), is_constant)) {
    throw usage_error("`frozen`: expected a layer that is left to train, found none", "name fewer");
  }
}

LayerGroups::LayerGroups(const LayerOptions& options, ParameterArena& parameters)
    : options_(options), parameters_(parameters) {
  const std::vector<std::string> names = listed_names(options.frozen);
  std::set<int64_t> heights;
  for (const Parameter& p : parameters.parameters()) heights.insert(height(layer_of(p.name)));
  for (const Parameter& p : parameters.parameters()) {
    const std::string layer = layer_of(p.name);
    const auto above = std::distance(heights.find(height(layer)), heights.end()) - 1;
    group_of_.push_back(static_cast<size_t>(above));
    constant_.push_back(is_listed(names, layer) ? 1 : 0);
  }
  frozen_.assign(constant_.size(), 0);
  thawed_.assign(heights.size(), options.thaw_every > 0 ? -1 : 0);
}

void LayerGroups::begin_epoch(int64_t epoch, int64_t step) {
  for (size_t group = 0; group < thawed_.size(); ++group) {
    const bool due = static_cast<int64_t>(group) <= epoch / std::max<int64_t>(1, options_.thaw_every);
    if (thawed_[group] < 0 && due) thawed_[group] = step;
  }
  std::vector<char> frozen = constant_;
  for (size_t i = 0; i < frozen.size(); ++i) frozen[i] = frozen[i] != 0 || thawed_[group_of_[i]] < 0 ? 1 : 0;
  if (frozen == frozen_) return;
  frozen_ = frozen;
  parameters_.freeze(std::move(frozen));
}

const std::vector<RatedPart>& LayerGroups::parts(std::span<const Range> where) {
  const bool alike = options_.rate_divisor == 1.0 && options_.thaw_every == 0;
  parts_.resize(alike ? 1 : thawed_.size());
  for (size_t group = 0; group < parts_.size(); ++group) {
    parts_[group].factor = std::pow(options_.rate_divisor, -static_cast<double>(group));
    parts_[group].since = std::max<int64_t>(0, thawed_[group]);
    parts_[group].where.clear();
  }
  if (alike) {
    parts_[0].where.assign(where.begin(), where.end());
    return parts_;
  }
  // Parameters lie one after the other, each with its padding.
  const std::vector<Parameter>& all = parameters_.parameters();
  auto range = where.begin();
  for (size_t i = 0; i < all.size() && range != where.end(); ++i) {
    const int64_t begin = all[i].offset, end = begin + padded(all[i].size);
    std::vector<Range>& out = parts_[group_of_[i]].where;
    for (; range != where.end() && range->begin < end; ++range) {
      const Range piece{std::max(begin, range->begin), std::min(end, range->end)};
      if (!out.empty() && out.back().end == piece.begin) {
        out.back().end = piece.end;
      } else if (piece.begin < piece.end) {
        out.push_back(piece);
      }
      if (range->end > end) break;  // it goes on in the next parameter
    }
  }
  return parts_;
}

bool LayerGroups::set_thawed(const std::vector<int64_t>& thawed, int64_t steps) {
  if (thawed.size() != thawed_.size()) return false;
  if (std::any_of(thawed.begin(), thawed.end(), [&](int64_t at) { return at < -1 || at > steps; })) return false;
  thawed_ = thawed;
  return true;
}

}  // namespace longhand::train
