#include "longhand/convert/child_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "longhand/base/error.h"
#include "longhand/io/file.h"

namespace longhand::convert {
namespace {

constexpr size_t kMessageBuffer = 1 << 16;
constexpr uint64_t kSucceeded = 1, kRefused = 2;

struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

struct Mapping {
  void* at = MAP_FAILED;
  size_t size = 0;
  ~Mapping() {
    if (at != MAP_FAILED) ::munmap(at, size);
  }
};

// Address space of this process, in bytes; sanitizers have reserved terabytes of it.
uint64_t address_space() {
  char text[64] = {};
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  [[maybe_unused]] const ssize_t got = ::read(file, text, sizeof(text) - 1);
  ::close(file);
  return std::strtoull(text, nullptr, 10) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void limit(decltype(RLIMIT_AS) what, uint64_t value) {
  rlimit present{};
  if (::getrlimit(what, &present) != 0) return;
  present.rlim_cur = std::min<rlim_t>(value, present.rlim_max);
  ::setrlimit(what, &present);
}

// A crash ends this process without a report, a core file or a handler of the program's.
void confine(const ChildLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGXCPU, SIGALRM, SIGINT, SIGTERM}) {
    ::signal(signal, SIG_DFL);
  }
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere >= 0) {
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
  }
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, limits.seconds);
  if (const uint64_t now = address_space(); now > 0) limit(RLIMIT_AS, now + limits.memory);
}

[[noreturn]] void run_child(int file, const ChildLimits& limits, const std::function<void(MessageWriter&)>& work) {
  confine(limits);
  int code = 1;
  try {
    MessageWriter writer(file);
    try {
      work(writer);
      writer.number(kSucceeded);
    } catch (const Error& e) {
      writer.restart();
      writer.text(e.what());
      writer.text(e.advice());
      writer.number(kRefused);
    }
    writer.flush();
    code = 0;
  } catch (...) {  // no memory, for one
  }
  ::_exit(code);
}

Error cannot_run(const std::string& name) {
  return input_error(name + ": cannot be read: " + std::strerror(errno), "free some memory, and try again");
}

}  // namespace

void MessageWriter::raw(std::string_view bytes) {
  if (bytes.size() >= kMessageBuffer) {
    flush();
    if (!io::write_all(file_, bytes)) throw std::runtime_error("no memory");
    return;
  }
  buffer_.append(bytes);
  if (buffer_.size() >= kMessageBuffer) flush();
}

void MessageWriter::text(std::string_view bytes) {
  number(bytes.size());
  raw(bytes);
}

void MessageWriter::flush() {
  if (!io::write_all(file_, buffer_)) throw std::runtime_error("no memory");
  buffer_.clear();
}

void MessageWriter::restart() {
  buffer_.clear();
  if (::ftruncate(file_, 0) != 0 || ::lseek(file_, 0, SEEK_SET) != 0) throw std::runtime_error("no memory");
}

void MessageReader::fail() const {
  throw input_error(name_ + ": cannot be read: the library that reads it failed on it",
                    "the file is damaged; use an intact copy");
}

std::string_view MessageReader::take(uint64_t size) {
  if (size > rest_.size()) fail();
  const std::string_view out = rest_.substr(0, static_cast<size_t>(size));
  rest_.remove_prefix(static_cast<size_t>(size));
  return out;
}

uint64_t MessageReader::number() {
  uint64_t out = 0;
  std::memcpy(&out, take(sizeof(out)).data(), sizeof(out));
  return out;
}

std::string_view MessageReader::text() { return take(number()); }

void in_child_process(const std::string& name, const ChildLimits& limits,
                      const std::function<void(MessageWriter&)>& work, const std::function<void(MessageReader&)>& use) {
  const OpenFile file{::memfd_create("longhand", MFD_CLOEXEC)};
  if (file.fd < 0) throw cannot_run(name);
  const pid_t child = ::fork();
  if (child < 0) throw cannot_run(name);
  if (child == 0) run_child(file.fd, limits, work);
  // A program that ignores SIGCHLD learns no status: whether all went well is in the last number.
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  struct stat status {};
  Mapping mapping;
  if (::fstat(file.fd, &status) == 0) mapping.size = static_cast<size_t>(status.st_size);
  if (mapping.size > 0) mapping.at = ::mmap(nullptr, mapping.size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  MessageReader nothing({}, name);
  if (mapping.at == MAP_FAILED || mapping.size < sizeof(uint64_t)) nothing.fail();
  const std::string_view whole(static_cast<const char*>(mapping.at), mapping.size);
  const std::string_view body = whole.substr(0, whole.size() - sizeof(uint64_t));
  uint64_t ending = 0;
  std::memcpy(&ending, whole.data() + body.size(), sizeof(ending));
  MessageReader reader(body, name);
  if (ending == kSucceeded) return use(reader);
  if (ending != kRefused) nothing.fail();
  const std::string problem(reader.text());
  throw input_error(problem, std::string(reader.text()));
}

}  // namespace longhand::convert
