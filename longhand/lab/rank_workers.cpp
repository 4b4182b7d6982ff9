#include "longhand/lab/rank_workers.h"

#include <fmt/core.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "longhand/base/error.h"
#include "longhand/base/threads.h"
#include "longhand/distributed/collectives.h"
#include "longhand/io/file.h"

namespace longhand::lab {
namespace {

using Message = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(5);
constexpr auto kAskIfFree = std::chrono::milliseconds(20);
constexpr auto kAskAtLeast = std::chrono::milliseconds(250);

template <class T>
std::span<std::byte> raw_bytes(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

// A text, after its length.
void send(distributed::Communicator& ranks, int to, const std::string& text) {
  uint64_t length = text.size();
  const distributed::Outgoing out[] = {{to, raw_bytes(length)}, {to, std::as_bytes(std::span(text))}};
  ranks.exchange(out, {});
}

std::string receive(distributed::Communicator& ranks, int from) {
  uint64_t length = 0;
  const distributed::Incoming first[] = {{from, raw_bytes(length)}};
  ranks.exchange({}, first);
  std::string text(length, '\0');
  const distributed::Incoming rest[] = {{from, std::as_writable_bytes(std::span(text))}};
  ranks.exchange({}, rest);
  return text;
}

// The texts may hold bytes that are no UTF-8: an error names files.
std::string packed(const Message& message) {
  const std::vector<uint8_t> bytes = Message::to_cbor(message);
  return {bytes.begin(), bytes.end()};
}

Message to_json(const RunReport& report) {
  return {report.id, report.failure, report.died, report.interrupted, report.result, report.metrics};
}

RunReport read_report(const Message& report) {
  return {.id = report.at(0),
          .failure = report.at(1),
          .died = report.at(2),
          .interrupted = report.at(3),
          .result = report.at(4),
          .metrics = report.at(5)};
}

// What a rank asks: {"reports": those that ended, "runs": where the others are, "stop": a signal told it to stop}.
Message question(const std::vector<RunReport>& reports, LocalWorkers& own, bool stop) {
  Message out = {{"reports", Message::array()}, {"runs", Message::array()}, {"stop", stop}};
  for (const RunReport& report : reports) out["reports"].push_back(to_json(report));
  for (const auto& [id, at] : own.running()) out["runs"].push_back({id, at.done, at.epoch, at.epochs, at.loss});
  return out;
}

}  // namespace

RankWorkers::RankWorkers(distributed::Communicator& ranks, LocalWorkers& own)
    : ranks_(ranks), own_(own), peers_(static_cast<size_t>(ranks.size())) {}

RankWorkers::~RankWorkers() {
  ending_ = true;
  std::set<int> told;
  std::vector<RunReport> ignored;
  while (static_cast<int>(told.size()) + 1 < ranks_.size()) {
    if (const int rank = ranks_.waiting(); rank > 0) {
      answer(rank, ignored);
      told.insert(rank);
    } else {
      std::this_thread::sleep_for(kTick);
    }
  }
}

bool RankWorkers::start(int64_t id, const RunOrder& order) {
  const auto rank = std::min_element(peers_.begin(), peers_.end(),
                                     [](const Peer& a, const Peer& b) { return a.runs.size() < b.runs.size(); });
  if (static_cast<int64_t>(rank->runs.size()) >= own_.size()) return false;
  if (rank == peers_.begin() && !own_.start(id, order)) return false;
  if (rank != peers_.begin()) rank->orders.emplace_back(id, to_text(order));
  rank->runs[id] = {};
  return true;
}

std::vector<RunReport> RankWorkers::finished() {
  std::vector<RunReport> out = own_.finished();
  for (const RunReport& report : out) peers_[0].runs.erase(report.id);
  answer_all(out);
  return out;
}

void RankWorkers::answer_all(std::vector<RunReport>& reports) {
  for (int rank = ranks_.waiting(); rank > 0; rank = ranks_.waiting()) answer(rank, reports);
}

// The answer: {"orders": runs to begin, "stop": interrupt all, "end": there are no more}.
void RankWorkers::answer(int rank, std::vector<RunReport>& reports) {
  Peer& peer = peers_[static_cast<size_t>(rank)];
  const Message question = Message::from_cbor(receive(ranks_, rank));
  for (const Message& each : question.at("reports")) {
    reports.push_back(read_report(each));
    peer.runs.erase(reports.back().id);
  }
  for (const Message& run : question.at("runs")) {
    peer.runs[run.at(0)] = {.done = run.at(1), .epoch = run.at(2), .epochs = run.at(3), .loss = run.at(4)};
  }
  is_interrupted_ = is_interrupted_ || question.at("stop").get<bool>();
  Message reply = {{"orders", Message::array()}, {"stop", stopping_}, {"end", ending_}};
  for (const auto& order : peer.orders) reply["orders"].push_back(order);
  peer.orders.clear();
  send(ranks_, rank, packed(reply));
}

std::vector<std::pair<int64_t, RunPosition>> RankWorkers::running() {
  for (const auto& [id, position] : own_.running()) peers_[0].runs[id] = position;
  std::vector<std::pair<int64_t, RunPosition>> out;
  for (const Peer& peer : peers_) out.insert(out.end(), peer.runs.begin(), peer.runs.end());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

void RankWorkers::interrupt() {
  own_.interrupt();
  stopping_ = true;
}

void serve_runs(distributed::Communicator& ranks, LocalWorkers& own, const std::function<bool()>& interrupted) {
  std::vector<RunReport> reports;
  auto asked = Clock::now() - kAskAtLeast;
  for (;;) {
    for (RunReport& report : own.finished()) reports.push_back(std::move(report));
    const bool stop = interrupted && interrupted();
    if (stop) own.interrupt();
    const bool free = static_cast<int64_t>(own.running().size()) < own.size();
    if (reports.empty() && Clock::now() - asked < (free ? kAskIfFree : kAskAtLeast)) {
      std::this_thread::sleep_for(kTick);
      continue;
    }
    asked = Clock::now();
    send(ranks, 0, packed(question(reports, own, stop)));
    reports.clear();
    const Message answer = Message::from_cbor(receive(ranks, 0));
    for (const Message& each : answer.at("orders")) {
      const int64_t id = each.at(0);
      try {
        if (answer.at("stop")) throw input_error("interrupted", "");
        own.start(id, read_order(each.at(1)));
      } catch (const Error& e) {
        reports.push_back({.id = id, .failure = e.what(), .interrupted = answer.at("stop")});
      }
    }
    if (answer.at("stop")) own.interrupt();
    if (answer.at("end")) return;
  }
}

// A file system that several machines share may show a new file late.
void check_shared_folder(distributed::Communicator& ranks, const std::string& folder) {
  if (ranks.size() == 1) return io::make_folder(folder);
  std::string mark = fmt::format("{}-{}", ::getpid(), Clock::now().time_since_epoch().count());
  const std::string file = folder + "/ranks.txt";
  distributed::do_together(ranks, [&] {
    if (!ranks.is_first()) return;
    io::make_folder(folder);
    io::write_file(file, mark);
  });
  distributed::broadcast(mark, ranks);
  distributed::do_together(ranks, [&] {
    const auto sees = [&] { return io::exists(file) && io::read_file(file) == mark; };
    for (int i = 0; i < 100 && !sees(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (sees()) return;
    throw input_error(fmt::format("{}: expected the folder that rank 0 ({}) sees, found {}", folder, ranks.host(0),
                                  io::is_folder(folder) ? "another" : "none"),
                      "give an `out` that all hosts share, such as one on NFS");
  });
  if (ranks.is_first()) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
}

int64_t own_processors(distributed::Communicator& ranks) {
  std::string own = ranks.host(ranks.rank());
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) own += fmt::format(" {}", cpu);
    }
  }
#endif
  const std::vector<std::string> all = distributed::all_gather(own, ranks);
  return std::max<int64_t>(1, available_threads() / std::count(all.begin(), all.end(), own));
}

}  // namespace longhand::lab
