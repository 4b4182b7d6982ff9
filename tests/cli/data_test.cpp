// longhand data: fetching from a server on the loopback that breaks off, lies, or is not there.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "longhand/base/error.h"
#include "longhand/fetch/download.h"
#include "longhand/fetch/sha256.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

// Serves one file's bytes for every path, one connection after the other.
class Server {
 public:
  explicit Server(std::string body) : body_(std::move(body)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::atomic<size_t> break_after{SIZE_MAX};  // bytes of the body
  std::atomic<bool> missing{false};
  std::atomic<bool> busy{false};
  std::atomic<bool> redirecting{false};  // to itself
  std::atomic<bool> dripping{false};     // a byte every tenth of a second
  std::atomic<bool> knows_ranges{true};
  std::string requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stopping_) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      std::string request(4096, '\0');
      const ssize_t n = ::recv(connection, request.data(), request.size(), 0);
      request.resize(n > 0 ? static_cast<size_t>(n) : 0);
      {
        const std::lock_guard lock(mutex_);
        requests_ += request;
      }
      const size_t range = request.find("Range: bytes=");
      const size_t first = range != std::string::npos && knows_ranges ? std::stoul(request.substr(range + 13)) : 0;
      const std::string rest = body_.substr(std::min(first, body_.size()));
      std::string answer = "HTTP/1.1 ";
      if (busy) {
        answer += "503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
      } else if (redirecting) {
        answer += "302 Found\r\nLocation: " + address() + "/again\r\nContent-Length: 0\r\n\r\n";
      } else if (missing) {
        answer += "404 Not Found\r\nContent-Length: 0\r\n\r\n";
      } else {
        answer += first > 0 ? "206 Partial Content\r\nContent-Range: bytes " + std::to_string(first) + "-" +
                                  std::to_string(body_.size() - 1) + "/" + std::to_string(body_.size()) + "\r\n"
                            : "200 OK\r\n";
        answer += "Content-Length: " + std::to_string(rest.size()) + "\r\nConnection: close\r\n\r\n";
        answer += rest.substr(0, break_after);
      }
      const size_t at_once = dripping ? answer.size() - rest.size() : answer.size();
      ::send(connection, answer.data(), at_once, MSG_NOSIGNAL);
      for (size_t at = at_once; at < answer.size() && !stopping_; ++at) {
        if (::send(connection, answer.data() + at, 1, MSG_NOSIGNAL) < 0) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
      ::shutdown(connection, SHUT_RDWR);
      ::close(connection);
    }
  }

  std::string body_;
  int listener_;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
  std::mutex mutex_;
  std::string requests_;
};

class DataGet : public ::testing::Test {
 protected:
  Result get(const std::string& mirror) {
    ::setenv("LONGHAND_DATA_MIRROR", mirror.c_str(), 1);
    ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    return run(folder, {"data", "get", "airline-passengers"});
  }
  std::string file() const { return folder / "cache/longhand/airline-passengers/airline-passengers.csv"; }
  const TemporaryFolder folder;
  const std::string shared = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/timeseries/airline-passengers.csv";
};

TEST_F(DataGet, RejectsAWrongChecksum) {
  Server server(std::string(2037, 'x'));
  const Result result = get(server.address());
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("licence of the data: none stated"), std::string::npos);
  EXPECT_NE(result.err.find("expected SHA-256 b9592eb5"), std::string::npos) << result.err;
  EXPECT_FALSE(io::exists(file()));
  EXPECT_FALSE(io::exists(file() + ".part"));
  EXPECT_NE(server.requests().find("GET /jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f/airline"),
            std::string::npos);
}

TEST_F(DataGet, ResumesABrokenTransfer) {
  Server server(std::string(2037, 'x'));
  server.break_after = 1000;
  const Result result = get(server.address());
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("try again; the download continues"), std::string::npos) << result.err;
  EXPECT_FALSE(io::exists(file()));
  EXPECT_EQ(read_file(file() + ".part").size(), 1000U);
  server.break_after = SIZE_MAX;
  server.busy = true;  // for now
  EXPECT_EQ(get(server.address()).code, 1);
  EXPECT_EQ(read_file(file() + ".part").size(), 1000U);
  server.busy = false;
  EXPECT_NE(get(server.address()).err.find("expected SHA-256"), std::string::npos);
  EXPECT_NE(server.requests().find("Range: bytes=1000-"), std::string::npos);
}

TEST_F(DataGet, RefusesALongerFile) {
  Server server(std::string(1 << 20, 'x'));
  const Result result = get(server.address());
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("expected 2037 bytes, found more"), std::string::npos) << result.err;
  EXPECT_FALSE(io::exists(file() + ".part"));
}

TEST_F(DataGet, ReportsAMissingNetworkOrFile) {
  std::string address;
  {
    Server server("x");
    server.missing = true;
    address = server.address();
    const Result result = get(address);
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("404"), std::string::npos) << result.err;
  }
  const Result result = get(address);  // nobody listens there any more
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("check the network"), std::string::npos) << result.err;
  EXPECT_FALSE(io::exists(file()));
}

TEST_F(DataGet, FindsADownloadedSetByName) {
  if (!io::exists(shared)) GTEST_SKIP() << "needs the airline passengers, which are not here: " << shared;
  const std::vector<std::string> not_there = {"train",    "regressor", "--data",   "airline-passengers",
                                              "--window", "12",        "--epochs", "1",
                                              "--hidden", "4",         "--out",    "run"};
  Server server(read_file(shared));
  server.break_after = 700;
  EXPECT_EQ(get(server.address()).code, 1);
  expect_error(run(folder, not_there), 1, "has not been downloaded");
  server.break_after = SIZE_MAX;
  const Result whole = get(server.address());
  EXPECT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(read_file(file()), read_file(shared));
  EXPECT_NE(server.requests().find("Range: bytes=700-"), std::string::npos);
  const std::string before = server.requests();
  EXPECT_NE(get(server.address()).out.find("is already downloaded"), std::string::npos);
  EXPECT_EQ(server.requests(), before);
  EXPECT_EQ(run(folder, not_there).code, 0);
  EXPECT_NE(run(folder, {"data", "list"}).out.find("[downloaded]"), std::string::npos);
  // A server without ranges sends everything again.
  std::filesystem::remove(file());
  write_file(file() + ".part", read_file(shared).substr(0, 100));
  server.knows_ranges = false;
  EXPECT_EQ(get(server.address()).code, 0);
  EXPECT_EQ(read_file(file()), read_file(shared));
}

TEST(Download, RefusesManyRedirects) {
  const TemporaryFolder folder;
  Server server("x");
  server.redirecting = true;
  const fetch::Download what{
      .url = server.address() + "/f", .path = folder / "f", .sha256 = fetch::sha256("x"), .bytes = 1};
  EXPECT_NE(testing::error_of([&] { fetch::download(what); }).find("redirects"), std::string::npos);
  const std::string requests = server.requests();
  int count = 0;
  for (size_t at = requests.find("GET "); at != std::string::npos; at = requests.find("GET ", at + 1)) ++count;
  EXPECT_EQ(count, 6);
  EXPECT_FALSE(io::exists(folder / "f"));
}

TEST(Download, EndsASlowTransfer) {
  const TemporaryFolder folder;
  const std::string body(5000, 'y');
  Server server(body);
  server.dripping = true;
  const fetch::Download what{.url = server.address() + "/f",
                             .path = folder / "f",
                             .sha256 = fetch::sha256(body),
                             .bytes = 5000,
                             .slow_seconds = 1};
  EXPECT_NE(testing::error_of([&] { fetch::download(what); }).find("too slow"), std::string::npos);
  EXPECT_GT(read_file(folder / "f.part").size(), 0U);  // the next attempt continues there
}

// What all sets go through, of a file made here.
TEST(Download, ContinuesVerifiesAndRenames) {
  const TemporaryFolder folder;
  const std::string body(5000, 'y');
  Server server(body);
  const fetch::Download what{
      .url = server.address() + "/f", .path = folder / "f", .sha256 = fetch::sha256(body), .bytes = 5000};
  server.break_after = 3000;
  EXPECT_THROW(fetch::download(what), Error);
  EXPECT_EQ(read_file(folder / "f.part").size(), 3000U);
  EXPECT_FALSE(io::exists(folder / "f"));
  server.break_after = SIZE_MAX;
  fetch::download(what);
  EXPECT_EQ(read_file(folder / "f"), body);
  EXPECT_FALSE(io::exists(folder / "f.part"));
  EXPECT_NE(server.requests().find("Range: bytes=3000-"), std::string::npos);
  EXPECT_EQ(fetch::sha256_of_file(folder / "f"), what.sha256);
  EXPECT_EQ(fetch::sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // A server that cannot go on in the middle sends everything again.
  std::filesystem::remove(folder / "f");
  write_file(folder / "f.part", body.substr(0, 100));
  server.knows_ranges = false;
  fetch::download(what);
  EXPECT_EQ(read_file(folder / "f"), body);
  EXPECT_FALSE(io::exists(folder / "f.part"));
}

TEST(Data, ReportsUnknownNames) {
  const TemporaryFolder folder;
  expect_error(run(folder, {"data", "get", "wnut71"}), 1, "did you mean wnut17?");
  expect_error(run(folder, {"data", "show", "wnut71"}), 1, "expected a text, a table or a data set");
  EXPECT_EQ(run(folder, {"data", "show", "linear"}).out.find("x,y\n"), 0U);
  expect_error(run(folder, {"train", "tagger", "--data", "wnut17:tset"}), 1, "expected one of the parts train, valid");
}

}  // namespace
}  // namespace longhand::cli
