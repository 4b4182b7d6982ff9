#include "longhand/distributed/communicator.h"

#include <fmt/core.h>

#include <cstdlib>

#include "longhand/base/error.h"

namespace longhand::distributed {

const std::string& Alone::host(int /*rank*/) const {
  static const std::string kHere = "localhost";
  return kHere;
}

void Alone::exchange(std::span<const Outgoing> out, std::span<const Incoming> in) {
  LONGHAND_CHECK(out.empty() && in.empty());
}

void Alone::abort(int code) { std::_Exit(code); }

std::string describe(const Communicator& ranks, int rank) {
  return fmt::format("rank {} ({})", rank, ranks.host(rank));
}

}  // namespace longhand::distributed
