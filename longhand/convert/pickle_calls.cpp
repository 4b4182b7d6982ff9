#include "longhand/convert/pickle_calls.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::convert {
namespace {

using io::DType;

struct CallRow {
  std::string_view global;
  PickleCall call;
};
constexpr CallRow kCalls[] = {{"collections.OrderedDict", PickleCall::kDict},
                              {"collections.defaultdict", PickleCall::kDict},
                              {"collections.Counter", PickleCall::kDict},
                              {"argparse.Namespace", PickleCall::kAttributes},
                              {"types.SimpleNamespace", PickleCall::kAttributes},
                              {"pytorch_lightning.utilities.parsing.AttributeDict", PickleCall::kDict},
                              {"lightning.pytorch.utilities.parsing.AttributeDict", PickleCall::kDict},
                              {"lightning_fabric.utilities.data.AttributeDict", PickleCall::kDict},
                              {"lightning.fabric.utilities.data.AttributeDict", PickleCall::kDict},
                              {"builtins.dict", PickleCall::kDict},
                              {"builtins.list", PickleCall::kList},
                              {"builtins.tuple", PickleCall::kTuple},
                              {"builtins.set", PickleCall::kSet},
                              {"builtins.frozenset", PickleCall::kSet},
                              {"__builtin__.dict", PickleCall::kDict},
                              {"__builtin__.list", PickleCall::kList},
                              {"__builtin__.tuple", PickleCall::kTuple},
                              {"__builtin__.set", PickleCall::kSet},
                              {"__builtin__.frozenset", PickleCall::kSet},
                              {"builtins.int", PickleCall::kName},
                              {"builtins.float", PickleCall::kName},
                              {"builtins.str", PickleCall::kName},
                              {"builtins.bool", PickleCall::kName},
                              {"torch._utils._rebuild_tensor", PickleCall::kTensor},
                              {"torch._utils._rebuild_tensor_v2", PickleCall::kTensor},
                              {"torch._utils._rebuild_tensor_v3", PickleCall::kTensorOfType},
                              {"torch._utils._rebuild_parameter", PickleCall::kParameter},
                              {"torch._utils._rebuild_parameter_with_state", PickleCall::kParameter},
                              {"torch._tensor._rebuild_from_type_v2", PickleCall::kFromType},
                              {"torch.Tensor", PickleCall::kName},
                              {"torch.nn.parameter.Parameter", PickleCall::kName},
                              {"torch.nn.parameter.Buffer", PickleCall::kName},
                              {"torch.Size", PickleCall::kTuple},
                              {"torch.device", PickleCall::kText},
                              {"_codecs.encode", PickleCall::kEncode},
                              {"numpy.dtype", PickleCall::kNumpyDtype},
                              {"numpy.ndarray", PickleCall::kName},
                              {"numpy.core.multiarray.scalar", PickleCall::kNumpyScalar},
                              {"numpy._core.multiarray.scalar", PickleCall::kNumpyScalar},
                              {"numpy.core.multiarray._reconstruct", PickleCall::kNumpyArray},
                              {"numpy._core.multiarray._reconstruct", PickleCall::kNumpyArray}};

struct TorchType {
  std::string_view name, storage;
  DType dtype;
};
constexpr TorchType kTorchTypes[] = {
    {"float32", "Float", DType::kF32},      {"float64", "Double", DType::kF64}, {"float16", "Half", DType::kF16},
    {"bfloat16", "BFloat16", DType::kBf16}, {"int64", "Long", DType::kI64},     {"int32", "Int", DType::kI32},
    {"int16", "Short", DType::kI16},        {"int8", "Char", DType::kI8},       {"uint8", "Byte", DType::kU8},
    {"bool", "Bool", DType::kBool},         {"uint16", "UInt16", DType::kU16},  {"uint32", "UInt32", DType::kU32},
    {"uint64", "UInt64", DType::kU64}};
// Modules of Python, and functions of its module builtins.
constexpr std::string_view kProgramModules[] = {
    "os",         "posix",     "nt",     "subprocess", "sys",  "importlib", "runpy",
    "socket",     "shutil",    "ctypes", "pty",        "code", "commands",  "pickle",
    "webbrowser", "posixpath", "urllib", "requests",   "http", "asyncio",   "popen2"};
constexpr std::string_view kProgramFunctions[] = {"eval",       "exec",       "execfile", "compile", "open",
                                                  "__import__", "globals",    "locals",   "input",   "apply",
                                                  "vars",       "breakpoint", "delattr",  "setattr", "memoryview"};
constexpr size_t kMostArguments = 16;
constexpr std::string_view kTorchPrefix = "torch.", kStorageEnding = "Storage";

bool is_untyped(std::string_view global) {
  return global == "torch.UntypedStorage" || global == "torch.storage.UntypedStorage";
}

}  // namespace

std::optional<DType> torch_dtype(std::string_view global) {
  if (!global.starts_with(kTorchPrefix)) return std::nullopt;
  global.remove_prefix(kTorchPrefix.size());
  for (const TorchType& type : kTorchTypes) {
    const bool storage =
        global.ends_with(kStorageEnding) && global.substr(0, global.size() - kStorageEnding.size()) == type.storage;
    if (storage || global == type.name) return type.dtype;
  }
  return std::nullopt;
}

bool runs_programs(std::string_view global) {
  const std::string_view module = global.substr(0, global.find('.'));
  if (module == "builtins" || module == "__builtin__") {
    const std::string_view function = global.substr(module.size() + 1);
    return std::find(std::begin(kProgramFunctions), std::end(kProgramFunctions), function) !=
           std::end(kProgramFunctions);
  }
  return std::find(std::begin(kProgramModules), std::end(kProgramModules), module) != std::end(kProgramModules);
}

std::optional<PickleCall> call_of(std::string_view global) {
  for (const CallRow& row : kCalls) {
    if (global == row.global) return row.call;
  }
  if (is_untyped(global)) return PickleCall::kStorage;
  if (!torch_dtype(global)) return std::nullopt;
  return global.ends_with(kStorageEnding) ? PickleCall::kStorage : PickleCall::kName;
}

void PickleCalls::fail(const std::string& problem) const {
  throw input_error(fmt::format("{}: not a valid pickle of PyTorch: {}", name_, problem),
                    "save it again: torch.save(model.state_dict(), 'weights.pt')");
}

void PickleCalls::expect(bool good, const char* what) const {
  if (!good) fail(std::string("expected ") + what);
}

// A few bytes of a pickle can ask for a copy of many, again and again.
void PickleCalls::spend(size_t bytes) {
  if (bytes > copies_left_) fail("it asks for copies of its values that are many times larger than itself");
  copies_left_ -= bytes;
}

Pickle::Id PickleCalls::add(PickleKind kind, int64_t value, uint32_t index) {
  p_.nodes_.push_back({kind, false, index, value});
  return static_cast<Id>(p_.nodes_.size() - 1);
}

Pickle::Id PickleCalls::add_text(PickleKind kind, std::string_view text) {
  p_.texts_.push_back(text);
  return add(kind, 0, static_cast<uint32_t>(p_.texts_.size() - 1));
}

Pickle::Id PickleCalls::add_list(PickleKind kind, std::vector<Id> items) {
  p_.lists_.push_back(std::move(items));
  return add(kind, 0, static_cast<uint32_t>(p_.lists_.size() - 1));
}

std::vector<int64_t> PickleCalls::integers(Id tuple, const char* what) const {
  expect(p_.is(tuple, PickleKind::kTuple) || p_.is(tuple, PickleKind::kList), what);
  std::vector<int64_t> out;
  for (const Id item : p_.items(tuple)) {
    expect(p_.is(item, PickleKind::kInteger), what);
    out.push_back(p_.integer(item));
  }
  return out;
}

// ('storage', type, key, location, count), and in older files a sixth item: of which storage this one is a view. Older
// files have ('module', type, path, source) where a type of the user's stands.
Pickle::Id PickleCalls::storage(Id tuple) {
  constexpr const char* kWhat = "a storage: its type, key, place and size";
  expect(p_.is(tuple, PickleKind::kTuple), kWhat);
  const std::span<const Id> items = p_.items(tuple);
  const bool is_type = items.size() == 4 && p_.is(items[0], PickleKind::kText) && p_.text(items[0]) == "module";
  if (is_type && p_.is(items[1], PickleKind::kGlobal)) return items[1];
  expect(items.size() == 5 || items.size() == 6, kWhat);
  expect(p_.is(items[0], PickleKind::kText) && p_.text(items[0]) == "storage", kWhat);
  expect(p_.is(items[1], PickleKind::kGlobal) && p_.is(items[2], PickleKind::kText), kWhat);
  expect(p_.is(items[4], PickleKind::kInteger) && p_.integer(items[4]) >= 0, kWhat);
  expect(items.size() == 5 || p_.is(items[5], PickleKind::kNone), "a storage that is no view of another");
  const std::string_view type = p_.text(items[1]);
  if (!call_of(type)) fail("a tensor has the numbers of " + visible(type.substr(0, 100)) + ", which are no plain ones");
  expect(call_of(type) == PickleCall::kStorage, kWhat);
  p_.storages_.push_back({p_.text(items[2]), torch_dtype(type), p_.integer(items[4])});
  return add(PickleKind::kStorage, 0, static_cast<uint32_t>(p_.storages_.size() - 1));
}

Pickle::Id PickleCalls::object(std::string_view global) { return add_text(PickleKind::kObject, global); }

Pickle::Id PickleCalls::call(Id function, Id arguments) {
  if (p_.is(function, PickleKind::kObject)) return object(p_.text(function));
  expect(p_.is(function, PickleKind::kGlobal), "a call of a name");
  if (!call_of(p_.text(function))) return object(p_.text(function));
  expect(p_.is(arguments, PickleKind::kTuple) && p_.items(arguments).size() <= kMostArguments, "a tuple of arguments");
  const std::string_view global = p_.text(function);
  const std::vector<Id> items(p_.items(arguments).begin(), p_.items(arguments).end());
  const auto copy = [&](PickleKind kind) {
    if (items.empty()) return add_list(kind, {});
    expect(items.size() == 1 && p_.kind(items[0]) >= PickleKind::kList && p_.kind(items[0]) <= PickleKind::kSet,
           "a container to copy");
    // Shared, not copied: copies by many calls would take memory that is no small multiple of the file.
    return add(kind, 0, static_cast<uint32_t>(p_.index(items[0])));
  };
  switch (call_of(global).value_or(PickleCall::kName)) {
    case PickleCall::kDict: return dict_of(items);
    case PickleCall::kAttributes: {
      const Id out = add_list(PickleKind::kDict, {});
      p_.nodes_[out].attributes = true;
      return out;
    }
    case PickleCall::kList: return copy(PickleKind::kList);
    case PickleCall::kTuple: return copy(PickleKind::kTuple);
    case PickleCall::kSet: return copy(PickleKind::kSet);
    case PickleCall::kText:
      expect(!items.empty() && p_.is(items[0], PickleKind::kText), "the name of a device");
      return items[0];
    case PickleCall::kTensor: return tensor(items, false);
    case PickleCall::kTensorOfType: return tensor(items, true);
    case PickleCall::kParameter:
      expect(!items.empty() && p_.is(items[0], PickleKind::kTensor), "a tensor in a parameter");
      return items[0];
    case PickleCall::kFromType:  // (function, type, arguments, attributes)
      expect(items.size() >= 3 && p_.is(items[0], PickleKind::kGlobal), "a function, a type and arguments");
      expect(call_of(p_.text(items[0])) != PickleCall::kFromType, "a function that makes a tensor");
      return call(items[0], items[2]);
    case PickleCall::kEncode: return encoded(items);
    case PickleCall::kNumpyDtype:
      expect(!items.empty() && p_.is(items[0], PickleKind::kText), "the name of a dtype");
      return add_list(PickleKind::kDict, {items[0], items[0]});
    case PickleCall::kNumpyScalar: return numpy_scalar(items);
    case PickleCall::kNumpyArray:
      p_.arrays_.emplace_back();
      return add(PickleKind::kArray, 0, static_cast<uint32_t>(p_.arrays_.size() - 1));
    case PickleCall::kStorage:
    case PickleCall::kName: break;
  }
  fail("it calls " + visible(global) + ", which is only a name");
}

// OrderedDict() and OrderedDict([[key, value], ...]); a defaultdict's first argument is a type.
Pickle::Id PickleCalls::dict_of(std::span<const Id> arguments) {
  std::vector<Id> pairs;
  if (!arguments.empty() && p_.is(arguments[0], PickleKind::kDict)) {
    return add(PickleKind::kDict, 0, static_cast<uint32_t>(p_.index(arguments[0])));
  }
  if (!arguments.empty() && p_.is(arguments[0], PickleKind::kList)) {
    spend(2 * sizeof(Id) * p_.items(arguments[0]).size());
    for (const Id pair : p_.items(arguments[0])) {
      const bool is_pair =
          (p_.is(pair, PickleKind::kTuple) || p_.is(pair, PickleKind::kList)) && p_.items(pair).size() == 2;
      expect(is_pair, "pairs of a key and a value");
      pairs.insert(pairs.end(), p_.items(pair).begin(), p_.items(pair).end());
    }
  }
  return add_list(PickleKind::kDict, std::move(pairs));
}

// (storage, offset, shape, strides, ...); the seventh argument of version 3 is the dtype.
Pickle::Id PickleCalls::tensor(std::span<const Id> arguments, bool typed) {
  expect(arguments.size() >= (typed ? 7U : 4U) && p_.is(arguments[0], PickleKind::kStorage) &&
             p_.is(arguments[1], PickleKind::kInteger),
         "a tensor: storage, offset, shape and strides");
  TorchTensor out{.storage = p_.index(arguments[0]),
                  .offset = p_.integer(arguments[1]),
                  .shape = integers(arguments[2], "the shape of a tensor"),
                  .strides = integers(arguments[3], "the strides of a tensor")};
  const TorchStorage& storage = p_.storages_[out.storage];
  std::optional<DType> dtype = storage.dtype;
  if (typed) {
    expect(p_.is(arguments[6], PickleKind::kGlobal), "a dtype");
    dtype = torch_dtype(p_.text(arguments[6]));
  }
  expect(dtype.has_value(), "a tensor whose dtype is known");
  out.dtype = *dtype;
  expect(out.shape.size() == out.strides.size() && io::byte_size(out.dtype, out.shape).has_value(),
         "a shape and as many strides");
  // The last element must lie in the storage, and the tensor may have no more elements than it: a stride of 0 makes
  // any number of elements of one.
  const int64_t held = storage.dtype ? storage.count : storage.count / static_cast<int64_t>(io::size_of(out.dtype));
  int64_t last = out.offset, count = 1;
  for (size_t d = 0; d < out.shape.size(); ++d) {
    count *= out.shape[d];
    int64_t reach = 0;
    const bool fits = out.strides[d] >= 0 &&
                      !__builtin_mul_overflow(out.strides[d], std::max<int64_t>(out.shape[d] - 1, 0), &reach) &&
                      !__builtin_add_overflow(last, reach, &last);
    expect(fits, "strides within the storage");
  }
  expect(out.offset >= 0 && (count == 0 || (last < held && count <= held)), "a tensor that lies within its storage");
  p_.tensors_.push_back(std::move(out));
  return add(PickleKind::kTensor, 0, static_cast<uint32_t>(p_.tensors_.size() - 1));
}

// Bytes as protocol 2 has them: a text of the code points 0 to 255, and 'latin1'.
Pickle::Id PickleCalls::encoded(std::span<const Id> arguments) {
  expect(arguments.size() == 2 && p_.is(arguments[0], PickleKind::kText) && p_.is(arguments[1], PickleKind::kText) &&
             p_.text(arguments[1]) == "latin1",
         "bytes as a text in latin1");
  const std::string_view text = p_.text(arguments[0]);
  spend(text.size());
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    char32_t code_point = 0;
    const size_t size = decode_utf8(text, at, code_point);
    expect(size > 0 && code_point < 256, "bytes as a text in latin1");
    bytes.push_back(static_cast<char>(code_point));
    at += size;
  }
  p_.owned_.push_back(std::move(bytes));
  return add_text(PickleKind::kBytes, p_.owned_.back());
}

void PickleCalls::build(Id object, Id state) {
  if (p_.is(object, PickleKind::kArray)) return build_array(object, state);
  if (p_.is(object, PickleKind::kObject)) {
    p_.nodes_[object].value = int64_t{state} + 1;
    return;
  }
  const bool is_dtype = p_.is(object, PickleKind::kDict) && p_.is(state, PickleKind::kTuple);
  if (is_dtype) {  // (version, byte order, ...)
    std::vector<Id>& items = p_.lists_[p_.index(object)];
    expect(items.size() == 2 && p_.items(state).size() >= 2, "the state of a dtype");
    const Id order = p_.items(state)[1];
    items.insert(items.end(), {order, order});
    return;
  }
  expect(p_.is(object, PickleKind::kDict) && p_.is(state, PickleKind::kDict), "attributes of a dictionary");
  // The attributes of an OrderedDict (PyTorch's _metadata) are no entries of it.
  if (!p_.nodes_[object].attributes || p_.index(object) == p_.index(state)) return;
  spend(sizeof(Id) * p_.items(state).size());
  const std::vector<Id> pairs(p_.items(state).begin(), p_.items(state).end());
  std::vector<Id>& items = p_.lists_[p_.index(object)];
  expect(items.empty(), "attributes of an object only once");
  items = pairs;
}

}  // namespace longhand::convert
