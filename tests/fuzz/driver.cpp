// Gives a target to libFuzzer. Its seeds become files of a temporary folder, the fuzzer's corpus.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "longhand/base/error.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static std::string folder = (std::filesystem::temp_directory_path() / "longhand-fuzz-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  std::atexit([] {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  });
  size_t number = 0;
  for (const std::string& seed : longhand::fuzz::seeds()) {
    std::ofstream(folder + "/" + std::to_string(number++), std::ios::binary) << seed;
  }
  static std::vector<char*> words(*argv, *argv + *argc);
  words.push_back(folder.data());
  words.push_back(nullptr);
  *argv = words.data();
  ++*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    longhand::fuzz::read({reinterpret_cast<const char*>(data), size});
  } catch (const longhand::Error&) {
  }
  return 0;
}
