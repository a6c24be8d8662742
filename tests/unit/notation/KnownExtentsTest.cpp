// extent(k): a number where it is known, a value of the call where the index is dynamic.
#include "compiler/IndexNotation/DynamicIndices.h"
#include "tests/unit/notation/Helpers.h"

#include <gtest/gtest.h>

using namespace ein;
using ein::test::types;

namespace {

constexpr const char *kText = "in X: f32[q,k]\nY = X * (extent(k) - extent(q)) + extent(q)\nout Y\n";

TEST(KnownExtents, AreNumbers) {
  auto p = parseAndBind(kText, types("f32[3,7]"));
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_NE(print(*p).find("X[q,k] * 4 + 3"), std::string::npos) << print(*p);
  auto again = parseAndBind(print(*p), types("f32[3,7]"));
  ASSERT_TRUE(again) << again.error().render();
  EXPECT_EQ(print(*again), print(*p));
}

TEST(KnownExtents, OfDynamicIndicesAreValues) {
  CompileOptions options;
  options.dynamic = {"k"};
  const auto operands = types("f32[3,509]");
  auto p = parseAndBind(kText, operands, options);
  ASSERT_TRUE(p) << p.error().render();
  auto marked = markDynamicIndices(*p, kText, operands, options);
  ASSERT_TRUE(marked) << marked.error().render();
  EXPECT_NE(print(*p).find("(max(max[k0](cast(k0, i32)), -1) + 1 - 3) + 3"), std::string::npos) << print(*p);
}

TEST(KnownExtents, TakeAnIndex) {
  auto p = parseAndBind("in X: f32[k]\nY = X * extent(k + 1)\nout Y\n", types("f32[7]"));
  ASSERT_FALSE(p);
  EXPECT_EQ(p.error().message, "'extent' takes an index");
  EXPECT_FALSE(parseAndBind("in X: f32[k]\nY = X * extent(X)\nout Y\n", types("f32[7]")));
}

} // namespace
