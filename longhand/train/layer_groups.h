// Groups of layers for fine-tuning: learning rates that grow from the lowest group to the highest, and layers that are
// constants for some epochs, or for good (Howard and Ruder 2018, sections 3.2 and 3.3).
#pragma once

#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/base/options.h"
#include "longhand/train/optimizer.h"

namespace longhand::train {

/// The groups, from the lowest: the encoder (embeddings and the LSTM over characters), each recurrent layer, and all
/// above these.
struct LayerOptions {
  double rate_divisor = 1.0;  ///< the rate of a group is that of the group above, divided by this
  int64_t thaw_every = 0;     ///< epochs from one group to the next below that is trained; 0: all are from the start
  std::string frozen;         ///< what is never trained, of a model's layer_names(), with commas between

  void add_to(OptionTable& table);
  /// Throws a usage error for names of layers that the model lacks, or where nothing is left to train.
  void check(const ParameterArena& parameters) const;
};

/// What `frozen` can name: "embedding", "characters", "layer-0", "output", ...
std::vector<std::string> layer_names(const ParameterArena& parameters);

class LayerGroups {
 public:
  /// The options were checked for the parameters, which must outlive this.
  LayerGroups(const LayerOptions& options, ParameterArena& parameters);

  /// Freezes what is not trained in an epoch, counted from 0, which begins at an update.
  void begin_epoch(int64_t epoch, int64_t step);
  /// The stretches `where`, in order, with the rates of their groups; good until the next call.
  const std::vector<RatedPart>& parts(std::span<const Range> where);

  /// For each group, from the highest, the update from which on it is trained; -1: not yet. A checkpoint must hold it.
  const std::vector<int64_t>& thawed() const { return thawed_; }
  /// Returns whether these can be the ones of a run that has made so many updates.
  bool set_thawed(const std::vector<int64_t>& thawed, int64_t steps);

 private:
  LayerOptions options_;
  ParameterArena& parameters_;
  std::vector<size_t> group_of_;  // of each parameter, from the highest group
  std::vector<char> constant_;    // by parameter: never trained
  std::vector<char> frozen_;      // by parameter, now
  std::vector<int64_t> thawed_;
  std::vector<RatedPart> parts_;
};

}  // namespace longhand::train
