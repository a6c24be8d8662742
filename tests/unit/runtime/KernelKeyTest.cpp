// Keys hold every part whole, on the stack or beyond it.
#include "runtime/KernelKey.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

std::string bytesOf(std::string_view text, int64_t stride) {
  KernelKey key;
  key.add(text);
  key.add(TensorType(DType::F32, {2}, {stride}));
  key.add(CompileOptions(), 1);
  return std::string(key.bytes());
}

TEST(KernelKey, PartsAreKeptAtEveryLength) {
  const size_t rest = bytesOf("", 1).size();
  // Lengths around the one where a key leaves the stack.
  for (size_t n = 1024 - rest - 3; n < 1024 + rest; ++n) {
    const std::string text(n, 'i'), bytes = bytesOf(text, 7);
    ASSERT_EQ(bytes.size(), rest + n);
    EXPECT_EQ(bytes.substr(8, n), text);
    EXPECT_EQ(bytes.substr(8 + n), bytesOf("", 7).substr(8));
    EXPECT_NE(bytes, bytesOf(text, 8));
  }
}

TEST(KernelKey, HoldsEveryOption) {
  auto bytesWith = [](auto change) {
    CompileOptions options;
    change(options);
    KernelKey key;
    key.add(options, 1);
    return std::string(key.bytes());
  };
  const std::string plain = bytesWith([](CompileOptions &) {});
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.labels = LabelStyle::Names; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.scatter = true; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.fuse = false; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.resultDType = DType::F32; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.computeDType = DType::F32; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.accumulateDType = DType::F32; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.conjugate = {0}; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.semiring = Semiring::MaxPlus; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.alpha = 2; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.beta = 1; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.order = {{0, 1}}; }));
  EXPECT_NE(plain, bytesWith([](CompileOptions &o) { o.path = PathStrategy::Fused; }));
  EXPECT_NE(bytesWith([](CompileOptions &o) { o.order = {{0, 1}}; }),
            bytesWith([](CompileOptions &o) { o.order = {{0}, {1}}; }));
}

TEST(KernelKey, PartsDoNotRunTogether) {
  KernelKey a, b;
  a.add("ab"), a.add("c");
  b.add("a"), b.add("bc");
  EXPECT_NE(a.bytes(), b.bytes());
}

} // namespace
