// What the names in a pickle stand for. Nothing is called: each row of the table is a function of ours that makes data.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "longhand/convert/pickle.h"

namespace longhand::convert {

/// What may be done with a global.
enum class PickleCall : uint8_t {
  kName,  ///< only named, as the type of something
  kDict,
  kAttributes,  ///< an object whose attributes become a dictionary
  kList,
  kTuple,
  kSet,
  kText,  ///< torch.device
  kTensor,
  kTensorOfType,  ///< with a dtype of its own
  kParameter,
  kFromType,
  kStorage,
  kEncode,
  kNumpyDtype,
  kNumpyScalar,
  kNumpyArray
};

/// The meaning of "module.name"; nothing for one that is not known.
std::optional<PickleCall> call_of(std::string_view global);
/// Whether a name is of Python's own functions that run programs or open files. Nothing is called, whatever its name;
/// a file that asks for these is not a model that somebody saved.
bool runs_programs(std::string_view global);
/// The elements of "torch.FloatStorage" or "torch.float32"; nothing for any other name.
std::optional<io::DType> torch_dtype(std::string_view global);

/// Makes the values of calls.
class PickleCalls {
 public:
  /// `size` is that of the pickle: what is copied within it may become a small multiple of it, and no more.
  PickleCalls(Pickle& pickle, size_t size, const std::string& name) : p_(pickle), name_(name), copies_left_(8 * size) {}

  using Id = Pickle::Id;
  Id add(PickleKind kind, int64_t value = 0, uint32_t index = 0);
  Id add_text(PickleKind kind, std::string_view text);
  Id add_list(PickleKind kind, std::vector<Id> items);
  /// A storage, from the tuple that PyTorch puts in the place of it.
  Id storage(Id tuple);
  /// The value of a call of the global `function` with a tuple of arguments.
  Id call(Id function, Id arguments);
  /// Sets the state of a value: the attributes of an object, the data of a NumPy array.
  void build(Id object, Id state);

 private:
  [[noreturn]] void fail(const std::string& problem) const;
  void expect(bool good, const char* what) const;
  void spend(size_t bytes);
  std::vector<int64_t> integers(Id tuple, const char* what) const;
  Id dict_of(std::span<const Id> arguments);
  Id object(std::string_view global);
  Id tensor(std::span<const Id> arguments, bool typed);
  Id encoded(std::span<const Id> arguments);
  Id numpy_scalar(std::span<const Id> arguments);
  io::DType numpy_dtype(Id dtype, bool& big_endian) const;
  void build_array(Id object, Id state);

  Pickle& p_;
  const std::string& name_;
  size_t copies_left_;  // bytes
};

}  // namespace longhand::convert
