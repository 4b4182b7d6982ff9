// Several hosts on one machine, for tests and measurements of training over a slow network:
// `longhand_link --hosts 2 --mbit 1000 --ms 1 COMMAND ...` gives each host a network namespace of its own, with a name
// (host-1, ...) and an address (10.99.0.1, ...), joins them by a switch, runs the command on host-1 and returns its
// exit code. LONGHAND_HOSTS tells the command the processes in whose namespaces the other hosts are; bench/hosts.sh
// starts MPI's ranks there. Linux only.
//
// All processes are in one PID namespace, so that they end when this program ends or is killed, and the hosts with
// them. Without root it uses a user namespace, where the system allows that.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <string>
#include <system_error>

#include "switch.h"

namespace longhand::bench {
namespace {

struct Options {
  int hosts = 2;
  double mbit = 1000.0, ms = 1.0;
  int mtu = 1500;
  double limit = 600.0;
  std::string report;
};

constexpr int kCannotEmulate = 77;  // exit code where the machine does not allow what we need

// What the machine refuses or lacks, rather than a mistake of ours.
struct Refused : std::system_error {
  using std::system_error::system_error;
};

int checked(int result, const char* what) {
  if (result >= 0) return result;
  const std::error_code code(errno, std::generic_category());
  const bool refused =
      errno == EPERM || errno == EACCES || errno == ENOENT || errno == ENODEV || errno == ENOSYS || errno == ENOSPC;
  if (refused) throw Refused(code, what);
  throw std::system_error(code, what);
}

bool write_file(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  return close(file) == 0 && written;
}

void set_address(int socket, ifreq request, unsigned long which, const std::string& address) {
  sockaddr_in in{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  inet_pton(AF_INET, address.c_str(), &in.sin_addr);
  std::memcpy(&request.ifr_addr, &in, sizeof in);
  checked(ioctl(socket, which, &request), "cannot set the address of a network device");
}

void bring_up(int socket, const char* name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  checked(ioctl(socket, SIOCGIFFLAGS, &request), "cannot read the state of a network device");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  checked(ioctl(socket, SIOCSIFFLAGS, &request), "cannot bring a network device up");
}

// Moves this process to a new host, and returns the host's TUN device. Segmentation and checksums are left to us, who
// leave them to the receiver: up to 64 KiB are one packet, as with a network card that segments.
int enter_new_host(int host, const Options& options) {
  checked(unshare(CLONE_NEWNET | CLONE_NEWUTS), "cannot create a network namespace");
  const std::string name = fmt::format("host-{}", host);
  checked(sethostname(name.data(), name.size()), "cannot name a host");
  const int device = checked(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "cannot open /dev/net/tun");
  ifreq request{};
  std::strcpy(request.ifr_name, "link0");
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  checked(ioctl(device, TUNSETIFF, &request), "cannot create a TUN device");
  checked(ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), "cannot set the offloads of a TUN device");
  const int socket = checked(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "cannot open a socket");
  set_address(socket, request, SIOCSIFADDR, fmt::format("10.99.0.{}", host));
  set_address(socket, request, SIOCSIFNETMASK, "255.255.255.0");
  request.ifr_mtu = options.mtu;
  checked(ioctl(socket, SIOCSIFMTU, &request), "cannot set the MTU of a TUN device");
  // More packets than TCP's windows hold, so that the device drops none; who is not root keeps 500.
  request.ifr_qlen = 20000;
  ioctl(socket, SIOCSIFTXQLEN, &request);
  bring_up(socket, "link0");
  bring_up(socket, "lo");
  close(socket);
  // As most systems have it, and where it can be set; BBR would stop for 200 ms every 10 s, to measure the latency.
  write_file("/proc/sys/net/ipv4/tcp_congestion_control", "cubic");
  return device;
}

// A process that keeps a host's namespaces, and does nothing, until its parent ends.
pid_t keep_host() {
  const pid_t child = checked(fork(), "cannot start a process");
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

pid_t start(std::vector<std::string> command, const sigset_t& signals) {
  const pid_t child = checked(fork(), "cannot start a process");
  if (child != 0) return child;
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  std::signal(SIGINT, SIG_DFL);
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  fmt::print(stderr, "{}: {}\n", command[0], std::strerror(errno));
  _exit(127);
}

// Forwards until the command has ended. After the time limit, or at a signal to end, it has 5 s to do so.
int forward_until_ended(pid_t command, int signals, double limit, Switch& hub) {
  Clock::time_point until = Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(1e3 * limit));
  int reason = 0;
  for (;;) {
    int stop = hub.forward(signals, until) ? 0 : 124;
    signalfd_siginfo signal;
    while (read(signals, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGTERM) stop = 128 + SIGTERM;
    }
    int status = 0;
    while (const pid_t ended = waitpid(-1, &status, WNOHANG)) {
      if (ended < 0) break;
      if (ended != command) continue;
      if (reason != 0) return reason;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (stop == 0) continue;
    if (reason != 0) return reason;
    reason = stop;
    kill(command, SIGTERM);
    until = Clock::now() + std::chrono::seconds(5);
  }
}

void write_report(const std::string& file, const Switch& hub, Clock::duration taken) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  std::string sent;
  for (const Port& port : hub.ports()) sent += fmt::format("{}{}", sent.empty() ? "" : ", ", port.bytes_sent);
  std::FILE* out = std::fopen(file.c_str(), "w");
  if (out == nullptr) throw std::system_error(errno, std::generic_category(), file);
  fmt::print(out, "{{\"bytes_sent\": [{}], \"seconds\": {:.3f}, \"cpu_seconds\": {:.3f}}}\n", sent,
             std::chrono::duration<double>(taken).count(), seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::fclose(out);
}

// The first process of the namespace: makes the hosts, and is the network between them.
int run_hosts(const Options& options, const std::vector<std::string>& command) {
  sigset_t watched, before;
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigaddset(&watched, SIGTERM);
  sigprocmask(SIG_BLOCK, &watched, &before);
  const int signals = checked(signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC), "cannot wait for signals");
  checked(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "cannot make mounts private");
  checked(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "cannot mount /proc");
  checked(mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr), "cannot mount /dev/shm");
  std::vector<int> devices;
  std::string keepers;
  for (int host = options.hosts; host >= 1; --host) {
    devices.insert(devices.begin(), enter_new_host(host, options));
    if (host > 1) keepers = fmt::format("{} {}", keep_host(), keepers);
  }
  setenv("LONGHAND_HOSTS", keepers.c_str(), 1);
  const pid_t child = start(command, before);
  // Before other programs, and without the 50 microseconds that timers may be late; where it is not allowed, without.
  const sched_param priority{.sched_priority = 50};
  sched_setscheduler(0, SCHED_FIFO, &priority);
  prctl(PR_SET_TIMERSLACK, 1UL);
  const Clock::time_point begin = Clock::now();
  Switch hub(devices, options.mbit, options.ms);
  const int code = forward_until_ended(child, signals, options.limit, hub);
  if (!options.report.empty()) write_report(options.report, hub, Clock::now() - begin);
  return code;
}

void enter_namespaces() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  checked(unshare(CLONE_NEWPID | CLONE_NEWNS | (user == 0 ? 0 : CLONE_NEWUSER)), "cannot create namespaces");
  if (user == 0) return;
  write_file("/proc/self/setgroups", "deny");
  const bool mapped = write_file("/proc/self/uid_map", fmt::format("0 {} 1", user)) &&
                      write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
  checked(mapped ? 0 : -1, "cannot become root in a namespace");
}

int report_errors(int (*function)(const Options&, const std::vector<std::string>&), const Options& options,
                  const std::vector<std::string>& command) {
  try {
    return function(options, command);
  } catch (const Refused& error) {
    fmt::print(stderr, "this machine cannot emulate hosts: {}\n", error.what());
    return kCannotEmulate;
  } catch (const std::exception& error) {
    fmt::print(stderr, "longhand_link: {}\n", error.what());
    return 1;
  }
}

pid_t first_process = 0;

int run(const Options& options, const std::vector<std::string>& command) {
  enter_namespaces();
  std::signal(SIGINT, SIG_IGN);  // the command, which Ctrl-C reaches as well, decides what it does
  first_process = checked(fork(), "cannot start a process");
  if (first_process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(report_errors(run_hosts, options, command));
  }
  std::signal(SIGTERM, [](int signal) { kill(first_process, signal); });
  int status = 0;
  while (waitpid(first_process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace
}  // namespace longhand::bench

int main(int argc, char** argv) {
  longhand::bench::Options options;
  CLI::App app("Runs a command on the first of several hosts, joined by an emulated network, on one machine");
  const auto add = [&](const char* name, auto& value, const char* help, auto min, auto max) {
    app.add_option(name, value, help)->check(CLI::Range(min, max))->capture_default_str();
  };
  add("--hosts", options.hosts, "Number of hosts", 1, 254);
  add("--mbit", options.mbit, "Bandwidth of a host in each direction, in Mbit/s", 0.01, 1e6);
  add("--ms", options.ms, "Latency one way, in milliseconds", 0.0, 1e4);
  add("--mtu", options.mtu, "Maximum size of a packet in bytes", 576, 65000);
  add("--limit", options.limit, "Seconds after which all is ended, with exit code 124", 0.1, 1e6);
  app.add_option("--report", options.report, "File for bytes sent and processor time, as JSON");
  app.prefix_command();
  CLI11_PARSE(app, argc, argv);
  if (app.remaining().empty()) {
    fmt::print(stderr, "longhand_link: no command given\n");
    return 2;
  }
  return report_errors(longhand::bench::run, options, app.remaining());
}
