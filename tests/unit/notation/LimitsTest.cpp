// The limits of docs/notation.md: what is at one is accepted, one more is refused before anything is made of it.
#include "compiler/Subscripts/Subscripts.h"
#include "tests/unit/notation/Helpers.h"

#include <functional>

namespace ein {
namespace {

/// A list of `n` items made by `item`.
std::string list(size_t n, const std::string &separator, const std::function<std::string(size_t)> &item) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text += (i ? separator : "") + item(i);
  return text;
}

std::string named(const char *base, size_t i) { return base + std::to_string(i); }

/// Binds with `n` and with one more; the second is a `limit` whose message has this in it.
void expectLimit(size_t n, const char *message, const std::function<std::string(size_t)> &text,
                 const std::function<std::vector<TensorType>(size_t)> &operands) {
  auto at = parseAndBind(text(n), operands(n));
  EXPECT_TRUE(at) << at.error().render();
  if (at) EXPECT_TRUE(verify(*at));
  auto above = parseAndBind(text(n + 1), operands(n + 1));
  ASSERT_FALSE(above) << message;
  EXPECT_EQ(above.error().code, ErrorCode::Limit) << above.error().render();
  EXPECT_NE(above.error().render().find(message), std::string::npos) << above.error().render();
}

std::vector<TensorType> scalars(size_t n) { return std::vector<TensorType>(n, TensorType(DType::F32, {})); }
std::vector<TensorType> oneVector(size_t) { return {TensorType(DType::F32, {2})}; }

TEST(LimitsTest, TextOf64KiB) {
  expectLimit(65536, "65536", [](size_t n) { return "i->i" + std::string(n - 4, ' '); }, oneVector);
  const std::string program = "in A: f32[i]\nout A\n#";
  expectLimit(65536, "65536", [&](size_t n) { return program + std::string(n - program.size(), '#'); }, oneVector);
}

TEST(LimitsTest, FourThousandOperands) {
  expectLimit(4096, "at most 4096 operands", [](size_t n) { return std::string(n - 1, ','); }, scalars);
  auto program = [](size_t n) {
    return "in " + list(n, ", ", [](size_t i) { return named("A", i) + ": f32"; }) + "\nout A0";
  };
  expectLimit(4096, "at most 4096 operands", program, scalars);
}

TEST(LimitsTest, AThousandIndices) {
  constexpr size_t rank = 64;
  auto einsum = [](size_t n) {
    return list(n, "", [](size_t i) { return (i && i % rank == 0 ? ",{" : "{") + named("x", i) + "}"; }) + "->";
  };
  auto ones = [&](size_t n) {
    std::vector<TensorType> operands;
    for (; n > 0; n -= std::min(n, rank)) operands.emplace_back(DType::F32, std::vector<int64_t>(std::min(n, rank), 1));
    return operands;
  };
  expectLimit(1024, "at most 1024 indices", einsum, ones);
  auto program = [](size_t n) {
    return "index " + list(n, ", ", [](size_t i) { return named("x", i) + " = 1"; }) + "\nin A: f32\nout A";
  };
  expectLimit(1024, "at most 1024 indices", program, [](size_t) { return scalars(1); });
}

TEST(LimitsTest, Rank64) {
  auto vectorOfOnes = [](size_t n) { return std::vector{TensorType(DType::F32, std::vector<int64_t>(n, 1))}; };
  auto indices = [](size_t n) { return list(n, ",", [](size_t i) { return named("x", i); }); };
  expectLimit(64, "rank 65 is above the limit of 64", [](size_t) { return std::string("...->"); }, vectorOfOnes);
  expectLimit(
      64, "rank 65 is above the limit of 64", [&](size_t n) { return "in A: f32[" + indices(n) + "]\nout A"; },
      vectorOfOnes);
  auto vectors = [](size_t n) { return std::vector<TensorType>(n, TensorType(DType::F32, {1})); };
  expectLimit(
      64, "65", [](size_t n) { return list(n, ",", [](size_t i) { return "{" + named("x", i) + "}"; }); }, vectors);
  auto outer = [&](size_t n) {
    return "in " + list(n, ", ", [](size_t i) { return named("A", i) + ": f32[" + named("x", i) + "]"; }) +
           "\nY = " + list(n, " * ", [](size_t i) { return named("A", i); }) + "\nout Y";
  };
  expectLimit(64, "65", outer, vectors);
}

} // namespace
} // namespace ein
