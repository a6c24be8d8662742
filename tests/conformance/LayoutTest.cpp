// Layouts of operands and results: results that overlap operands or themselves, operands that overlap, alpha and beta.
#include "compiler/IndexNotation/Interpreter.h"
#include "ein/Einsum.h"
#include "ein/Engine.h"
#include "tests/conformance/Support.h"

#include <cmath>
#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

/// Runs on views that may overlap and compares with the interpreter on what they held before.
::testing::AssertionResult rightInPlace(const std::string &text, const std::vector<TensorView> &operands,
                                        const TensorView &result, CompileOptions options = {}) {
  std::vector<TensorType> types;
  std::vector<ReferenceTensor> inputs;
  for (const TensorView &operand : operands) types.push_back(operand.type), inputs.push_back(readReference(operand));
  if (options.beta != 0) inputs.push_back(readReference(result));
  options.resultStrides = {result.type.strides};
  auto program = parseAndBind(text, types, options);
  if (!program) return ::testing::AssertionFailure() << program.error().render();
  const ReferenceTensor wanted = interpret(*program, inputs)[0];
  auto ok = Engine::global().run(text, operands, {&result, 1}, options);
  if (!ok) return ::testing::AssertionFailure() << ok.error().render();
  const ReferenceTensor found = readReference(result);
  for (size_t i = 0; i < wanted.values.size(); ++i)
    if (wanted.values[i] != found.values[i])
      return ::testing::AssertionFailure()
             << text << ": element " << i << " is " << found.values[i] << ", not " << wanted.values[i];
  return ::testing::AssertionSuccess();
}

std::vector<float> integers(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = float(int(i * 7 % 11) - 5);
  return values;
}

TEST(Layout, ResultsThatOverlapOperands) {
  for (int threads : {1, 2}) {
    CompileOptions options;
    options.threads = threads;
    auto m = integers(64 * 64);
    const TensorView square(m.data(), {64, 64}), transposed(m.data(), TensorType(DType::F32, {64, 64}, {1, 64}));
    EXPECT_TRUE(rightInPlace("ij->ji", {square}, square, options));
    EXPECT_TRUE(rightInPlace("ik,kj->ij", {square, square}, square, options));
    for (float &x : m) x = std::fmod(x, 3.0f);
    EXPECT_TRUE(rightInPlace("ik,kj->ij", {square, transposed}, transposed, options));
    auto n = integers(1000);
    // Shifted by one, forwards and backwards, reversed, and every second element.
    EXPECT_TRUE(rightInPlace("i->i", {TensorView(n.data(), {999})}, TensorView(n.data() + 1, {999}), options));
    EXPECT_TRUE(rightInPlace("i->i", {TensorView(n.data() + 1, {999})}, TensorView(n.data(), {999}), options));
    EXPECT_TRUE(rightInPlace("i->i", {TensorView(n.data(), {999})},
                             TensorView(n.data() + 998, TensorType(DType::F32, {999}, {-1})), options));
    EXPECT_TRUE(rightInPlace("i->i", {TensorView(n.data() + 1, TensorType(DType::F32, {300}, {2}))},
                             TensorView(n.data(), TensorType(DType::F32, {300}, {2})), options));
    options.beta = 2;
    EXPECT_TRUE(rightInPlace("ij->ji", {square}, square, options));
  }
}

TEST(Layout, ResultsBetweenOperandsAreLeftAlone) {
  auto m = integers(2 * 300);
  const std::vector<float> before = m;
  const TensorView even(m.data(), TensorType(DType::F32, {300}, {2})), odd(m.data() + 1, even.type);
  ASSERT_TRUE(rightInPlace("i->i", {even}, odd));
  for (size_t i = 0; i < m.size(); i += 2) EXPECT_EQ(m[i], before[i]);
}

TEST(Layout, ResultsThatOverlapThemselvesAreRefused) {
  const std::vector<TensorType> operands = types("f32[4,4]");
  auto codeOf = [&](std::vector<int64_t> strides) {
    CompileOptions options;
    options.resultStrides = {std::move(strides)};
    auto kernel = Engine::global().compile("ij->ij", operands, options);
    return kernel ? std::string("compiled") : std::string(errorCodeName(kernel.error().code));
  };
  EXPECT_EQ(codeOf({0, 1}), "layout");
  EXPECT_EQ(codeOf({1, 1}), "layout");
  EXPECT_EQ(codeOf({3, 1}), "layout");
  EXPECT_EQ(codeOf({-3, 1}), "layout");
  EXPECT_EQ(codeOf({6, 4}), "layout");
  EXPECT_EQ(codeOf({4, 1}), "compiled");
  EXPECT_EQ(codeOf({-1, -4}), "compiled");
  EXPECT_EQ(codeOf({4, 5}), "compiled") << "does not nest, and yet no two elements meet";
}

TEST(Layout, OperandsMayOverlapThemselves) {
  for (const char *type : {"f32[30,40]{1,1}", "f32[30,40]{0,0}", "f64[30,40]{2,3}", "f64[30,40]{-1,1}"}) {
    Case c;
    c.text = "ik,jk->ij";
    c.types = types(std::string(type) + " " + type);
    c.data = Data::Integers;
    for (c.seed = 1; c.seed <= 2; ++c.seed) EXPECT_TRUE(computesAsInterpreted(c));
  }
}

TEST(Scaling, WithoutBetaWhatResultsHeldIsNotRead) {
  Case c;
  c.text = "ik,kj->ij";
  c.types = types("f32[17,30] f32[30,19]");
  c.options.alpha = -0.5; // results start as signalling NaNs
  EXPECT_TRUE(computesAsInterpreted(c));
}

TEST(Scaling, AccumulatesNaNAndAll) {
  std::vector<float> a(20, 1), c(4, 1);
  c[2] = std::numeric_limits<float>::quiet_NaN();
  CompileOptions options;
  options.alpha = 2, options.beta = 3;
  const TensorView in(a.data(), {4, 5}), out(c.data(), {4});
  ASSERT_TRUE(Engine::global().run("ij->i", {&in, 1}, {&out, 1}, options));
  EXPECT_EQ(c[0], 13);
  EXPECT_TRUE(std::isnan(c[2]));
  ASSERT_TRUE(Engine::global().run("ij->i", {&in, 1}, {&out, 1}, options));
  EXPECT_EQ(c[0], 49);
}

TEST(Scaling, OfProgramsWithSeveralResults) {
  Case c;
  c.text = "in A: f64[i,j]\nR[i] = sum[j](A)\nM = max[j](A)\nout R\nout M[i]";
  c.types = types("f64[9,13]{-13,1}");
  c.options.alpha = 3, c.options.beta = -1;
  c.data = Data::Integers;
  EXPECT_TRUE(computesAsInterpreted(c));
}

TEST(Scaling, RefusedWhereItCannotBe) {
  Case c;
  c.text = "i->";
  c.types = types("f32[3]");
  c.options.alpha = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(Execution::prepare(c));
  std::vector<float> a(3, 1);
  CompileOptions options;
  options.beta = 1;
  auto made = einsum("i->", {TensorView(a.data(), {3})}, options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::Unsupported);
}

} // namespace
