// The dtypes: promotion, conversion, and 16-bit floats by hand.
#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Program.h"

#include <gtest/gtest.h>

namespace ein {
namespace {

std::string promoted(DType a, DType b) { return std::string(name(promote(a, b))); }

TEST(DTypeTest, NamesRoundTrip) {
  for (size_t t = 0; t < kDTypes.size(); ++t) {
    const auto dtype = static_cast<DType>(t);
    EXPECT_EQ(parseDType(name(dtype)), dtype);
    EXPECT_NE(std::string(kDTypeNames).find(name(dtype)), std::string::npos);
    EXPECT_EQ(accumulateType(accumulateType(dtype)), accumulateType(dtype));
  }
  EXPECT_FALSE(parseDType("float"));
}

TEST(DTypeTest, PromotionByHand) {
  struct Row {
    DType a, b;
    const char *both;
  };
  const Row rows[] = {
      {DType::F16, DType::F16, "f16"},  {DType::F16, DType::BF16, "f32"}, {DType::F32, DType::F64, "f64"},
      {DType::BF16, DType::F32, "f32"}, {DType::I64, DType::F16, "f16"},  {DType::U8, DType::I8, "i16"},
      {DType::U16, DType::I8, "i32"},   {DType::U32, DType::I32, "i64"},  {DType::U64, DType::I64, "i64"},
      {DType::U8, DType::I32, "i32"},   {DType::Bool, DType::U8, "u8"},   {DType::Bool, DType::F16, "f16"},
      {DType::C64, DType::F64, "c128"}, {DType::C64, DType::F32, "c64"},  {DType::C64, DType::I64, "c64"},
      {DType::U64, DType::U8, "u64"},
  };
  for (const Row &row : rows) {
    EXPECT_EQ(promoted(row.a, row.b), row.both);
    EXPECT_EQ(promoted(row.b, row.a), row.both);
  }
}

TEST(DTypeTest, PromotionKeepsBoth) {
  for (size_t a = 0; a < kDTypes.size(); ++a)
    for (size_t b = 0; b < kDTypes.size(); ++b) {
      const DType both = promote(static_cast<DType>(a), static_cast<DType>(b));
      EXPECT_EQ(both, promote(static_cast<DType>(b), static_cast<DType>(a)));
      EXPECT_TRUE(convertible(static_cast<DType>(a), both));
      EXPECT_EQ(promote(both, static_cast<DType>(a)), both);
    }
}

TEST(DTypeTest, ConversionsGoUp) {
  EXPECT_TRUE(convertible(DType::F64, DType::BF16));
  EXPECT_TRUE(convertible(DType::I64, DType::U8));
  EXPECT_TRUE(convertible(DType::Bool, DType::C64));
  EXPECT_FALSE(convertible(DType::F16, DType::I64));
  EXPECT_FALSE(convertible(DType::C64, DType::F64));
  EXPECT_FALSE(convertible(DType::I8, DType::Bool));
}

#ifdef __FLT16_MANT_DIG__
TEST(DTypeTest, EveryHalfAsTheCompilerHasIt) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const double value = std::bit_cast<_Float16>(static_cast<uint16_t>(bits));
    const double read = halfToDouble(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(read));
      continue;
    }
    EXPECT_EQ(read, value);
    EXPECT_EQ(doubleToHalf(value), bits);
    // Between neighbours: to nearest, ties to even.
    const double up = static_cast<double>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits + 1)));
    if (!std::isfinite(up) || !std::isfinite(value) || (bits & 0x7fff) == 0x7fff) continue;
    EXPECT_EQ(doubleToHalf((value + up) / 2), bits % 2 ? bits + 1 : bits);
  }
}
#endif

TEST(DTypeTest, BFloatByHand) {
  EXPECT_EQ(doubleToBFloat(1), 0x3f80);
  EXPECT_EQ(doubleToBFloat(1 + 0x1p-8), 0x3f80);
  EXPECT_EQ(doubleToBFloat(1 + 3 * 0x1p-8), 0x3f82);
  EXPECT_EQ(doubleToBFloat(-0x1p-133), 0x8001);
  EXPECT_EQ(doubleToBFloat(1e39), 0x7f80);
  EXPECT_TRUE(std::isnan(bfloatToDouble(doubleToBFloat(NAN))));
  EXPECT_EQ(bfloatToDouble(0x4049), 3.140625);
}

TEST(DTypeTest, ResultsOfEinsums) {
  auto dtypeOf = [](const char *text, std::vector<TensorType> types, CompileOptions options = {}) {
    auto p = parseAndBind(text, types, options);
    EXPECT_TRUE(p) << p.error().render();
    return p ? p->tensors[p->outputs[0]].dtype : DType::C128;
  };
  const TensorType i8(DType::I8, {2}), f16(DType::F16, {2}), f64(DType::F64, {2}), condition(DType::Bool, {2});
  EXPECT_EQ(dtypeOf("i,i", {i8, f16}), DType::F16);
  EXPECT_EQ(dtypeOf("i,i,i", {i8, f16, f64}), DType::F64);
  EXPECT_EQ(dtypeOf("i,i", {condition, condition}), DType::Bool);
  EXPECT_EQ(dtypeOf("i,i", {condition, i8}), DType::I8);
  CompileOptions wide;
  wide.resultDType = DType::I32;
  EXPECT_EQ(dtypeOf("i,i", {i8, i8}, wide), DType::I32);
  EXPECT_EQ(dtypeOf("in A: i8[i], B: f64[i]\nC = A * 2\nout C", {i8, f64}), DType::I8);
  EXPECT_EQ(dtypeOf("in A: i8[i], B: f64[i]\nC = A * B\nout C", {i8, f64}), DType::F64);
  EXPECT_EQ(dtypeOf("in A: i8[i]\nC = A > 1\nout C", {i8}), DType::Bool);
}

} // namespace
} // namespace ein
