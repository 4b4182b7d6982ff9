// Workers on all ranks of an MPI job. The first rank decides what is run, and runs its share; the others ask it again
// and again for work. Every exchange is begun by such a question and ended by its answer, so that no two ranks wait for
// each other. A run is a process of its own on every rank (local_workers.h), and all ranks see the runs' folder.
#pragma once

#include <set>

#include "longhand/distributed/communicator.h"
#include "longhand/lab/local_workers.h"

namespace longhand::lab {

/// The first rank's view of all workers.
class RankWorkers : public RunWorkers {
 public:
  /// `own` are the workers of the first rank; each other rank has as many.
  RankWorkers(distributed::Communicator& ranks, LocalWorkers& own);
  /// Tells the other ranks that there is no more work.
  ~RankWorkers() override;
  RankWorkers(const RankWorkers&) = delete;
  RankWorkers& operator=(const RankWorkers&) = delete;

  int64_t size() const override { return own_.size() * ranks_.size(); }
  /// The rank with the fewest runs gets it.
  bool start(int64_t id, const RunOrder& order) override;
  std::vector<RunReport> finished() override;
  std::vector<std::pair<int64_t, RunPosition>> running() override;
  void interrupt() override;
  /// Whether a signal has told another rank to stop.
  bool is_interrupted() const { return is_interrupted_; }

 private:
  struct Peer {
    std::vector<std::pair<int64_t, std::string>> orders;  // that it has not yet got
    std::map<int64_t, RunPosition> runs;                  // those that it has, or will have
  };

  void answer_all(std::vector<RunReport>& reports);
  void answer(int rank, std::vector<RunReport>& reports);

  distributed::Communicator& ranks_;
  LocalWorkers& own_;
  std::vector<Peer> peers_;  // by rank; the first is this one
  bool stopping_ = false, ending_ = false, is_interrupted_ = false;
};

/// What the other ranks do: they ask for runs and make them, until the first rank says that there are no more.
void serve_runs(distributed::Communicator& ranks, LocalWorkers& own, const std::function<bool()>& interrupted);

/// Every rank calls it: makes the folder, and throws an error, the same on all, where a rank does not see what the
/// first one writes there.
void check_shared_folder(distributed::Communicator& ranks, const std::string& folder);

/// Every rank calls it: its processors, divided among the ranks that have the same ones.
int64_t own_processors(distributed::Communicator& ranks);

}  // namespace longhand::lab
