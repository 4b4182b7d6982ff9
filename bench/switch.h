// A network switch between TUN devices: what joins the emulated hosts of link.cpp.
//
// Each host has a cable with the given bandwidth in each direction. A packet leaves when the packets before it have
// left, arrives after the latency, and waits for its turn where several hosts send to one. Nothing is dropped: where
// the senders are faster, packets wait here, and then in the senders' devices and sockets.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

namespace longhand::bench {

using Clock = std::chrono::steady_clock;

// As in linux/virtio_net.h, which is no C++: what a packet still lacks, and the packets of which it is several.
struct VirtioHeader {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

struct Packet {
  std::array<char, 1 << 17> bytes;
  ssize_t size = 0;
  Clock::time_point arrival;
};

struct Port {
  int device = -1;  // reads the host's packets, and writes those for it; each begins with a VirtioHeader
  Clock::time_point sent,
      received;  // when the last packet from the host has left it, and the last one to it has arrived
  std::deque<std::unique_ptr<Packet>> to_host;
  int64_t bytes_sent = 0;  // by the host, headers from IP upwards included
};

class Switch {
 public:
  /// `devices[i]` belongs to the host whose IPv4 address ends in i + 1. `mbit` per second is the bandwidth of each
  /// cable and direction; `ms` the time from the last bit sent to the last bit received.
  Switch(const std::vector<int>& devices, double mbit, double ms)
      : ports_(devices.size()), seconds_per_byte_(8e-6 / mbit), latency_(static_cast<int64_t>(1e6 * ms)) {
    for (size_t i = 0; i < devices.size(); ++i) ports_[i].device = devices[i];
  }

  /// Forwards until `other` can be read (true), or until a time (false).
  bool forward(int other, Clock::time_point until) {
    for (;;) {
      if (wait_for_packets(other, until)) return true;
      if (Clock::now() >= until) return false;
      for (Port& port : ports_) read_from(port);
      for (Port& port : ports_) deliver_to(port);
    }
  }

  const std::vector<Port>& ports() const { return ports_; }

 private:
  // A host that is this far ahead of its cable waits.
  static constexpr auto kMaxBacklog = std::chrono::milliseconds(50);

  static bool may_send(const Port& port) { return port.sent - Clock::now() < kMaxBacklog; }

  bool wait_for_packets(int other, Clock::time_point next) {
    polled_.assign(1, {other, POLLIN, 0});
    for (const Port& port : ports_) {
      const bool may = may_send(port);
      polled_.push_back({port.device, static_cast<short>(may ? POLLIN : 0), 0});
      if (!may) next = std::min(next, port.sent - kMaxBacklog);
      if (!port.to_host.empty()) next = std::min(next, port.to_host.front()->arrival);
    }
    const int64_t wait = std::max<int64_t>(0, std::chrono::nanoseconds(next - Clock::now()).count());
    const timespec timeout{wait / 1000000000, wait % 1000000000};
    return ppoll(polled_.data(), polled_.size(), &timeout, nullptr) > 0 && polled_[0].revents != 0;
  }

  void read_from(Port& port) {
    while (may_send(port)) {
      if (spares_.empty()) spares_.push_back(std::make_unique_for_overwrite<Packet>());
      Packet& packet = *spares_.back();
      packet.size = read(port.device, packet.bytes.data(), packet.bytes.size());
      if (packet.size <= 0) return;
      enqueue(port);
    }
  }

  // Puts the last spare packet, which `from` has sent, into the queue of the host that it is for.
  void enqueue(Port& from) {
    Packet& packet = *spares_.back();
    VirtioHeader header;
    std::memcpy(&header, packet.bytes.data(), sizeof header);
    const char* ip = packet.bytes.data() + sizeof header;
    const int64_t size = packet.size - static_cast<int64_t>(sizeof header);
    const bool v4 = size >= 20 && (ip[0] & 0xf0) == 0x40;
    const size_t host = v4 ? static_cast<unsigned char>(ip[19]) : 0U;
    if (host < 1 || host > ports_.size()) return;  // IPv6's search for neighbours, and broadcasts
    // A network card would make several packets of this one, and repeat the headers in each.
    const int64_t packets = header.gso_size == 0 ? 1 : (size - header.hdr_len + header.gso_size - 1) / header.gso_size;
    const int64_t bytes = size + (packets - 1) * header.hdr_len;
    const std::chrono::nanoseconds duration(static_cast<int64_t>(1e9 * seconds_per_byte_ * static_cast<double>(bytes)));
    from.bytes_sent += bytes;
    from.sent = std::max(from.sent, Clock::now()) + duration;
    Port& to = ports_[host - 1];
    to.received = std::max(from.sent + latency_, to.received + duration);
    packet.arrival = to.received;
    to.to_host.push_back(std::move(spares_.back()));
    spares_.pop_back();
  }

  void deliver_to(Port& port) {
    while (!port.to_host.empty() && port.to_host.front()->arrival <= Clock::now()) {
      const Packet& packet = *port.to_host.front();
      if (write(port.device, packet.bytes.data(), static_cast<size_t>(packet.size)) < 0 && errno == EAGAIN) return;
      spares_.push_back(std::move(port.to_host.front()));
      port.to_host.pop_front();
    }
  }

  std::vector<Port> ports_;
  double seconds_per_byte_;
  std::chrono::nanoseconds latency_;
  std::vector<std::unique_ptr<Packet>> spares_;  // clearing new ones would cost as much as forwarding does
  std::vector<pollfd> polled_;
};

}  // namespace longhand::bench
