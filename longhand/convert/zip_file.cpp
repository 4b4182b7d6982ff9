#include "longhand/convert/zip_file.h"

#include <fmt/core.h>
#include <zip.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {
namespace {

constexpr uint64_t kLargestRatioOfZip = 64;          // numbers of trained models hardly become smaller
constexpr uint64_t kAlwaysAllowedInZip = 16U << 20;  // arrays of zeros become a thousand times smaller
constexpr zip_int64_t kMostEntries = 100'000;

Error bad_zip(const std::string& name, const std::string& problem) {
  return input_error(name + ": not a valid zip archive: " + problem,
                     "it is truncated, altered or of another format; use an intact copy");
}

std::string text_of(zip_error_t& error) {
  std::string out = zip_error_strerror(&error);
  zip_error_fini(&error);
  return out;
}

struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using SourcePointer = std::unique_ptr<zip_source_t, FreeSource>;

}  // namespace

struct ZipFile::Archive {
  zip_t* zip;
  std::map<std::string, zip_uint64_t> indices;
  explicit Archive(zip_t* opened) : zip(opened) {}
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;
  ~Archive() { zip_discard(zip); }
};

ZipFile::~ZipFile() = default;
ZipFile::ZipFile(ZipFile&&) noexcept = default;

ZipFile::ZipFile(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {
  zip_error_t error;
  zip_error_init(&error);
  // A short string's bytes would move with it.
  if (bytes_.size() < 22) throw bad_zip(name_, fmt::format("it has {} bytes", bytes_.size()));
  zip_source_t* source = zip_source_buffer_create(bytes_.data(), bytes_.size(), 0, &error);
  if (source == nullptr) throw bad_zip(name_, text_of(error));
  zip_t* zip = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (zip == nullptr) {
    zip_source_free(source);
    throw bad_zip(name_, text_of(error));
  }
  archive_ = std::make_unique<Archive>(zip);
  const zip_int64_t count = zip_get_num_entries(zip, 0);
  if (count > kMostEntries) throw bad_zip(name_, fmt::format("it has {} entries", count));
  const uint64_t limit = kLargestRatioOfZip * bytes_.size() + kAlwaysAllowedInZip;
  uint64_t total = 0;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip, static_cast<zip_uint64_t>(i), 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
      throw bad_zip(name_, fmt::format("its entry {} has no name or size", i));
    }
    const std::string entry = stat.name;
    const std::string shown = visible(std::string_view(entry).substr(0, 100));
    if (!entry.empty() && entry.back() == '/') continue;
    if (stat.encryption_method != ZIP_EM_NONE ||
        (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)) {
      throw input_error(
          fmt::format("{}: '{}' is encrypted or compressed with another method than deflate", name_, shown),
          "make the archive again without encryption");
    }
    if (__builtin_add_overflow(total, stat.size, &total) || total > limit) {
      throw input_error(fmt::format("{}: an archive of {} bytes with entries of more than {}: a zip bomb", name_,
                                    bytes_.size(), limit),
                        "if the arrays are really this large, save them without compression");
    }
    if (!sizes_.emplace(entry, stat.size).second) throw bad_zip(name_, "it has '" + shown + "' twice");
    archive_->indices[entry] = static_cast<zip_uint64_t>(i);
  }
}

std::string ZipFile::read(const std::string& entry) const {
  const auto found = archive_->indices.find(entry);
  if (found == archive_->indices.end()) {
    throw input_error(fmt::format("{}: expected an entry '{}', found none", name_, visible(entry)),
                      "it is incomplete or of another format; use an intact copy");
  }
  const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(archive_->zip, found->second, 0));
  if (!file) throw bad_zip(name_, fmt::format("'{}': {}", visible(entry), zip_strerror(archive_->zip)));
  // What the archive says of the size is not believed before it is seen.
  const uint64_t size = sizes_.at(entry);
  constexpr uint64_t kPiece = 1 << 24;
  std::string out;
  for (;;) {
    const auto begin = out.size();
    out.resize(begin + std::min(size - begin, kPiece) + (size == begin ? 1 : 0));
    const zip_int64_t got = zip_fread(file.get(), out.data() + begin, out.size() - begin);
    if (got < 0) {
      throw bad_zip(name_, fmt::format("'{}': {}", visible(entry), zip_file_strerror(file.get())));
    }
    out.resize(begin + static_cast<size_t>(got));
    if (out.size() > size || (got == 0 && out.size() < size)) {
      throw bad_zip(name_, fmt::format("'{}' should have {} bytes", visible(entry), size));
    }
    if (got == 0) return out;
  }
}

std::string zip_bytes(const std::vector<std::pair<std::string, std::string>>& entries, Compression compression) {
  zip_error_t error;
  zip_error_init(&error);
  const auto failed = [&](zip_t* zip) {
    const std::string why = zip != nullptr ? zip_strerror(zip) : text_of(error);
    if (zip != nullptr) zip_discard(zip);
    return input_error("cannot make a zip archive: " + why, "give each array a name of its own");
  };
  const SourcePointer whole(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!whole) throw failed(nullptr);
  zip_source_keep(whole.get());  // closing the archive gives up one reference
  zip_t* zip = zip_open_from_source(whole.get(), ZIP_TRUNCATE, &error);
  if (zip == nullptr) {
    zip_source_free(whole.get());
    throw failed(nullptr);
  }
  const zip_int32_t method = compression == Compression::kDeflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
  for (const auto& [name, contents] : entries) {
    zip_source_t* source = zip_source_buffer(zip, contents.data(), contents.size(), 0);
    const zip_int64_t index = source == nullptr ? -1 : zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      if (source != nullptr) zip_source_free(source);
      throw failed(zip);
    }
    // The first of January 1980, where the format's time begins.
    zip_file_set_dostime(zip, static_cast<zip_uint64_t>(index), 0, 0x21, 0);
    zip_set_file_compression(zip, static_cast<zip_uint64_t>(index), method, 0);
  }
  if (zip_close(zip) != 0) throw failed(zip);
  zip_stat_t stat;
  if (zip_source_stat(whole.get(), &stat) != 0 || zip_source_open(whole.get()) != 0) throw failed(nullptr);
  std::string out(stat.size, '\0');
  const zip_int64_t got = zip_source_read(whole.get(), out.data(), out.size());
  zip_source_close(whole.get());
  if (got != static_cast<zip_int64_t>(out.size())) throw failed(nullptr);
  return out;
}

bool looks_like_zip(std::string_view bytes) {
  return bytes.substr(0, 4) == std::string_view("PK\x03\x04", 4) ||
         bytes.substr(0, 4) == std::string_view("PK\x05\x06", 4);
}

}  // namespace longhand::convert
