// Every operation's derivative against central differences in double, and the tape's bookkeeping.
#include "longhand/autograd/cells.h"
#include "tests/autograd/differences.h"

namespace longhand::autograd {
namespace {

struct Operation {
  const char* name;
  std::vector<Input> inputs;
  Build build;
};

void PrintTo(const Operation& operation, std::ostream* out) { *out << operation.name; }

constexpr uint8_t kPick[] = {1, 0, 0, 1, 1};
constexpr int32_t kIndices[] = {2, 0, 2, 1, 2};

std::vector<Operation> operations() {
  const auto same = [](const auto& operation) {
    return [operation](Tape<double>&, const Vars& v) -> Vars { return {operation(v)}; };
  };
  const Input x{5, 3};
  return {
      {"matmul_transposed", {{5, 7}, {3, 7}}, same([](const Vars& v) { return matmul_transposed(v[0], v[1]); })},
      {"matmul_transposed_with_itself", {x}, same([](const Vars& v) { return matmul_transposed(v[0], v[0]); })},
      {"add", {x, x}, same([](const Vars& v) { return add(v[0], v[1]); })},
      {"add_to_itself", {x}, same([](const Vars& v) { return add(v[0], v[0]); })},
      {"subtract", {x, x}, same([](const Vars& v) { return subtract(v[0], v[1]); })},
      {"multiply", {x, x}, same([](const Vars& v) { return multiply(v[0], v[1]); })},
      {"square", {x}, same([](const Vars& v) { return multiply(v[0], v[0]); })},
      {"add_row", {x, {1, 3}}, same([](const Vars& v) { return add_row(v[0], v[1]); })},
      {"multiply_row", {x, {1, 3}}, same([](const Vars& v) { return multiply_row(v[0], v[1]); })},
      {"multiply_column", {x, {5, 1}}, same([](const Vars& v) { return multiply_column(v[0], v[1]); })},
      {"subtract_column", {x, {5, 1}}, same([](const Vars& v) { return subtract_column(v[0], v[1]); })},
      {"add_scalar", {x}, same([](const Vars& v) { return add_scalar(v[0], 0.7); })},
      {"scale", {x}, same([](const Vars& v) { return scale(v[0], -0.7); })},
      {"sigmoid", {{5, 3, -4, 4}}, same([](const Vars& v) { return sigmoid(v[0]); })},
      {"tanh", {{5, 3, -3, 3}}, same([](const Vars& v) { return tanh(v[0]); })},
      {"relu", {x}, same([](const Vars& v) { return relu(v[0]); })},
      {"negative_part", {x}, same([](const Vars& v) { return negative_part(v[0]); })},
      {"keep_from", {x}, same([](const Vars& v) { return keep_from(v[0], 0.21); })},
      {"clip", {x}, same([](const Vars& v) { return clip(v[0], 0.41); })},
      {"exp", {x}, same([](const Vars& v) { return exp(v[0]); })},
      {"log", {{5, 3, 0.5, 3}}, same([](const Vars& v) { return log(v[0]); })},
      {"rsqrt", {{5, 3, 0.5, 3}}, same([](const Vars& v) { return rsqrt(v[0]); })},
      {"row_sum", {x}, same([](const Vars& v) { return row_sum(v[0]); })},
      {"row_mean", {x}, same([](const Vars& v) { return row_mean(v[0]); })},
      {"sum", {x}, same([](const Vars& v) { return sum(v[0]); })},
      {"columns", {{5, 7}}, same([](const Vars& v) { return columns(v[0], 2, 3); })},
      {"concat_columns", {x, {5, 2}}, same([](const Vars& v) { return concat_columns(v[0], v[1]); })},
      {"concat_rows", {x, {1, 3}, {2, 3}}, same([](const Vars& v) { return concat_rows(v); })},
      {"expand_row", {{1, 3}}, same([](const Vars& v) { return expand_row(v[0], 5); })},
      {"select_rows", {x, x}, same([](const Vars& v) { return select_rows(kPick, v[0], v[1]); })},
      {"gather_rows", {{4, 3}}, same([](const Vars& v) { return gather_rows(v[0], kIndices, 5); })},
      {"gather_columns", {{7, 3}}, same([](const Vars& v) { return gather_columns(v[0], kIndices, 5); })},
      {"cross_entropy", {{5, 3, -3, 3}}, same([](const Vars& v) { return cross_entropy(v[0], kIndices); })},
      {"normalise", {{5, 7}}, same([](const Vars& v) { return normalise(v[0]); })},
      {"several_uses",
       {x, x},
       [](Tape<double>&, const Vars& v) {
         const Var<double> y = tanh(multiply(v[0], v[1]));
         return Vars{y, add(y, v[0]), multiply(y, y)};
       }},
  };
}

class AutogradOperation : public ::testing::TestWithParam<Operation> {};

TEST_P(AutogradOperation, GradientAgreesWithCentralDifferences) {
  Problem(GetParam().inputs, GetParam().build).expect_gradients_are_central_differences();
}

INSTANTIATE_TEST_SUITE_P(All, AutogradOperation, ::testing::ValuesIn(operations()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(Autograd, CrossEntropyIsStable) {
  Tape<float> tape;
  const float logits[] = {1000.0F, 0.0F, -1000.0F, -1000.0F};
  const int32_t targets[] = {1, 0};
  const Var<float> x = tape.variable(2, 2, logits);
  const Var<float> y = cross_entropy(x, targets);
  EXPECT_FLOAT_EQ(y.value()[0], 1000.0F);
  EXPECT_FLOAT_EQ(y.value()[1], std::log(2.0F));
  const float ones[] = {1.0F, 1.0F};
  tape.seed(y, ones);
  tape.backward();
  const float expected[] = {1.0F, -1.0F, -0.5F, 0.5F};
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(x.gradient()[i], expected[i]);
}

TEST(Autograd, LeavesAndSeedsHaveStrides) {
  Tape<double> tape;
  const double values[] = {1, 2, -1, 3, 4, -1};
  const Var<double> x = tape.variable(2, 2, values, 3);
  const Var<double> y = scale(x, 2);
  EXPECT_EQ(std::vector<double>(y.value().begin(), y.value().end()), (std::vector<double>{2, 4, 6, 8}));
  tape.seed(y, values, 3);
  tape.seed(y, values, 3);  // seeds add up
  tape.seed(x, values, 3);
  tape.backward();
  EXPECT_EQ(std::vector<double>(x.gradient().begin(), x.gradient().end()), (std::vector<double>{5, 10, 15, 20}));
}

TEST(Autograd, ConstantsGetNoGradient) {
  Tape<double> tape;
  const double values[] = {1, 2};
  const Var<double> x = tape.variable(1, 2, values), c = tape.constant(1, 2, values), d = exp(c);
  const Var<double> y = multiply(x, d);
  EXPECT_EQ(tape.filled(2, 2, 3.0).value()[3], 3.0);
  tape.seed(d, values);  // nothing to carry
  tape.seed(y, values);
  tape.backward();
  EXPECT_TRUE(c.gradient().empty());
  EXPECT_TRUE(d.gradient().empty());
  EXPECT_DOUBLE_EQ(x.gradient()[1], 2 * std::exp(2.0));
}

TEST(Autograd, RefusesWhatDoesNotFit) {
  Tape<double> tape, other;
  const double values[12] = {};
  const int32_t outside[] = {0, 3};
  const Var<double> x = tape.variable(2, 3, values), w = tape.variable(3, 4, values);
  EXPECT_THROW(matmul_transposed(x, w), std::logic_error);
  EXPECT_THROW(add(x, w), std::logic_error);
  EXPECT_THROW(add(x, other.variable(2, 3, values)), std::logic_error);
  EXPECT_THROW(add_row(x, x), std::logic_error);
  EXPECT_THROW(multiply_column(x, x), std::logic_error);
  EXPECT_THROW(columns(x, 2, 2), std::logic_error);
  EXPECT_THROW(concat_columns(x, w), std::logic_error);
  EXPECT_THROW(concat_rows<double>({x, w}), std::logic_error);
  EXPECT_THROW(expand_row(x, 2), std::logic_error);
  EXPECT_THROW(gather_rows(w, outside, 2), std::logic_error);
  EXPECT_THROW(gather_columns(x, outside, 2), std::logic_error);
  EXPECT_THROW(cross_entropy(x, outside), std::logic_error);
  tape.backward();
  EXPECT_THROW(tape.backward(), std::logic_error);
  EXPECT_THROW(tape.seed(x, values), std::logic_error);
}

}  // namespace
}  // namespace longhand::autograd
