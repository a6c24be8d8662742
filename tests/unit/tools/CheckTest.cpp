// --check: rounding passes, a wrong element does not; random operands are the same everywhere.
#include "tools/einc/Check.h"

#include "tools/einc/Operands.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>

using namespace ein;
using namespace einc;

namespace {

/// ij,jk->ik on 2x3 and 3x2 matrices, computed by hand in float.
struct Matmul {
  std::vector<float> a = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, b = {1, -2, 3, -4, 5, -6}, c = std::vector<float>(4, 0);

  Matmul() {
    for (int i = 0; i < 2; ++i)
      for (int k = 0; k < 2; ++k)
        for (int j = 0; j < 3; ++j) c[i * 2 + k] += a[i * 3 + j] * b[j * 2 + k];
  }
  CheckReport check() {
    std::vector<TensorView> operands = {TensorView(a.data(), {2, 3}), TensorView(b.data(), {3, 2})};
    auto program = parseAndBind("ij,jk->ik", std::vector<TensorType>{operands[0].type, operands[1].type});
    EXPECT_TRUE(program);
    return einc::check(*program, operands, std::vector<TensorView>{TensorView(c.data(), {2, 2})});
  }
};

TEST(CheckTest, RoundingIsFine) {
  CheckReport report = Matmul().check();
  EXPECT_TRUE(report.fine) << report.place;
  EXPECT_GT(report.bound, 0);
  EXPECT_LT(report.bound, 1e-5);
}

TEST(CheckTest, FindsTheWrongElement) {
  Matmul m;
  m.c[1] += 1e-4f;
  CheckReport report = m.check();
  EXPECT_FALSE(report.fine);
  EXPECT_NEAR(report.error, 1e-4, 1e-6);
  EXPECT_NE(report.place.find("[0,1] is"), std::string::npos) << report.place;
}

TEST(CheckTest, NanIsWrongUnlessTheReferenceHasIt) {
  Matmul m;
  m.c[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(m.check().fine);
  m.a[3] = std::numeric_limits<float>::quiet_NaN();
  m.c[3] = m.c[2];
  EXPECT_TRUE(m.check().fine);
}

TEST(CheckTest, CountsRoundings) {
  auto roundings = [](const char *text, std::vector<TensorType> types) {
    auto program = parseAndBind(text, types);
    EXPECT_TRUE(program) << program.error().render();
    return countRoundings(*program);
  };
  TensorType a(DType::F32, {5, 7}), b(DType::F32, {7, 3});
  EXPECT_EQ(roundings("ij,jk->ik", {a, b}).most, 7 + 1);
  EXPECT_EQ(roundings("ij,jk->", {a, b}).most, 5 * 7 * 3 + 1);
  EXPECT_EQ(roundings("ij->ji", {a}).most, 0);
  EXPECT_TRUE(roundings("ij,jk->ik", {a, b}).sumsOfProducts);
  EXPECT_FALSE(roundings("in x: f32[i,j]\ny[i,j] = exp(x)\nout y", {a}).sumsOfProducts);
  EXPECT_FALSE(roundings("in x: f32[i,j]\ny[i,j] = softmax[j](x)\nout y", {a}).sumsOfProducts);
}

TEST(CheckTest, EachRoundingIsThatOfItsType) {
  auto units = [](std::string_view operands, const CompileOptions &options) {
    std::vector<TensorType> types;
    for (const char *shape : {"[5,7]", "[7,3]"}) types.push_back(*TensorType::parse(std::string(operands) + shape));
    auto program = parseAndBind("ij,jk->ik", types, options);
    EXPECT_TRUE(program) << program.error().render();
    return countRoundings(*program).units;
  };
  const double f32 = 0x1p-24, f64 = 0x1p-53;
  CompileOptions options;
  EXPECT_EQ(units("f32", options), 8 * f32);
  EXPECT_EQ(units("bf16", options), 8 * f32 + 0x1p-8);
  EXPECT_EQ(units("c64", options), (3 * 8 + 2) * f32);
  options.accumulateDType = DType::F64;
  EXPECT_EQ(units("f32", options), 8 * f64 + f32);
  options.computeDType = DType::F32;
  EXPECT_EQ(units("f64", options), 2 * f32 + 8 * f64);
}

TEST(OperandsTest, RandomValuesAreTheSameEverywhere) {
  std::vector<TensorType> types = {TensorType(DType::F32, {1000}), TensorType(DType::F64, {3, 5}, {-5, 1})};
  auto first = allocateAll(types), second = allocateAll(types), third = allocateAll(types);
  ASSERT_TRUE(first && second && third);
  fillRandom(*first, 7);
  fillRandom(*second, 7);
  fillRandom(*third, 8);
  const float *a = static_cast<float *>((*first)[0].view.data), *b = static_cast<float *>((*second)[0].view.data),
              *c = static_cast<float *>((*third)[0].view.data);
  EXPECT_TRUE(std::equal(a, a + 1000, b));
  EXPECT_FALSE(std::equal(a, a + 1000, c));
  EXPECT_TRUE(std::all_of(a, a + 1000, [](float x) { return x >= -1 && x < 1; }));
  EXPECT_LT(*std::min_element(a, a + 1000), -0.9f);
  EXPECT_GT(*std::max_element(a, a + 1000), 0.9f);
  // std::mt19937_64 is specified to the bit: its first draw with the default seed is known.
  std::vector<HostTensor> one(first->begin(), first->begin() + 1);
  fillRandom(one, 5489);
  EXPECT_EQ(a[0], static_cast<float>((14514284786278117030ull >> 40) * 0x1p-23 - 1));
}

TEST(OperandsTest, RefusesWhatDoesNotFitTheMachine) {
  auto tensor = HostTensor::allocate(TensorType(DType::F64, {int64_t(1) << 50}));
  ASSERT_FALSE(tensor);
  EXPECT_EQ(tensor.error().code, ErrorCode::Limit);
}

} // namespace
