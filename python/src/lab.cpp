// Gradients through time, and analysis of a model's units on a text.
#include <fmt/format.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <chrono>
#include <future>

#include "arrays.h"
#include "data_sources.h"
#include "loaded_model.h"
#include "longhand/base/error.h"
#include "longhand/lab/gradients.h"
#include "longhand/lab/microscope_page.h"
#include "longhand/lab/microscope_text.h"
#include "longhand/lab/unit_search.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"
#include "module.h"
#include "watch.h"

namespace longhand::python {
namespace {

// Runs `work` on a new thread without the GIL, while the calling thread checks for Ctrl-C: Python handles signals only
// on the thread that called into the module.
template <class Work>
auto run_beside(Watch& watch, std::atomic<bool>& stop, const Work& work) {
  const nb::gil_scoped_release release;
  auto result = std::async(std::launch::async, work);
  while (result.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    if (watch.should_stop()) stop = true;
  }
  return result.get();
}

void set_all(OptionTable& table, const std::map<std::string, std::string>& options) {
  for (const auto& [name, value] : options) {
    const Option* option = table.find(name);
    if (option == nullptr) throw usage_error("`" + name + "`: expected the name of an option", "see the docstring");
    table.set(*option, value, "`" + name + "`");
  }
}

struct GradientSettings {
  lab::GradientsOptions options;
  std::string data = "tale", cells = "rnn,rnn-relu,gru,lstm-0,lstm-1,lstm-3,lstm-1-norm", updates = "0,500",
              depths = "8";
  int64_t window = 64;

  void add_to(OptionTable& table) {
    table.add("data", data, "");
    table.add("cells", cells, "");
    table.add("updates", updates, "");
    table.add("reach", options.reach.steps, "", between(1, 2000));
    table.add("depths", depths, "");
    table.add("hidden", options.hidden, "", between(1, 256));
    table.add("window", window, "", between(1, 10000));
    table.add("batch", options.rows, "", between(1, 4096));
    table.add("lr", options.learning_rate, "", more_than(0.0));
    table.add("clip-norm", options.clip_norm, "", at_least(0.0));
    table.add("sequences", options.reach.sequences, "", between(1, 1000));
    table.add("seed", options.seed, "", between(0, 1e15));
    table.add("threads", options.threads, "", between(0, 1024));
  }
};

DoubleArray spread_array(const std::vector<lab::Spread10>& spreads) {
  double* data = nullptr;
  DoubleArray out = new_array<double>({static_cast<int64_t>(spreads.size()), 3}, data);
  for (const lab::Spread10& spread : spreads) {
    *data++ = spread.median;
    *data++ = spread.low;
    *data++ = spread.high;
  }
  return out;
}

nb::dict to_python(const lab::GradientsResult& result, const lab::LabReport& report) {
  nb::list cells, stacks;
  for (const lab::MeasuredCell& each : result.cells) {
    nb::dict cell;
    cell["cell"] = each.cell.name;
    cell["updates"] = each.updates;
    cell["loss"] = each.loss;
    cell["h"] = spread_array(each.reach.h);
    cell["c"] = spread_array(each.reach.c);
    cell["factor"] = each.reach.factor;
    cells.append(cell);
  }
  for (const lab::MeasuredStack& each : result.stacks) {
    nb::dict stack;
    stack["cell"] = each.cell.name;
    stack["layers"] = each.layers;
    stack["residual"] = each.residual;
    stack["updates"] = each.updates;
    stack["loss"] = each.loss;
    stack["norms"] = to_array<double>(each.norms, {static_cast<int64_t>(each.norms.size())});
    stacks.append(stack);
  }
  nb::dict out;
  out["cells"] = cells;
  out["stacks"] = stacks;
  out["summary"] = report.summary;
  out["columns"] = report.csv.columns;
  out["rows"] = report.csv.rows;
  out["page"] = lab::to_page(report);
  return out;
}

// Returns the measurements by name. Throws the Python exception if interrupted.
nb::dict gradients(const std::map<std::string, std::string>& options, const DataInMemory& data,
                   const nb::callable& notify) {
  GradientSettings settings;
  OptionTable table;
  settings.add_to(table);
  set_all(table, options);
  settings.options.cells = lab::parse_cells(settings.cells);
  settings.options.updates = lab::parse_counts(settings.updates, 0, 10'000'000, "`updates`");
  settings.options.depths =
      settings.depths == "0" ? std::vector<int64_t>() : lab::parse_counts(settings.depths, 2, 64, "`depths`");
  Watch watch;
  runs::Sources sources = make_sources(data, watch, notify);
  const std::vector<std::string>& memory = lab::memory_tasks();
  const bool is_memory = std::find(memory.begin(), memory.end(), settings.data) != memory.end();
  const std::string text = is_memory ? "" : sources.text(settings.data);
  const std::unique_ptr<lab::SequenceTask> task =
      is_memory ? lab::memory_task(settings.data, settings.window)
                : lab::text_task(text, settings.window, settings.data, settings.options.reach.steps);
  std::atomic<bool> stop = false;
  const lab::GradientsResult result = run_beside(watch, stop, [&] {
    return lab::measure_gradients(*task, settings.options,
                                  {.on_progress = [](double, double) {}, .should_stop = [&] { return stop.load(); }});
  });
  watch.rethrow();
  lab::LabReport report = lab::gradients_report(result, settings.options, settings.data);
  report.command = "longhand.lab.gradients()";
  return to_python(result, report);
}

lab::Subject subject_of(const tasks::ModelFile& file, const std::string& source, runs::Sources& sources,
                        const lab::MicroscopeOptions& options, kernels::Context& context) {
  file.expect_one_model("examine one of the models that it was made from: each member has units of its own");
  const std::string& task = file.task();
  if (task == tasks::Tagger::kTask) return lab::tagger_subject(file, sources.file(source), source, options, context);
  if (task == tasks::Classifier::kTask) {
    return lab::classifier_subject(file, sources.file(source), source, options, context);
  }
  if (task == tasks::Regressor::kTask) {
    return lab::regressor_subject(file, sources.table(source), source, options, context);
  }
  return lab::language_model_subject(file, sources.text(source), source, options, context);
}

// Returns the output of `longhand lab microscope`: the HTML page, and the results as CSV and JSON.
nb::dict microscope(const LoadedModel& model, const std::string& source,
                    const std::map<std::string, std::string>& given, const DataInMemory& data,
                    const nb::callable& notify) {
  Watch watch;
  runs::Sources sources = make_sources(data, watch, notify);
  lab::MicroscopeOptions options;
  OptionTable table;
  options.add_to(table);
  set_all(table, given);
  const std::string name = model.path.empty() ? "model" : model.path;
  std::string page, csv, json;
  {
    const nb::gil_scoped_release release;
    const tasks::ModelFile file = model.file();
    kernels::Context context(static_cast<int>(options.threads));
    lab::Subject subject = subject_of(file, source, sources, options, context);
    for (const std::string& note : subject.notes) watch.call(notify, "note", note);
    const lab::Microscope found = lab::examine(std::move(subject), options, context, [&](double, double) {
      if (watch.should_stop()) watch.rethrow();
    });
    page = lab::microscope_page(found, name, source, "model.microscope()");
    csv = lab::microscope_csv(found);
    json = lab::microscope_json(found, name, source, -1);
  }
  watch.rethrow();
  nb::dict out;
  out["page"] = page;
  out["csv"] = csv;
  out["json"] = json;
  return out;
}

constexpr int64_t kPiece = 128;  // time steps per forward pass

// Collects the activations of all units over a text.
class Activations {
 public:
  Activations(const lab::Subject& subject, const std::string& quantities)
      : layout_(subject.network().options().lstm, subject.engine), count_(subject.text.size()) {
    for (const lab::UnitLayout::Block& block : layout_.blocks()) {
      if (quantities.find(block.quantity) == std::string::npos) continue;
      blocks_.push_back(&block);
      values_.emplace_back(static_cast<size_t>(count_ * block.units));
    }
    if (blocks_.empty()) {
      throw usage_error("quantities: expected some of " + layout_.quantities() + ", found '" + quantities + "'",
                        "give letters of these");
    }
  }

  void read(const lab::Subject& subject, lab::Probe& probe, const std::function<bool()>& should_stop) {
    for (size_t s = 0; s + 1 < subject.text.starts.size(); ++s) {
      nn::StackState<float> state = probe.new_state(1);
      for (int64_t at = subject.text.starts[s], end = subject.text.starts[s + 1]; at < end && !should_stop();) {
        const int64_t stop = subject.carries ? std::min(at + kPiece, end) : end;
        probe.forward(subject.lay({at, stop, {-1}}), state, nn::Pass::kGradients);
        take(probe, at, stop);
        at = stop;
      }
    }
  }

  // Returns a list of (layer, direction, quantity, activations [symbols, units]).
  nb::list to_python(int64_t directions) const {
    nb::list out;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const auto part = static_cast<int64_t>(blocks_[i]->part);
      out.append(nb::make_tuple(part / directions, part % directions == 0 ? "forward" : "backward",
                                std::string(1, blocks_[i]->quantity),
                                to_array<float>(values_[i], {count_, blocks_[i]->units})));
    }
    return out;
  }

 private:
  void take(const lab::Probe& probe, int64_t begin, int64_t end) {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const lab::UnitLayout::Block& block = *blocks_[i];
      int64_t stride = 0;
      const float* rows = block.rows(probe.activations(block.part), stride);
      for (int64_t t = begin; t < end; ++t) {
        const float* row = rows + (t - begin) * stride;
        std::copy(row, row + block.units, values_[i].begin() + t * block.units);
      }
    }
  }

  lab::UnitLayout layout_;
  int64_t count_;
  std::vector<const lab::UnitLayout::Block*> blocks_;
  std::vector<std::vector<float>> values_;
};

nb::dict activations(const LoadedModel& model, const std::string& source, const std::string& quantities,
                     int64_t max_symbols, const DataInMemory& data, const nb::callable& notify) {
  Watch watch;
  runs::Sources sources = make_sources(data, watch, notify);
  lab::MicroscopeOptions options;
  options.max_symbols = max_symbols;
  const tasks::ModelFile file = model.file();
  kernels::Context context(0);
  const lab::Subject subject = subject_of(file, source, sources, options, context);
  Activations found(subject, quantities);
  {
    const nb::gil_scoped_release release;
    lab::Probe probe(subject.network(), subject.engine, context);
    found.read(subject, probe, [&] { return watch.should_stop(); });
  }
  watch.rethrow();
  const nn::LstmOptions& lstm = subject.network().options().lstm;
  nb::list symbols;
  for (const int32_t symbol : subject.text.symbols) symbols.append(subject.text.names[static_cast<size_t>(symbol)]);
  nb::dict out;
  out["symbols"] = symbols;
  out["starts"] = to_array<int64_t>(subject.text.starts, {static_cast<int64_t>(subject.text.starts.size())});
  out["units"] = found.to_python(lstm.bidirectional ? 2 : 1);
  return out;
}

}  // namespace

void register_lab(nb::module_& module) {
  module.def("gradients", &gradients, nb::arg("options"), nb::arg("data"), nb::arg("notify"));
  module.def("microscope", &microscope, nb::arg("model"), nb::arg("source"), nb::arg("options"), nb::arg("data"),
             nb::arg("notify"));
  module.def("activations", &activations, nb::arg("model"), nb::arg("source"), nb::arg("quantities"),
             nb::arg("max_symbols"), nb::arg("data"), nb::arg("notify"));
}

}  // namespace longhand::python
