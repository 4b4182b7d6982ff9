#include "longhand/distributed/collectives.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

namespace longhand::distributed {
namespace {

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

}  // namespace

// Rank r gets the bytes from the rank without r's highest bit, and then passes them on.
void broadcast(std::span<std::byte> bytes, Communicator& ranks) {
  if (bytes.empty()) return;
  const int rank = ranks.rank(), size = ranks.size();
  int bit = 1;
  for (; bit <= rank; bit *= 2) {
    if (rank >= 2 * bit) continue;
    const Incoming in{rank - bit, bytes};
    ranks.exchange({}, {&in, 1});
  }
  for (; rank + bit < size; bit *= 2) {
    const Outgoing out{rank + bit, bytes};
    ranks.exchange({&out, 1}, {});
  }
}

void broadcast(std::string& text, Communicator& ranks) {
  uint64_t length = text.size();
  broadcast(bytes_of(length), ranks);
  text.resize(length);
  broadcast(bytes_of(text), ranks);
}

std::vector<std::string> all_gather(const std::string& own, Communicator& ranks) {
  const int size = ranks.size();
  std::vector<std::string> texts(static_cast<size_t>(size));
  std::vector<uint64_t> lengths(static_cast<size_t>(size), own.size());
  std::vector<Outgoing> out;
  std::vector<Incoming> in;
  const uint64_t length = own.size();
  for (int r = 0; r < size; ++r) {
    if (r == ranks.rank()) continue;
    out.push_back({r, std::as_bytes(std::span(&length, 1))});
    in.push_back({r, bytes_of(lengths[static_cast<size_t>(r)])});
  }
  ranks.exchange(out, in);
  out.clear();
  in.clear();
  for (int r = 0; r < size; ++r) {
    std::string& text = texts[static_cast<size_t>(r)];
    if (r == ranks.rank()) {
      text = own;
      continue;
    }
    text.resize(lengths[static_cast<size_t>(r)]);
    if (!own.empty()) out.push_back({r, std::as_bytes(std::span(own))});
    if (!text.empty()) in.push_back({r, bytes_of(text)});
  }
  ranks.exchange(out, in);
  return texts;
}

void send_to_first(std::span<Buffer<float>* const> arrays, int owner, Communicator& ranks) {
  if (owner == 0 || arrays.empty() || (ranks.rank() != owner && !ranks.is_first())) return;
  std::vector<int64_t> sizes;
  for (const Buffer<float>* array : arrays) sizes.push_back(array->size());
  const std::span<int64_t> all(sizes);
  if (ranks.rank() == owner) {
    std::vector<Outgoing> out{{0, std::as_bytes(all)}};
    for (Buffer<float>* array : arrays) {
      if (array->size() > 0) out.push_back({0, std::as_bytes(array->span())});
    }
    ranks.exchange(out, {});
    return;
  }
  const Incoming first{owner, std::as_writable_bytes(all)};
  ranks.exchange({}, {&first, 1});
  std::vector<Incoming> in;
  for (size_t i = 0; i < arrays.size(); ++i) {
    arrays[i]->resize(sizes[i]);
    if (sizes[i] > 0) in.push_back({owner, std::as_writable_bytes(arrays[i]->span())});
  }
  ranks.exchange({}, in);
}

// An error is sent as its exit code in one byte, its two lines, and a zero byte between them. An error of the first
// rank is shown without the rank's name, since the other ranks usually have the same one.
void do_together(Communicator& ranks, const std::function<void()>& work) {
  std::string own;
  try {
    work();
    if (ranks.size() == 1) return;
  } catch (const Error& e) {
    if (ranks.size() == 1) throw;
    own = std::string(1, static_cast<char>(e.code())) + e.what() + '\0' + e.advice();
  }
  const std::vector<std::string> all = all_gather(own, ranks);
  const auto failed = std::find_if(all.begin(), all.end(), [](const std::string& text) { return !text.empty(); });
  if (failed == all.end()) return;
  const size_t middle = failed->find('\0', 1);
  std::string what = failed->substr(1, middle - 1);
  if (failed != all.begin()) what = describe(ranks, static_cast<int>(failed - all.begin())) + ": " + what;
  throw AgreedError(static_cast<ExitCode>((*failed)[0]), what, failed->substr(middle + 1));
}

}  // namespace longhand::distributed
