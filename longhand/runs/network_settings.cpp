#include "longhand/runs/network_settings.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/config.h"
#include "longhand/io/file.h"
#include "longhand/io/toml_options.h"

namespace longhand::runs {
namespace {

OptionCheck steps_or_auto(int64_t least) {
  OptionCheck out = between(static_cast<double>(least), 1 << 30);
  out.also = static_cast<double>(NetworkSettings::kAuto);
  out.also_called = "auto";
  return out;
}

}  // namespace

void NetworkSettings::add_to(OptionTable& table) {
  add_data_to(table, "sequences (CSV, .npz or WAV files, with commas between)",
              "the end of each recording, or the last ones of many sequences");
  files.add_to(table);
  table.add("valid-target", valid_target, "WAV files that go with those of `valid`");
  table.add("test-target", test_target, "WAV files that go with those of `test`");
  table.add(
      "scale", scale,
      "standardise inputs and targets, with layers of the model that others need not know of; auto: all but sound "
      "and what `from` was trained on",
      one_of({"auto", "standardise", "none"}));
  table.begin_group("Model");
  table.add("network", network, "description of the network (TOML); `config` can be that file, too");
  table.add("from", from, "model of a network to train further, file or run folder");
  loss.add_to(table);
  table.begin_group("Sequences");
  table.add("segment", segment,
            "steps of the pieces that recordings are cut into, which are read side by side; 0: whole recordings; auto: "
            "512 to 4096 for recordings of above 2000 steps",
            steps_or_auto(0));
  table.add("bptt", bptt,
            "steps of an update (truncated back-propagation through time; the state is carried on); 0: whole segments; "
            "auto: 512 where recordings are cut",
            steps_or_auto(0));
  table.add("burn-in", warm_up,
            "steps before each segment that are read for the state and not counted; auto: 512 where recordings are cut",
            steps_or_auto(0));
  add_batches_to(table);
  add_training_to(table);
}

void NetworkSettings::check() const {
  Settings::check();
  loss.check();
  if (network.empty() == from.empty()) {
    throw usage_error(fmt::format("`network`: expected a description or a model (`from`), found {}",
                                  network.empty() ? "neither" : "both"),
                      "give `network` FILE.toml with the layers, or `from` MODEL");
  }
  if (!described_in_.empty() && network != described_in_) {
    throw usage_error(
        fmt::format("`network`: expected one description, found {} and the layers in {}", network, described_in_),
        "leave `network` out, or the layers in that file");
  }
  if (batch == 0 && bptt > 0) {
    throw usage_error("`batch` all: cannot be combined with `bptt`", "with `batch` all an epoch is one update");
  }
  for (const auto& [source, target, name] :
       {std::tuple(valid, valid_target, "valid"), std::tuple(test, test_target, "test")}) {
    const bool needs = !source.empty() && format_of(source) == SequenceFormat::kSound;
    if (needs && target.empty()) {
      throw usage_error(fmt::format("`{}`: expected `{}-target` with WAV files, found none", name, name),
                        "give the files of what the network should make");
    }
    if (!needs && !target.empty()) {
      throw usage_error(fmt::format("`{}-target`: expected WAV files in `{}`, found none", name, name), "leave it out");
    }
  }
  check_used(files, data);
  if (label_smoothing != 0.0 || sparse_embedding)
    throw usage_error("`label-smoothing`: is for other tasks", "leave it out");
}

std::vector<std::string> NetworkSettings::notes(const OptionTable& table) const {
  std::vector<std::string> out = Settings::notes(table);
  if (segment > 0 && bptt >= segment) {
    out.push_back(
        fmt::format("`bptt` {} does nothing with `segment` {}: an update reads whole segments", bptt, segment));
  }
  return out;
}

std::vector<std::string> NetworkSettings::read_config(const std::string& path, OptionTable& table) {
  const toml::table parsed =
      io::parse_toml(io::read_file(path), path, "write `name = value` lines, and a [[layers]] table for each layer");
  const bool describes = std::any_of(parsed.begin(), parsed.end(), [](const auto& each) {
    return each.second.is_table() || each.second.is_array_of_tables();
  });
  if (!describes && !parsed.contains("layers")) return Settings::read_config(path, table);
  std::vector<std::string> names;
  for (const auto& [key, node] : parsed) {
    const std::string name(key.str());
    if (name == "inputs" || name == "layers" || name == "outputs" || name == "sample_rate") continue;
    const std::string where = fmt::format("{}:{}: {}", path, node.source().begin.line, name);
    if (node.is_table() || node.is_array_of_tables()) {
      const std::string tables =
          node.is_table() ? fmt::format("[{}]", visible(name)) : fmt::format("[[{}]]", visible(name));
      throw usage_error(fmt::format("{}: expected [[inputs]] and [[layers]] tables, found {}", where, tables),
                        "remove it or correct it" + did_you_mean(name, {"inputs", "layers"}));
    }
    const Option* option = table.find(name);
    if (option == nullptr) {
      std::vector<std::string> known = {"inputs", "layers", "outputs", "sample_rate"};
      for (const Option& each : table.options()) known.push_back(each.name);
      throw usage_error(where + ": neither an option that can be set in a file nor a part of a network",
                        "remove it or correct it" + did_you_mean(name, known));
    }
    io::set_scalar(table, *option, node, where);
    names.push_back(table.today(*option).name);
  }
  network = described_in_ = path;
  return names;
}

}  // namespace longhand::runs
