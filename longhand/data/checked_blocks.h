// A mapped file that is read in places: each block is checked when it is first read, and pages that were read do not
// stay in this process' memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace longhand::data {

class CheckedBlocks {
 public:
  static constexpr int64_t kBlock = 1 << 16;           ///< bytes that a checksum is of
  static constexpr int64_t kResident = 1024 * kBlock;  ///< bytes read after which their pages are given back: 64 MiB

  /// What to check of the bytes begin .. end - 1 of the region when their checksum is right. Throws an input error.
  using Check = std::function<void(int64_t begin, int64_t end)>;

  /// `region`, which begins where a page does, is kept mapped by `owner`. `checksums` are the CRC-32C of each of its
  /// blocks, 4 bytes each, little-endian. `name` stands for the file in errors.
  CheckedBlocks(std::shared_ptr<const void> owner, std::string name, std::string_view region,
                std::string_view checksums, Check check);

  /// The bytes begin .. begin + bytes - 1 of the region. They stay where they are as long as this lives. Throws an
  /// input error where a checksum is wrong. Several threads may read.
  const char* at(int64_t begin, int64_t bytes) const {
    if (bytes > 0) {
      for (int64_t block = begin / kBlock; block <= (begin + bytes - 1) / kBlock; ++block) {
        if (seen_[static_cast<size_t>(block)].load(std::memory_order_acquire) != period_.load()) enter(block);
      }
    }
    return region_.data() + begin;
  }

  /// Of all checksums: the same where the region has the same bytes.
  uint64_t content() const { return content_; }
  const std::string& name() const { return name_; }

 private:
  void enter(int64_t block) const;
  void check(int64_t block) const;
  void give_back() const;

  std::shared_ptr<const void> owner_;
  std::string name_;
  std::string_view region_;
  std::string_view checksums_;
  Check check_;
  uint64_t content_ = 0;
  // Of each block: 0 until it was checked, then the period in which it was last read. A period ends where pages are
  // given back.
  std::unique_ptr<std::atomic<uint32_t>[]> seen_;
  mutable std::atomic<uint32_t> period_{1};
  mutable std::atomic<int64_t> blocks_read_{0};  // in this period
};

}  // namespace longhand::data
