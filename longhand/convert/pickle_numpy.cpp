// Numbers and arrays of NumPy in pickles.
#include <bit>
#include <utility>

#include "longhand/base/utf8.h"
#include "longhand/convert/pickle_calls.h"

namespace longhand::convert {

using io::DType;

// A dtype is a dictionary of its code, and of its byte order once BUILD has set it.
DType PickleCalls::numpy_dtype(Id dtype, bool& big_endian) const {
  expect(p_.is(dtype, PickleKind::kDict) && p_.items(dtype).size() >= 2 && p_.is(p_.items(dtype)[0], PickleKind::kText),
         "a dtype of NumPy");
  std::string_view code = p_.text(p_.items(dtype)[0]);
  if (!code.empty() && (code[0] == '<' || code[0] == '>' || code[0] == '|')) {
    big_endian = code[0] == '>';
    code.remove_prefix(1);
  }
  if (p_.items(dtype).size() > 2 && p_.is(p_.items(dtype)[2], PickleKind::kText)) {
    big_endian = p_.text(p_.items(dtype)[2]) == ">";
  }
  constexpr std::pair<std::string_view, DType> kCodes[] = {
      {"f2", DType::kF16}, {"f4", DType::kF32}, {"f8", DType::kF64}, {"i1", DType::kI8},
      {"i2", DType::kI16}, {"i4", DType::kI32}, {"i8", DType::kI64}, {"u1", DType::kU8},
      {"u2", DType::kU16}, {"u4", DType::kU32}, {"u8", DType::kU64}, {"b1", DType::kBool}};
  for (const auto& [name, value] : kCodes) {
    if (code == name) return value;
  }
  fail("expected numbers in an array of NumPy, found dtype '" + visible(code.substr(0, 20)) + "'");
}

Pickle::Id PickleCalls::numpy_scalar(std::span<const Id> arguments) {
  expect(arguments.size() == 2 && p_.is(arguments[1], PickleKind::kBytes), "a number of NumPy");
  bool big_endian = false;
  io::Array one{numpy_dtype(arguments[0], big_endian), {}, std::string(p_.bytes(arguments[1]))};
  expect(one.bytes.size() == io::size_of(one.dtype), "a number of NumPy");
  if (big_endian) io::swap_bytes(one.bytes, one.bytes.size());
  if (io::is_floating(one.dtype)) {
    return add(PickleKind::kReal, std::bit_cast<int64_t>(io::doubles(one, name_).front()));
  }
  const int64_t value = io::integers(one, name_).front();
  return add(one.dtype == DType::kBool ? PickleKind::kBool : PickleKind::kInteger, value);
}

// (version, shape, dtype, in Fortran order, bytes)
void PickleCalls::build_array(Id object, Id state) {
  expect(p_.is(state, PickleKind::kTuple) && p_.items(state).size() == 5, "the state of an array of NumPy");
  const std::span<const Id> items = p_.items(state);
  expect(p_.is(items[3], PickleKind::kBool) && p_.is(items[4], PickleKind::kBytes), "the numbers of an array of NumPy");
  io::Array& array = p_.arrays_[p_.index(object)];
  expect(array.bytes.empty(), "the numbers of an array only once");
  bool big_endian = false;
  array.dtype = numpy_dtype(items[2], big_endian);
  array.shape = integers(items[1], "the shape of an array");
  const std::string_view bytes = p_.bytes(items[4]);
  expect(io::byte_size(array.dtype, array.shape) == bytes.size(), "as many numbers as the shape says");
  spend(bytes.size());
  const size_t size = io::size_of(array.dtype);
  array.bytes = p_.integer(items[3]) != 0 ? io::from_fortran_order(bytes, array.shape, size) : std::string(bytes);
  if (big_endian) io::swap_bytes(array.bytes, size);
}

}  // namespace longhand::convert
