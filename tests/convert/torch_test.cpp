// Files of torch.save: what is read, and what is refused by name.
#include "longhand/convert/torch_file.h"

#include <fmt/core.h>

#include "longhand/io/file.h"
#include "tests/convert/compose.h"
#include "tests/io/hostile.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

namespace pk = testing::pickle;
using testing::bytes_of;
using testing::error_of;
using testing::torch_legacy;
using testing::torch_zip;

StateDict read(const std::string& bytes, const std::string& key = "") {
  return find_state_dict(TorchFile::parse("x.pt", bytes), key);
}
std::string error(const std::string& value, const std::string& key = "") {
  return error_of([&] { read(torch_zip(value, {{"0", bytes_of<float>({1, 2, 3, 4, 5, 6})}}), key); });
}
std::vector<float> values(const StateDict& state, const std::string& name) {
  for (const auto& [key, array] : state.tensors) {
    if (key == name) return io::floats(array, key);
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

const std::string kSix = bytes_of<float>({1, 2, 3, 4, 5, 6});
const std::string kMatrix = pk::tensor("Float", "0", 6, 0, {2, 3}, {3, 1});

TEST(Torch, ReadsShapesStridesAndSharedStorages) {
  const std::string value = pk::dict({{"w", kMatrix},
                                      {"transposed", pk::tensor("Float", "0", 6, 0, {3, 2}, {1, 3})},
                                      {"part", pk::tensor("Float", "0", 6, 2, {2}, {2})},
                                      {"scalar", pk::tensor("Long", "1", 1, 0, {}, {})},
                                      {"empty", pk::tensor("Float", "2", 0, 0, {0, 4}, {4, 1})},
                                      {"epoch", pk::integer(3)}});
  for (const std::string& bytes :
       {torch_zip(value, {{"0", kSix}, {"1", bytes_of<int64_t>(7)}, {"2", ""}}),
        torch_legacy(pk::dict({{"w", kMatrix},
                               {"transposed", pk::tensor("Float", "0", 6, 0, {3, 2}, {1, 3}, "N")},
                               {"part", pk::tensor("Float", "0", 6, 2, {2}, {2})}}),
                     {{"0", kSix}})}) {
    const StateDict state = read(bytes);
    EXPECT_EQ(state.tensors.front().first, "w");
    EXPECT_EQ(io::describe(state.tensors.front().second), "float32 [2, 3]");
    EXPECT_EQ(values(state, "w"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(values(state, "transposed"), (std::vector<float>{1, 4, 2, 5, 3, 6}));
    EXPECT_EQ(values(state, "part"), (std::vector<float>{3, 5}));
    if (state.tensors.size() == 3) continue;
    EXPECT_EQ(values(state, "scalar"), (std::vector<float>{7}));
    EXPECT_EQ(values(state, "empty"), std::vector<float>());
    EXPECT_EQ(state.others, (std::vector<std::string>{"epoch"}));
  }
}

TEST(Torch, ReadsEveryTypeAndByteOrder) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"Double", bytes_of<double>({1, 2})},
                                                                  {"Half", bytes_of<uint16_t>({0x3C00, 0x4000})},
                                                                  {"BFloat16", bytes_of<uint16_t>({0x3F80, 0x4000})},
                                                                  {"Int", bytes_of<int32_t>({1, 2})},
                                                                  {"Short", bytes_of<int16_t>({1, 2})},
                                                                  {"Char", "\x01\x02"},
                                                                  {"Byte", "\x01\x02"}};
  for (const auto& [type, bytes] : cases) {
    const std::string value = pk::dict({{"w", pk::tensor(type, "0", 2, 0, {2}, {1})}});
    EXPECT_EQ(values(read(torch_zip(value, {{"0", bytes}})), "w"), (std::vector<float>{1, 2})) << type;
    std::string swapped = bytes;
    io::swap_bytes(swapped, bytes.size() / 2);
    EXPECT_EQ(values(read(torch_zip(value, {{"0", swapped}}, "big")), "w"), (std::vector<float>{1, 2})) << type;
  }
  // Types that PyTorch has no storages of: untyped bytes and a dtype.
  const std::string untyped = pk::tuple({pk::text("storage"), pk::global("torch.storage", "UntypedStorage"),
                                         pk::text("0"), pk::text("cpu"), pk::integer(4)});
  const std::string v3 = pk::global("torch._utils", "_rebuild_tensor_v3") +
                         pk::tuple({untyped + "Q", pk::integer(0), pk::integers({2}), pk::integers({1}), "\x89", "}",
                                    pk::global("torch", "uint16")}) +
                         "R";
  EXPECT_EQ(values(read(torch_zip(pk::dict({{"w", v3}}), {{"0", bytes_of<uint16_t>({1, 65535})}})), "w"),
            (std::vector<float>{1, 65535}));
}

TEST(Torch, FindsTheStateDictAndRemovesPrefixes) {
  const std::string inner = pk::dict({{"module.model.a", kMatrix}, {"module.model.b", kMatrix}});
  const std::string slot = pk::dict({{"exp_avg", kMatrix}});
  const auto nested = [&](const std::string& name) {
    return torch_zip(pk::dict({{"epoch", pk::integer(3)},
                               {"optimizer", pk::dict({{"state", slot}})},
                               {"loss", std::string("G\x3f\xf0\0\0\0\0\0\0", 9)},
                               {name, inner}}),
                     {{"0", kSix}});
  };
  for (const char* name : {"state_dict", "model_state_dict", "anything"}) {
    const StateDict state = read(nested(name));
    EXPECT_EQ(state.place, name);
    EXPECT_EQ(state.prefix, "module.model.");
    ASSERT_EQ(state.tensors.size(), 2U);
    EXPECT_EQ(state.tensors[1].first, "b");
  }
  const std::string two = pk::dict({{"encoder", pk::dict({{"a", kMatrix}})}, {"decoder", pk::dict({{"b", kMatrix}})}});
  EXPECT_NE(error(two).find("several: 'encoder', 'decoder'"), std::string::npos);
  EXPECT_EQ(error(two, "decoder"), "");
  EXPECT_NE(error(two, "other").find("under 'encoder', 'decoder'"), std::string::npos);
  EXPECT_NE(error(pk::integer(3)).find("found an integer without one"), std::string::npos);
}

// What training programs put beside the weights, and is no danger.
TEST(Torch, ReadsWhatStandsBesideTheWeights) {
  const std::string dtype = pk::global("numpy", "dtype") + pk::tuple({pk::text("f8"), "\x89", "\x88"}) + "R" +
                            pk::tuple({pk::integer(3), pk::text("<"), "N", "N", "N"}) + "b";
  const std::string eight("\0\0\0\0\0\0\xF8\x3F", 8);  // 1.5
  const std::string scalar = pk::global("numpy.core.multiarray", "scalar") + pk::tuple({dtype, "C\x08" + eight}) + "R";
  const std::string array = pk::global("numpy._core.multiarray", "_reconstruct") +
                            pk::tuple({pk::global("numpy", "ndarray"), pk::integers({0}),
                                       "C\x01"
                                       "b"}) +
                            "R" + pk::tuple({pk::integer(1), pk::integers({1}), dtype, "\x89", "C\x08" + eight}) + "b";
  const std::string arguments =
      pk::global("argparse", "Namespace") + ")\x81" + pk::dict({{"lr", pk::integer(1)}}) + "b";
  const std::string ordered = pk::global("collections", "OrderedDict") + ")R(" + pk::text("w") + kMatrix + "u" +
                              pk::dict({{"_metadata", pk::dict({})}}) + "b";
  const std::string value = pk::dict({{"best", scalar}, {"args", arguments}, {"state_dict", ordered}});
  const TorchFile file = TorchFile::parse("x", torch_zip(value, {{"0", kSix}}));
  const Pickle& v = file.values();
  EXPECT_EQ(v.real(*v.find(v.root(), "best")), 1.5);
  EXPECT_EQ(v.integer(*v.find(*v.find(v.root(), "args"), "lr")), 1);
  EXPECT_EQ(find_state_dict(file).tensors.size(), 1U);
  EXPECT_EQ(values(read(torch_zip(pk::dict({{"w", array}}), {})), "w"), (std::vector<float>{1.5}));
}

TEST(Torch, NamesWhatItRefuses) {
  const auto call = [](const std::string& module, const std::string& name) {
    return pk::dict({{"w", kMatrix}, {"x", pk::global(module, name) + pk::tuple({pk::text("id")}) + "R"}});
  };
  EXPECT_NE(error(call("os", "system")).find("os.system"), std::string::npos);
  EXPECT_NE(error(call("posix", "system")).find("posix.system"), std::string::npos);
  EXPECT_NE(error(call("builtins", "eval")).find("builtins.eval"), std::string::npos);
  EXPECT_NE(error(call("torch.nn.modules.rnn", "LSTM")).find("torch.nn.modules.rnn.LSTM"), std::string::npos);
  EXPECT_NE(error(call("torch._utils", "_rebuild_qtensor")).find("_rebuild_qtensor"), std::string::npos);
  EXPECT_NE(error(pk::text("os") + pk::text("system") + "\x93").find("os.system"), std::string::npos);
  EXPECT_NE(error("(ios\nsystem\n").find("opcode INST"), std::string::npos);
  EXPECT_NE(error("(o").find("opcode OBJ"), std::string::npos);
  EXPECT_NE(error("\x82\x01").find("opcode EXT1"), std::string::npos);
  EXPECT_NE(error("cbuiltins\nint\n)R").find("only a name"), std::string::npos);
  EXPECT_NE(error_of([] {
              read(zip_bytes({{"m/data.pkl", pk::file("N")}, {"m/constants.pkl", "x"}}));
            }).find("TorchScript"),
            std::string::npos);
  EXPECT_NE(error_of([] { read(zip_bytes({{"m/x", "x"}})); }).find("without data.pkl"), std::string::npos);
  EXPECT_NE(error_of([] { read(zip_bytes({{"m/archive_format", "pt2"}})); }).find("torch.export"), std::string::npos);
}

TEST(Torch, RefusesTensorsBeyondTheirStorage) {
  const auto with = [](int32_t count, int32_t offset, std::vector<int32_t> shape, std::vector<int32_t> strides) {
    return error(pk::dict({{"w", pk::tensor("Float", "0", count, offset, shape, strides)}}));
  };
  EXPECT_EQ(with(6, 0, {2, 3}, {3, 1}), "");
  EXPECT_NE(with(6, 1, {2, 3}, {3, 1}), "");
  EXPECT_NE(with(6, -1, {2}, {1}), "");
  EXPECT_NE(with(6, 0, {2}, {-1}), "");
  EXPECT_NE(with(6, 0, {1000000000}, {0}), "");  // one number as a billion
  EXPECT_NE(with(6, 0, {2147483647, 2147483647, 2147483647}, {0, 0, 0}), "");
  EXPECT_NE(with(6, 0, {-2}, {1}), "");
  EXPECT_NE(with(6, 0, {2}, {1, 1}), "");
  EXPECT_NE(with(5, 0, {5}, {1}).find("should have 5 elements"), std::string::npos);
  EXPECT_NE(with(2147483647, 0, {2147483647}, {1}), "");
  EXPECT_NE(error(pk::dict({{"w", pk::tensor("Float", "9", 6, 0, {6}, {1})}})).find("storage 9 is missing"),
            std::string::npos);
}

// Values that double with every opcode are shared, not copied; nesting takes no stack.
TEST(Torch, BombsStaySmall) {
  std::string doubling = "]q\x01";
  for (int i = 0; i < 200; ++i)
    doubling +=
        "]q\x02(h\x01h\x01"
        "eq\x01";
  EXPECT_NE(error(doubling).find("found a list without one"), std::string::npos);
  EXPECT_NE(error(std::string(200000, '(') + std::string(200000, 't')).find("a tuple"), std::string::npos);
  EXPECT_NE(error("]q\x01h\x01"
                  "a"),
            "");  // a list in itself
  EXPECT_NE(error(std::string(1100000, ']')).find("more than 1000000 values"), std::string::npos);
  std::string copies = "](" + std::string(20000, 'N') +
                       "eq\x01"
                       "0"
                       "](";
  for (int i = 0; i < 20000; ++i) copies += pk::global("collections", "OrderedDict") + "h\x01\x85R";
  EXPECT_NE(error(copies + "e"), "");
  std::string many = "}(";
  for (int i = 0; i < 3000; ++i) many += pk::text(std::to_string(i)) + pk::tensor("Float", "0", 60000, 0, {60000}, {1});
  EXPECT_NE(error_of([&] {
              read(torch_zip(many + "u", {{"0", std::string(240000, '\0')}}));
            }).find("times larger"),
            std::string::npos);
}

TEST(Torch, RefusesEveryTruncationAndSurvivesDamage) {
  const std::string value = pk::dict({{"a", kMatrix}, {"b", pk::tensor("Float", "0", 6, 2, {2}, {2})}});
  for (const std::string& whole : {torch_zip(value, {{"0", kSix}}), torch_legacy(value, {{"0", kSix}})}) {
    const auto reader = [](std::string_view bytes) { read(std::string(bytes)); };
    EXPECT_EQ(read(whole).tensors.size(), 2U);
    testing::expect_no_prefix(whole, reader);
    EXPECT_GT(testing::expect_no_crash(whole, reader), 100);
  }
  const std::string pickle = pk::file(value);
  testing::expect_no_crash(pickle, [](std::string_view bytes) { Pickle().run(bytes, "x"); });
}

}  // namespace
}  // namespace longhand::convert
