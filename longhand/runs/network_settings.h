// Settings of the training of a network of layers.
#pragma once

#include <string>
#include <vector>

#include "longhand/runs/sequence_files.h"
#include "longhand/runs/settings.h"
#include "longhand/tasks/sequence_loss.h"

namespace longhand::runs {

class NetworkSettings : public Settings {
 public:
  NetworkSettings() {
    training.optimizer.learning_rate = 0.005;
    training.optimizer.clip_norm = 1.0;
  }

  static constexpr int64_t kAuto = -1;

  std::string network;  ///< path of the description
  std::string from;     ///< path of a trained network: model file or run folder
  SequenceFileOptions files;
  std::string valid_target, test_target;
  int64_t segment = kAuto, bptt = kAuto, warm_up = kAuto;
  std::string scale = "auto";
  tasks::SequenceLossOptions loss;

  std::unique_ptr<Settings> copy() const override { return std::make_unique<NetworkSettings>(*this); }
  void add_to(OptionTable& table) override;
  void check() const override;
  std::vector<std::string> notes(const OptionTable& table) const override;
  /// The file may also be a description with options: sets the options, and `network` to the file's path.
  std::vector<std::string> read_config(const std::string& path, OptionTable& table) override;

 private:
  const nn::LstmOptions& lstm() const override { return none_; }
  nn::LstmOptions none_;
  std::string described_in_;  // path of the configuration file if it has the layers; not an option
};

}  // namespace longhand::runs
