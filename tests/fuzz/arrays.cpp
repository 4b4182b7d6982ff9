// Files of one array: .npy, WAV, raw float32, and tables of numbers.
#include "longhand/base/error.h"
#include "longhand/convert/number_table.h"
#include "longhand/io/npy.h"
#include "longhand/io/raw_floats.h"
#include "longhand/io/wav.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  const io::Array array = io::make_array({2, 2}, std::vector<float>{1, 2, 3, 4});
  const std::string wav(
      "RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\x3e\0\0\0\xfa\0\0\x04\0\x10\0data\x08\0\0\0abcdefgh", 52);
  std::string fortran = io::npy_bytes(array);
  fortran.replace(fortran.find("False"), 5, "True ");
  return {io::npy_bytes(array), fortran, wav, "1,2\n3,4\n", "a b\n1 2.5\n", "1;2,5\n"};
}

void read(std::string_view bytes) {
  const auto attempt = [](const auto& body) {
    try {
      body();
    } catch (const Error&) {
    }
  };
  attempt([&] {
    const io::Array array = io::read_npy("input", bytes);
    io::first_non_finite(array);
    io::floats(array, "input");
  });
  attempt([&] {
    io::InputStream input("input", bytes);
    io::NpyReader reader(input);
    while (reader.rows_left() > 0) reader.read(1 << 20);
  });
  attempt([&] { io::read_wav("input", bytes); });
  attempt([&] { io::read_raw_floats("input", bytes); });
  convert::read_number_table("input", bytes);
}

}  // namespace longhand::fuzz
