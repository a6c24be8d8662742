// A folder for a disk cache of one test, and modules to put into it.
#pragma once

#include "runtime/DiskCache.h"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>

namespace ein::test {

/// Makes a private folder and removes it.
class CacheTest : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/ein-cache-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    top = name;
  }
  void TearDown() override { std::filesystem::remove_all(top); }

  std::string folder() const { return top / "cache"; }
  DiskCache cache(uint64_t capacity = 1 << 20) const { return DiskCache(CacheFolder(folder()), capacity); }
  /// Where the only entry lies.
  std::filesystem::path onlyEntry() const {
    auto files = cache().list();
    EXPECT_TRUE(files && files->size() == 1);
    return std::filesystem::path(folder()) / (*files)[0].name;
  }

  static CompiledModule module(char fill, size_t bytes = 1000) {
    CompiledModule module;
    module.entry = "entry";
    module.key = std::string("text of ") + fill;
    module.operands = {TensorType(DType::F32, {2, 3}, {1, 2})};
    module.results = {TensorType(DType::F64, {2})};
    module.workspaceBytes = 64;
    module.code = std::string(bytes, fill);
    return module;
  }
  /// Whether the cache has exactly what `put(key, module(fill, bytes))` put there.
  static bool has(const DiskCache &cache, std::string_view key, char fill, size_t bytes = 1000) {
    auto found = cache.get(key);
    return found && found->serialize() == module(fill, bytes).serialize();
  }

  std::filesystem::path top;
};

} // namespace ein::test
