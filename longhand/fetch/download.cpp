#include "longhand/fetch/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "longhand/base/error.h"
#include "longhand/fetch/sha256.h"
#include "longhand/io/file.h"

namespace longhand::fetch {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kMostRedirects = 5;
constexpr long kSlowBytes = 1000;  // per second

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct CloseCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

struct Transfer {
  std::FILE* file;
  int64_t before;  // bytes that were there already
  const Download* what;
  int64_t received = 0;
  bool disk_full = false;
  bool stopped = false;
  bool too_much = false;
};

size_t write_bytes(char* bytes, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.received += static_cast<int64_t>(size * count);
  transfer.too_much = transfer.what->bytes > 0 && transfer.before + transfer.received > transfer.what->bytes;
  if (transfer.too_much) return 0;
  const size_t written = std::fwrite(bytes, size, count, transfer.file);
  transfer.disk_full = transfer.disk_full || written < count;
  return written * size;
}

int report_progress(void* user, curl_off_t /*total*/, curl_off_t now, curl_off_t /*up_total*/, curl_off_t /*up*/) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (!transfer.what->on_progress || transfer.what->on_progress(transfer.before + now)) return 0;
  transfer.stopped = true;
  return 1;
}

int64_t size_of(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

// Fetches what is missing at the end of `part`. Returns true if the server does not support resuming.
bool fetch(const Download& what, const std::string& part) {
  Transfer transfer{nullptr, size_of(part), &what};
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  const File file(descriptor < 0 ? nullptr : ::fdopen(descriptor, "ab"));
  if (!file) {
    throw input_error(fmt::format("{}: cannot be written: {}", part, std::strerror(errno)),
                      "make its folder writable, or free some space");
  }
  transfer.file = file.get();
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CloseCurl> curl(curl_easy_init());
  LONGHAND_CHECK(kReady == CURLE_OK && curl != nullptr);
  std::array<char, CURL_ERROR_SIZE> message{};
  CURL* c = curl.get();
  curl_easy_setopt(c, CURLOPT_URL, what.url.c_str());
  curl_easy_setopt(c, CURLOPT_USERAGENT, "longhand");
  curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, kSlowBytes);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, static_cast<long>(what.slow_seconds));
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, message.data());
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, write_bytes);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, report_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &transfer);
  if (transfer.before > 0) curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.before));
  const CURLcode code = curl_easy_perform(c);
  const bool flushed = std::fflush(file.get()) == 0 && (::fsync(::fileno(file.get())) == 0 || errno == EINVAL);
  long answer = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &answer);
  constexpr long kNoSuchRange = 416;
  if (code == CURLE_OK && flushed && answer != kNoSuchRange) return false;
  const bool cannot_go_on = code == CURLE_RANGE_ERROR || answer == kNoSuchRange || transfer.too_much;
  if (transfer.before > 0 && cannot_go_on) return true;
  if (transfer.too_much) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw input_error(fmt::format("{}: expected {} bytes, found more", what.url, what.bytes),
                      "the file at this address has changed; try again later");
  }
  if (transfer.stopped)
    throw Error(ExitCode::kInterrupted, what.url + ": stopped", "run the same command again to continue");
  if (transfer.disk_full || !flushed) throw input_error(part + ": the disk is full", "free some space, then try again");
  throw input_error(
      fmt::format("{}: cannot be downloaded: {}", what.url,
                  message[0] != '\0' ? message.data() : curl_easy_strerror(code)),
      size_of(part) > 0 ? "try again; the download continues where it stopped" : "check the network, then try again");
}

}  // namespace

void download(const Download& what) {
  const std::string part = what.path + ".part";
  std::error_code ignored;
  const auto kind = std::filesystem::symlink_status(part, ignored).type();
  if (kind != std::filesystem::file_type::not_found && kind != std::filesystem::file_type::regular) {
    throw input_error(part + ": expected a partial download, found a link or a special file", "remove it");
  }
  // A longer file is not a part of it.
  if (what.bytes > 0 && size_of(part) >= what.bytes && sha256_of_file(part) != what.sha256) {
    std::filesystem::remove(part, ignored);
  }
  const bool whole = size_of(part) > 0 && sha256_of_file(part) == what.sha256;
  if (!whole && fetch(what, part)) {  // once more, from the beginning
    std::filesystem::remove(part, ignored);
    fetch(what, part);
  }
  const std::string found = sha256_of_file(part);
  if (found != what.sha256) {
    std::filesystem::remove(part, ignored);
    throw input_error(fmt::format("{}: expected SHA-256 {}, found {}", what.url, what.sha256, found),
                      "the file was damaged in transfer, or has changed; try again later");
  }
  std::error_code error;
  std::filesystem::rename(part, what.path, error);
  if (error) throw input_error(what.path + ": cannot be written: " + error.message(), "make its folder writable");
}

}  // namespace longhand::fetch
