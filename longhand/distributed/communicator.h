// The processes of one training or comparison, called ranks 0 .. size - 1, on one or several machines. They send each
// other bytes; all machines have the same byte order.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace longhand::distributed {

/// Bytes for one rank.
struct Outgoing {
  int to = 0;
  std::span<const std::byte> bytes;
};

/// Room for bytes of one rank: exactly as many as that one sends.
struct Incoming {
  int from = 0;
  std::span<std::byte> bytes;
};

/// Between two ranks, messages arrive in the order in which they were sent. One thread at a time may use it. Errors
/// of the network end the process, and with it all of them.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// The name of the machine that a rank runs on.
  virtual const std::string& host(int rank) const = 0;

  /// Sends and receives all of these, and returns when that is done. While it waits it sleeps.
  virtual void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) = 0;
  /// A rank of which a message waits to be received, or -1.
  virtual int waiting() = 0;

  /// Ends the processes of all ranks with this exit code. Prints nothing.
  virtual void abort(int code) = 0;

  bool is_first() const { return rank() == 0; }
};

/// One process by itself.
class Alone final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  const std::string& host(int rank) const override;
  void exchange(std::span<const Outgoing> out, std::span<const Incoming> in) override;
  int waiting() override { return -1; }
  void abort(int code) override;
};

/// "rank 2 (host b)"
std::string describe(const Communicator& ranks, int rank);

}  // namespace longhand::distributed
