// Files of torch.save, and pickles alone.
#include "longhand/base/error.h"
#include "longhand/convert/torch_file.h"
#include "tests/convert/compose.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {
namespace {

namespace pk = testing::pickle;

// The pickle of an archive is compressed, which hides it from the fuzzer: bytes that begin as a pickle become one.
void read_pickle(std::string_view bytes) {
  convert::find_state_dict(convert::TorchFile::parse(
      "input", convert::zip_bytes({{"m/data.pkl", std::string(bytes)}, {"m/data/0", std::string(24, 'x')}})));
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string tensor = pk::tensor("Float", "0", 6, 0, {2, 3}, {3, 1});
  const std::string value = pk::dict({{"module.a", tensor}, {"module.b", pk::tensor("Float", "0", 6, 2, {2}, {2})}});
  const std::string nested = pk::dict({{"state_dict", value}, {"epoch", "K\x01"}});
  const std::string numpy = pk::global("numpy", "dtype") + pk::tuple({pk::text("f8"), "\x89", "\x88"}) + "R" +
                            pk::tuple({pk::integer(3), pk::text("<"), "N"}) + "b";
  const std::string scalar =
      pk::global("numpy.core.multiarray", "scalar") + pk::tuple({numpy, "C\x08" + std::string(8, '\0')}) + "R";
  const std::string array =
      pk::global("numpy.core.multiarray", "_reconstruct") +
      pk::tuple({pk::global("numpy", "ndarray"), pk::integers({0}),
                 "C\x01"
                 "b"}) +
      "R" + pk::tuple({pk::integer(1), pk::integers({1}), numpy, "\x89", "C\x08" + std::string(8, '\0')}) + "b";
  const std::string others =
      pk::dict({{"w", tensor},
                {"x", scalar},
                {"y", array},
                {"z", pk::global("argparse", "Namespace") + ")\x81" + pk::dict({{"lr", "N"}}) + "b"},
                {"o", pk::global("collections", "OrderedDict") + "](" + pk::tuple({"K\x01", "K\x02"}) + "e\x85R"},
                {"e", pk::global("_codecs", "encode") + pk::tuple({pk::text("\xc3\xbf"), pk::text("latin1")}) + "R"}});
  return {pk::file(value), pk::file(nested), pk::file(others), testing::torch_zip(value, {{"0", std::string(24, 'x')}}),
          testing::torch_legacy(value, {{"0", std::string(24, 'x')}})};
}

void read(std::string_view bytes) {
  try {
    read_pickle(bytes);
  } catch (const Error&) {
  }
  convert::find_state_dict(convert::TorchFile::parse("input", std::string(bytes)));
}

}  // namespace longhand::fuzz
