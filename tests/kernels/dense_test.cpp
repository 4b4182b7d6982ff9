// Products, linear layers, softmax with cross-entropy, embeddings and masks: fused against reference.
#include "longhand/kernels/gemm.h"
#include "longhand/kernels/reference.h"
#include "tests/testing.h"

namespace longhand::kernels {
namespace {

using testing::aligned;
using testing::expect_close;
using testing::random_rows;
using testing::random_symbols;
using testing::random_vector;

// Rounding of a sum of n products of values up to 1.
double sum_tolerance(int64_t n) { return 6e-8 * (4.0 + 2.0 * std::sqrt(static_cast<double>(n))); }

struct Product {
  int64_t m, n, k;
  bool a_transposed, b_transposed, accumulate, picked;
};

// The operands of a product, and the arguments that describe them.
template <class T>
struct Operands {
  explicit Operands(const Product& p)
      : a_rows((p.a_transposed ? p.k : p.m) + 2),
        a_columns(p.a_transposed ? p.m : p.k),
        b_columns(p.b_transposed ? p.k : p.n),
        a(random_rows<T>(a_rows, a_columns, a_columns + 1, 1.0, 1)),
        b(random_rows<T>(p.b_transposed ? p.n : p.k, b_columns, b_columns + 2, 1.0, 2)),
        bias(random_vector<T>(p.n, 1.0, 3)),
        c(random_rows<T>(p.m + 2, p.n, p.n + 3, 1.0, 4)) {
    for (int64_t i = 0; i < a_rows - 2; ++i) rows.push_back(static_cast<int32_t>(a_rows - 1 - i));
    source = {.b = b.data(), .stride = b_columns + 2, .k = p.k, .n = p.n, .transposed = p.b_transposed};
    gemm = {.a = a.data(),
            .a_stride = a_columns + 1,
            .a_transposed = p.a_transposed,
            .a_rows = p.picked ? rows.data() : nullptr,
            .c_rows = p.picked && !p.a_transposed ? rows.data() : nullptr,
            .m = p.m,
            .bias = p.accumulate ? nullptr : bias.data(),
            .accumulate = p.accumulate,
            .c = c.data(),
            .c_stride = p.n + 3};
  }
  int64_t a_rows, a_columns, b_columns;
  std::vector<T> a, b, bias, c;
  std::vector<int32_t> rows;  // every row but the first two, backwards
  PackSource<T> source;
  Gemm<T> gemm;
};

std::vector<Product> products_of_every_size() {
  std::vector<Product> products;
  for (const int64_t m : {1, 3, 4, 7, 8, 9, 31, 130}) {
    for (const int64_t n : {1, 2, 15, 16, 17, 47, 48, 49, 64, 100}) {
      const int64_t k = (m * 7 + n * 3) % 40 + 1;
      for (int bits = 0; bits < 16; ++bits) {
        products.push_back({m, n, k, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0});
      }
    }
  }
  products.push_back({5, 20, 2500, false, false, false, false});  // several blocks of k
  products.push_back({140, 50, 1100, true, false, true, true});
  return products;
}

template <class Round>
void expect_products_to_agree(Precision precision) {
  Context context(2);
  for (const Product& p : products_of_every_size()) {
    Operands<double> expected(p);
    for (double& a : expected.a) a = static_cast<double>(static_cast<float>(a));  // so that both round the same
    for (double& b : expected.b) b = static_cast<double>(static_cast<float>(b));
    reference::gemm<Round>(expected.gemm, expected.source);
    Operands<float> actual(p);
    actual.source.precision = precision;
    const std::vector<float> original = actual.c;
    PackedMatrix packed;
    pack(actual.source, packed, context);
    actual.gemm.b = &packed;
    gemm(actual.gemm, context);
    expect_close(actual.c, expected.c, static_cast<int64_t>(original.size()), sum_tolerance(p.k),
                 "m " + std::to_string(p.m) + " n " + std::to_string(p.n) + " k " + std::to_string(p.k));
    for (size_t i = 0; i < original.size(); ++i) {  // nothing outside the product is touched
      if (static_cast<int64_t>(i) % (p.n + 3) >= p.n) {
        ASSERT_EQ(actual.c[i], original[i]);
      }
    }
  }
}

TEST(Gemm, AgreesWithTheReferenceAtEverySizeOnEveryTarget) {
  testing::on_every_target([] { expect_products_to_agree<reference::NotRounded>(Precision::kFloat); });
}

TEST(Gemm, RoundsBothOperandsToBf16OnEveryTarget) {
  testing::on_every_target_in_bf16([] { expect_products_to_agree<reference::RoundedToBf16>(Precision::kBf16); });
}

// Two products of one A, one of them wider than the other, and each as it is alone.
TEST(Gemm, SharesTheLeftOperandOfSeveralProducts) {
  for (const Precision precision : {Precision::kFloat, Precision::kBf16}) {
    for (const bool transposed : {false, true}) {
      testing::on_every_target([&] {
        const Product wide{70, 100, 600, transposed, false, true, true},
            narrow{70, 17, 600, transposed, true, true, true};
        Context one(1), three(3);
        Operands<float> a(wide), b(narrow), alone_a(wide), alone_b(narrow);
        b.gemm.a = a.gemm.a;
        alone_b.gemm.a = alone_a.gemm.a;
        PackedMatrix packed_a, packed_b;
        a.source.precision = b.source.precision = precision;
        pack(a.source, packed_a, one);
        pack(b.source, packed_b, one);
        a.gemm.b = alone_a.gemm.b = &packed_a;
        b.gemm.b = alone_b.gemm.b = &packed_b;
        const Gemm<float> both[] = {a.gemm, b.gemm};
        gemm(both, three);
        gemm(alone_a.gemm, one);
        gemm(alone_b.gemm, one);
        EXPECT_EQ(a.c, alone_a.c);
        EXPECT_EQ(b.c, alone_b.c);
      });
    }
  }
}

// What is special among the operands: what is no number stays none, so that a training that diverges is noticed.
TEST(Gemm, RoundsToTheNearestBf16) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {1.0F,          1.0F + 0x1p-8F, 1.0F + 0x3p-8F, 1.0F + 0x1.01p-8F, -1.0F - 0x1p-8F,
                                     3e38F,         -0.0F,          3.4028235e38F,  kInfinity,         -kInfinity,
                                     std::nanf(""), 0.1F,           -0.1F,          1.17549435e-38F,   65504.0F};
  const auto n = static_cast<int64_t>(values.size());
  const std::vector<float> one = {1.0F};
  testing::on_every_target_in_bf16([&] {
    Context context(1);
    PackedMatrix packed;
    pack({.b = values.data(), .stride = n, .k = 1, .n = n, .precision = Precision::kBf16}, packed, context);
    std::vector<float> c(values.size());
    gemm({.a = one.data(), .a_stride = 1, .m = 1, .b = &packed, .c = c.data(), .c_stride = n}, context);
    for (size_t i = 0; i < values.size(); ++i) {
      const float expected = reference::RoundedToBf16::of(values[i]);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(c[i]));
      } else {
        EXPECT_EQ(c[i], expected) << values[i];
      }
    }
  });
}

TEST(Pack, PadsGroupsOfRowsWithZeros) {
  // Four groups of three rows become four of sixteen.
  const auto b = random_rows<float>(12, 20, 20, 1.0, 1);
  const auto a = random_rows<float>(5, 64, 64, 1.0, 2);
  const PackSource<float> source{.b = b.data(), .stride = 20, .k = 64, .n = 20, .group = 3};
  std::vector<float> expected(100), actual(100);
  Gemm<float> product{.a = a.data(), .a_stride = 64, .m = 5, .c = expected.data(), .c_stride = 20};
  reference::gemm(product, source);
  testing::on_every_target([&] {
    Context context(1);
    PackedMatrix packed;
    pack(source, packed, context);
    product.b = &packed;
    product.c = actual.data();
    gemm(product, context);
    expect_close(actual, expected, 100, sum_tolerance(64), "grouped");
  });
}

template <class T>
struct OutputLayer {
  OutputLayer(int64_t rows, int64_t inputs, int64_t classes)
      : x(aligned(random_rows<T>(rows + 3, inputs, padded(inputs), 1.0, 1))),
        dx(Buffer<T>((rows + 3) * padded(inputs))),
        w(random_vector<T>(classes * inputs, 1.0 / std::sqrt(static_cast<double>(inputs)), 2)),
        bias(random_vector<T>(padded(classes), 0.1, 3)),
        dw(random_vector<T>(classes * inputs, 0.1, 4)),
        dbias(random_vector<T>(padded(classes), 0.1, 5)),
        loss(static_cast<size_t>(rows)),
        targets(random_symbols(rows + 3, classes, 6)) {
    for (int64_t k = 0; k < classes; ++k) weights.push_back(static_cast<T>(0.25 + 0.5 * static_cast<double>(k % 4)));
    for (int64_t i = 0; i < rows; ++i) picked.push_back(static_cast<int32_t>(rows + 2 - i));
    args = {.output = {.inputs = inputs,
                       .outputs = classes,
                       .n = rows,
                       .x = x.data(),
                       .x_stride = padded(inputs),
                       .w = w.data(),
                       .bias = bias.data()},
            .targets = targets.data(),
            .loss = loss.data(),
            .scale = T(0.25),
            .dx = dx.data(),
            .dx_stride = padded(inputs),
            .dw = dw.data(),
            .dbias = dbias.data()};
  }
  Buffer<T> x, dx;
  std::vector<T> w, bias, dw, dbias, loss, weights;
  std::vector<int32_t> targets, picked;
  SoftmaxCrossEntropy<T> args;
};

TEST(SoftmaxCrossEntropy, AgreesWithTheReferenceOnEveryTarget) {
  struct Shape {
    int64_t rows, inputs, classes;
    bool picked;
    double smoothing = 0.0;
    bool weighted = false;
  };
  for (const Shape s : {Shape{1, 1, 2, false}, Shape{5, 7, 3, true}, Shape{33, 16, 28, false}, Shape{40, 20, 17, true},
                        Shape{1200, 9, 33, true}, Shape{700, 8, 5000, false}, Shape{1, 1, 2, false, 0.3},
                        Shape{5, 7, 16, true, 0.1}, Shape{40, 20, 17, true, 0.9}, Shape{33, 9, 15, false, 0.1},
                        Shape{5, 7, 3, true, 0.0, true}, Shape{1200, 9, 33, false, 0.2, true}}) {
    OutputLayer<double> expected(s.rows, s.inputs, s.classes);
    expected.args.smoothing = s.smoothing;
    if (s.weighted) expected.args.weights = expected.weights.data();
    if (s.picked) expected.args.output.rows = expected.picked.data();
    reference::softmax_cross_entropy(expected.args);
    testing::on_every_target([&] {
      Context context(2);
      OutputLayer<float> actual(s.rows, s.inputs, s.classes);
      actual.args.smoothing = static_cast<float>(s.smoothing);
      if (s.weighted) actual.args.weights = actual.weights.data();
      if (s.picked) actual.args.output.rows = actual.picked.data();
      PackedLinear packed;
      pack_linear(actual.w.data(), s.classes, s.inputs, true, packed, context);
      softmax_cross_entropy(actual.args, packed, context);
      const double tolerance = sum_tolerance(s.inputs + s.rows + s.classes);
      expect_close(actual.loss, expected.loss, s.rows, tolerance, "loss");
      expect_close(actual.dx, expected.dx, expected.dx.size(), tolerance, "dx");
      expect_close(actual.dw, expected.dw, s.classes * s.inputs, tolerance, "dw");
      expect_close(actual.dbias, expected.dbias, s.classes, tolerance, "dbias");
      actual.args.dw = nullptr;  // evaluation: the same losses, and no gradient
      const std::vector<float> losses = actual.loss;
      softmax_cross_entropy(actual.args, packed, context);
      EXPECT_EQ(actual.loss, losses);
    });
  }
}

TEST(SoftmaxCrossEntropy, SurvivesHugeLogits) {
  OutputLayer<float> layer(3, 2, 5);
  for (float& w : layer.w) w *= 1e4F;
  Context context(1);
  PackedLinear packed;
  pack_linear(layer.w.data(), 5, 2, true, packed, context);
  softmax_cross_entropy(layer.args, packed, context);
  for (const float loss : layer.loss) EXPECT_TRUE(std::isfinite(loss) && loss >= 0.0F) << loss;
}

TEST(SoftmaxCrossEntropyReference, GradientsAgreeWithCentralDifferences) {
  for (const std::pair<double, bool>& variant : {std::pair(0.0, false), {0.2, false}, {0.0, true}, {0.2, true}}) {
    const double smoothing = variant.first;
    const bool weighted = variant.second;
    OutputLayer<double> layer(4, 3, 5);
    layer.args.smoothing = smoothing;
    if (weighted) layer.args.weights = layer.weights.data();
    layer.args.output.rows = layer.picked.data();
    std::fill(layer.dw.begin(), layer.dw.end(), 0.0);
    std::fill(layer.dbias.begin(), layer.dbias.end(), 0.0);
    reference::softmax_cross_entropy(layer.args);
    auto evaluate = layer.args;
    evaluate.dw = nullptr;
    // The losses that the kernel reports are without smoothing, which adds the mean of those of all classes.
    const auto loss = [&] {
      double sum = 0.0;
      const auto add = [&](const std::vector<int32_t>& targets, double share) {
        evaluate.targets = targets.data();
        reference::softmax_cross_entropy(evaluate);
        for (size_t n = 0; n < layer.loss.size(); ++n) {
          const int32_t target = layer.targets[static_cast<size_t>(layer.picked[n])];
          const double weight = weighted ? layer.weights[static_cast<size_t>(target)] : 1.0;
          sum += share * layer.args.scale * weight * layer.loss[n];
        }
      };
      add(layer.targets, 1.0 - smoothing);
      for (int32_t c = 0; c < 5; ++c) add(std::vector<int32_t>(layer.targets.size(), c), smoothing / 5.0);
      return sum;
    };
    const auto check = [&](double* value, double gradient, const char* what) {
      const double saved = *value;
      *value = saved + 1e-5;
      const double above = loss();
      *value = saved - 1e-5;
      const double below = loss();
      *value = saved;
      EXPECT_NEAR(gradient, (above - below) / 2e-5, 1e-9) << what;
    };
    for (size_t i = 0; i < 15; ++i) check(&layer.w[i], layer.dw[i], "w");
    for (size_t i = 0; i < 5; ++i) check(&layer.bias[i], layer.dbias[i], "bias");
    for (int64_t row = 0; row < 7; ++row) {
      for (int64_t j = 0; j < 3; ++j) check(&layer.x[row * padded(3) + j], layer.dx[row * padded(3) + j], "x");
    }
  }
}

TEST(Linear, AgreesWithTheReferenceOnEveryTarget) {
  for (const std::array<int64_t, 3>& sizes : {std::array<int64_t, 3>{1, 1, 1}, {5, 17, 3}, {33, 20, 49}}) {
    const int64_t n = sizes[0], inputs = sizes[1], outputs = sizes[2];
    const auto x = random_rows<float>(n, inputs, inputs, 1.0, 1);
    const auto w = random_vector<float>(outputs * inputs, 1.0, 2);
    const auto bias = random_vector<float>(padded(outputs), 1.0, 3);
    const auto dy = random_rows<float>(n, outputs, outputs, 1.0, 4);
    const auto run = [&](auto&& forward, auto&& backward) {
      std::vector<float> all(static_cast<size_t>(n * outputs + n * inputs + outputs * inputs + outputs));
      float* y = all.data();
      float* dx = y + n * outputs;
      float* dw = dx + n * inputs;
      forward(LinearForward<float>{inputs, outputs, n, nullptr, x.data(), inputs, w.data(), bias.data(), y, outputs});
      backward(LinearBackward<float>{inputs, outputs, n, nullptr, x.data(), inputs, w.data(), dy.data(), outputs, dx,
                                     inputs, dw, dw + outputs * inputs});
      return all;
    };
    const auto expected =
        run([](const auto& a) { reference::linear_forward(a); }, [](const auto& a) { reference::linear_backward(a); });
    testing::on_every_target([&] {
      Context context(2);
      PackedLinear packed;
      pack_linear(w.data(), outputs, inputs, true, packed, context);
      const auto actual = run([&](const auto& a) { linear_forward(a, packed, context); },
                              [&](const auto& a) { linear_backward(a, packed, context); });
      expect_close(actual, expected, static_cast<int64_t>(actual.size()), sum_tolerance(n + inputs + outputs),
                   "linear");
    });
  }
}

TEST(Embedding, GathersAndScattersOnEveryTarget) {
  for (const int64_t width : {1, 15, 16, 33}) {
    const int64_t n = 50, classes = 7, stride = padded(width);
    const auto table = random_vector<float>(classes * width, 1.0, 1);
    const auto dy = aligned(random_rows<float>(n, width, stride, 1.0, 2));
    const auto symbols = random_symbols(n, classes, 3);
    std::vector<float> expected(static_cast<size_t>(n * stride)), dtable(static_cast<size_t>(classes * width), 0.5F);
    auto actual = expected;
    auto actual_dtable = dtable;
    reference::embedding_gather<float>({n, width, table.data(), symbols.data(), expected.data(), stride});
    reference::embedding_scatter<float>({n, width, symbols.data(), dy.data(), stride, dtable.data()});
    testing::on_every_target([&] {
      Context context(3);
      std::fill(actual.begin(), actual.end(), 0.0F);
      std::fill(actual_dtable.begin(), actual_dtable.end(), 0.5F);
      embedding_gather({n, width, table.data(), symbols.data(), actual.data(), stride}, context);
      embedding_scatter({n, width, symbols.data(), dy.data(), stride, actual_dtable.data()}, context);
      EXPECT_EQ(actual, expected);
      EXPECT_EQ(actual_dtable, dtable);  // the same sums in the same order
    });
  }
}

// Masks are the same on every instruction set, on any number of threads, and in double.
TEST(Mask, EqualsTheReferenceExactlyOnEveryTarget) {
  for (const int64_t width : {1, 7, 8, 9, 31, 64, 100, 129, 300}) {
    const int64_t rows = 9, stride = padded(width) + kLineFloats;
    DrawMask<float> args{.seed = 0x123456789ABCDEFU,
                         .step = 5'000'000'000U,
                         .place = 77,
                         .p = 0.3,
                         .hit = -1.0F,
                         .miss = 2.0F,
                         .rows = rows,
                         .width = width,
                         .mask = nullptr,
                         .stride = stride};
    std::vector<float> expected(static_cast<size_t>(rows * stride), 9.0F);
    args.mask = expected.data();
    reference::draw_mask(args);
    testing::on_every_target([&] {
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        std::vector<float> actual(expected.size(), 9.0F);
        args.mask = actual.data();
        draw_mask(args, pool);
        EXPECT_EQ(actual, expected) << width;
      }
    });
  }
}

}  // namespace
}  // namespace longhand::kernels
