// Tensor types and targets: text form, strides, bounds, and what is refused.
#include "ein/TensorType.h"
#include "ein/Semiring.h"
#include "ein/Target.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

constexpr int64_t kTwo31 = int64_t(1) << 31, kTwo62 = int64_t(1) << 62;

ErrorCode refused(const TensorType &type) {
  auto fine = type.verify();
  EXPECT_FALSE(fine) << type.str();
  return fine ? ErrorCode::Syntax : fine.error().code;
}

TEST(TensorType, TextRoundTrips) {
  for (const char *text : {"f32[]", "f64[]", "f32[64,32]", "f32[64,32]{1,64}", "f32[2,0,3]", "f64[5]{-1}",
                           "f32[3,3]{0,0}", "f32[1,4]{9,1}"}) {
    auto type = TensorType::parse(text);
    ASSERT_TRUE(type) << type.error().render();
    EXPECT_EQ(type->str(), text);
  }
  auto spaced = TensorType::parse(" f32[ 64 , 32 ] { 32 , 1 } ");
  ASSERT_TRUE(spaced) << spaced.error().render();
  EXPECT_EQ(spaced->str(), "f32[64,32]");
}

TEST(TensorType, RefusedText) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "'' is not a dtype"},
      {"f8[2]", "'f8' is not a dtype"},
      {"f32", "expected '['"},
      {"f32[", "expected an integer"},
      {"f32[2", "expected ',' or ']'"},
      {"f32[2,]", "expected an integer"},
      {"f32[2]x", "unexpected text"},
      {"f32[-2]", "negative extent -2"},
      {"f32[2,3]{1}", "1 strides for 2 dimensions"},
      {"f32[99999999999999999999]", "does not fit 63 bits"},
      {"f32[4294967296,4294967296]", "do not fit 63 bits"},
  };
  for (const auto &[text, message] : cases) {
    auto type = TensorType::parse(text);
    ASSERT_FALSE(type) << text;
    EXPECT_NE(type.error().message.find(message), std::string::npos) << type.error().render();
    EXPECT_EQ(type.error().text, text);
    EXPECT_EQ(type.error().labels.size(), 1u);
  }
  std::string deep = "f32[";
  for (int i = 0; i < 65; ++i) deep += i ? ",1" : "1";
  auto type = TensorType::parse(deep + "]");
  ASSERT_FALSE(type);
  EXPECT_EQ(type.error().code, ErrorCode::Limit);
  EXPECT_EQ(type.error().labels[0].span.begin, 4u + 64 * 2); // the first dimension too many
  // Any input ends in a value or an error, quickly.
  EXPECT_FALSE(TensorType::parse(std::string(1 << 20, '[')));
}

TEST(TensorType, RowMajorStrides) {
  EXPECT_EQ(TensorType(DType::F32, {4, 3, 2}).strides, (std::vector<int64_t>{6, 2, 1}));
  EXPECT_EQ(TensorType(DType::F32, {4, 0, 2}).strides, (std::vector<int64_t>{2, 2, 1}));
  EXPECT_TRUE(TensorType(DType::F32, {1, 4}, {77, 1}).isContiguous());
  EXPECT_TRUE(TensorType(DType::F32, {0, 4}, {5, 5}).isContiguous());
  EXPECT_TRUE(TensorType(DType::F32, {}).isContiguous());
  EXPECT_FALSE(TensorType(DType::F32, {2, 4}, {1, 2}).isContiguous());
  EXPECT_EQ(TensorType(DType::F32, {}).numElements(), 1);
  EXPECT_EQ(TensorType(DType::F32, {3, 0, 9}).numElements(), 0);
}

TEST(TensorType, AddressRange) {
  using Range = std::pair<int64_t, int64_t>;
  const auto range = [](const TensorType &type) {
    Range r(7, 7);
    type.addressRange(r.first, r.second);
    return r;
  };
  EXPECT_EQ(range(TensorType(DType::F32, {4, 3})), Range(0, 12));
  EXPECT_EQ(range(TensorType(DType::F32, {4, 3}, {-3, 1})), Range(-9, 3));
  EXPECT_EQ(range(TensorType(DType::F32, {4, 3}, {0, 2})), Range(0, 5));
  EXPECT_EQ(range(TensorType(DType::F32, {4, 0})), Range(0, 0));
  EXPECT_EQ(range(TensorType(DType::F32, {})), Range(0, 1));
}

TEST(TensorType, SizesThatDoNotFit) {
  EXPECT_TRUE(TensorType(DType::F32, {kTwo31, 2}).verify());
  EXPECT_TRUE(TensorType(DType::F32, {kTwo31, kTwo31 / 4}).verify());                 // 2^62 bytes
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo31, kTwo31 / 2})), ErrorCode::Limit); // 2^63 bytes
  EXPECT_EQ(refused(TensorType(DType::F64, {kTwo31, kTwo31 / 4})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo62})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo62, 4})), ErrorCode::Limit); // wraps to 0 elements
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo31 * 2, kTwo31 * 2})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {0, kTwo62, 4})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo62, 4, 0})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {INT64_MAX, INT64_MAX, INT64_MAX})), ErrorCode::Limit);
}

TEST(TensorType, OffsetsThatDoNotFit) {
  EXPECT_TRUE(TensorType(DType::F32, {2}, {kTwo31}).verify());
  EXPECT_TRUE(TensorType(DType::F32, {2}, {kTwo62 / 4}).verify());
  EXPECT_EQ(refused(TensorType(DType::F32, {2}, {kTwo62})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {1}, {kTwo62})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {2}, {INT64_MIN})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {5, 5}, {kTwo62 / 4, -kTwo62 / 4})), ErrorCode::Limit);
  // The span from the lowest to the highest offset is 2^64 - 3: it wraps to a small number.
  EXPECT_EQ(refused(TensorType(DType::F32, {5, 5}, {kTwo62 / 2 - 1, -kTwo62 / 2})), ErrorCode::Limit);
  EXPECT_EQ(refused(TensorType(DType::F32, {kTwo62}, {0})), ErrorCode::Limit); // its elements, if not its bytes
}

TEST(TensorType, OtherRefusals) {
  EXPECT_EQ(refused(TensorType(DType::F32, {-1})), ErrorCode::Extent);
  EXPECT_EQ(refused(TensorType(DType::F32, {INT64_MIN, 3})), ErrorCode::Extent);
  EXPECT_EQ(refused(TensorType(DType::F32, {2}, {})), ErrorCode::Layout);
  EXPECT_TRUE(TensorType(DType::F32, std::vector<int64_t>(64, 1)).verify());
  EXPECT_EQ(refused(TensorType(DType::F32, std::vector<int64_t>(65, 1))), ErrorCode::Limit);
}

TEST(TensorType, MayOverlapItself) {
  auto overlaps = [](std::vector<int64_t> shape, std::vector<int64_t> strides) {
    return TensorType(DType::F32, std::move(shape), std::move(strides)).mayOverlapItself();
  };
  EXPECT_FALSE(overlaps({}, {}));
  EXPECT_FALSE(overlaps({4, 5}, {5, 1}));
  EXPECT_FALSE(overlaps({4, 5}, {-1, 4}));
  EXPECT_FALSE(overlaps({4, 1, 5}, {5, 0, 1})) << "an extent of 1 does not move";
  EXPECT_FALSE(overlaps({4, 0}, {0, 0})) << "no elements";
  EXPECT_TRUE(overlaps({4, 5}, {4, 1}));
  EXPECT_TRUE(overlaps({2}, {0}));
  EXPECT_FALSE(overlaps({3, 2}, {2, 3})) << "0 2 4 3 5 7";
  EXPECT_TRUE(overlaps({4, 3}, {2, 3})) << "3 * 2 = 2 * 3";
  EXPECT_TRUE(overlaps({1 << 12, 1 << 12}, {2, 8189})) << "too many to be looked at";
}

TEST(Semiring, NamesRoundTrip) {
  for (const char *text : {"plus-times", "min-plus", "max-plus", "max-times", "or-and", "logaddexp-plus"}) {
    const auto semiring = parseSemiring(text);
    ASSERT_TRUE(semiring) << text;
    EXPECT_STREQ(name(*semiring), text);
  }
  EXPECT_FALSE(parseSemiring("plus"));
}

TEST(Target, TextRoundTrips) {
  for (const char *text :
       {"host", "host:x86-64-v2", "host:x86-64-v3", "host:x86-64-v4", "x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    auto target = Target::parse(text);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->str(), text);
    EXPECT_EQ(target->portable, text[0] == 'x');
  }
  EXPECT_EQ(Target::parse("native")->str(), "host");
  for (const char *text :
       {"", "host:", "host:x86-64-v9", "cuda:sm_75", "x86-64", "x86-64-v5", "host:native", "host "}) {
    auto target = Target::parse(text);
    ASSERT_FALSE(target) << text;
    EXPECT_NE(target.error().help.find("host:x86-64-v3"), std::string::npos);
  }
}

} // namespace
