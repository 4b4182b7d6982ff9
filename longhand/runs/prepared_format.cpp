#include "longhand/runs/prepared_format.h"

#include <fmt/core.h>

#include <bit>
#include <cstring>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"
#include "longhand/data/checked_blocks.h"

namespace longhand::runs {
namespace {

static_assert(std::endian::native == std::endian::little);

// Offsets in the header.
constexpr size_t kVersionAt = 8, kCrcAt = 12, kFieldsAt = 16;

// Visits the fields in the order of the file.
template <class Header, class Visit>
void for_each_field(Header& header, const Visit& visit) {
  for (auto* number : {&header.symbols, &header.sequences, &header.unknowns, &header.skipped, &header.about_bytes}) {
    visit(*number);
  }
  for (auto* number : {&header.symbol_bytes, &header.unknown_bytes, &header.about_crc, &header.table_crc}) {
    visit(*number);
  }
}

uint32_t crc_of(std::string header) {
  header.replace(kCrcAt, 4, 4, '\0');
  return crc32c(header);
}

bool is_width(uint32_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4; }

}  // namespace

int64_t PreparedHeader::table_bytes() const {
  constexpr int64_t kBlock = data::CheckedBlocks::kBlock;
  return (region_bytes() + kBlock - 1) / kBlock * 4;
}

std::string PreparedHeader::to_bytes() const {
  std::string out(static_cast<size_t>(kPage), '\0');
  out.replace(0, kPreparedMagic.size(), kPreparedMagic);
  std::memcpy(out.data() + kVersionAt, &kPreparedVersion, sizeof(kPreparedVersion));
  size_t at = kFieldsAt;
  for_each_field(*this, [&](const auto& number) {
    std::memcpy(out.data() + at, &number, sizeof(number));
    at += sizeof(number);
  });
  const uint32_t crc = crc_of(out);
  std::memcpy(out.data() + kCrcAt, &crc, sizeof(crc));
  return out;
}

PreparedHeader PreparedHeader::from_bytes(std::string_view bytes, const std::string& path) {
  const auto damaged = [&](const std::string& problem) {
    return input_error(path + ": " + problem, "prepare the text again, or use an intact copy");
  };
  if (!bytes.starts_with(kPreparedMagic)) {
    throw input_error(path + ": expected a prepared text, found something else",
                      "prepare one with `longhand data prepare`");
  }
  if (bytes.size() < static_cast<size_t>(kPage)) {
    throw damaged(fmt::format("truncated: expected a header of {} bytes, found {}", kPage, bytes.size()));
  }
  uint32_t version = 0, crc = 0;
  std::memcpy(&version, bytes.data() + kVersionAt, sizeof(version));
  if (version != kPreparedVersion) {
    throw input_error(
        fmt::format("{}: expected version {} of prepared texts, found {}", path, kPreparedVersion, version),
        "prepare the text again with this version of longhand");
  }
  std::memcpy(&crc, bytes.data() + kCrcAt, sizeof(crc));
  if (crc != crc_of(std::string(bytes.substr(0, static_cast<size_t>(kPage))))) {
    throw damaged("damaged: the checksum of its header is wrong");
  }
  PreparedHeader out;
  size_t at = kFieldsAt;
  bool good = true;
  const auto size = static_cast<int64_t>(bytes.size());
  for_each_field(out, [&](auto& number) {
    std::memcpy(&number, bytes.data() + at, sizeof(number));
    at += sizeof(number);
    if constexpr (sizeof(number) == 8) good = good && number >= 0;
  });
  // Nothing is larger than the file, so that no size overflows.
  good = good && is_width(out.symbol_bytes) && is_width(out.unknown_bytes) && out.symbols <= size &&
         out.sequences <= out.symbols && out.unknowns <= out.symbols && out.about_bytes <= size &&
         size < INT64_MAX / 64;
  if (!good) throw damaged("damaged: its header says what cannot be");
  if (out.file_bytes() != size) {
    throw damaged(fmt::format("{}: expected {} bytes, found {}", out.file_bytes() > size ? "truncated" : "damaged",
                              out.file_bytes(), size));
  }
  return out;
}

}  // namespace longhand::runs
