// Conversions of compiled kernels between f32 and 16-bit floats, against the definition, bit for bit.
#include "compiler/IndexNotation/Element.h"
#include "ein/Engine.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

using namespace ein;

namespace {

constexpr const char *kTargets[] = {"", "x86-64-v4", "x86-64-v3", "x86-64-v2"};

/// Runs Y: to = A on every target that the machine has; the results, by target.
template <class To, class From> std::vector<std::vector<To>> converted(DType from, DType to, std::vector<From> values) {
  const auto count = static_cast<int64_t>(values.size());
  const std::string text = "in A: " + std::string(name(from)) + "[i]\nY: " + std::string(name(to)) + " = A\nout Y";
  std::vector<std::vector<To>> all;
  for (const char *cpu : kTargets) {
    CompileOptions options;
    options.target.cpu = cpu;
    const TensorView operand(values.data(), TensorType(from, {count}));
    auto kernel = Engine::global().compile(text, std::span(&operand, 1), options);
    if (!kernel && kernel.error().code == ErrorCode::Unsupported) continue;
    EXPECT_TRUE(kernel) << (kernel ? "" : kernel.error().render());
    if (!kernel) continue;
    const TensorView result(all.emplace_back(values.size()).data(), TensorType(to, {count}));
    EXPECT_TRUE(kernel->run(std::span(&operand, 1), std::span(&result, 1)));
  }
  return all;
}

std::vector<uint16_t> allShort() {
  std::vector<uint16_t> bits(65536);
  std::iota(bits.begin(), bits.end(), uint16_t(0));
  return bits;
}

/// Random patterns, and the places between neighbours of the short format where rounding is decided.
std::vector<float> hardFloats(double (*read)(uint16_t)) {
  std::mt19937 generator(5);
  std::vector<float> values = {0.f, -0.f, INFINITY, -INFINITY, NAN, 65519.996f, 65520.f, 0x1p-25f, 0x1.000002p-25f};
  for (int i = 0; i < 200000; ++i) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(generator())));
  for (uint32_t bits = 0; bits < 65535; ++bits) {
    const double low = read(static_cast<uint16_t>(bits)), high = read(static_cast<uint16_t>(bits + 1));
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const auto middle = static_cast<float>((low + high) / 2);
    values.insert(values.end(), {middle, std::nextafter(middle, 1e38f), std::nextafter(middle, -1e38f)});
  }
  return values;
}

void expectWidened(DType from, double (*read)(uint16_t)) {
  const std::vector<uint16_t> bits = allShort();
  for (const std::vector<float> &results : converted<float>(from, DType::F32, bits))
    for (size_t i = 0; i < bits.size(); ++i) {
      const double expected = read(bits[i]);
      if (std::isnan(expected))
        EXPECT_TRUE(std::isnan(results[i])) << i;
      else
        ASSERT_EQ(std::bit_cast<uint32_t>(results[i]), std::bit_cast<uint32_t>(static_cast<float>(expected))) << i;
    }
}

void expectRounded(DType to, uint16_t (*round)(double), double (*read)(uint16_t)) {
  const std::vector<float> values = hardFloats(read);
  for (const std::vector<uint16_t> &results : converted<uint16_t>(DType::F32, to, values))
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i]))
        ASSERT_TRUE(std::isnan(read(results[i]))) << i;
      else
        ASSERT_EQ(results[i], round(values[i])) << values[i];
    }
}

TEST(ConversionTest, EveryHalf) { expectWidened(DType::F16, halfToDouble); }
TEST(ConversionTest, EveryBFloat) { expectWidened(DType::BF16, bfloatToDouble); }
TEST(ConversionTest, ToHalf) { expectRounded(DType::F16, doubleToHalf, halfToDouble); }
TEST(ConversionTest, ToBFloat) { expectRounded(DType::BF16, doubleToBFloat, bfloatToDouble); }

TEST(ConversionTest, IntegersWrap) {
  const std::vector<int32_t> values = {0, 1, -1, 127, 128, 255, 256, -128, -129, 1 << 30, INT32_MIN};
  for (const auto &results : converted<int8_t>(DType::I32, DType::I8, values))
    for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(results[i], static_cast<int8_t>(values[i]));
  for (const auto &results : converted<uint16_t>(DType::I32, DType::U16, values))
    for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(results[i], static_cast<uint16_t>(values[i]));
  const std::vector<uint8_t> bytes = {0, 1, 127, 128, 255};
  for (const auto &results : converted<int64_t>(DType::U8, DType::I64, bytes))
    for (size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(results[i], bytes[i]);
  for (const auto &results : converted<double>(DType::U8, DType::F64, bytes))
    for (size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(results[i], bytes[i]);
}

} // namespace
