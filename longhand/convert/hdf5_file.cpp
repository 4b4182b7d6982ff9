#include "longhand/convert/hdf5_file.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/convert/child_process.h"
#include "longhand/convert/hdf5_reader.h"
#include "longhand/io/file.h"

namespace longhand::convert {
namespace {

constexpr int kDeepestReceived = 80;  // a little more than the other side sends

std::vector<int64_t> received_shape(MessageReader& in) {
  std::vector<int64_t> out;
  const uint64_t rank = in.number();
  if (rank > 32) in.fail();
  for (uint64_t d = 0; d < rank; ++d) out.push_back(static_cast<int64_t>(in.number()));
  return out;
}

Hdf5Data received_data(MessageReader& in) {
  Hdf5Data out;
  const uint64_t kind = in.number();
  if (kind > static_cast<uint64_t>(Hdf5Data::Kind::kOther)) in.fail();
  out.kind = static_cast<Hdf5Data::Kind>(kind);
  if (out.kind == Hdf5Data::Kind::kOther) {
    out.other = in.text();
  } else if (out.kind == Hdf5Data::Kind::kTexts) {
    out.text_shape = received_shape(in);
    const uint64_t count = in.number();
    for (uint64_t i = 0; i < count; ++i) out.texts.emplace_back(in.text());
  } else {
    const uint64_t dtype = in.number();
    if (dtype > static_cast<uint64_t>(io::DType::kBool)) in.fail();
    out.array.dtype = static_cast<io::DType>(dtype);
    out.array.shape = received_shape(in);
    out.array.bytes = in.text();
    if (io::byte_size(out.array.dtype, out.array.shape) != out.array.bytes.size()) in.fail();
  }
  return out;
}

Hdf5Node received_node(MessageReader& in, int depth) {
  Hdf5Node out;
  if (depth > kDeepestReceived) in.fail();
  out.is_group = in.number() == static_cast<uint64_t>(Hdf5Code::kGroup);
  out.name = in.text();
  const uint64_t attributes = in.number();
  for (uint64_t i = 0; i < attributes; ++i) {
    std::string name(in.text());
    out.attributes.push_back({std::move(name), received_data(in)});
  }
  out.data = received_data(in);
  const uint64_t children = in.number();
  for (uint64_t i = 0; i < children; ++i) out.children.push_back(received_node(in, depth + 1));
  return out;
}

}  // namespace

const Hdf5Node* Hdf5Node::find(std::string_view path) const {
  const Hdf5Node* node = this;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    if (part.empty()) continue;
    const auto found = std::find_if(node->children.begin(), node->children.end(),
                                    [&](const Hdf5Node& child) { return child.name == part; });
    if (found == node->children.end()) return nullptr;
    node = &*found;
  }
  return node;
}

const Hdf5Data* Hdf5Node::attribute(std::string_view wanted) const {
  for (const Hdf5Attribute& one : attributes) {
    if (one.name == wanted) return &one.data;
  }
  return nullptr;
}

Hdf5Node read_hdf5(const std::string& path) { return read_hdf5(path, io::read_file(path)); }

Hdf5Node read_hdf5(const std::string& name, std::string_view bytes) {
  if (!looks_like_hdf5(bytes)) {
    throw input_error(name + ": not an HDF5 file: it does not begin with \\x89HDF",
                      "it is truncated or of another format; use an intact copy");
  }
  Hdf5Node out;
  // The library copies the file, and arrays may be 64 times as large when they are unpacked.
  const ChildLimits limits{.memory = (uint64_t{256} << 20) + 72 * bytes.size(), .seconds = 5 + (bytes.size() >> 22)};
  in_child_process(
      name, limits, [&](MessageWriter& writer) { send_hdf5(bytes, name, writer); },
      [&](MessageReader& reader) {
        out = received_node(reader, 0);
        if (!reader.at_end()) reader.fail();
      });
  return out;
}

bool looks_like_hdf5(std::string_view bytes) { return bytes.substr(0, 8) == std::string_view("\x89HDF\r\n\x1a\n", 8); }

}  // namespace longhand::convert
