#include "longhand/runs/prepared_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/mapped_file.h"
#include "longhand/runs/prepared_format.h"

namespace longhand::runs {
namespace {

Error damaged_text(const std::string& path, const std::string& problem) {
  return input_error(path + ": damaged: " + problem, "prepare the text again, or use an intact copy");
}

// Symbols that the vocabulary lacks.
template <class T>
bool all_below(std::string_view bytes, int64_t limit) {
  bool good = true;
  for (size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    T value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    good = good && static_cast<int64_t>(value) < limit;
  }
  return good;
}

// What a right checksum does not say: that symbols are in the vocabulary, and lines follow one another.
class Contents {
 public:
  Contents(const PreparedHeader& header, std::string_view region, int64_t vocabulary, std::string path)
      : header_(header), region_(region), vocabulary_(vocabulary), path_(std::move(path)) {}

  void operator()(int64_t begin, int64_t end) const {
    check_symbols(begin, std::min(end, header_.symbols * header_.symbol_bytes));
    check_starts(std::max(begin, header_.starts()), std::min(end, header_.starts() + header_.starts_bytes()));
    // Lengths of any value are counts of characters.
  }

 private:
  void check_symbols(int64_t begin, int64_t end) const {
    if (begin >= end) return;
    const std::string_view bytes = region_.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    const bool good = header_.symbol_bytes == 1   ? all_below<uint8_t>(bytes, vocabulary_)
                      : header_.symbol_bytes == 2 ? all_below<uint16_t>(bytes, vocabulary_)
                                                  : all_below<uint32_t>(bytes, vocabulary_);
    if (!good) throw damaged_text(path_, "it has symbols that its vocabulary lacks");
  }

  int64_t start(int64_t at) const {
    int64_t value = 0;
    std::memcpy(&value, region_.data() + at, sizeof(value));
    return value;
  }

  // Each line has at least its <bos> and its <eos>.
  void check_starts(int64_t begin, int64_t end) const {
    const int64_t last = header_.starts() + header_.starts_bytes() - 8;
    for (int64_t at = begin; at < end; at += 8) {
      const int64_t value = start(at);
      bool good = value >= 0 && (at == last ? value == header_.symbols : value <= header_.symbols);
      good = good && (at == header_.starts() ? value == 0 : value - 2 >= start(at - 8));
      if (!good) throw damaged_text(path_, "its lines do not follow one another");
    }
  }

  PreparedHeader header_;
  std::string_view region_;
  int64_t vocabulary_;
  std::string path_;
};

}  // namespace

bool PreparedText::begins_one(std::string_view bytes) { return bytes.starts_with(kPreparedMagic); }

bool PreparedText::is_one(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::string begins(kPreparedMagic.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  return file.read(begins.data(), static_cast<std::streamsize>(begins.size())) && begins_one(begins);
}

void PreparedText::read_about(std::string_view json) {
  const nlohmann::json about = io::parse_json(json, path_);
  const auto find = [&](const nlohmann::json& in, const char* name) -> const nlohmann::json& {
    if (!in.is_object() || !in.contains(name)) throw damaged_text(path_, fmt::format("it has no `{}`", name));
    return in[name];
  };
  const auto number = [&](const nlohmann::json& in, const char* name) {
    const nlohmann::json& value = find(in, name);
    if (!value.is_number_integer()) throw damaged_text(path_, fmt::format("its `{}` is no number", name));
    return value.get<int64_t>();
  };
  const auto text = [&](const nlohmann::json& in, const char* name) {
    const nlohmann::json& value = find(in, name);
    if (!value.is_string()) throw damaged_text(path_, fmt::format("its `{}` is no text", name));
    return value.get<std::string>();
  };
  OptionTable table;
  options_.text.add_to(table);
  io::from_json(find(about, "text"), path_, table);
  options_.max_tokens = number(about, "max-tokens");
  options_.unknown = text(about, "unknown");
  options_.add_unknown = number(about, "add-unknown") != 0;
  const nlohmann::json& source = find(about, "source");
  source_ = {text(source, "name"), number(source, "bytes"), number(source, "modified")};
  vocabulary_ = std::make_shared<data::Vocabulary>(data::Vocabulary::from_json(find(about, "vocabulary"), path_));
  data::check_special_symbols(*vocabulary_, options_.text, path_);
}

PreparedText PreparedText::open(const std::string& path) {
  PreparedText out;
  out.path_ = path;
  const auto file = std::make_shared<io::MappedFile>(path);
  const std::string_view bytes = file->bytes();
  const PreparedHeader header = PreparedHeader::from_bytes(bytes, path);
  const auto section = [&](int64_t begin, int64_t size) {
    return bytes.substr(static_cast<size_t>(begin), static_cast<size_t>(size));
  };
  const std::string_view about = section(kPage, header.about_bytes);
  const std::string_view region = section(header.region(), header.region_bytes());
  const std::string_view table = section(header.region() + header.region_bytes(), header.table_bytes());
  if (crc32c(about) != header.about_crc) throw damaged_text(path, "the checksum of its vocabulary is wrong");
  if (crc32c(table) != header.table_crc) throw damaged_text(path, "the checksum of its checksums is wrong");
  out.read_about(about);
  if (out.options_.text.lines != (header.sequences > 0) && header.symbols > 0) {
    throw damaged_text(path, "expected lines with `lines`, and nowhere else");
  }
  const auto blocks = std::make_shared<const data::CheckedBlocks>(
      file, path, region, table, Contents(header, region, out.vocabulary().size(), path));
  const auto count = [](int64_t n) { return static_cast<size_t>(n); };
  out.corpus_.symbols = data::Symbols(blocks, 0, static_cast<int>(header.symbol_bytes), count(header.symbols));
  if (header.sequences > 0) {
    out.corpus_.starts = data::Integers<int64_t>(blocks, header.starts(), 8, count(header.sequences + 1));
  } else {
    out.corpus_.starts = {0, header.symbols};
  }
  out.corpus_.unknown_lengths =
      data::Integers<int32_t>(blocks, header.lengths(), static_cast<int>(header.unknown_bytes), count(header.unknowns));
  out.corpus_.skipped = header.skipped;
  out.bytes_ = static_cast<int64_t>(bytes.size());
  out.symbol_bytes_ = static_cast<int>(header.symbol_bytes);
  return out;
}

void PreparedText::verify() const {
  corpus_.symbols.for_each_piece([](std::span<const int32_t>) {});
  if (!corpus_.starts.in_memory()) corpus_.starts.for_each_piece([](std::span<const int64_t>) {});
  corpus_.unknown_lengths.for_each_piece([](std::span<const int32_t>) {});
}

}  // namespace longhand::runs
