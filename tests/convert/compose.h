// Files of other programs, composed byte by byte.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "longhand/convert/zip_file.h"

namespace longhand::testing {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
template <class T>
std::string bytes_of(T value) {
  return bytes_of(std::vector<T>{value});
}

// Opcodes of Python's pickle, protocol 2.
namespace pickle {

inline std::string text(const std::string& t) {
  return std::string("X").append(bytes_of(static_cast<uint32_t>(t.size()))).append(t);
}
inline std::string integer(int32_t n) { return std::string("J").append(bytes_of(n)); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}
inline std::string integers(const std::vector<int32_t>& values) {
  std::vector<std::string> items;
  for (const int32_t value : values) items.push_back(integer(value));
  return tuple(items);
}
/// What torch.save writes for a tensor.
inline std::string tensor(const std::string& type, const std::string& key, int32_t count, int32_t offset,
                          const std::vector<int32_t>& shape, const std::vector<int32_t>& strides,
                          const std::string& view = "") {
  std::vector<std::string> storage = {text("storage"), global("torch", type + "Storage"), text(key), text("cpu"),
                                      integer(count)};
  if (!view.empty()) storage.push_back(view);
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({tuple(storage) + "Q", integer(offset), integers(shape), integers(strides), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}
inline std::string file(const std::string& value) { return std::string("\x80\x02") + value + "."; }

}  // namespace pickle

/// A file of torch.save: the value of its pickle, and storages by key.
inline std::string torch_zip(const std::string& value, const std::vector<std::pair<std::string, std::string>>& storages,
                             const std::string& byteorder = "little") {
  std::vector<std::pair<std::string, std::string>> entries = {{"m/data.pkl", pickle::file(value)},
                                                              {"m/byteorder", byteorder}};
  for (const auto& [key, bytes] : storages) entries.emplace_back("m/data/" + key, bytes);
  entries.emplace_back("m/version", "3\n");
  return convert::zip_bytes(entries);
}

/// The same as PyTorch wrote it before 1.6.
inline std::string torch_legacy(const std::string& value,
                                const std::vector<std::pair<std::string, std::string>>& storages, size_t element = 4) {
  std::string out = pickle::file("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle::file("M\xe9\x03") +
                    pickle::file(pickle::dict({{"little_endian", "\x88"}})) + pickle::file(value);
  std::string keys = "](";
  for (const auto& [key, bytes] : storages) keys += pickle::text(key);
  out += pickle::file(keys + "e");
  for (const auto& [key, bytes] : storages) out += bytes_of(static_cast<int64_t>(bytes.size() / element)) + bytes;
  return out;
}

// Protocol Buffers.
namespace proto {

inline std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  return out + static_cast<char>(value);
}
inline std::string integer(int field, uint64_t value) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(value);
}
inline std::string bytes(int field, const std::string& value) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(value.size()) + value;
}
inline std::string real(int field, float value) {
  return varint(static_cast<uint64_t>(field) << 3 | 5) + bytes_of(value);
}

/// A TensorProto, its numbers in `data` (a whole field).
inline std::string tensor(const std::string& name, int type, const std::vector<int>& shape, const std::string& data) {
  std::string out;
  for (const int extent : shape) out += integer(1, static_cast<uint64_t>(extent));
  return out + integer(2, static_cast<uint64_t>(type)) + bytes(8, name) + data;
}
/// A ModelProto with a graph of these fields.
inline std::string model(const std::string& graph) {
  return integer(1, 8) + bytes(7, graph) + bytes(8, bytes(1, "") + integer(2, 17));
}
/// A NodeProto.
inline std::string node(const std::string& op, const std::string& rest = "") { return bytes(1, bytes(4, op) + rest); }

}  // namespace proto

}  // namespace longhand::testing
