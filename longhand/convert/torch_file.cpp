#include "longhand/convert/torch_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/io/file.h"

namespace longhand::convert {
namespace {

constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);  // 0x1950a86a20f9469cfc6c
constexpr std::string_view kPickleEntry = "data.pkl";

Error bad_torch(const std::string& name, const std::string& problem) {
  return input_error(name + ": not a valid file of torch.save: " + problem,
                     "it is truncated, altered or of another format; in Python: torch.save(model.state_dict(), "
                     "'weights.pt')");
}

// Bytes that a storage has; nothing where that overflows.
std::optional<uint64_t> storage_size(const TorchStorage& storage) {
  const std::vector<int64_t> shape = {storage.count};
  return io::byte_size(storage.dtype.value_or(io::DType::kU8), shape);
}

bool is_contiguous(const TorchTensor& tensor) {
  int64_t expected = 1;
  for (size_t d = tensor.shape.size(); d-- > 0;) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != expected) return false;
    expected *= tensor.shape[d];
  }
  return true;
}

// The elements of a tensor in C order. Its strides have been checked.
std::string gathered(const TorchTensor& tensor, std::string_view storage, uint64_t bytes) {
  const size_t size = io::size_of(tensor.dtype);
  std::string out(bytes, '\0');
  std::vector<int64_t> index(tensor.shape.size(), 0);
  int64_t from = tensor.offset;
  for (size_t to = 0; to < bytes; to += size) {
    std::memcpy(out.data() + to, storage.data() + static_cast<size_t>(from) * size, size);
    for (size_t d = tensor.shape.size(); d-- > 0;) {
      from += tensor.strides[d];
      if (++index[d] < tensor.shape[d]) break;
      from -= tensor.strides[d] * tensor.shape[d];
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace

TorchFile TorchFile::read(const std::string& path) { return parse(path, io::read_file(path)); }

TorchFile TorchFile::parse(std::string name, std::string bytes) {
  TorchFile file;
  file.name_ = std::move(name);
  file.size_ = bytes.size();
  if (looks_like_zip(bytes)) {
    file.zip_ = std::make_unique<ZipFile>(file.name_, std::move(bytes));
    file.parse_zip();
  } else {
    file.bytes_ = std::make_unique<std::string>(std::move(bytes));
    file.parse_legacy();
  }
  file.uses_.resize(file.pickle_.storages().size());
  std::map<std::string_view, int> by_key;
  for (const TorchTensor& tensor : file.pickle_.tensors()) ++by_key[file.pickle_.storages()[tensor.storage].key];
  for (size_t i = 0; i < file.uses_.size(); ++i) file.uses_[i] = by_key[file.pickle_.storages()[i].key];
  return file;
}

void TorchFile::parse_zip() {
  for (const auto& [entry, size] : zip_->entries()) {
    if (entry == "archive_format" || entry.ends_with("/archive_format")) {
      throw input_error(name_ + ": expected the tensors of torch.save, found a program of torch.export (.pt2)",
                        "in Python: torch.save(torch.export.load('file').state_dict, 'weights.pt')");
    }
    const bool is_pickle = entry.ends_with(kPickleEntry) && (entry.size() == kPickleEntry.size() ||
                                                             entry[entry.size() - kPickleEntry.size() - 1] == '/');
    if (!is_pickle || std::count(entry.begin(), entry.end(), '/') > 1) continue;
    if (bytes_) throw bad_torch(name_, "it has two pickles");
    folder_ = entry.substr(0, entry.size() - kPickleEntry.size());
    bytes_ = std::make_unique<std::string>(zip_->read(entry));
  }
  if (!bytes_) throw bad_torch(name_, "it is a zip archive without data.pkl");
  if (zip_->has(folder_ + "constants.pkl")) {
    throw input_error(name_ + ": expected the tensors of torch.save, found a program of TorchScript (torch.jit.save)",
                      "in Python: torch.save(torch.jit.load('file').state_dict(), 'weights.pt')");
  }
  if (zip_->has(folder_ + "byteorder")) {
    const std::string order = zip_->read(folder_ + "byteorder");
    if (order != "little" && order != "big") throw bad_torch(name_, "its byte order is neither little nor big");
    big_endian_ = order == "big";
  }
  const size_t used = pickle_.run(*bytes_, name_);
  if (used != bytes_->size()) throw bad_torch(name_, "its pickle has something after its end");
}

// Five pickles (a magic number, the version, the machine, the values, the keys of storages), then for each key the
// number of elements and the elements.
void TorchFile::parse_legacy() {
  std::string_view rest = *bytes_;
  const auto next = [&](Pickle& pickle) { rest.remove_prefix(pickle.run(rest, name_)); };
  constexpr size_t kFirst = 2 + 2 + 10;  // PROTO, LONG1, and the number
  if (rest.size() < kFirst || rest.substr(4, 10) != kLegacyMagic) {
    throw bad_torch(name_, "it is neither a zip archive nor begins with the magic number of older files");
  }
  Pickle magic, version, machine, keys;
  next(magic);
  next(version);
  if (!version.is(version.root(), PickleKind::kInteger) || version.integer(version.root()) != 1001) {
    throw bad_torch(name_, "expected the version 1001");
  }
  next(machine);
  if (const auto little = machine.find(machine.root(), "little_endian")) {
    big_endian_ = machine.is(*little, PickleKind::kBool) && machine.integer(*little) == 0;
  }
  next(pickle_);
  next(keys);
  std::map<std::string_view, const TorchStorage*> by_key;
  for (const TorchStorage& storage : pickle_.storages()) by_key[storage.key] = &storage;
  if (!keys.is(keys.root(), PickleKind::kList)) throw bad_torch(name_, "expected a list of storages");
  for (const Pickle::Id id : keys.items(keys.root())) {
    const auto found = keys.is(id, PickleKind::kText) ? by_key.find(keys.text(id)) : by_key.end();
    if (found == by_key.end()) throw bad_torch(name_, "it has a storage that no tensor uses");
    const TorchStorage& storage = *found->second;
    int64_t count = 0;
    if (rest.size() < sizeof(count)) throw bad_torch(name_, "its storages are truncated");
    std::memcpy(&count, rest.data(), sizeof(count));
    rest.remove_prefix(sizeof(count));
    const std::optional<uint64_t> size = storage_size(storage);
    if (big_endian_) count = static_cast<int64_t>(__builtin_bswap64(static_cast<uint64_t>(count)));
    if (count != storage.count || !size || *size > rest.size()) {
      throw bad_torch(name_, fmt::format("storage {} should have {} elements", visible(storage.key), storage.count));
    }
    if (!legacy_.emplace(storage.key, rest.substr(0, *size)).second) throw bad_torch(name_, "it has a storage twice");
    rest.remove_prefix(*size);
  }
  if (!rest.empty()) throw bad_torch(name_, fmt::format("{} bytes follow its last storage", rest.size()));
}

std::string TorchFile::storage_bytes(size_t index) const {
  const TorchStorage& storage = pickle_.storages()[index];
  const std::optional<uint64_t> size = storage_size(storage);
  const std::string shown = visible(storage.key.substr(0, 40));
  if (!zip_) {
    const auto found = legacy_.find(storage.key);
    if (found == legacy_.end() || found->second.size() != size)
      throw bad_torch(name_, "storage " + shown + " is missing");
    return std::string(found->second);
  }
  const std::string entry = folder_ + "data/" + std::string(storage.key);
  if (!zip_->has(entry)) throw bad_torch(name_, "storage " + shown + " is missing");
  if (zip_->entries().at(entry) != size) {
    throw bad_torch(name_, fmt::format("storage {} should have {} elements, and has {} bytes", shown, storage.count,
                                       zip_->entries().at(entry)));
  }
  return zip_->read(entry);
}

io::Array TorchFile::tensor(size_t index) const {
  const TorchTensor& tensor = pickle_.tensors().at(index);
  const std::string_view key = pickle_.storages()[tensor.storage].key;
  io::Array out{tensor.dtype, tensor.shape, {}};
  const uint64_t bytes = io::byte_size(tensor.dtype, tensor.shape).value_or(0);
  const size_t size = io::size_of(tensor.dtype);
  std::string alone;
  if (uses_[tensor.storage] == 1) {
    alone = storage_bytes(tensor.storage);
  } else if (shared_.count(key) == 0) {
    shared_[key] = storage_bytes(tensor.storage);
  }
  const std::string_view storage = uses_[tensor.storage] == 1 ? std::string_view(alone) : shared_.at(key);
  // Storages of one key may be described in two ways.
  const uint64_t held = storage.size() / size;
  int64_t last = tensor.offset;
  for (size_t d = 0; d < tensor.shape.size(); ++d)
    last += tensor.strides[d] * std::max<int64_t>(tensor.shape[d] - 1, 0);
  if (bytes > 0 && static_cast<uint64_t>(last) >= held) throw bad_torch(name_, "a tensor goes beyond its storage");
  if (!is_contiguous(tensor)) {
    out.bytes = gathered(tensor, storage, bytes);
  } else if (!alone.empty() && bytes == alone.size() && tensor.offset == 0) {
    out.bytes = std::move(alone);
  } else if (bytes > 0) {
    out.bytes = storage.substr(static_cast<size_t>(tensor.offset) * size, bytes);
  }
  if (big_endian_) io::swap_bytes(out.bytes, size);
  return out;
}

}  // namespace longhand::convert
