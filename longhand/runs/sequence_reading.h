// One reading function per file format. Internal: other files use sequence_files.h.
#pragma once

#include "longhand/runs/sequence_files.h"

namespace longhand::runs {

/// The shapes that a network expects of its data.
struct SequenceShape {
  const graph::TrainableNetwork& network;
  bool classes = false;

  size_t inputs() const { return network.graph().inputs.size(); }
  const std::string& name(size_t input) const { return network.graph().inputs[input].name; }
  /// Numbers per time step of input `input`; 1 for symbols.
  int64_t width(size_t input) const { return network.width(input); }
  bool symbols(size_t input) const { return network.symbols(input) > 0; }
  /// Numbers per target; 1 for classes.
  int64_t targets() const { return classes ? 1 : network.outputs(); }
  bool one_target() const { return network.answers_once(); }
};

data::RecordingSet read_sound(const std::string& sources, const SequenceFileOptions& options,
                              const SequenceShape& shape, Sources& from);
data::RecordingSet read_arrays(const std::string& sources, const SequenceFileOptions& options,
                               const SequenceShape& shape, Sources& from);
data::RecordingSet read_tables(const std::string& sources, const SequenceFileOptions& options,
                               const SequenceShape& shape, Sources& from);

}  // namespace longhand::runs
