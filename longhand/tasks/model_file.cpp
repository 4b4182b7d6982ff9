#include "longhand/tasks/model_file.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
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

// What is kept in another type: the matrices of layers and embeddings; but not peepholes, three rows that are added.
bool is_matrix(const std::string& name, const std::vector<int64_t>& shape) {
  return shape.size() == 2 && name.find("weight") != std::string::npos && name.find("peephole") == std::string::npos;
}

std::string scale_name(const std::string& name) { return name + ".scale"; }

std::span<const float> floats_of(const io::Safetensors::Tensor& tensor, std::vector<float>& copy) {
  copy.resize(tensor.bytes.size() / sizeof(float));
  std::memcpy(copy.data(), tensor.bytes.data(), tensor.bytes.size());
  return copy;
}

void check_finite(const std::string& name, std::span<const float> values, const std::string& path) {
  if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return;
  throw input_error(fmt::format("{}: '{}' holds values that are not finite", path, name),
                    "the file is damaged, or its training diverged; use an intact one");
}

}  // namespace

void write_model(const std::string& path, const std::string& task, const OptionTable& options,
                 const nlohmann::json& vocabulary, const ParameterArena& arena, std::span<const float> values,
                 std::span<const io::TensorToWrite> others) {
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
  tensors.insert(tensors.end(), others.begin(), others.end());
  io::write_safetensors(path, {{"config", config.dump()}, {"vocabulary", vocabulary.dump()}}, tensors);
}

ModelFile ModelFile::read(const std::string& path) {
  const std::string file = io::is_folder(path) ? path + "/model.safetensors" : path;
  try {
    return ModelFile(io::Safetensors::read(file));
  } catch (const Error&) {
    for (const char* other : {".onnx", ".pt", ".pth", ".ckpt", ".h5", ".hdf5", ".keras", ".nam", ".json"}) {
      if (!path.ends_with(other) || !io::exists(path)) continue;
      throw input_error(fmt::format("{}: expected a model of Longhand, found a file of another program", path),
                        "import it first: longhand import FILE --out MODEL");
    }
    throw;
  }
}

ModelFile ModelFile::parse(const std::string& name, std::string contents) {
  return ModelFile(io::Safetensors::parse(name, std::move(contents)));
}

ModelFile::ModelFile(io::Safetensors file)
    : file_(std::make_shared<io::Safetensors>(std::move(file))), count_(file_->tensors().size()) {
  const nlohmann::json config = io::parse_json(file_->text("config"), path());
  const auto field = [&](const char* name) {
    return config.is_object() && config.contains(name) ? config[name] : nlohmann::json();
  };
  task_ = field("task").is_string() ? field("task").get<std::string>() : "file of something else";
  if (field("format") == 2) {
    read_members(config);
  } else if (field("format") != 1) {
    throw input_error(path() + ": expected format 1 or 2, found another", "it was written by a newer longhand; update");
  }
  options_ = field("options");
  if (const nlohmann::json type = field("weights"); !type.is_null()) {
    try {
      weight_type_ = kernels::parse_weight_type(type.is_string() ? type.get<std::string>() : "");
    } catch (const Error& e) {
      throw input_error(path() + ": configuration: " + e.what(), "it was written by a newer longhand, or is damaged");
    }
  }
  vocabulary_ = std::make_shared<nlohmann::json>(io::parse_json(file_->text("vocabulary"), path()));
}

std::string member_prefix(size_t member) { return fmt::format("members.{}.", member); }

// Every array is a member's, and every member has some.
void ModelFile::read_members(const nlohmann::json& config) {
  const Error damaged = input_error(fmt::format("{}: expected 1 to {} members, each with options and arrays, found "
                                                "something else",
                                                path(), kMaxMembers),
                                    "the file is damaged; use an intact copy");
  const nlohmann::json& members = config.contains("members") ? config["members"] : nlohmann::json();
  if (!members.is_array() || members.empty() || members.size() > kMaxMembers) throw damaged;
  size_t found = 0;
  for (const nlohmann::json& member : members) {
    if (!member.is_object() || !member.contains("options")) throw damaged;
    const std::string prefix = member_prefix(members_.size());
    Member& own = members_.emplace_back(Member{member["options"]});
    for (auto at = file_->tensors().lower_bound(prefix); at != file_->tensors().end(); ++at) {
      if (!at->first.starts_with(prefix)) break;
      ++own.arrays;
    }
    if (own.arrays == 0) throw damaged;
    found += own.arrays;
  }
  if (found != count_) throw damaged;
}

ModelFile ModelFile::member(size_t i) const {
  ModelFile out = *this;
  if (!is_ensemble()) return out;
  out.prefix_ = member_prefix(i);
  out.count_ = members_.at(i).arrays;
  out.options_ = members_.at(i).options;
  out.members_.clear();
  return out;
}

void ModelFile::expect_one_model(const std::string& advice) const {
  if (!is_ensemble()) return;
  throw input_error(fmt::format("{}: expected one model, found an ensemble of {}", path(), members()), advice);
}

std::vector<std::pair<std::string, const io::Safetensors::Tensor*>> ModelFile::arrays() const {
  std::vector<std::pair<std::string, const io::Safetensors::Tensor*>> out;
  for (auto at = file_->tensors().lower_bound(prefix_); at != file_->tensors().end(); ++at) {
    if (!at->first.starts_with(prefix_)) break;
    out.emplace_back(at->first.substr(prefix_.size()), &at->second);
  }
  return out;
}

void ModelFile::expect_task(const std::string& task) const {
  if (task_ == task) return;
  throw input_error(fmt::format("{}: expected a {}, found a {}", path(), task, task_),
                    "use the command for its task; `longhand info` describes a model");
}

void ModelFile::read_options(OptionTable& table) const {
  expect_one_model("use one of the runs that it was made from");
  io::from_json(options_, path(), table);
}

std::vector<std::string> ModelFile::texts(const char* name) const {
  const Error damaged = input_error(fmt::format("{}: vocabulary: expected a list of distinct texts '{}'", path(), name),
                                    "the file is damaged; use an intact copy");
  const nlohmann::json& all = *vocabulary_;
  if (!all.is_object() || !all.contains(name) || !all[name].is_array()) throw damaged;
  std::vector<std::string> out;
  for (const nlohmann::json& text : all[name]) {
    if (!text.is_string()) throw damaged;
    out.push_back(text.get<std::string>());
  }
  if (std::set<std::string>(out.begin(), out.end()).size() != out.size()) throw damaged;
  return out;
}

void ModelFile::expect_floats() const {
  if (weight_type_ == kernels::WeightType::kFloat) return;
  throw input_error(fmt::format("{}: expected weights as float32, found {}", path(), name_of(weight_type_)),
                    "quantise the model that it was made from");
}

void ModelFile::write_quantised(const std::string& path, kernels::WeightType type) const {
  expect_floats();
  std::vector<io::TensorToWrite> tensors;
  std::list<std::string> bytes;  // that are written
  std::vector<float> values;
  for (const auto& [name, tensor] : file_->tensors()) {
    if (!is_matrix(name, tensor.shape) || type == kernels::WeightType::kFloat) {
      tensors.emplace_back(name, tensor.shape, tensor.dtype, tensor.bytes);
      continue;
    }
    file_->check_floats(name, tensor.shape);
    floats_of(tensor, values);
    LONGHAND_CHECK(std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }));
    std::string& out = bytes.emplace_back();
    if (type == kernels::WeightType::kBf16) {
      for (const float value : values) {
        const uint16_t half = kernels::to_bf16(value);
        out.append(reinterpret_cast<const char*>(&half), sizeof half);
      }
      tensors.emplace_back(name, tensor.shape, "BF16", out);
      continue;
    }
    std::string& scales = bytes.emplace_back();
    const int64_t n = tensor.shape[1];
    for (int64_t row = 0; row < tensor.shape[0]; ++row) {
      const float scale = kernels::int8_scale(values.data() + row * n, n);
      scales.append(reinterpret_cast<const char*>(&scale), sizeof scale);
      for (int64_t k = 0; k < n; ++k) {
        out.push_back(static_cast<char>(kernels::to_int8(values[static_cast<size_t>(row * n + k)], scale)));
      }
    }
    tensors.emplace_back(name, tensor.shape, "I8", out);
    tensors.emplace_back(scale_name(name), std::vector<int64_t>{tensor.shape[0]}, "F32", scales);
  }
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(file_->text("config"));
  config["weights"] = name_of(type);
  std::map<std::string, std::string> metadata = file_->metadata();
  metadata["config"] = config.dump();
  io::write_safetensors(path, metadata, tensors);
}

// Throws an input error unless the file has a parameter of this name and shape.
void ModelFile::check_weights(const std::string& name, const std::vector<int64_t>& shape) const {
  const auto found = file_->tensors().find(prefix_ + name);
  const bool kept_otherwise = weight_type_ != kernels::WeightType::kFloat && is_matrix(name, shape);
  if (!kept_otherwise || found == file_->tensors().end()) return file_->check_floats(prefix_ + name, shape);
  const std::string dtype = weight_type_ == kernels::WeightType::kBf16 ? "BF16" : "I8";
  if (found->second.dtype != dtype || found->second.shape != shape) {
    throw input_error(fmt::format("{}: expected '{}', {} [{}], found {} [{}]", path(), prefix_ + name, dtype,
                                  fmt::join(shape, ", "), found->second.dtype, fmt::join(found->second.shape, ", ")),
                      "use a file that matches its configuration");
  }
  if (dtype == "I8") file_->check_floats(prefix_ + scale_name(name), {shape[0]});
}

// Writes its values as floats, after check_weights.
void ModelFile::copy_weights(const std::string& name, const std::vector<int64_t>& shape, std::span<float> out) const {
  if (weight_type_ == kernels::WeightType::kFloat || !is_matrix(name, shape)) {
    return file_->copy_floats(prefix_ + name, shape, out);
  }
  const std::string_view bytes = file_->tensors().at(prefix_ + name).bytes;
  if (weight_type_ == kernels::WeightType::kBf16) {
    for (size_t i = 0; i < out.size(); ++i) {
      uint16_t half = 0;
      std::memcpy(&half, bytes.data() + i * sizeof half, sizeof half);
      out[i] = kernels::from_bf16(half);
    }
    return;
  }
  std::vector<float> scales(static_cast<size_t>(shape[0]));
  file_->copy_floats(prefix_ + scale_name(name), {shape[0]}, scales);
  const auto n = static_cast<size_t>(shape[1]);
  for (size_t row = 0; row < scales.size(); ++row) {
    // As int8_scale makes them: whoever packs these weights again finds the same scales.
    int largest = 0;
    for (size_t k = row * n; k < (row + 1) * n; ++k)
      largest = std::max(largest, std::abs(static_cast<int8_t>(bytes[k])));
    if (std::isfinite(scales[row]) && scales[row] > 0.0F && (largest == 127 || largest == 0)) continue;
    throw input_error(fmt::format("{}: '{}': expected rows of whole numbers to 127, with positive scales, found others "
                                  "in row {}",
                                  path(), prefix_ + name, row),
                      "use a file that `longhand quantise` wrote");
  }
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(static_cast<int8_t>(bytes[i])) * scales[i / n];
}

std::vector<float> ModelFile::floats(const std::string& name, const std::vector<int64_t>& shape) const {
  file_->check_floats(prefix_ + name, shape);
  std::vector<float> out(file_->tensors().at(prefix_ + name).bytes.size() / sizeof(float));
  file_->copy_floats(prefix_ + name, shape, out);
  check_finite(prefix_ + name, out, path());
  return out;
}

void ModelFile::fill(nn::Network& network, size_t others) const {
  fill(network.parameters(), others);
  network.set_weight_type(weight_type_);
  network.parameters_changed();
  kernels::Context context(1);
  network.pack(nn::Pass::kInference, context);
}

void ModelFile::fill(ParameterArena& arena, size_t others) const {
  // Memory is taken only for a model that the file fills.
  size_t arrays = others;
  for (const Parameter& p : arena.parameters()) {
    check_weights(p.name, p.shape);
    if (!second_bias(p.name).empty()) file_->check_floats(prefix_ + second_bias(p.name), p.shape);
    arrays += second_bias(p.name).empty() ? 1 : 2;
    arrays += weight_type_ == kernels::WeightType::kInt8 && is_matrix(p.name, p.shape) ? 1 : 0;
  }
  if (count_ != arrays) {
    throw input_error(fmt::format("{}: expected {} arrays{}, found {}", path(), arrays,
                                  prefix_.empty() ? "" : " that begin with " + prefix_, count_),
                      "use a file that matches its configuration");
  }
  arena.allocate();
  std::vector<float> extra;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const Parameter& p = arena.parameters()[i];
    const std::span<float> values(arena.value(i), static_cast<size_t>(p.size));
    copy_weights(p.name, p.shape, values);
    if (const std::string second = second_bias(p.name); !second.empty()) {
      extra.resize(values.size());
      file_->copy_floats(prefix_ + second, p.shape, extra);
      for (size_t k = 0; k < values.size(); ++k) values[k] += extra[k];
    }
    check_finite(prefix_ + p.name, values, path());
  }
}

}  // namespace longhand::tasks
