// ONNX models and tensors.
#include "longhand/base/error.h"
#include "longhand/convert/onnx_file.h"
#include "tests/convert/compose.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

namespace pb = testing::proto;

std::vector<std::string> seeds() {
  const std::string two = pb::bytes(9, "12345678");
  const std::string attributes = pb::bytes(5, pb::bytes(1, "a") + pb::integer(3, 7) + pb::integer(20, 2)) +
                                 pb::bytes(5, pb::bytes(1, "b") + pb::bytes(7, "1234") + pb::integer(20, 6)) +
                                 pb::bytes(5, pb::bytes(1, "c") + pb::bytes(6, pb::node("Relu")) + pb::integer(20, 5)) +
                                 pb::bytes(5, pb::bytes(1, "d") + pb::bytes(5, pb::tensor("t", 1, {2}, two)));
  const std::string shape = pb::bytes(2, pb::bytes(1, pb::bytes(2, "batch")) + pb::bytes(1, pb::integer(1, 3)));
  const std::string input = pb::bytes(1, "x") + pb::bytes(2, pb::bytes(1, pb::integer(1, 1) + shape));
  const std::string external = pb::bytes(13, pb::bytes(1, "location") + pb::bytes(2, "x")) + pb::integer(14, 1);
  return {pb::model(pb::node("LSTM", pb::bytes(1, "x") + pb::bytes(2, "y") + attributes) +
                    pb::bytes(5, pb::tensor("w", 1, {2}, two)) + pb::bytes(11, input)),
          pb::model(pb::node("A") + pb::bytes(5, pb::tensor("w", 1, {2}, external))),
          pb::tensor("w", 7, {2}, pb::bytes(7, "\x01\x02")), pb::tensor("w", 8, {1}, pb::bytes(6, "text"))};
}

void read(std::string_view bytes) {
  try {
    convert::read_onnx_tensor("input", bytes);
  } catch (const Error&) {
  }
  convert::read_onnx("input", bytes);
}

}  // namespace longhand::fuzz
