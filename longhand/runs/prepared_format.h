// The bytes of a prepared text: header and layout, for its reader and its writer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace longhand::runs {

inline constexpr std::string_view kPreparedMagic = "\x89LHSYM\r\n";
inline constexpr uint32_t kPreparedVersion = 1;
inline constexpr int64_t kPage = 4096;  ///< every section begins at a multiple of it

/// Everything of fixed size. All numbers are little-endian.
struct PreparedHeader {
  int64_t symbols = 0;
  int64_t sequences = 0;  ///< with `lines`; else 0
  int64_t unknowns = 0;   ///< symbols that were read as <unk>
  int64_t skipped = 0;    ///< symbols that were left out
  int64_t about_bytes = 0;
  uint32_t symbol_bytes = 1;   ///< of each symbol: 1, 2 or 4
  uint32_t unknown_bytes = 1;  ///< of the length of each replaced symbol
  uint32_t about_crc = 0;      ///< of the JSON text
  uint32_t table_crc = 0;      ///< of the checksums of the blocks

  // Where the sections begin, in the order of the file: the JSON text at kPage, the region that the checksums are of
  // (symbols, starts, lengths), the checksums. Starts and lengths count from the region's beginning.
  int64_t region() const { return up(kPage + about_bytes); }
  int64_t starts() const { return up(symbols * symbol_bytes); }
  int64_t starts_bytes() const { return sequences > 0 ? 8 * (sequences + 1) : 0; }
  int64_t lengths() const { return up(starts() + starts_bytes()); }
  int64_t region_bytes() const { return up(lengths() + unknowns * unknown_bytes); }
  int64_t table_bytes() const;
  int64_t file_bytes() const { return region() + region_bytes() + table_bytes(); }

  /// [kPage] bytes.
  std::string to_bytes() const;
  /// Reads the first page of a file of `file_bytes`. Throws an input error naming `path` where it is not what a writer
  /// writes, or of a file of another size.
  static PreparedHeader from_bytes(std::string_view bytes, const std::string& path);

  static int64_t up(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
};

}  // namespace longhand::runs
