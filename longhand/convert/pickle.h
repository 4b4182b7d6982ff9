// Python's pickles as data: a small interpreter for those that PyTorch writes. It makes numbers, texts, containers,
// arrays and descriptions of tensors, and calls nothing. What other types and functions would make is an object with a
// name and attributes, of which nothing is known. An opcode that it does not know is an error, and so are the names of
// functions that run programs, which no model needs.
//
// Source: the comments of Lib/pickletools.py in CPython; protocols 2 to 5.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/array.h"

namespace longhand::convert {

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInteger,
  kBigInteger,  ///< one of more than 64 bits; bytes() has it, little-endian
  kReal,
  kText,
  kBytes,
  kList,
  kTuple,
  kSet,
  kDict,     ///< items() has key, value, key, value; also for OrderedDict, Namespace and their like
  kGlobal,   ///< a name of a type or function; text() has "module.name"
  kStorage,  ///< index() is that of storages()
  kTensor,   ///< index() is that of tensors()
  kArray,    ///< index() is that of arrays(): of NumPy
  kObject    ///< of a type or function that is not known; text() has "module.name", state() its attributes
};

/// "a list", for errors
const char* name_of(PickleKind kind);

/// Numbers in a row that tensors are views of. The data are elsewhere in the file.
struct TorchStorage {
  std::string_view key;
  std::optional<io::DType> dtype;  ///< nothing: untyped, and `count` is in bytes
  int64_t count = 0;
};

struct TorchTensor {
  size_t storage = 0;
  io::DType dtype = io::DType::kF32;
  int64_t offset = 0;                   ///< in elements
  std::vector<int64_t> shape, strides;  ///< strides in elements
};

/// The values of a pickle. They refer to each other by number, so that values which are shared, or contain themselves,
/// take no more memory than they do in the file.
class Pickle {
 public:
  using Id = uint32_t;

  /// Interprets one pickle, and returns how many bytes it has. The values are views of `bytes`. Throws an input error
  /// that names the opcode or the global that is refused; `name` stands for the file.
  size_t run(std::string_view bytes, const std::string& name);

  /// The value of the last pickle.
  Id root() const { return root_; }
  PickleKind kind(Id id) const { return nodes_[id].kind; }
  bool is(Id id, PickleKind kind) const { return nodes_[id].kind == kind; }
  int64_t integer(Id id) const { return nodes_[id].value; }
  double real(Id id) const;
  std::string_view text(Id id) const { return texts_[nodes_[id].index]; }
  std::string_view bytes(Id id) const { return texts_[nodes_[id].index]; }
  std::span<const Id> items(Id id) const { return lists_[nodes_[id].index]; }
  size_t index(Id id) const { return nodes_[id].index; }
  /// The attributes of an object; nothing if there are none.
  std::optional<Id> state(Id id) const;
  /// The last value of a dictionary with that text as key; nothing if there is none, or `id` is no dictionary.
  std::optional<Id> find(Id id, std::string_view key) const;

  const std::vector<TorchStorage>& storages() const { return storages_; }
  const std::vector<TorchTensor>& tensors() const { return tensors_; }
  const std::vector<io::Array>& arrays() const { return arrays_; }

 private:
  friend class PickleMachine;
  friend class PickleCalls;
  struct Node {
    PickleKind kind = PickleKind::kNone;
    bool attributes = false;  // a dictionary that BUILD fills
    uint32_t index = 0;
    int64_t value = 0;  // an integer, or a float64's bits
  };

  std::vector<Node> nodes_;
  std::vector<std::vector<Id>> lists_;
  std::vector<std::string_view> texts_;
  std::deque<std::string> owned_;  // texts that are not in the file as such
  std::vector<TorchStorage> storages_;
  std::vector<TorchTensor> tensors_;
  std::vector<io::Array> arrays_;
  Id root_ = 0;
};

}  // namespace longhand::convert
