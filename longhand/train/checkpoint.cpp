// What a run leaves on the disk and is resumed from.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "longhand/base/error.h"
#include "longhand/distributed/collectives.h"
#include "longhand/io/config.h"
#include "longhand/io/safetensors.h"
#include "longhand/train/trainer.h"

namespace longhand::train {
namespace {

constexpr const char* kBest = "best";  // the checkpoint's tensor of the weights of the best evaluation so far

Error damaged_checkpoint(const std::string& path) {
  return input_error(path + ": expected a checkpoint of this version, found something else",
                     "use a run of this version of longhand, or start the run again");
}

void check_finite(std::span<const float> values, const std::string& name, const std::string& path) {
  if (std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) return;
  throw input_error(fmt::format("{}: expected finite numbers in '{}', found NaN or infinity", path, name),
                    "the training had diverged, or the file was altered; start the run again, with a lower `lr`");
}

void check_checksum(const io::Safetensors& file, const std::string& path) {
  if (!file.metadata().contains("crc32c")) return;  // written before 0.2
  std::vector<std::string_view> in_order;
  for (const auto& [name, tensor] : file.tensors()) in_order.push_back(tensor.bytes);
  std::sort(in_order.begin(), in_order.end(), [](auto a, auto b) { return a.data() < b.data(); });
  uint32_t sum = crc32c(file.text("state"));
  for (const std::string_view bytes : in_order) sum = crc32c(bytes, sum);
  if (fmt::format("{:08x}", sum) == file.text("crc32c")) return;
  throw input_error(path + ": its content does not match its checksum",
                    "it is damaged; use a copy, or start the run again");
}

}  // namespace

// Of several ranks, each brings what it alone has to the first, which writes.
void Trainer::write_checkpoint() {
  const std::span<const float> now = task_.parameters().values();
  if (!std::isfinite(kernels::squared_norm(now.data(), static_cast<int64_t>(now.size()), context_))) {
    throw diverged("sum of the squared weights");  // the last update has never been tried
  }
  if (parallel_.size() > 1) {
    for (const auto& state : optimizer_.state()) parallel_.collect(state.second->span());
    parallel_.gather_carried_state();
  }
  if (parallel_.is_first()) write_files();
  forget_moments_of_others();
}

// The model goes first: a crash between the two leaves a model that the resumed run will write again.
void Trainer::write_files() {
  if (metrics_) metrics_->flush();
  if (events_) events_->flush();
  const std::span<const float> values = task_.parameters().values();
  if (best_unsaved_) {
    task_.save_model(files_.model, best_values_.span());
    best_unsaved_ = false;
  } else if (!best_score_) {  // the last is the best there is
    const std::span<const float> averages = optimizer_.averages();
    task_.save_model(files_.model, averages.empty() ? values : averages);
  }

  nlohmann::ordered_json best = nullptr;
  if (best_score_) {
    best = {{"score", *best_score_}, {"epoch", best_epoch_}, {"evaluations_since", evaluations_since_best_}};
    for (const tasks::Metric& metric : best_valid_) {
      best["metrics"].push_back({metric.name, metric.value, metric.more_is_better});
    }
  }
  const Progress& p = progress_;
  const Schedule::State& rate = schedule_.state();
  const nlohmann::ordered_json state = {{"format", 3},
                                        {"fingerprint", fingerprint_},
                                        {"options", fixed_},
                                        {"epoch", p.epoch},
                                        {"step", p.step},
                                        {"index", p.index},
                                        {"loss_sum", p.loss_sum},
                                        {"norm_sum", p.norm_sum},
                                        {"count", p.count},
                                        {"total_count", p.total_count},
                                        {"seconds", p.seconds},
                                        {"epoch_seconds", epoch_seconds_},
                                        {"metrics_bytes", metrics_bytes_},
                                        {"events_bytes", events_bytes_},
                                        {"learning_rate", p.learning_rate},
                                        {"first_loss", p.first_loss},
                                        {"optimizer", options_.optimizer.optimizer},
                                        {"schedule",
                                         {{"epochs", options_.epochs},
                                          {"scale", rate.scale},
                                          {"best", rate.best},
                                          {"bad", rate.bad},
                                          {"cooling", rate.cooling},
                                          {"warm_at", rate.warm_at}}},
                                        {"averaging_since", optimizer_.averaging_since()},
                                        {"thawed", layers_.thawed()},
                                        {"losses", losses_},
                                        {"best", best}};
  std::vector<io::TensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::span<const float> array) {
    tensors.push_back({name, {static_cast<int64_t>(array.size())}, array});
  };
  add("values", values);
  for (const auto& [name, buffer] : optimizer_.state()) add(name, buffer->span());
  for (const auto& [name, buffer] : parallel_.carried_state()) add(name, buffer->span());
  if (best_values_.size() > 0) add(kBest, best_values_.span());
  const std::string text = state.dump();
  uint32_t sum = crc32c(text);
  for (const io::TensorToWrite& tensor : tensors) sum = crc32c(tensor.bytes, sum);
  io::write_safetensors(files_.checkpoint, {{"state", text}, {"crc32c", fmt::format("{:08x}", sum)}}, tensors);
}

static void check_fixed(const nlohmann::json& state, const FixedOptions& options, const std::string& path) {
  if (!state.contains("options")) return;  // written before 0.2
  const auto before = state.at("options").get<FixedOptions>();
  for (const auto& [name, value] : options) {
    const auto found = before.find(name);
    if (found == before.end() || found->second == value) continue;
    throw input_error(fmt::format("{}: expected `{}` {}, as at the start of the run, found {}", path, name,
                                  found->second.empty() ? "(empty)" : found->second, value.empty() ? "(empty)" : value),
                      "restore it in config.toml, or start another run");
  }
}

void remove_run(const std::string& folder) {
  std::error_code ignored;
  const RunFiles old(folder);
  for (const std::string& file : {old.checkpoint, old.model, old.metrics, old.events, old.report, old.baseline}) {
    std::filesystem::remove(file, ignored);
  }
}

void check_fixed_options(const std::string& folder, const FixedOptions& options) {
  const std::string path = RunFiles(folder).checkpoint;
  try {
    const io::Safetensors file = io::Safetensors::read(path);
    check_checksum(file, path);
    check_fixed(io::parse_json(file.text("state"), path), options, path);
  } catch (const nlohmann::json::exception&) {
    throw damaged_checkpoint(path);
  }
}

// Fingerprints are lists with commas; says where two begin to differ.
std::string first_difference(const std::string& expected, const std::string& found) {
  std::istringstream a(expected), b(found);
  std::string item_a, item_b;
  while (item_a == item_b) {
    const bool more_a = !std::getline(a, item_a, ',').fail(), more_b = !std::getline(b, item_b, ',').fail();
    if (!more_a || !more_b) return "their descriptions differ";
  }
  const auto trimmed = [](const std::string& item) {
    const size_t begin = item.find_first_not_of(' ');
    return begin == std::string::npos ? "nothing" : item.substr(begin);
  };
  return "expected " + trimmed(item_a) + ", found " + trimmed(item_b);
}

// Whether two fingerprints differ in nothing but options that the older one does not name, since there were none.
static bool differs_by_new_options(const std::string& now, const std::string& then) {
  const auto items = [](const std::string& list) {
    std::set<std::string> out;
    std::istringstream in(list);
    for (std::string item; std::getline(in, item, ',');) out.insert(item);
    return out;
  };
  const auto name = [](const std::string& item) { return item.substr(0, item.rfind(' ')); };
  const std::set<std::string> newer = items(now), older = items(then);
  std::set<std::string> known;
  for (const std::string& item : older) known.insert(name(item));
  return std::includes(newer.begin(), newer.end(), older.begin(), older.end()) &&
         std::none_of(newer.begin(), newer.end(),
                      [&](const std::string& item) { return !older.contains(item) && known.contains(name(item)); });
}

// What is in the file up to where the checkpoint was written must be lines of metrics: the report is made of them.
static void check_metrics(const std::string& path, int64_t bytes) {
  if (!io::exists(path)) return;
  const std::string all = io::read_file(path);
  std::istringstream lines(all.substr(0, static_cast<size_t>(bytes)));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    if (row.is_object() && row.contains("epoch")) continue;
    throw input_error(fmt::format("{}:{}: expected an evaluation, found something else", path, number),
                      "fix or remove the file, then resume; only the report uses it");
  }
}

// Of several ranks, the first reads the file.
void Trainer::resume() {
  std::string contents;
  const auto first = [&](const auto& work) {
    distributed::do_together(parallel_.ranks(), [&] {
      if (parallel_.is_first()) work();
    });
  };
  first([&] { contents = io::read_file(files_.checkpoint); });
  distributed::broadcast(contents, parallel_.ranks());
  distributed::do_together(parallel_.ranks(), [&] {
    const io::Safetensors file = io::Safetensors::parse(files_.checkpoint, std::move(contents));
    read_state(file);
    read_arrays(file);
  });
  first([&] { check_metrics(files_.metrics, metrics_bytes_); });
  resumed_ = true;
}

void Trainer::read_state(const io::Safetensors& file) {
  const std::string& path = files_.checkpoint;
  const Error damaged = damaged_checkpoint(path);
  try {
    const nlohmann::json state = io::parse_json(file.text("state"), path);
    if (state.at("format") != 3) throw damaged;
    check_checksum(file, path);
    check_fixed(state, fixed_, path);
    const std::string fingerprint = state.at("fingerprint");
    const bool is_old = !file.metadata().contains("crc32c");  // written before 0.2
    const std::string own = fingerprint == fingerprint_ ? fingerprint_ : task_.fingerprint_like(fingerprint);
    if (fingerprint != own && !(is_old && differs_by_new_options(own, fingerprint))) {
      throw input_error(path + ": it belongs to other data or another model: " + first_difference(own, fingerprint),
                        "resume with the data and options of the run, or start another run");
    }
    const std::string optimizer = state.at("optimizer");
    if (optimizer != options_.optimizer.optimizer) {
      throw input_error(fmt::format("{}: expected a run with `optimizer` {}, found one with {}", path,
                                    options_.optimizer.optimizer, optimizer),
                        "resume with the options of the run, or start another run");
    }
    const auto count_in = [&](const nlohmann::json& object, const char* name) {
      const nlohmann::json& value = object.at(name);
      if (!value.is_number_unsigned() || value.get<uint64_t>() > uint64_t{1} << 62) throw damaged;
      return value.get<int64_t>();
    };
    const auto count = [&](const char* name) { return count_in(state, name); };
    const auto duration = [&](const char* name) {
      const double seconds = state.at(name);
      if (!(seconds >= 0.0 && std::isfinite(seconds))) throw damaged;
      return seconds;
    };
    progress_.epoch = count("epoch");
    progress_.step = count("step");
    progress_.index = count("index");
    progress_.loss_sum = state.at("loss_sum");
    progress_.norm_sum = state.at("norm_sum");
    progress_.count = count("count");
    progress_.total_count = count("total_count");
    progress_.seconds = duration("seconds");
    epoch_seconds_ = duration("epoch_seconds");
    metrics_bytes_ = count("metrics_bytes");
    events_bytes_ = count("events_bytes");
    progress_.learning_rate = state.at("learning_rate");
    progress_.first_loss = state.value("first_loss", 0.0);
    const nlohmann::json& rate = state.at("schedule");
    schedule_.set_state({.scale = rate.at("scale"),
                         .best = rate.at("best"),
                         .bad = count_in(rate, "bad"),
                         .cooling = count_in(rate, "cooling"),
                         .warm_at = rate.at("warm_at")},
                        count_in(rate, "epochs"), options_.epochs);
    const Schedule::State& s = schedule_.state();
    const bool sound = s.scale > 0.0 && s.scale <= 1.0 && s.warm_at >= 0.0 && s.warm_at < 1.0;
    if (!sound) throw damaged;
    const int64_t since = state.at("averaging_since");
    if (since < -1 || since > progress_.step || (since >= 0 && !options_.optimizer.keeps_average())) throw damaged;
    optimizer_.set_averaging_since(since);
    losses_ = state.at("losses").get<std::vector<double>>();
    if (state.contains("thawed") &&  // written before 0.3 without it
        !layers_.set_thawed(state.at("thawed").get<std::vector<int64_t>>(), progress_.step)) {
      throw damaged;
    }
    if (const nlohmann::json& best = state.at("best"); !best.is_null()) {
      best_score_ = best.at("score").get<double>();
      best_epoch_ = count_in(best, "epoch");
      evaluations_since_best_ = count_in(best, "evaluations_since");
      for (const auto& metric : best.at("metrics")) best_valid_.push_back({metric.at(0), metric.at(1), metric.at(2)});
    }
  } catch (const nlohmann::json::exception&) {
    throw damaged;
  }
}

void Trainer::read_arrays(const io::Safetensors& file) {
  const std::string& path = files_.checkpoint;
  const Error damaged = damaged_checkpoint(path);
  const auto load = [&](const std::string& name, Buffer<float>& out) {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.shape.size() != 1) throw damaged;
    if (out.size() > 0 && out.size() != found->second.shape[0]) throw damaged;
    out.resize(found->second.shape[0]);
    file.copy_floats(name, found->second.shape, out.span());
    check_finite(out.span(), name, path);
  };
  const std::span<float> values = task_.parameters().values();
  file.copy_floats("values", {static_cast<int64_t>(values.size())}, values);
  check_finite(values, "values", path);
  task_.parameters_changed();
  for (const auto& [name, buffer] : optimizer_.state()) load(name, *buffer);
  forget_moments_of_others();
  for (const auto& [name, buffer] : parallel_.carried_state()) load(name, *buffer);
  if (file.tensors().contains(kBest)) {
    best_values_.resize(static_cast<int64_t>(values.size()));
    load(kBest, best_values_);
    best_unsaved_ = !io::exists(files_.model);
  }
  if (progress_.epoch > 0) {
    task_.begin_epoch(progress_.epoch - 1);
    layers_.begin_epoch(progress_.epoch - 1, progress_.step);
    progress_.steps_in_epoch = task_.steps();
    progress_.batch = task_.batch();
  }
  if (progress_.epoch > options_.epochs) {
    throw usage_error(fmt::format("`epochs`: expected at least {}, the epoch that the run is in, found {}",
                                  progress_.epoch, options_.epochs),
                      "give a larger one, or none");
  }
  if (progress_.index > progress_.steps_in_epoch || !task_.carried_state_fits(progress_.index)) throw damaged;
}

}  // namespace longhand::train
