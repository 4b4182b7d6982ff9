// Reads recordings from pairs of WAV files.
#include <fmt/core.h>

#include <cmath>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/io/wav.h"
#include "longhand/runs/sequence_reading.h"

namespace longhand::runs {
namespace {

// Returns the samples [frames, channels]. Throws an input error for samples that are not finite.
std::vector<float> read_frames(const std::string& source, int64_t channels, const std::string& what, Sources& from,
                               io::WavFormat& format) {
  const io::Wav wav = io::read_wav(shown_name(source), from.file(source));
  format = wav.format;
  if (format.channels != channels) {
    throw input_error(
        fmt::format("{}: expected {} channels, as {}, found {}", shown_name(source), channels, what, format.channels),
        "mix or choose channels in a sound editor, or change the network");
  }
  std::vector<float> out(static_cast<size_t>(wav.samples.count()));
  std::memcpy(out.data(), wav.samples.bytes.data(), wav.samples.bytes.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (std::isfinite(out[i])) continue;
    throw input_error(fmt::format("{}: frame {}: expected a finite sample, found none", shown_name(source),
                                  i / static_cast<size_t>(channels)),
                      "repair the recording");
  }
  if (out.empty()) throw input_error(shown_name(source) + ": expected sound, found no frames", "give a longer file");
  return out;
}

}  // namespace

data::RecordingSet read_sound(const std::string& sources, const SequenceFileOptions& options,
                              const SequenceShape& shape, Sources& from) {
  const std::vector<std::string> inputs = data::split_names(sources), targets = data::split_names(options.target);
  if (targets.size() != inputs.size()) {
    throw usage_error(fmt::format("`target`: expected a WAV file for each of {}, found {}", shown_name(sources),
                                  targets.empty() ? "none" : std::to_string(targets.size())),
                      "give the files of what the network should make, in the same order, with commas between");
  }
  if (shape.inputs() != 1 || shape.symbols(0) || shape.one_target() || shape.classes) {
    throw usage_error(
        "WAV files: expected a network with one input of numbers and samples at its output, found another",
        "give the sequences as .npz");
  }
  data::RecordingSet out{.widths = {shape.width(0)}, .targets = shape.targets()};
  for (size_t i = 0; i < inputs.size(); ++i) {
    io::WavFormat in, made;
    data::Recording recording{.name = shown_name(inputs[i])};
    recording.inputs.resize(1);
    recording.inputs[0].floats = read_frames(inputs[i], shape.width(0), "the network reads", from, in);
    recording.targets.floats = read_frames(targets[i], shape.targets(), "the network makes", from, made);
    recording.steps = static_cast<int64_t>(recording.inputs[0].floats.size()) / shape.width(0);
    const int64_t frames = static_cast<int64_t>(recording.targets.floats.size()) / shape.targets();
    if (frames != recording.steps) {
      throw input_error(fmt::format("{}: expected {} frames, as in {}, found {}", shown_name(targets[i]),
                                    recording.steps, shown_name(inputs[i]), frames),
                        "align both recordings, and cut them to the same length");
    }
    if (out.sample_rate == 0) out.sample_rate = in.sample_rate;
    for (const auto& [rate, name] : {std::pair(in.sample_rate, inputs[i]), std::pair(made.sample_rate, targets[i])}) {
      if (rate == out.sample_rate) continue;
      throw input_error(fmt::format("{}: expected {} frames a second, as in {}, found {}", shown_name(name),
                                    out.sample_rate, shown_name(inputs[0]), rate),
                        "resample it");
    }
    out.format = fmt::format("{} Hz, {}, {} to {}", in.sample_rate,
                             in.channels == 1 ? "1 channel" : std::to_string(in.channels) + " channels",
                             io::name_of(in.encoding), io::name_of(made.encoding));
    out.list.push_back(std::move(recording));
  }
  const int64_t rate = shape.network.graph().sample_rate;
  if (rate != 0 && rate != out.sample_rate) {
    throw input_error(fmt::format("{}: expected {} frames a second, as `sample_rate` of the network, found {}",
                                  shown_name(sources), rate, out.sample_rate),
                      "resample the files, or correct the network");
  }
  return out;
}

}  // namespace longhand::runs
