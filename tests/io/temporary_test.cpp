// Temporary files: whose they are, and that those of processes that were killed go.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "longhand/base/error.h"
#include "longhand/io/byte_stream.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::io {
namespace {

// Of processes of this machine that are gone, and of no others.
TEST(TemporaryFile, RemovesTemporariesOfKilledProcesses) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "text";
  const pid_t child = ::fork();
  if (child == 0) {
    const OutputStream half(path);
    std::_Exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(folder.string()), {}); };
  EXPECT_EQ(files(), 1);
  write_file(path + ".tmp-12345678-1", "of another machine");
  EXPECT_TRUE(is_temporary("text.tmp-12345678-1") && is_temporary("text.tmp-77"));
  EXPECT_FALSE(is_temporary("text.tmp-") || is_temporary("text.tmp-12345678-") || is_temporary("text.tmp-1x"));
  OutputStream other(path);  // whose process lives
  EXPECT_EQ(files(), 2);
  remove_stale_temporaries(path);
  EXPECT_EQ(files(), 2);
  other.write("whole");
  other.finish();
  EXPECT_EQ(read_file(path), "whole");
  EXPECT_TRUE(exists(path + ".tmp-12345678-1"));
}

TEST(TemporaryFile, AScratchFileHasNoName) {
  const testing::TemporaryFolder folder;
  ScratchFile file(folder / "text");
  EXPECT_TRUE(std::filesystem::is_empty(folder.string()));
  file.write("some words");
  file.rewrite(5, "W");
  std::string back(5, '\0');
  file.read_back(5, back);
  EXPECT_EQ(back, "Words");
  EXPECT_EQ(read_file(file.path()), "some Words");
  EXPECT_THROW(ScratchFile(folder / "none/text"), Error);
}

}  // namespace
}  // namespace longhand::io
