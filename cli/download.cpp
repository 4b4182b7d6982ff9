#include "cli/download.h"

#include <curl/curl.h>
#include <fmt/core.h>
#include <openssl/evp.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::cli {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kSlowSeconds = 60;  // a transfer with nearly nothing for so long has broken off

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    LONGHAND_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::string_view bytes) {
    LONGHAND_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    LONGHAND_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    std::string out;
    for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

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

// Fetches what is missing at the end of `part`. Returns whether the server would not go on in the middle.
bool fetch(const Download& what, const std::string& part) {
  Transfer transfer{nullptr, size_of(part), &what};
  const File file(std::fopen(part.c_str(), "ab"));
  if (!file) throw input_error(part + ": cannot be written", "make its folder writable, or free some space");
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
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
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
                      "the file is another now; try again later");
  }
  if (transfer.stopped) throw Error(ExitCode::kInterrupted, what.url + ": stopped", "the same command goes on");
  if (transfer.disk_full || !flushed) throw input_error(part + ": the disk is full", "free some space, then try again");
  throw input_error(fmt::format("{}: cannot be fetched: {}", what.url,
                                message[0] != '\0' ? message.data() : curl_easy_strerror(code)),
                    size_of(part) > 0 ? "try again: what came is kept, and the transfer goes on from there"
                                      : "check the network, then try again");
}

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_of_file(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"));
  Sha256 hash;
  std::array<char, 1 << 16> piece{};
  size_t n = 0;
  while (file && (n = std::fread(piece.data(), 1, piece.size(), file.get())) > 0) {
    hash.add(std::string_view(piece.data(), n));
  }
  if (!file || std::ferror(file.get()) != 0) throw input_error(path + ": cannot be read", "check its permissions");
  return hash.hex();
}

void download(const Download& what) {
  const std::string part = what.path + ".part";
  std::error_code ignored;
  // More than there should be is not the beginning of it.
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
                      "the file was damaged on the way, or is another now; try again later");
  }
  std::error_code error;
  std::filesystem::rename(part, what.path, error);
  if (error) throw input_error(what.path + ": cannot be written: " + error.message(), "make its folder writable");
}

}  // namespace longhand::cli
