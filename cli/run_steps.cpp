#include "cli/run_steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/graph/stepper.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "longhand/model_parts.h"
#include "longhand/stream.h"

namespace longhand::cli {
namespace {

class NetworkSteps : public Steps {
 public:
  NetworkSteps(std::shared_ptr<const graph::Network> network, int64_t block, int threads)
      : stepper_(std::move(network), block, threads) {}

  int64_t process(int64_t n, const float* x, float* y) override { return stepper_.process(n, x, y); }
  int64_t process(int64_t n, const int32_t* symbols, float* y) override { return stepper_.process(n, symbols, y); }
  void reset() override { stepper_.reset(); }
  StateParts state_parts() const override { return stepper_.state_parts(); }
  void get_state(float* to) const override { stepper_.get_state(to); }
  void set_state(const float* from) override { stepper_.set_state(from); }

 private:
  graph::Stepper stepper_;
};

class StreamSteps : public Steps {
 public:
  explicit StreamSteps(std::shared_ptr<const Model> model) : stream_(std::move(model)) {}

  int64_t process(int64_t n, const float* x, float* y) override { return stream_.process(x, y, n) ? n : 0; }
  int64_t process(int64_t n, const int32_t* symbols, float* y) override { return stream_.process(symbols, y, n); }
  void reset() override { stream_.reset(); }
  StateParts state_parts() const override { return {{"state", stream_.state_size()}}; }
  void get_state(float* to) const override { stream_.get_state(to); }
  void set_state(const float* from) override { stream_.set_state(from); }

 private:
  Stream stream_;
};

Error wrong_state(const std::string& path, const std::string& problem) {
  return input_error(path + ": " + problem, "use a state that `longhand run --state-out` wrote for this model");
}

// Steps of one sequence after the other, to a file.
class StepRun {
 public:
  StepRun(Steps& steps, int64_t outputs, int64_t sample_rate, const RunSettings& settings)
      : steps_(steps), outputs_(outputs), sample_rate_(sample_rate), settings_(settings), parts_(steps.state_parts()) {
    if (!settings.state_in.empty()) first_ = read_states(settings.state_in, parts_, 1);
  }

  int64_t block(int64_t otherwise) const { return settings_.block > 0 ? settings_.block : otherwise; }
  const RunCount& count() const { return count_; }

  // Ends the current sequence. Saves its state if states are written to a file.
  void end_sequence() {
    if (settings_.state_out.empty()) return;
    const size_t before = states_.size();
    states_.resize(before + static_cast<size_t>(size_of(parts_)));
    steps_.get_state(states_.data() + before);
  }

  void begin(bool mark) {
    if (mark && writer_) writer_->begin_sequence();
    const float* state = state_of(first_, parts_, 0);
    state == nullptr ? steps_.reset() : steps_.set_state(state);
    ++count_.sequences;
  }

  /// Returns how many steps were done; what follows an unknown symbol is not written.
  template <class X>
  int64_t next(int64_t n, const X* x) {
    y_.resize(static_cast<size_t>(n * outputs_));
    if (const int64_t done = steps_.process(n, x, y_.data()); done < n) return done;
    const PortFile& file = settings_.outputs.front();
    if (!writer_) writer_ = RowWriter::open(file.path, file.format, outputs_, sample_rate_);
    writer_->write(y_.data(), n);
    count_.steps += n;
    return n;
  }

  RunCount finish() {
    if (writer_) writer_->finish();
    if (settings_.state_out.empty() || count_.steps == 0) return count_;
    end_sequence();
    write_states(settings_.state_out, parts_, states_);
    return count_;
  }

 private:
  Steps& steps_;
  int64_t outputs_, sample_rate_;
  const RunSettings& settings_;
  StateParts parts_;
  std::vector<float> first_, states_, y_;
  std::unique_ptr<RowWriter> writer_;
  RunCount count_;
};

// Rows of one number each.
std::vector<int32_t> symbols_of(const std::vector<float>& rows, int64_t symbols, int64_t step,
                                const RunSettings& settings) {
  std::vector<int32_t> out;
  for (const float value : rows) {
    if (!(value >= 0.0F && value < static_cast<float>(symbols) && value == std::floor(value))) {
      throw input_error(fmt::format("{}: step {}: expected symbols from 0 to {}, found {}", settings.input_name(),
                                    step + static_cast<int64_t>(out.size()), symbols - 1, value),
                        "give whole numbers, or a text with --input-format text");
    }
    out.push_back(static_cast<int32_t>(value));
  }
  return out;
}

}  // namespace

std::unique_ptr<Steps> Steps::of(std::shared_ptr<const graph::Network> network, int64_t block, int threads) {
  return std::make_unique<NetworkSteps>(std::move(network), block, threads);
}

std::unique_ptr<Steps> Steps::of(std::shared_ptr<const Model> model) {
  return std::make_unique<StreamSteps>(std::move(model));
}

int64_t size_of(const StateParts& parts) {
  int64_t out = 0;
  for (const auto& [name, width] : parts) out += width;
  return out;
}

std::vector<float> read_states(const std::string& path, const StateParts& parts, int64_t most) {
  const io::Safetensors file = io::Safetensors::read(path);
  if (file.tensors().size() != parts.size()) {
    throw wrong_state(path, fmt::format("expected {} arrays, found {}", parts.size(), file.tensors().size()));
  }
  int64_t sequences = -1;
  const int64_t size = size_of(parts);
  std::vector<float> out;
  int64_t at = 0;
  for (const auto& [name, width] : parts) {
    const auto found = file.tensors().find(name);
    std::vector<int64_t> shape = {width};
    if (found != file.tensors().end() && found->second.shape.size() == 2) {
      shape.insert(shape.begin(), found->second.shape.front());
    }
    file.check_floats(name, shape);  // the file has as many bytes
    const int64_t rows = shape.size() == 2 ? shape.front() : 1;
    if (rows < 1) throw wrong_state(path, fmt::format("'{}': expected at least one sequence, found none", name));
    std::vector<float> part(found->second.bytes.size() / sizeof(float));
    file.copy_floats(name, shape, part);
    if (!std::all_of(part.begin(), part.end(), [](float v) { return std::isfinite(v); })) {
      throw wrong_state(path, "expected finite numbers, found others");
    }
    if (sequences < 0) out.resize(static_cast<size_t>(rows * size));
    if (sequences >= 0 && rows != sequences) {
      throw wrong_state(path, fmt::format("expected states of {} sequences in '{}', found {}", sequences, name, rows));
    }
    sequences = rows;
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(part.data() + row * width, width, out.data() + row * size + at);
    }
    at += width;
  }
  if (sequences > 1 && sequences != most) {
    throw wrong_state(path, fmt::format("expected the state of one sequence{}, found those of {}",
                                        most > 1 ? fmt::format(" or those of {}", most) : "", sequences));
  }
  return out;
}

const float* state_of(const std::vector<float>& states, const StateParts& parts, int64_t number) {
  if (states.empty()) return nullptr;
  const int64_t size = size_of(parts);
  return states.data() + (static_cast<int64_t>(states.size()) == size ? 0 : number) * size;
}

void write_states(const std::string& path, const StateParts& parts, const std::vector<float>& states) {
  const int64_t size = size_of(parts);
  const int64_t sequences = size == 0 ? 1 : static_cast<int64_t>(states.size()) / size;
  std::vector<std::vector<float>> kept;
  std::vector<io::TensorToWrite> tensors;
  int64_t at = 0;
  for (const auto& [name, width] : parts) {
    std::vector<float>& part = kept.emplace_back();
    for (int64_t row = 0; row < sequences; ++row) {
      const float* from = states.data() + row * size + at;
      part.insert(part.end(), from, from + width);
    }
    at += width;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<int64_t> shape = {parts[i].second};
    if (sequences > 1) shape.insert(shape.begin(), sequences);
    tensors.emplace_back(parts[i].first, std::move(shape), std::span<const float>(kept[i]));
  }
  io::write_safetensors(path, {}, tensors);
}

RunCount run_steps(Steps& steps, RowReader& reader, int64_t symbols, int64_t outputs, const RunSettings& settings) {
  StepRun run(steps, outputs, settings.rate_of(reader.sample_rate().value_or(0), settings.input_name()), settings);
  run.begin(false);
  const int64_t sequence = settings.sequence, at_once = run.block(1024);
  std::vector<float> rows;
  while (true) {
    const int64_t before = run.count().steps, left = sequence > 0 ? sequence - before % sequence : at_once;
    rows.clear();
    const int64_t n = reader.read(std::min(at_once, left), rows);
    if (n == 0 && !reader.next_sequence()) break;
    if (n == 0) {
      run.end_sequence();
      run.begin(false);
      continue;
    }
    if (sequence > 0 && before > 0 && before % sequence == 0) run.begin(false);
    if (symbols == 0) {
      LONGHAND_CHECK(run.next(n, rows.data()) == n);
    } else {
      LONGHAND_CHECK(run.next(n, symbols_of(rows, symbols, before, settings).data()) == n);
    }
  }
  expect_whole_sequences(run.count().steps, settings);
  return run.finish();
}

RunCount run_text(Steps& steps, const Model& model, const RunSettings& settings) {
  const tasks::LanguageModel& language_model = *model.parts().language_model;
  const data::TextOptions& options = language_model.options().text;
  const std::string name = settings.input_name();
  const std::string text = data::normalise(io::read_file(settings.inputs.front().path), options, name);
  const data::Corpus corpus =
      data::encode(text, options, language_model.vocabulary(), data::parse_unknown(settings.unknown), name);
  StepRun run(steps, model.outputs(), settings.sample_rate, settings);
  for (size_t s = 0; s + 1 < corpus.starts.size(); ++s) {
    if (corpus.starts[s] == corpus.starts[s + 1]) continue;
    run.begin(s > 0);
    for (int64_t at = corpus.starts[s]; at < corpus.starts[s + 1];) {
      const int64_t n = std::min(run.block(256), corpus.starts[s + 1] - at);
      LONGHAND_CHECK(run.next(n, corpus.symbols.memory().data() + at) == n);
      at += n;
    }
  }
  return run.finish();
}

void expect_whole_sequences(int64_t steps, const RunSettings& settings) {
  if (settings.sequence == 0 || steps % settings.sequence == 0) return;
  throw input_error(fmt::format("{}: expected sequences of {} steps, found {} steps more", settings.input_name(),
                                settings.sequence, steps % settings.sequence),
                    "give whole sequences, or another --sequence");
}

}  // namespace longhand::cli
