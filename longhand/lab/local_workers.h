// Workers that are processes of this machine, one for each run.
#pragma once

#include <map>

#include "longhand/lab/compared_run.h"
#include "longhand/lab/run_process.h"

namespace longhand::lab {

struct LocalWorkersOptions {
  int64_t jobs = 1;     ///< runs at the same time
  int64_t threads = 0;  ///< of a run whose settings name no number; 0: one per processor
  RunHooks hooks{};
};

class LocalWorkers : public RunWorkers {
 public:
  LocalWorkers(const ComparedTask& shared, LocalWorkersOptions options)
      : shared_(shared), options_(std::move(options)) {}
  /// Ends the runs that have not ended: nobody would hear of them.
  ~LocalWorkers() override;
  LocalWorkers(const LocalWorkers&) = delete;
  LocalWorkers& operator=(const LocalWorkers&) = delete;

  int64_t size() const override { return options_.jobs; }
  bool start(int64_t id, const RunOrder& order) override;
  std::vector<RunReport> finished() override;
  std::vector<std::pair<int64_t, RunPosition>> running() override;
  void interrupt() override;

 private:
  struct Child {
    int64_t id = 0;
    std::string folder;
    int pipe = -1;  // from which its positions are read
    RunPosition position{};
    bool told_to_stop = false;
  };

  int work(const RunOrder& order, int pipe) const;

  ComparedTask shared_;
  LocalWorkersOptions options_;
  std::map<pid_t, Child> children_;
};

}  // namespace longhand::lab
