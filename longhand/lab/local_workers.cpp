#include "longhand/lab/local_workers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/lab/run_result.h"

namespace longhand::lab {
namespace {

std::string text_of(const std::string& path) { return io::exists(path) ? io::read_file(path) : ""; }

// The child cannot know its largest size before it ends. A resumed run has the largest of all its processes.
void add_memory(const std::string& folder, const rusage& usage) {
  nlohmann::ordered_json result = nlohmann::ordered_json::parse(io::read_file(result_path(folder)));
  const double mib = static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts in KiB
  result["memory_mib"] = std::max(result.value("memory_mib", 0.0), mib);
  io::write_file(result_path(folder), result.dump(2) + "\n");
}

RunReport report_of(int64_t id, int status, const std::string& folder, const rusage& usage) {
  RunReport out{.id = id, .failure = failure_of(status, folder)};
  out.interrupted = WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitCode::kInterrupted);
  out.died = WIFSIGNALED(status);
  if (!out.failure.empty()) return out;
  try {
    add_memory(folder, usage);
    out.result = text_of(result_path(folder));
    out.metrics = text_of(train::RunFiles(folder).metrics);
  } catch (const std::exception& e) {  // a disk that is full, a file that somebody has removed
    out.failure = e.what();
  }
  return out;
}

// A pipe whose two ends never make anybody wait.
std::pair<int, int> open_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) {
    throw input_error(std::string("cannot open a pipe: ") + std::strerror(errno), "use fewer `jobs`");
  }
  for (const int end : ends) {
    ::fcntl(end, F_SETFL, O_NONBLOCK);
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  return {ends[0], ends[1]};
}

}  // namespace

LocalWorkers::~LocalWorkers() {
  for (const auto& [process, child] : children_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
    ::close(child.pipe);
  }
}

int LocalWorkers::work(const RunOrder& order, int pipe) const {
  RunHooks hooks = options_.hooks;
  auto last = std::chrono::steady_clock::now();
  hooks.on_step = [&](const RunPosition& position) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < std::chrono::milliseconds(100)) return;
    last = now;
    // Whole, since it is short; lost where nobody reads.
    if (::write(pipe, &position, sizeof position) < 0) return;
  };
  return train_here(shared_, order, options_.threads, hooks);
}

bool LocalWorkers::start(int64_t id, const RunOrder& order) {
  if (static_cast<int64_t>(children_.size()) >= options_.jobs) return false;
  io::make_folder(order.folder);
  std::error_code ignored;
  std::filesystem::remove(failure_path(order.folder), ignored);
  const auto [reading, writing] = open_pipe();
  pid_t process = 0;
  try {
    process = start_process([&, end = writing] { return work(order, end); });
  } catch (const Error&) {
    ::close(reading);
    ::close(writing);
    throw;
  }
  ::close(writing);
  children_[process] = {.id = id, .folder = order.folder, .pipe = reading};
  return true;
}

std::vector<RunReport> LocalWorkers::finished() {
  std::vector<RunReport> out;
  for (auto child = children_.begin(); child != children_.end();) {
    int status = 0;
    rusage usage{};
    const pid_t ended = ::wait4(child->first, &status, WNOHANG, &usage);
    LONGHAND_CHECK(ended >= 0 || errno == EINTR);
    if (ended != child->first) {
      ++child;
      continue;
    }
    ::close(child->second.pipe);
    out.push_back(report_of(child->second.id, status, child->second.folder, usage));
    child = children_.erase(child);
  }
  return out;
}

std::vector<std::pair<int64_t, RunPosition>> LocalWorkers::running() {
  std::vector<std::pair<int64_t, RunPosition>> out;
  for (auto& [process, child] : children_) {
    for (RunPosition next; ::read(child.pipe, &next, sizeof next) == static_cast<ssize_t>(sizeof next);) {
      child.position = next;
    }
    out.emplace_back(child.id, child.position);
  }
  return out;
}

void LocalWorkers::interrupt() {
  for (auto& [process, child] : children_) {
    if (!child.told_to_stop) ::kill(process, SIGTERM);
    child.told_to_stop = true;
  }
}

}  // namespace longhand::lab
