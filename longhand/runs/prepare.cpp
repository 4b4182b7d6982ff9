#include "longhand/runs/prepare.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/runs/prepared_format.h"

namespace longhand::runs {
namespace {

uint32_t width_for(int64_t values) { return values <= 1 << 8 ? 1 : values <= 1 << 16 ? 2 : 4; }

template <class To, class From>
void pack_as(const From* from, size_t count, std::string& out) {
  out.resize(count * sizeof(To));
  for (size_t i = 0; i < count; ++i) {
    const auto value = static_cast<To>(from[i]);
    std::memcpy(out.data() + i * sizeof(To), &value, sizeof(To));
  }
}

template <class From>
void pack(const From* from, size_t count, uint32_t width, std::string& out) {
  switch (width) {
    case 1: pack_as<uint8_t>(from, count, out); break;
    case 2: pack_as<uint16_t>(from, count, out); break;
    case 4: pack_as<uint32_t>(from, count, out); break;
    default: pack_as<uint64_t>(from, count, out); break;
  }
}

// The checksums of the blocks of what it is given, piece after piece.
class BlockSums {
 public:
  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t taken = std::min(bytes.size(), static_cast<size_t>(data::CheckedBlocks::kBlock) - filled_);
      crc_ = crc32c(bytes.substr(0, taken), crc_);
      filled_ += taken;
      bytes.remove_prefix(taken);
      if (filled_ == static_cast<size_t>(data::CheckedBlocks::kBlock)) close();
    }
  }
  std::string finish() {
    if (filled_ > 0) close();
    return std::move(table_);
  }

 private:
  void close() {
    table_.append(reinterpret_cast<const char*>(&crc_), sizeof(crc_));
    crc_ = 0;
    filled_ = 0;
  }

  std::string table_;
  uint32_t crc_ = 0;
  size_t filled_ = 0;
};

// Calls use(piece) for bytes that were written, in pieces.
template <class File, class Use>
void read_pieces(const File& from, int64_t begin, int64_t bytes, const Use& use) {
  std::string piece;
  for (int64_t at = 0; at < bytes; at += static_cast<int64_t>(piece.size())) {
    piece.resize(static_cast<size_t>(std::min<int64_t>(bytes - at, TextFile::kBlock)));
    from.read_back(static_cast<uint64_t>(begin + at), piece);
    use(piece);
  }
}

// Turns `count` numbers around that were written at `begin`: pieces from both ends change places.
template <class File>
void reverse_written(File& file, int64_t begin, int64_t count, uint32_t width) {
  const auto turned = [&](std::string& piece) {
    for (size_t a = 0, b = piece.size() / width; a + 1 < b; ++a) {
      --b;
      std::swap_ranges(piece.begin() + static_cast<std::ptrdiff_t>(a * width),
                       piece.begin() + static_cast<std::ptrdiff_t>((a + 1) * width),
                       piece.begin() + static_cast<std::ptrdiff_t>(b * width));
    }
  };
  std::string front, back;
  for (int64_t first = 0, last = count; first < last;) {
    const int64_t both = std::min<int64_t>((last - first + 1) / 2, 1 << 18);  // the middle one twice
    front.resize(static_cast<size_t>(both * width));
    back.resize(front.size());
    const auto front_at = static_cast<uint64_t>(begin + first * width);
    const auto back_at = static_cast<uint64_t>(begin + (last - both) * width);
    file.read_back(front_at, front);
    file.read_back(back_at, back);
    turned(front);
    turned(back);
    file.rewrite(front_at, back);
    file.rewrite(back_at, front);
    first += both;
    last -= both;
  }
}

// Writes the file: symbols as they come, what else is known of them beside it until all are there.
class PreparedWriter {
 public:
  PreparedWriter(const TextFile& text, const data::Vocabulary& vocabulary, bool add_unknown, const std::string& path)
      : text_(text),
        options_(text.options().text),
        encoder_(options_, vocabulary, data::parse_unknown(text.options().unknown), text.name()),
        out_(path),
        starts_(path),
        lengths_(path) {
    if (!out_.can_rewrite()) {
      throw input_error(out_.name() + ": expected the name of a file, found a pipe or a device", "name a file");
    }
    header_.symbol_bytes = width_for(vocabulary.size());
    header_.unknown_bytes = 4;
    const std::string about = about_text(vocabulary, add_unknown);
    header_.about_bytes = static_cast<int64_t>(about.size());
    header_.about_crc = crc32c(about);
    out_.write(std::string(static_cast<size_t>(kPage), '\0'));
    out_.write(about);
    out_.write(std::string(static_cast<size_t>(header_.region()) - out_.position(), '\0'));
  }

  void add(const data::ScannedSymbol& symbol) { encoder_.add(symbol); }

  // Stores what is final.
  void end_of_block() {
    pack(encoder_.symbols.data(), encoder_.final_symbols(), header_.symbol_bytes, packed_);
    append(packed_);
    pack(encoder_.unknown_lengths.data(), encoder_.final_lengths(), 4, packed_);
    lengths_.write(packed_);
    header_.unknowns += static_cast<int64_t>(encoder_.final_lengths());
    if (options_.lines) {
      pack(encoder_.starts.data(), encoder_.starts.size(), 8, packed_);
      starts_.write(packed_);
      header_.sequences += static_cast<int64_t>(encoder_.starts.size());
    }
    encoder_.clear();
  }

  void finish() {
    encoder_.finish();
    end_of_block();
    header_.symbols = encoder_.size();
    header_.skipped = encoder_.skipped;
    if (header_.symbols == 0) {
      throw input_error(text_.name() + ": expected a text, found nothing", "give a text with some symbols in it");
    }
    if (turns()) {
      reverse_written(out_, header_.region(), header_.symbols, header_.symbol_bytes);
      reverse_written(lengths_, 0, header_.unknowns, 4);
      read_pieces(out_, header_.region(), header_.symbols * header_.symbol_bytes,
                  [&](std::string_view piece) { sums_.add(piece); });
    }
    pad_to(header_.starts());
    if (header_.sequences > 0) {
      pack(&header_.symbols, 1, 8, packed_);
      starts_.write(packed_);
      read_pieces(starts_, 0, header_.starts_bytes(), [&](std::string_view piece) { append_summed(piece); });
    }
    pad_to(header_.lengths());
    // As narrow as the longest one allows.
    read_pieces(lengths_, 0, 4 * header_.unknowns, [&](std::string_view piece) { widest_length(piece); });
    header_.unknown_bytes = width_for(longest_ + 1);
    read_pieces(lengths_, 0, 4 * header_.unknowns, [&](const std::string& piece) {
      pack(reinterpret_cast<const uint32_t*>(piece.data()), piece.size() / 4, header_.unknown_bytes, packed_);
      append_summed(packed_);
    });
    pad_to(header_.region_bytes());
    const std::string table = sums_.finish();
    header_.table_crc = crc32c(table);
    out_.write(table);
    out_.rewrite(0, header_.to_bytes());
    if (!(source_of(text_.path(), text_.name()) == text_.source())) {
      throw input_error(text_.name() + ": the text changed while it was prepared", "prepare it again");
    }
    out_.finish();
  }

 private:
  std::string about_text(const data::Vocabulary& vocabulary, bool add_unknown) const {
    const PrepareOptions& options = text_.options();
    data::TextOptions how = options.text;
    OptionTable table;
    how.add_to(table);
    const nlohmann::ordered_json about = {{"text", io::to_json(table)},
                                          {"max-tokens", options.max_tokens},
                                          {"unknown", options.unknown},
                                          {"add-unknown", add_unknown ? 1 : 0},
                                          {"source",
                                           {{"name", visible(text_.source().name)},
                                            {"bytes", text_.source().bytes},
                                            {"modified", text_.source().modified}}},
                                          {"vocabulary", vocabulary.to_json()}};
    return about.dump();
  }

  // A text without lines is turned around as a whole, once it is there.
  bool turns() const { return options_.reverse && !options_.lines; }
  void append(std::string_view bytes) {
    out_.write(bytes);
    if (!turns()) sums_.add(bytes);
  }
  void append_summed(std::string_view bytes) {
    out_.write(bytes);
    sums_.add(bytes);
  }
  // Up to this offset in the region.
  void pad_to(int64_t offset) {
    append_summed(std::string(static_cast<size_t>(header_.region() + offset) - out_.position(), '\0'));
  }
  void widest_length(std::string_view piece) {
    for (size_t i = 0; i < piece.size(); i += 4) {
      uint32_t value = 0;
      std::memcpy(&value, piece.data() + i, 4);
      longest_ = std::max<int64_t>(longest_, value);
    }
  }

  const TextFile& text_;
  const data::TextOptions& options_;
  data::Encoder encoder_;
  io::OutputStream out_;
  io::ScratchFile starts_, lengths_;
  PreparedHeader header_;
  BlockSums sums_;
  std::string packed_;
  int64_t longest_ = 0;
};

}  // namespace

TextSource source_of(const std::string& path, const std::string& name) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {name, 0, 0};
  return {name, static_cast<int64_t>(status.st_size),
          int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

TextFile::TextFile(std::string path, std::string name, PrepareOptions options, OnRead on_read, size_t block)
    : path_(std::move(path)),
      name_(std::move(name)),
      options_(std::move(options)),
      on_read_(std::move(on_read)),
      block_(block),
      source_(source_of(path_, name_)) {
  if (options_.max_tokens > 0) end_ = find_end();
}

int64_t TextFile::find_end() const {
  data::SymbolLimit limit(options_.text, options_.max_tokens);
  scan([&](const data::ScannedSymbol& symbol) { return limit.add(symbol); }, [] {});
  return limit.reached() ? limit.end() : -1;
}

void TextFile::read_block(int64_t done) const {
  if (!on_read_ || on_read_(done, source_.bytes)) return;
  throw Error(ExitCode::kInterrupted, name_ + ": stopped while the text was prepared",
              "nothing was written; run the same command again");
}

data::Vocabulary TextFile::vocabulary(bool add_unknown) const {
  data::SymbolCounts counts(options_.text);
  scan(
      [&](const data::ScannedSymbol& symbol) {
        counts.add(symbol);
        return true;
      },
      [] {});
  return counts.vocabulary(add_unknown);
}

bool TextFile::has_unknown(const data::Vocabulary& vocabulary) const {
  bool found = false;
  scan(
      [&](const data::ScannedSymbol& symbol) {
        const bool ends_line = options_.text.lines && symbol.text == "\n";
        found = found || (!ends_line && vocabulary.find(symbol.text) < 0);
        return !found;
      },
      [] {});
  return found;
}

void TextFile::prepare(const data::Vocabulary& vocabulary, bool add_unknown, const std::string& out) const {
  PreparedWriter writer(*this, vocabulary, add_unknown, out);
  scan(
      [&](const data::ScannedSymbol& symbol) {
        writer.add(symbol);
        return true;
      },
      [&] { writer.end_of_block(); });
  writer.finish();
}

}  // namespace longhand::runs
