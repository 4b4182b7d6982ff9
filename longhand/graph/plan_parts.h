// What is in a Plan: for the sources of this room alone.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/node_build.h"

namespace longhand::graph {

struct Plan::Parts {
  Parts(std::shared_ptr<const Network> of, const PlanOptions& with)
      : network(std::move(of)), options(with), context(with.threads) {}

  void plan_nodes(const std::vector<Node>& nodes);
  void plan_node(const Node& node);
  Value& add_value(ElementType type, const Dims& dims, const std::string& owner);
  const Value* find(const std::string& name);
  void add_inputs();
  void add_states();
  void add_outputs();
  void run_steps(size_t from) noexcept;

  std::shared_ptr<const Network> network;
  PlanOptions options;
  kernels::Context context;
  std::deque<Value> values;
  std::map<std::string, const Value*> names;
  std::deque<Buffer<float>> floats;
  std::deque<Buffer<int64_t>> ints;
  std::deque<Buffer<int32_t>> small_ints;
  std::vector<std::shared_ptr<const void>> kept;
  std::vector<std::function<void()>> steps;
  std::vector<StateSlot> states;
  std::vector<View> inputs, outputs;
  std::map<std::string, View> views;
  int64_t elements = 0;  // of all values
  int64_t last_size = 0;
  std::string why_whole;
  bool forgets = false;
  const char* fault = nullptr;
  const std::string* fault_node = nullptr;
  int depth = 0;
};

}  // namespace longhand::graph
