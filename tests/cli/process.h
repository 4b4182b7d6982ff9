// Running the binary as a user would, for the tests of the command line.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "tests/testing.h"

namespace longhand::cli {

using io::read_file;
using io::write_file;
using testing::TemporaryFolder;

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

struct Limits {
  std::string input;       // standard input
  int signal = 0;          // sent when a checkpoint of the run is on the disk
  std::string checkpoint;  // whose appearance to wait for,
  bool trained = false;    // and, if so, for a step in it,
  std::string said;        // or for these words on standard error,
  int milliseconds = 300;  // and then so long
  rlim_t file_size = 0;    // largest file that may be written
};

/// The steps that the checkpoint of a run has made, and its whole epochs.
inline int64_t steps_made(const std::string& checkpoint) {
  return nlohmann::json::parse(io::Safetensors::read(checkpoint).text("state"))["step"];
}
inline int64_t epochs_made(const std::string& checkpoint) {
  return nlohmann::json::parse(io::Safetensors::read(checkpoint).text("state"))["epoch"];
}

/// Runs a program, the first of the words, in `folder`.
inline Result run_program(const TemporaryFolder& folder, std::vector<std::string> words, const Limits& limits = {}) {
  write_file(folder / "stdin", limits.input);
  write_file(folder / "stderr", "");  // not that of an earlier run
  const pid_t child = ::fork();
  if (child == 0) {
    const auto redirect = [&](const char* name, int fd, int flags) {
      const int file = ::open((folder / name).c_str(), flags, 0644);
      ::dup2(file, fd);
    };
    redirect("stdin", 0, O_RDONLY);
    redirect("stdout", 1, O_WRONLY | O_CREAT | O_TRUNC);
    redirect("stderr", 2, O_WRONLY | O_CREAT | O_TRUNC);
    if (::chdir(folder.string().c_str()) != 0) ::_exit(99);
    if (limits.file_size > 0) {
      const rlimit limit{limits.file_size, limits.file_size};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(99);
  }
  if (limits.signal != 0) {
    const auto ready = [&] {
      if (!limits.said.empty()) {
        return read_file(folder / "stderr").find(limits.said) != std::string::npos;
      }
      const std::string file = folder / limits.checkpoint;
      return io::exists(file) && (!limits.trained || steps_made(file) > 0);
    };
    for (int i = 0; i < 6000 && !ready(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(limits.milliseconds));
    ::kill(child, limits.signal);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  Result result;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(folder / "stdout");
  result.err = read_file(folder / "stderr");
  return result;
}

/// Runs the binary in `folder`.
inline Result run(const TemporaryFolder& folder, std::vector<std::string> words, const Limits& limits = {}) {
  words.insert(words.begin(), LONGHAND_BINARY);
  return run_program(folder, std::move(words), limits);
}

/// An error is two lines on stderr, nothing on stdout.
inline void expect_error(const Result& result, int code, const std::string& fragment) {
  EXPECT_EQ(result.code, code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 2) << result.err;
  EXPECT_TRUE(result.err.starts_with("error: ")) << result.err;
  EXPECT_NE(result.err.find(fragment), std::string::npos) << result.err << "\nlacks: " << fragment;
}

inline const std::vector<std::string> kSmall = {"train",    "lm",       "--data", "tale",    "--max-tokens",
                                                "3000",     "--hidden", "24",     "--embed", "8",
                                                "--epochs", "2",        "--out",  "run"};

inline std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace longhand::cli
