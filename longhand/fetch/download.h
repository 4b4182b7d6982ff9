// Files from the network, whole or not at all: fetched with libcurl, checked by their SHA-256.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace longhand::fetch {

struct Download {
  std::string url;
  std::string path;    ///< where the file belongs; its folder exists
  std::string sha256;  ///< what it must have
  int64_t bytes = 0;   ///< what it should have, for progress; 0: unknown
  /// Seconds below 1,000 bytes per second after which a transfer counts as broken.
  int64_t slow_seconds = 60;
  /// Called now and then with the bytes that are there; returns false to stop.
  std::function<bool(int64_t)> on_progress;
};

/// Fetches a file. What arrives is kept in `path`.part until it is whole, so that a transfer that broke off goes on
/// where it stopped the next time; then it is checked, and renamed. Throws an input error, with nothing at `path`,
/// where there is no network, the server refuses, the transfer breaks (what came is kept), or the checksum is another
/// (what came is removed).
void download(const Download& what);

}  // namespace longhand::fetch
