#include "longhand/convert/hdf5_reader.h"

#include <fmt/core.h>
#include <hdf5.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {
namespace {

constexpr int kDeepestHdf5Group = 64;
constexpr size_t kMostNames = 100'000;  // of one group or object
constexpr uint64_t kLargestRatioOfHdf5 = 64;
constexpr uint64_t kAlwaysAllowedInHdf5 = 16U << 20;

constexpr const char* kUseAnother =
    "it is truncated, altered, or written for a newer library; use an intact copy, or write it with h5py's default "
    "libver";

// An identifier of the library's, closed by the function for its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  hid_t id() const { return id_; }
  bool good() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// Names come from callbacks in C, which no exception may cross.
struct Names {
  std::vector<std::string> all;
  bool too_many = false;
  herr_t add(const char* name) noexcept {
    if (all.size() >= kMostNames) {
      too_many = true;
      return 1;
    }
    all.emplace_back(name);
    return 0;
  }
};

herr_t add_link(hid_t, const char* name, const H5L_info_t*, void* names) {
  return static_cast<Names*>(names)->add(name);
}
herr_t add_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  return static_cast<Names*>(names)->add(name);
}

// A type that numbers have in memory: ours, and the library's.
struct NumberType {
  io::DType dtype;
  hid_t memory;  // negative: the file's own with little-endian bytes
};

std::optional<NumberType> float_type(hid_t type) {
  size_t sign = 0, exponent_at = 0, exponent = 0, mantissa_at = 0, mantissa = 0;
  switch (H5Tget_size(type)) {
    case 4: return NumberType{io::DType::kF32, H5T_NATIVE_FLOAT};
    case 8: return NumberType{io::DType::kF64, H5T_NATIVE_DOUBLE};
    case 2:
      if (H5Tget_fields(type, &sign, &exponent_at, &exponent, &mantissa_at, &mantissa) < 0) return std::nullopt;
      if (exponent == 5 && mantissa == 10) return NumberType{io::DType::kF16, -1};
      if (exponent == 8 && mantissa == 7) return NumberType{io::DType::kBf16, -1};
      return std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<NumberType> integer_type(hid_t type) {
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  switch (H5Tget_size(type)) {
    case 1:
      return is_signed ? NumberType{io::DType::kI8, H5T_NATIVE_INT8} : NumberType{io::DType::kU8, H5T_NATIVE_UINT8};
    case 2:
      return is_signed ? NumberType{io::DType::kI16, H5T_NATIVE_INT16} : NumberType{io::DType::kU16, H5T_NATIVE_UINT16};
    case 4:
      return is_signed ? NumberType{io::DType::kI32, H5T_NATIVE_INT32} : NumberType{io::DType::kU32, H5T_NATIVE_UINT32};
    case 8:
      return is_signed ? NumberType{io::DType::kI64, H5T_NATIVE_INT64} : NumberType{io::DType::kU64, H5T_NATIVE_UINT64};
    default: return std::nullopt;
  }
}

const char* class_name(H5T_class_t kind) {
  switch (kind) {
    case H5T_TIME: return "a time";
    case H5T_BITFIELD: return "a bit field";
    case H5T_OPAQUE: return "opaque bytes";
    case H5T_COMPOUND: return "a compound type";
    case H5T_REFERENCE: return "a reference";
    case H5T_ENUM: return "an enumeration";
    case H5T_VLEN: return "lists of several lengths";
    case H5T_ARRAY: return "a type of arrays";
    default: return "a number of an unusual size";
  }
}

// h5py's truth values: an enumeration of one byte, FALSE and TRUE.
bool is_truth(hid_t type) { return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2; }

// What an attribute and a dataset have in common.
struct Source {
  hid_t id;
  hid_t type, space;
  bool is_attribute;
  std::string path;

  herr_t read(hid_t memory, void* out) const {
    return is_attribute ? H5Aread(id, memory, out) : H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  }
};

class Hdf5Sender {
 public:
  Hdf5Sender(size_t file_size, const std::string& name, MessageWriter& out)
      : name_(name), out_(out), bytes_left_(kLargestRatioOfHdf5 * file_size + kAlwaysAllowedInHdf5) {}

  void send_group(hid_t group, const std::string& name, const std::string& path, int depth);

 private:
  [[noreturn]] void fail(const std::string& path, const std::string& problem) const {
    throw input_error(fmt::format("{}: {}: {}", name_, visible(std::string_view(path).substr(0, 200)), problem),
                      kUseAnother);
  }
  void spend(uint64_t bytes, const std::string& path);

  void send_other(const std::string& what) {
    out_.number(static_cast<uint64_t>(Hdf5Data::Kind::kOther));
    out_.text(what);
  }
  void send_header(Hdf5Code code, const std::string& name) {
    out_.number(static_cast<uint64_t>(code));
    out_.text(name);
  }
  void send_shape(const std::vector<int64_t>& shape) {
    out_.number(shape.size());
    for (const int64_t extent : shape) out_.number(static_cast<uint64_t>(extent));
  }
  std::vector<int64_t> shape_of(const Source& source) const;
  void send_data(const Source& source);
  void send_numbers(const Source& source, const NumberType& number, const std::vector<int64_t>& shape);
  void send_texts(const Source& source, const std::vector<int64_t>& shape);
  void send_fixed_texts(const Source& source, size_t count);
  void send_variable_texts(const Source& source, size_t count);
  void send_attributes(hid_t object, const std::string& path);
  void send_dataset(hid_t group, const std::string& name, const std::string& path);
  void send_child(hid_t group, const std::string& name, const std::string& path, int depth);

  const std::string& name_;
  MessageWriter& out_;
  uint64_t bytes_left_;
  std::set<std::pair<unsigned long, haddr_t>> groups_;
};

void Hdf5Sender::spend(uint64_t bytes, const std::string& path) {
  if (bytes > bytes_left_) {
    throw input_error(fmt::format("{}: {}: its arrays are together more than {} times larger than the file", name_,
                                  visible(std::string_view(path).substr(0, 200)), kLargestRatioOfHdf5),
                      "the file is altered; if the arrays are really this large, save them without compression");
  }
  bytes_left_ -= bytes;
}

std::vector<int64_t> Hdf5Sender::shape_of(const Source& source) const {
  const int rank = H5Sget_simple_extent_ndims(source.space);
  if (rank < 0 || rank > 32) fail(source.path, "its shape cannot be read");
  std::vector<hsize_t> extents(static_cast<size_t>(rank));
  if (rank > 0 && H5Sget_simple_extent_dims(source.space, extents.data(), nullptr) < 0) {
    fail(source.path, "its shape cannot be read");
  }
  return {extents.begin(), extents.end()};
}

void Hdf5Sender::send_data(const Source& source) {
  const H5S_class_t extent = H5Sget_simple_extent_type(source.space);
  if (extent == H5S_NULL) return send_other("nothing");
  const H5T_class_t kind = H5Tget_class(source.type);
  if (extent == H5S_NO_CLASS || kind == H5T_NO_CLASS) fail(source.path, "its type cannot be read");
  const std::vector<int64_t> shape = shape_of(source);
  if (kind == H5T_STRING) return send_texts(source, shape);
  std::optional<NumberType> number;
  if (kind == H5T_FLOAT) number = float_type(source.type);
  if (kind == H5T_INTEGER) number = integer_type(source.type);
  if (kind == H5T_ENUM && is_truth(source.type)) number = NumberType{io::DType::kBool, -1};
  if (!number) return send_other(class_name(kind));
  send_numbers(source, *number, shape);
}

void Hdf5Sender::send_numbers(const Source& source, const NumberType& number, const std::vector<int64_t>& shape) {
  const std::optional<uint64_t> size = io::byte_size(number.dtype, shape);
  if (!size) fail(source.path, "its shape is no shape of an array: " + io::describe(shape));
  spend(*size, source.path);
  std::string bytes(*size, '\0');
  const Handle own(H5Tcopy(source.type), H5Tclose);
  if (number.memory < 0 && number.dtype != io::DType::kBool) H5Tset_order(own.id(), H5T_ORDER_LE);
  if (*size > 0 && source.read(number.memory < 0 ? own.id() : number.memory, bytes.data()) < 0) {
    fail(source.path, "its numbers cannot be read");
  }
  if (number.dtype == io::DType::kBool) {
    for (char& byte : bytes) byte = byte != 0 ? '\1' : '\0';
  }
  out_.number(static_cast<uint64_t>(Hdf5Data::Kind::kArray));
  out_.number(static_cast<uint64_t>(number.dtype));
  send_shape(shape);
  out_.text(bytes);
}

void Hdf5Sender::send_texts(const Source& source, const std::vector<int64_t>& shape) {
  const std::optional<uint64_t> count = io::byte_size(io::DType::kU8, shape);
  if (!count) fail(source.path, "its shape is no shape of an array: " + io::describe(shape));
  const bool variable = H5Tis_variable_str(source.type) > 0;
  uint64_t size = 0;
  if (__builtin_mul_overflow(*count, variable ? sizeof(char*) : H5Tget_size(source.type), &size)) {
    fail(source.path, "its texts are too many");
  }
  spend(size, source.path);
  out_.number(static_cast<uint64_t>(Hdf5Data::Kind::kTexts));
  send_shape(shape);
  out_.number(*count);
  if (*count == 0) return;
  if (variable) {
    send_variable_texts(source, static_cast<size_t>(*count));
  } else {
    send_fixed_texts(source, static_cast<size_t>(*count));
  }
}

void Hdf5Sender::send_fixed_texts(const Source& source, size_t count) {
  const size_t size = H5Tget_size(source.type);
  std::string bytes(count * size, '\0');
  if (source.read(source.type, bytes.data()) < 0) fail(source.path, "its texts cannot be read");
  const bool blanks = H5Tget_strpad(source.type) == H5T_STR_SPACEPAD;
  for (size_t i = 0; i < count; ++i) {
    std::string_view text = std::string_view(bytes).substr(i * size, size);
    text = text.substr(0, text.find('\0'));
    if (blanks) text = text.substr(0, text.find_last_not_of(' ') + 1);
    out_.text(text);
  }
}

void Hdf5Sender::send_variable_texts(const Source& source, size_t count) {
  std::vector<char*> texts(count, nullptr);
  const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(memory.id(), H5T_VARIABLE);
  H5Tset_cset(memory.id(), H5Tget_cset(source.type));
  if (source.read(memory.id(), texts.data()) < 0) fail(source.path, "its texts cannot be read");
  for (const char* text : texts) {
    const std::string_view view = text == nullptr ? std::string_view() : std::string_view(text);
    spend(view.size(), source.path);
    out_.text(view);
  }
  H5Dvlen_reclaim(memory.id(), source.space, H5P_DEFAULT, texts.data());
}

void Hdf5Sender::send_attributes(hid_t object, const std::string& path) {
  Names names;
  hsize_t begin = 0;
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &begin, add_attribute, &names) < 0 || names.too_many) {
    fail(path, "its attributes cannot be read");
  }
  out_.number(names.all.size());
  for (const std::string& name : names.all) {
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
    if (!attribute.good()) fail(path + "." + name, "the attribute cannot be read");
    const Handle type(H5Aget_type(attribute.id()), H5Tclose);
    const Handle space(H5Aget_space(attribute.id()), H5Sclose);
    if (!type.good() || !space.good()) fail(path + "." + name, "the attribute's type cannot be read");
    out_.text(name);
    send_data({attribute.id(), type.id(), space.id(), true, path + "." + name});
  }
}

void Hdf5Sender::send_dataset(hid_t group, const std::string& name, const std::string& path) {
  const Handle dataset(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.good()) fail(path, "the array cannot be opened");
  const Handle type(H5Dget_type(dataset.id()), H5Tclose);
  const Handle space(H5Dget_space(dataset.id()), H5Sclose);
  const Handle plan(H5Dget_create_plist(dataset.id()), H5Pclose);
  if (!type.good() || !space.good() || !plan.good()) fail(path, "the array's type cannot be read");
  send_header(Hdf5Code::kDataset, name);
  send_attributes(dataset.id(), path);
  if (H5Pget_layout(plan.id()) == H5D_VIRTUAL || H5Pget_external_count(plan.id()) != 0) {
    send_other("an array in other files");
  } else if (H5Pall_filters_avail(plan.id()) <= 0) {
    send_other("an array that is compressed with a filter which is not available");
  } else {
    send_data({dataset.id(), type.id(), space.id(), false, path});
  }
  out_.number(0);
}

void Hdf5Sender::send_child(hid_t group, const std::string& name, const std::string& path, int depth) {
  H5L_info_t link;
  if (H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0) fail(path, "the link cannot be read");
  const auto send_unread = [&](const std::string& what) {
    send_header(Hdf5Code::kDataset, name);
    out_.number(0);
    send_other(what);
    out_.number(0);
  };
  if (link.type == H5L_TYPE_SOFT) return send_unread("a link to another place");
  if (link.type != H5L_TYPE_HARD) return send_unread("a link to another file");
  H5O_info_t info;
  if (H5Oget_info_by_name(group, name.c_str(), &info, H5P_DEFAULT) < 0) fail(path, "the object cannot be read");
  if (info.type == H5O_TYPE_DATASET) return send_dataset(group, name, path);
  if (info.type != H5O_TYPE_GROUP) return send_unread("a type by name");
  const Handle child(H5Gopen2(group, name.c_str(), H5P_DEFAULT), H5Gclose);
  if (!child.good()) fail(path, "the group cannot be opened");
  send_group(child.id(), name, path, depth + 1);
}

void Hdf5Sender::send_group(hid_t group, const std::string& name, const std::string& path, int depth) {
  H5O_info_t info;
  if (depth > kDeepestHdf5Group) fail(path, fmt::format("its groups are nested more than {} deep", kDeepestHdf5Group));
  if (H5Oget_info(group, &info) < 0) fail(path, "the group cannot be read");
  if (!groups_.emplace(info.fileno, info.addr).second) fail(path, "the group is reached a second time, as in a cycle");
  send_header(Hdf5Code::kGroup, name);
  send_attributes(group, path);
  send_other("a group");
  Names names;
  hsize_t begin = 0;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &begin, add_link, &names) < 0 || names.too_many) {
    fail(path, "its members cannot be read");
  }
  out_.number(names.all.size());
  for (const std::string& child : names.all) {
    send_child(group, child, path == "/" ? path + child : path + "/" + child, depth);
  }
}

}  // namespace

void send_hdf5(std::string_view bytes, const std::string& name, MessageWriter& out) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // the library prints its errors otherwise
  H5PLset_loading_state(0);                     // and loads filters that a file asks for from wherever it finds them
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  // The library only reads, though it asks for memory that can be written.
  auto* image = const_cast<char*>(bytes.data());
  const bool ready =
      H5Pset_fapl_core(access.id(), 1 << 16, false) >= 0 && H5Pset_file_image(access.id(), image, bytes.size()) >= 0;
  const Handle file(ready ? H5Fopen("image", H5F_ACC_RDONLY, access.id()) : -1, H5Fclose);
  const Handle root(file.good() ? H5Gopen2(file.id(), "/", H5P_DEFAULT) : -1, H5Gclose);
  if (!root.good()) {
    throw input_error(name + ": not an HDF5 file that the library can open", kUseAnother);
  }
  Hdf5Sender(bytes.size(), name, out).send_group(root.id(), "/", "/", 0);
}

}  // namespace longhand::convert
