// The files of baselines, of every kind.
#include "longhand/io/file.h"
#include "tests/baselines/kinds.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  const std::string path = "/dev/shm/longhand-fuzz-seed-" + std::to_string(::getpid());
  std::vector<std::string> out;
  for (const baselines::BaselineWriter& writer : baselines::all_kinds()) {
    writer.write(path);
    out.push_back(io::read_file(path));
  }
  ::unlink(path.c_str());
  return out;
}

void read(std::string_view bytes) {
  const MemoryFile in_memory(bytes);
  baselines::read_and_ask(baselines::BaselineFile::read(in_memory.path()));
}

}  // namespace longhand::fuzz
