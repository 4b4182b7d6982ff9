#include "longhand/data/checked_blocks.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"

namespace longhand::data {

CheckedBlocks::CheckedBlocks(std::shared_ptr<const void> owner, std::string name, std::string_view region,
                             std::string_view checksums, Check check)
    : owner_(std::move(owner)),
      name_(std::move(name)),
      region_(region),
      checksums_(checksums),
      check_(std::move(check)),
      content_(0xcbf29ce484222325U) {
  const size_t blocks = (region.size() + kBlock - 1) / kBlock;
  LONGHAND_CHECK(checksums.size() == 4 * blocks);
  for (const char c : checksums_) content_ = (content_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  seen_ = std::make_unique<std::atomic<uint32_t>[]>(blocks);
}

void CheckedBlocks::check(int64_t block) const {
  const int64_t begin = block * kBlock;
  const std::string_view bytes = region_.substr(static_cast<size_t>(begin), kBlock);
  uint32_t expected = 0;
  std::memcpy(&expected, checksums_.data() + 4 * block, sizeof(expected));
  const uint32_t found = crc32c(bytes);
  if (found != expected) {
    throw input_error(fmt::format("{}: damaged: expected checksum {:08x} of block {} of its symbols, found {:08x}",
                                  name_, expected, block, found),
                      "prepare the text again, or use an intact copy");
  }
  check_(begin, begin + static_cast<int64_t>(bytes.size()));
}

void CheckedBlocks::enter(int64_t block) const {
  std::atomic<uint32_t>& seen = seen_[static_cast<size_t>(block)];
  if (seen.load() == 0) check(block);
  if (blocks_read_.fetch_add(1) + 1 >= kResident / kBlock) give_back();
  seen.store(period_.load(), std::memory_order_release);
}

// The pages stay in the system's cache, so that reading them again costs little.
void CheckedBlocks::give_back() const {
  blocks_read_ = 0;
  const uint32_t next = period_.load() + 1;
  period_ = next == 0 ? 1 : next;
  ::madvise(const_cast<char*>(region_.data()), region_.size(), MADV_DONTNEED);
}

}  // namespace longhand::data
