// longhand data make: writes simulated data for sequence models.
#include <fmt/core.h>

#include "cli/command_line.h"
#include "cli/console.h"
#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/data/simulations.h"
#include "longhand/io/file.h"
#include "longhand/io/wav.h"

namespace longhand::cli {
namespace {

constexpr double kMostSteps = 1e8;

// Options of all verbs.
class DataMake {
 public:
  explicit DataMake(const std::string& verb) : verb_(verb) {
    table_.add("out", out_, "file to write");
    table_.add("seed", seed_, "random seed", between(0, 1 << 30));
  }

  void declare(const Verb& verb) { verb.add_options(table_, given_); }

 protected:
  void read() {
    given_.apply(table_);
    if (out_.empty()) {
      throw usage_error("longhand data make " + verb_ + ": expected --out, found none", "give --out with a name");
    }
  }
  void write(const std::string& text) {
    io::write_file(out_, text);
    put("{}\n", visible(out_));
  }

  std::string verb_, out_;
  int64_t seed_ = 1;
  OptionTable table_;
  GivenOptions given_;
};

class MakeAmplifier : public DataMake {
 public:
  MakeAmplifier() : DataMake("amplifier") {
    table_.add("seconds", seconds_, "seconds of sound", between(0.01, kMostSteps / 48000.0));
  }
  int run() {
    read();
    constexpr int64_t kRate = 48000;
    const data::AmplifierSound sound = data::simulate_amplifier(static_cast<uint64_t>(seed_), steps(kRate), kRate);
    const io::WavFormat format{.channels = 1, .sample_rate = kRate, .encoding = io::WavEncoding::kFloat32};
    for (const auto& [end, samples] :
         {std::pair("-input.wav", &sound.input), std::pair("-target.wav", &sound.output)}) {
      io::write_wav(out_ + end, format, *samples);
      put("{}\n", visible(out_ + end));
    }
    return 0;
  }

 private:
  int64_t steps(int64_t rate) const { return static_cast<int64_t>(seconds_ * static_cast<double>(rate)); }
  double seconds_ = 60.0;
};

class MakeRiver : public DataMake {
 public:
  explicit MakeRiver(bool several) : DataMake(several ? "catchments" : "river"), several_(several) {
    table_.add("years", years_, "years of 365 days", between(1, 1000));
    table_.add("step-hours", step_hours_, "hours of a row", between(1, 24));
    if (several) table_.add("catchments", catchments_, "number of catchments", between(1, 1000));
  }
  int run() {
    read();
    const int64_t hours = years_ * 365 * 24;
    if (static_cast<double>(hours / step_hours_ * (several_ ? catchments_ : 1)) > kMostSteps) {
      throw usage_error("longhand data make: expected at most 100,000,000 rows, found more", "make fewer");
    }
    const auto seed = static_cast<uint64_t>(seed_);
    write(several_ ? data::catchments_table(seed, catchments_, hours, step_hours_)
                   : data::river_table(seed, hours, step_hours_));
    return 0;
  }

 private:
  bool several_;
  int64_t years_ = 10, step_hours_ = 1, catchments_ = 20;
};

class MakeVibration : public DataMake {
 public:
  MakeVibration() : DataMake("vibration") {
    table_.add("seconds", seconds_, "seconds, of 1000 samples", between(1.0, kMostSteps / 1000.0));
    table_.add("anomalies", anomalies_, "number of anomalies; 0: a healthy machine", between(0, 100000));
  }
  int run() {
    read();
    write(data::vibration_table(static_cast<uint64_t>(seed_), static_cast<int64_t>(1000.0 * seconds_), anomalies_));
    return 0;
  }

 private:
  double seconds_ = 120.0;
  int64_t anomalies_ = 0;
};

}  // namespace

void declare_data_make(const Verb& data) {
  const Verb make = data.add("make", "Compute data for networks over sequences");
  make.add_command<MakeAmplifier>("amplifier",
                                  "A guitar before and after an amplifier: two WAV files, OUT-input.wav and "
                                  "OUT-target.wav, 48000 Hz");
  make.add_command<MakeRiver>("river", "Rain, temperature and the flow of a river: a table", false);
  make.add_command<MakeRiver>("catchments", "The same of several catchments, with what does not change in each", true);
  make.add_command<MakeVibration>("vibration", "A sensor on a turning machine, 1000 samples a second: a table");
}

}  // namespace longhand::cli
