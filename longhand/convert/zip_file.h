// Zip archives in memory, as .npz, .pt and .keras files are, with libzip. Stored and deflated entries.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhand::convert {

/// An archive that is read.
class ZipFile {
 public:
  /// Throws an input error for bytes that are no intact archive, an entry twice, an encrypted entry, a method of
  /// compression but deflate, and entries that together become larger than 64 times the archive and 16 MiB.
  ZipFile(std::string name, std::string bytes);
  ~ZipFile();
  ZipFile(ZipFile&&) noexcept;
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  /// Bytes of each entry, by name; folders are left out.
  const std::map<std::string, uint64_t>& entries() const { return sizes_; }
  bool has(const std::string& entry) const { return sizes_.count(entry) > 0; }
  /// The contents of an entry, checksum verified. Throws an input error if there is none of that name, or it is
  /// damaged.
  std::string read(const std::string& entry) const;
  /// The archive's name and its size, in bytes.
  const std::string& name() const { return name_; }
  uint64_t size() const { return bytes_.size(); }

 private:
  struct Archive;

  std::string name_, bytes_;
  std::unique_ptr<Archive> archive_;
  std::map<std::string, uint64_t> sizes_;
};

enum class Compression { kNone, kDeflate };

/// The bytes of an archive of these entries, names and contents. The same entries give the same bytes.
std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& entries,
                      Compression compression = Compression::kDeflate);

/// Whether bytes begin as a zip archive does.
bool looks_like_zip(std::string_view bytes);

}  // namespace longhand::convert
