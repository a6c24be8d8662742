// Kernels with dynamic indices against the interpreter: one per shape class, whatever the extents.
#include "ein/Attention.h"
#include "ein/Engine.h"
#include "tests/conformance/Generators.h"
#include "tests/conformance/Random.h"
#include "tests/conformance/Support.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

using namespace ein;
using namespace ein::test;

namespace {

/// Runs a text for operands of ones and gives the first element of the result.
Expected<double> firstOfOnes(Engine &engine, const std::string &text, const std::vector<TensorType> &types,
                             const CompileOptions &options) {
  std::vector<std::vector<float>> data;
  std::vector<TensorView> operands;
  for (const TensorType &type : types) {
    data.emplace_back(static_cast<size_t>(type.numElements()) + 1, 1.0f);
    operands.emplace_back(data.back().data(), type);
  }
  auto kernel = engine.compile(text, operands, options);
  if (!kernel) return kernel.error();
  auto results = kernel->resultsFor(types);
  if (!results) return results.error();
  std::vector<float> out(static_cast<size_t>((*results)[0].numElements()) + 1, -1.0f);
  const TensorView result(out.data(), (*results)[0]);
  if (auto done = engine.run(text, operands, {&result, 1}, options); !done) return done.error();
  return out[0];
}

CompileOptions dynamic(std::vector<std::string> names) {
  CompileOptions options;
  options.dynamic = std::move(names);
  return options;
}

TEST(Dynamic, GrowingExtentsCompileTwice) {
  Engine engine({.disk = DiskUse::Off});
  for (int64_t k = 1; k <= 300; ++k) {
    auto first = firstOfOnes(engine, "ik,kj->ij", {TensorType(DType::F32, {3, k}), TensorType(DType::F32, {k, 5})},
                             dynamic({"k"}));
    ASSERT_TRUE(first) << first.error().render();
    ASSERT_EQ(*first, double(k));
  }
  EXPECT_EQ(engine.stats().compiles, 2u);
}

TEST(Dynamic, GrowingCacheOfKeysCompilesTwice) {
  // A view of a buffer that has room for 512 keys.
  Engine engine({.disk = DiskUse::Off});
  for (int64_t k = 1; k <= 200; k += 3) {
    const TensorType keys(DType::F32, {2, k, 8}, {512 * 8, 8, 1});
    std::vector<float> memory(2 * 512 * 8, 1.0f), queries(2 * 4 * 8, 1.0f), out(static_cast<size_t>(2 * 4 * k), -1.0f);
    const TensorView operands[] = {{queries.data(), {2, 4, 8}}, {memory.data(), keys}};
    const TensorView result(out.data(), {2, 4, k});
    auto done = engine.run("bqd,bkd->bqk", operands, {&result, 1}, dynamic({"k"}));
    ASSERT_TRUE(done) << done.error().render();
    ASSERT_TRUE(std::all_of(out.begin(), out.end(), [](float x) { return x == 8; }));
  }
  EXPECT_LE(engine.stats().compiles, 2u);
}

TEST(Dynamic, GrowingAttentionCompilesTwice) {
  Engine engine({.disk = DiskUse::Off});
  for (int64_t k = 1; k <= 130; k += 3) {
    const std::vector<TensorType> types = {TensorType(DType::F32, {1, 2, 4, 16}), TensorType(DType::F32, {1, 2, k, 16}),
                                           TensorType(DType::F32, {1, 2, k, 16})};
    auto text = attentionProgram(types);
    ASSERT_TRUE(text);
    auto first = firstOfOnes(engine, *text, types, dynamic({"k"}));
    ASSERT_TRUE(first) << first.error().render();
    ASSERT_NEAR(*first, 1, 1e-5);
  }
  EXPECT_LE(engine.stats().compiles, 2u);
}

TEST(Dynamic, OneKernelServesCallsOfItsClassOnly) {
  Engine engine({.disk = DiskUse::Off});
  const TensorType made(DType::F32, {70});
  auto kernel = engine.compile("i->i", {&made, 1}, dynamic({"i"}));
  ASSERT_TRUE(kernel) << kernel.error().render();
  std::vector<float> from(100, 2), to(100, 0);
  auto run = [&](TensorType operand, TensorType result) {
    const TensorView in(from.data(), std::move(operand)), out(to.data(), std::move(result));
    return kernel->run({&in, 1}, {&out, 1});
  };
  EXPECT_TRUE(run({DType::F32, {100}}, {DType::F32, {100}}));
  EXPECT_EQ(to[99], 2);
  auto shorter = run({DType::F32, {5}}, {DType::F32, {5}});
  ASSERT_FALSE(shorter);
  EXPECT_EQ(shorter.error().code, ErrorCode::Extent);
  EXPECT_NE(shorter.error().message.find("i from 64 to"), std::string::npos) << shorter.error().message;
  auto differing = run({DType::F32, {100}}, {DType::F32, {99}});
  ASSERT_FALSE(differing);
  EXPECT_NE(differing.error().message.find("i is 100 before"), std::string::npos) << differing.error().message;
  EXPECT_FALSE(run({DType::F32, {90}, {2}}, {DType::F32, {90}}));
  EXPECT_FALSE(run({DType::F64, {90}}, {DType::F32, {90}}));
  void *pointers[] = {from.data(), to.data()};
  EXPECT_FALSE(kernel->runUnchecked(pointers, pointers + 1)); // it knows no sizes
}

TEST(Dynamic, ResultsThatOverlapOperandsAreRight) {
  Engine engine({.disk = DiskUse::Off});
  std::vector<float> data(101);
  for (size_t i = 0; i < data.size(); ++i) data[i] = float(i);
  const TensorView from(data.data(), {100}), to(data.data() + 1, {100});
  auto done = engine.run("i->i", {&from, 1}, {&to, 1}, dynamic({"i"}));
  ASSERT_TRUE(done) << done.error().render();
  for (size_t i = 0; i < 100; ++i) ASSERT_EQ(data[i + 1], float(i));
}

struct Refusal {
  const char *text, *types, *index, *message;
};

class DynamicRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(DynamicRefusal, SaysWhy) {
  const Refusal &refusal = GetParam();
  Engine engine({.disk = DiskUse::Off});
  auto kernel =
      engine.compile(refusal.text, std::span<const TensorType>(types(refusal.types)), dynamic({refusal.index}));
  ASSERT_FALSE(kernel);
  EXPECT_NE(kernel.error().message.find(refusal.message), std::string::npos) << kernel.error().message;
}

constexpr Refusal kRefusals[] = {
    {"ij,jk->ik", "f32[2,3] f32[3,4]", "x", "there is no index 'x' to be dynamic"},
    {"in X: f32[i,k]\nM = mean[k](X)\nout M", "f32[3,100]", "k", "is part of a value"},
    {"in X: f32[i,k]\nM = top[k -> n](X)\nindex n = 2\nout M[i,n]", "f32[3,100]", "k", "are listed"},
    {"in X: f32[(i j)], Y: f32[j]\nZ = X * Y\nout Z[i,j]", "f32[12] f32[3]", "i", "shares with others"},
    {"in X: f32[v,d], t: i32[n] below(v)\nZ[n,d] = X[t[n],d]\nout Z", "f32[12,3] i32[5]", "v", "below"},
    {"in X: f32[v,d], t: i32[n] below(v)\nZ[n,d] = X[t[n],d]\nout Z", "f32[12,3] i32[5]", "d", "computed"},
    {"index u = 2 * k\nin X: f32[k], Y: f32[u]\nZ = X\nW = Y\nout Z, W", "f32[80] f32[160]", "k", "has extent"},
};

INSTANTIATE_TEST_SUITE_P(All, DynamicRefusal, ::testing::ValuesIn(kRefusals));

TEST(Dynamic, OptionsThatNeedExtentsAreRefused) {
  const TensorType type(DType::F32, {70});
  Engine engine({.disk = DiskUse::Off});
  CompileOptions options = dynamic({"i"});
  options.memoryLimit = 1000;
  EXPECT_FALSE(engine.compile("i->i", {&type, 1}, options));
  options = dynamic({"i"});
  options.resultStrides = {{2}};
  EXPECT_FALSE(engine.compile("i->i", {&type, 1}, options));
  EXPECT_FALSE(engine.compile("i->i", {&type, 1}, dynamic({"i", "i"})));
  EXPECT_FALSE(engine.compile("abcdefghi->i", std::span<const TensorType>(types("f32[2,2,2,2,2,2,2,2,2]")),
                              dynamic({"a", "b", "c", "d", "e", "f", "g", "h", "i"})));
}

/// The single letters of an einsum string, each once.
std::vector<std::string> lettersOf(const std::string &text) {
  std::set<std::string> letters;
  for (char c : text.substr(0, text.find("->")))
    if (std::isalpha(static_cast<unsigned char>(c))) letters.insert(std::string(1, c));
  return {letters.begin(), letters.end()};
}

void makeSomeDynamic(Case &c, Random &random) {
  for (const std::string &letter : lettersOf(c.text))
    if (random.below(3) != 0 && c.options.dynamic.size() < 8) c.options.dynamic.push_back(letter);
}

/// Extents from 0 to 300 with many primes among them; layouts with gaps, in other orders, and backwards.
Case randomDynamic(uint64_t seed) {
  static const char *const kTexts[] = {
      "ik,kj->ij",    "ki,kj->ij",     "ik,jk->ji", "bik,bkj->bij", "ij->ji", "ij->j",           "ij->i",
      "ij->",         "i,j->ij",       "ij,ij->ij", "ij,j->i",      "ii->i",  "bqhd,bkhd->bhqk", "ijk->kji",
      "ij,jk,kl->il", "abi,bcj->acij", "ijk,k->ij", "ij,ij->",      "i->i",   "bhqk,bkhd->bqhd"};
  static const DType kDTypes[] = {DType::F32, DType::F32, DType::F32, DType::F64, DType::I32, DType::BF16, DType::C64};
  Random random(seed);
  Case c;
  c.seed = seed;
  c.text = kTexts[size_t(random.below(std::ssize(kTexts)))];
  const DType dtype = kDTypes[size_t(random.below(std::ssize(kDTypes)))];
  const auto letters = lettersOf(c.text);
  std::vector<int64_t> extents;
  const int64_t most = letters.size() > 2 ? 140 : 300;
  for (size_t i = 0; i < letters.size(); ++i) {
    const auto kind = random.below(12);
    extents.push_back(kind == 0   ? 0
                      : kind == 1 ? 1
                      : kind < 4  ? 2 + random.below(20)
                                  : std::min<int64_t>(most, 64 + random.below(most)));
  }
  // What the interpreter does in a moment.
  auto points = [&] {
    double n = 1;
    for (int64_t extent : extents) n *= double(std::max<int64_t>(1, extent));
    return n;
  };
  while (points() > 2e6) *std::max_element(extents.begin(), extents.end()) = 2 + random.below(5);
  std::vector<TensorType> operands(1, TensorType(dtype, std::vector<int64_t>()));
  for (char letter : c.text.substr(0, c.text.find("->"))) {
    if (letter == ',')
      operands.emplace_back(dtype, std::vector<int64_t>());
    else
      operands.back().shape.push_back(
          extents[size_t(std::find(letters.begin(), letters.end(), std::string(1, letter)) - letters.begin())]);
  }
  c.options = randomOptions(random);
  for (TensorType &type : operands)
    type.strides = random.oneIn(2) ? TensorType(dtype, type.shape).strides : randomStrides(random, type.shape, true);
  c.types = operands;
  makeSomeDynamic(c, random);
  return c;
}

class RandomDynamic : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomDynamic, AsInterpreted) { EXPECT_TRUE(computesAsInterpreted(randomDynamic(GetParam()))); }

INSTANTIATE_TEST_SUITE_P(Seed, RandomDynamic, ::testing::Range<uint64_t>(1, 121), ::testing::PrintToStringParamName());

class RandomEinsumDynamic : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomEinsumDynamic, AsInterpreted) {
  Case c = randomEinsum(GetParam());
  Random random(GetParam());
  makeSomeDynamic(c, random);
  c.options.resultStrides.clear();
  c.options.memoryLimit = 0;
  EXPECT_TRUE(computesAsInterpreted(c));
}

INSTANTIATE_TEST_SUITE_P(Seed, RandomEinsumDynamic, ::testing::Range<uint64_t>(1, 81),
                         ::testing::PrintToStringParamName());

} // namespace
