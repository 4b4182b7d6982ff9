// What all ranks do together, made of messages between two. Every rank calls the same function at the same time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/error.h"
#include "longhand/distributed/communicator.h"

namespace longhand::distributed {

/// Gives all ranks the bytes of the first, over a binary tree: in ceil(log2(size)) times the time of one message.
void broadcast(std::span<std::byte> bytes, Communicator& ranks);
/// The same for a text, whose length only the first knows.
void broadcast(std::string& text, Communicator& ranks);

/// The texts of all ranks, by rank, on all ranks.
std::vector<std::string> all_gather(const std::string& own, Communicator& ranks);

/// Copies arrays of the rank `owner` to the first one, where they get their sizes.
void send_to_first(std::span<Buffer<float>* const> arrays, int owner, Communicator& ranks);

/// An error that all ranks throw together.
class AgreedError : public Error {
 public:
  using Error::Error;
};

/// Does some work on every rank. Where it throws an Error on any, all throw an AgreedError: that of the lowest such
/// rank, with the rank's name and host before it unless it is the first. One process by itself throws what was
/// thrown.
void do_together(Communicator& ranks, const std::function<void()>& work);

}  // namespace longhand::distributed
