#include "longhand/tasks/trained_network.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"

namespace longhand::tasks {

nlohmann::json NetworkPurpose::to_json() const {
  return {{"loss", loss.loss},  {"pre_emphasis", loss.pre_emphasis},
          {"dc", loss.dc},      {"inputs", inputs},
          {"targets", targets}, {"ahead", ahead},
          {"group", group},     {"decimal", decimal},
          {"spread", spread}};
}

NetworkPurpose NetworkPurpose::from_json(const nlohmann::json& json, const std::string& path) {
  NetworkPurpose out;
  try {
    json.at("loss").get_to(out.loss.loss);
    json.at("pre_emphasis").get_to(out.loss.pre_emphasis);
    json.at("dc").get_to(out.loss.dc);
    json.at("inputs").get_to(out.inputs);
    json.at("targets").get_to(out.targets);
    json.at("ahead").get_to(out.ahead);
    json.at("group").get_to(out.group);
    json.at("decimal").get_to(out.decimal);
    if (out.decimal != "auto" && out.decimal != "point" && out.decimal != "comma") throw input_error(path, "");
    json.at("spread").get_to(out.spread);
    SequenceLossOptions check;
    OptionTable table;
    check.add_to(table);
    table.set(*table.find("loss"), out.loss.loss, path);
    table.set(*table.find("pre-emphasis"), shortest(out.loss.pre_emphasis), path);
    table.set(*table.find("dc"), shortest(out.loss.dc), path);
    for (const double s : out.spread) {
      if (!(s > 0.0) || !std::isfinite(s)) throw input_error(path, "");
    }
    if (out.ahead < 0) throw input_error(path, "");
  } catch (const std::exception&) {
    throw input_error(path + ": expected what the network was trained for, found something else",
                      "the file is damaged; use an intact copy");
  }
  return out;
}

TrainedNetwork::TrainedNetwork(graph::Graph graph, const std::string& where, NetworkScaling scaling,
                               NetworkPurpose purpose)
    : network_(std::move(graph), where, purpose.loss.kind() == SequenceLoss::kCrossEntropy),
      purpose_(std::move(purpose)) {
  const std::vector<double> spread = purpose_.spread;
  set_data(std::move(scaling), spread, network_.graph().sample_rate);
}

void TrainedNetwork::set_data(NetworkScaling scaling, std::vector<double> spread, int64_t sample_rate) {
  scaling_ = std::move(scaling);
  purpose_.spread = std::move(spread);
  sample_rate_ = sample_rate;
  target_scales_ = scaling_.targets;
  if (classifies()) return;
  const auto n = static_cast<size_t>(network_.outputs());
  target_scales_.resize(n);
  purpose_.spread.resize(n, 1.0);
}

void TrainedNetwork::scale(data::RecordingSet& set) const {
  for (data::Recording& recording : set.list) {
    for (size_t k = 0; k < recording.inputs.size(); ++k) {
      const bool scaled = k < scaling_.inputs.size() && !scaling_.inputs[k].empty();
      recording.inputs[k].apply(scaled ? scaling_.inputs[k]
                                       : std::vector<data::Scale>(static_cast<size_t>(set.widths[k])));
    }
    recording.targets.apply(classifies() ? std::vector<data::Scale>(1) : target_scales_);
  }
}

void TrainedNetwork::save(const std::string& path, std::span<const float> values) const {
  graph::Graph graph = with_scaling(network_.with_values(values), scaling_);
  graph.sample_rate = sample_rate_;
  write_network(path, graph, purpose_.to_json().dump());
}

void SequenceRows::fill(std::span<const data::Stretch> rows, int64_t first, int64_t steps) {
  const graph::TrainableNetwork& network = model_.network();
  const auto B = static_cast<int64_t>(rows.size());
  const size_t inputs = network.graph().inputs.size();
  floats_.resize(inputs);
  symbols_.resize(inputs);
  input_.floats.assign(inputs, nullptr);
  input_.symbols.assign(inputs, nullptr);
  lengths_.resize(rows.size());
  bool ragged = false;
  for (size_t b = 0; b < rows.size(); ++b) {
    lengths_[b] = static_cast<int32_t>(std::clamp<int64_t>(rows[b].length() - first, 0, steps));
    ragged = ragged || lengths_[b] != steps;
  }
  const auto from = [&](size_t b) { return rows[b].read + first; };
  for (size_t k = 0; k < inputs; ++k) {
    const int64_t width = set_.widths[k], stride = padded(width);
    const bool symbols = network.symbols(k) > 0;
    symbols ? symbols_[k].resize(steps * B) : floats_[k].resize(steps * B * stride);
    for (size_t b = 0; b < rows.size(); ++b) {
      const float* own = set_.list[static_cast<size_t>(rows[b].recording)].inputs[k].floats.data() + from(b) * width;
      for (int64_t t = 0; t < steps; ++t) {
        const int64_t to = t * B + static_cast<int64_t>(b);
        const bool counts = t < lengths_[b];
        if (symbols) {
          symbols_[k][to] = counts ? static_cast<int32_t>(own[t]) : 0;
        } else if (counts) {
          std::copy_n(own + t * width, width, floats_[k].data() + to * stride);
        } else {
          std::fill_n(floats_[k].data() + to * stride, width, 0.0F);
        }
      }
    }
    symbols ? (void)(input_.symbols[k] = symbols_[k].data()) : (void)(input_.floats[k] = floats_[k].data());
  }
  const int64_t O = set_.targets, target_steps = set_.one_target ? 1 : steps;
  const bool classes = model_.classifies();
  classes ? classes_.resize(target_steps * B) : targets_.resize(target_steps * B * O);
  for (size_t b = 0; b < rows.size(); ++b) {
    const std::vector<float>& all = set_.list[static_cast<size_t>(rows[b].recording)].targets.floats;
    for (int64_t t = 0; t < target_steps; ++t) {
      const int64_t to = t * B + static_cast<int64_t>(b);
      const bool counts = set_.one_target || t < lengths_[b];
      const float* own = all.data() + (set_.one_target ? 0 : (from(b) + t) * O);
      if (classes) {
        classes_[to] = counts ? static_cast<int32_t>(*own) : 0;
      } else if (counts) {
        std::copy_n(own, O, targets_.data() + to * O);
      } else {
        std::fill_n(targets_.data() + to * O, O, 0.0F);
      }
    }
  }
  input_.steps = steps;
  input_.batch = B;
  input_.lengths = ragged ? lengths_.data() : nullptr;
}

}  // namespace longhand::tasks
