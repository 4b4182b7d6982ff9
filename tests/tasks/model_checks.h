// What is asked of every model: that its gradients are right, and that its file is read with suspicion.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/model_file.h"
#include "tests/testing.h"

namespace longhand::tasks {

/// A workspace for one call, of a model that is packed for it.
template <class Model>
class Using {
 public:
  Using(Model& model, nn::Engine engine, kernels::Context& context) : workspace_(model, engine, context) {
    model.pack(context);
  }
  operator typename Model::Workspace &() { return workspace_; }  // NOLINT(google-explicit-constructor)

 private:
  typename Model::Workspace workspace_;
};

/// Compares the gradients of each parameter by itself: a small one is not measured by the size of a large one.
inline void expect_close_gradients(const ParameterArena& arena, const std::vector<float>& expected, double tolerance,
                                   const std::string& what) {
  ASSERT_EQ(arena.gradients().size(), expected.size());
  for (const Parameter& p : arena.parameters()) {
    testing::expect_close(arena.gradients().subspan(static_cast<size_t>(p.offset)),
                          std::span(expected).subspan(static_cast<size_t>(p.offset)), p.size, tolerance,
                          what + ", " + p.name);
  }
}

/// Compares the gradients that `run` leaves with central differences of the loss that it returns, at about five places
/// of every parameter, relative to the parameter's largest gradient. In single precision a difference has four digits,
/// and the loss, of some ten nats, is rounded to a millionth: 1e-4 over the step. A small step keeps clear of a
/// maximum's bends.
template <class Model>
void expect_gradients_of_differences(Model& model, const std::function<double()>& run, float step = 1e-2F) {
  run();
  ParameterArena& arena = model.parameters();
  const std::vector<float> gradients(arena.gradients().begin(), arena.gradients().end());
  for (const Parameter& p : arena.parameters()) {
    double largest = 0.0;
    for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(gradients[static_cast<size_t>(i)])));
    }
    for (int64_t i = p.offset; i < p.offset + p.size; i += std::max<int64_t>(1, p.size / 5)) {
      float& value = arena.values()[static_cast<size_t>(i)];
      const float kept = value;
      const auto loss = [&](float at) {
        value = at;
        model.parameters_changed();
        return run();
      };
      const double difference = (loss(kept + step) - loss(kept - step)) / static_cast<double>(2 * step);
      value = kept;
      EXPECT_NEAR(static_cast<double>(gradients[static_cast<size_t>(i)]), difference,
                  4e-3 * largest + 1e-6 / static_cast<double>(step))
          << p.name << ' ' << i - p.offset;
    }
  }
  model.parameters_changed();
}

/// Saves the model, replaces `from` by `to` in a field of the file's header, and returns the error with which the file
/// is refused, or nothing.
template <class Model>
std::string refusal(const Model& model, const std::string& field, const std::string& from, const std::string& to) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  model.save(path, model.parameters().values());
  const io::Safetensors whole = io::Safetensors::read(path);
  std::map<std::string, std::string> metadata = whole.metadata();
  const size_t at = metadata[field].find(from);
  EXPECT_NE(at, std::string::npos) << metadata[field];
  metadata[field].replace(at, from.size(), to);
  std::vector<io::TensorToWrite> tensors;
  for (const auto& [name, tensor] : whole.tensors()) {
    tensors.push_back({name,
                       tensor.shape,
                       {reinterpret_cast<const float*>(tensor.bytes.data()), tensor.bytes.size() / sizeof(float)}});
  }
  io::write_safetensors(path, metadata, tensors);
  try {
    Model::load(ModelFile::read(path));
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace longhand::tasks
