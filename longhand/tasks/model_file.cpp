#include "longhand/tasks/model_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longhand/io/config.h"
#include "longhand/io/file.h"

namespace longhand::tasks {
namespace {

// PyTorch's layers have a second bias, which is added to the first; but a GRU's are both parameters of the model.
std::string second_bias(const std::string& first) {
  const size_t at = first.find("bias_ih");
  const bool of_gru = first.find("gru.") != std::string::npos;
  return at == std::string::npos || of_gru ? "" : std::string(first).replace(at, 7, "bias_hh");
}

}  // namespace

void write_model(const std::string& path, const std::string& task, const OptionTable& options,
                 const nlohmann::json& vocabulary, const ParameterArena& arena, std::span<const float> values) {
  LONGHAND_CHECK(values.size() == arena.values().size() && !values.empty());
  const nlohmann::ordered_json config = {{"task", task}, {"format", 1}, {"options", io::to_json(options)}};
  std::vector<float> zeros;
  for (const Parameter& p : arena.parameters()) {
    if (!second_bias(p.name).empty()) zeros.resize(std::max(zeros.size(), static_cast<size_t>(p.size)));
  }
  std::vector<io::TensorToWrite> tensors;
  for (const Parameter& p : arena.parameters()) {
    const auto size = static_cast<size_t>(p.size);
    tensors.push_back({p.name, p.shape, values.subspan(static_cast<size_t>(p.offset), size)});
    const std::string second = second_bias(p.name);
    if (!second.empty()) tensors.push_back({second, p.shape, std::span<const float>(zeros).first(size)});
  }
  io::write_safetensors(path, {{"config", config.dump()}, {"vocabulary", vocabulary.dump()}}, tensors);
}

ModelFile ModelFile::read(const std::string& path) {
  return ModelFile(io::Safetensors::read(io::is_folder(path) ? path + "/model.safetensors" : path));
}

ModelFile ModelFile::parse(const std::string& name, std::string contents) {
  return ModelFile(io::Safetensors::parse(name, std::move(contents)));
}

ModelFile::ModelFile(io::Safetensors file) : file_(std::move(file)) {
  const nlohmann::json config = io::parse_json(file_.text("config"), path());
  const auto field = [&](const char* name) {
    return config.is_object() && config.contains(name) ? config[name] : nlohmann::json();
  };
  task_ = field("task").is_string() ? field("task").get<std::string>() : "file of something else";
  if (field("format") != 1) {
    throw input_error(path() + ": expected format 1, found another", "it was written by a newer longhand; update");
  }
  options_ = field("options");
  vocabulary_ = io::parse_json(file_.text("vocabulary"), path());
}

void ModelFile::expect_task(const std::string& task) const {
  if (task_ == task) return;
  throw input_error(fmt::format("{}: expected a {}, found a {}", path(), task, task_),
                    "use the command for its task; `longhand info` describes a model");
}

void ModelFile::read_options(OptionTable& table) const { io::from_json(options_, path(), table); }

std::vector<std::string> ModelFile::texts(const char* name) const {
  const Error damaged = input_error(fmt::format("{}: vocabulary: expected a list of distinct texts '{}'", path(), name),
                                    "the file is damaged; use an intact copy");
  if (!vocabulary_.is_object() || !vocabulary_.contains(name) || !vocabulary_[name].is_array()) throw damaged;
  std::vector<std::string> out;
  for (const nlohmann::json& text : vocabulary_[name]) {
    if (!text.is_string()) throw damaged;
    out.push_back(text.get<std::string>());
  }
  if (std::set<std::string>(out.begin(), out.end()).size() != out.size()) throw damaged;
  return out;
}

void ModelFile::fill(nn::Network& network) const {
  fill(network.parameters());
  network.parameters_changed();
  kernels::Context context(1);
  network.pack(nn::Pass::kInference, context);
}

void ModelFile::fill(ParameterArena& arena) const {
  // Memory is taken only for a model that the file fills.
  size_t arrays = 0;
  for (const Parameter& p : arena.parameters()) {
    file_.check_floats(p.name, p.shape);
    if (!second_bias(p.name).empty()) file_.check_floats(second_bias(p.name), p.shape);
    arrays += second_bias(p.name).empty() ? 1 : 2;
  }
  if (file_.tensors().size() != arrays) {
    throw input_error(fmt::format("{}: expected {} arrays, found {}", path(), arrays, file_.tensors().size()),
                      "use a file that matches its configuration");
  }
  arena.allocate();
  std::vector<float> extra;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const Parameter& p = arena.parameters()[i];
    const std::span<float> values(arena.value(i), static_cast<size_t>(p.size));
    file_.copy_floats(p.name, p.shape, values);
    if (const std::string second = second_bias(p.name); !second.empty()) {
      extra.resize(values.size());
      file_.copy_floats(second, p.shape, extra);
      for (size_t k = 0; k < values.size(); ++k) values[k] += extra[k];
    }
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw input_error(fmt::format("{}: '{}' holds values that are not finite", path(), p.name),
                        "the file is damaged, or its training diverged; use an intact one");
    }
  }
}

}  // namespace longhand::tasks
