// The cache by itself: what the table lacks the map has, and what is read is not freed.
#include "runtime/MemoryCache.h"
#include "FakeCompilerFixture.h"
#include "ein/Engine.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

MemoryCache::Kernel load() {
  test::useFakeCompiler();
  Engine engine;
  const TensorType type(DType::F32, {4});
  auto compiled = engine.compile("i->i", {&type, 1});
  if (!compiled) return nullptr;
  auto loaded = LoadedKernel::load(compiled->module());
  return loaded ? *loaded : nullptr;
}

TEST(MemoryCache, TableIsAFrontOfTheMap) {
  MemoryCache cache(100, size_t(1) << 30);
  const MemoryCache::Kernel kernel = load();
  ASSERT_TRUE(kernel);
  // All in one place of the table.
  const auto hash = [](uint64_t i) { return (i + 1) << 32; };
  for (uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(cache.insert(hash(i), std::to_string(i), kernel).empty());
  Hazard hazard;
  int inTable = 0;
  for (uint64_t i = 0; i < 10; ++i) inTable += cache.find(hazard, hash(i), std::to_string(i)) != nullptr;
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(cache.findInMap(hash(i), std::to_string(i)), kernel);
    EXPECT_TRUE(cache.find(hazard, hash(i), std::to_string(i))) << "it is in the table again";
    EXPECT_FALSE(cache.find(hazard, hash(i), "another key"));
    EXPECT_FALSE(cache.findInMap(hash(i), "another key"));
  }
  EXPECT_GT(inTable, 0);
  EXPECT_LT(inTable, 10);
  EXPECT_EQ(cache.evictions(), 0u);
}

TEST(MemoryCache, WhatIsReadIsFreedLater) {
  MemoryCache cache(1, size_t(1) << 30);
  const MemoryCache::Kernel kernel = load();
  ASSERT_TRUE(kernel);
  cache.insert(1, "a", kernel);
  {
    Hazard hazard;
    const MemoryCache::Kernel *read = cache.find(hazard, 1, "a");
    ASSERT_TRUE(read);
    EXPECT_TRUE(cache.insert(2, "b", kernel).empty());
    EXPECT_EQ(cache.evictions(), 1u);
    EXPECT_EQ(*read, kernel);
    EXPECT_FALSE(cache.findInMap(1, "a"));
  }
  EXPECT_EQ(cache.insert(3, "c", kernel).size(), 2u);
  EXPECT_EQ(kernel.use_count(), 2);
}

TEST(MemoryCache, SameHashReplaces) {
  MemoryCache cache(8, size_t(1) << 30);
  const MemoryCache::Kernel kernel = load();
  ASSERT_TRUE(kernel);
  cache.insert(5, "a", kernel);
  EXPECT_EQ(cache.insert(5, "b", kernel).size(), 1u);
  EXPECT_FALSE(cache.findInMap(5, "a"));
  EXPECT_TRUE(cache.findInMap(5, "b"));
}

} // namespace
