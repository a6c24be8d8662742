// Attention plans: tiles for shapes, printed and read back, refused where the hardware would.
#include "compiler/Gpu/AttentionPlan.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

/// Queries [batch, queries, heads * group, depth], keys and values [batch, keys, heads, depth], each row-major.
AttentionPlan attention(int64_t batch, int64_t heads, int64_t group, int64_t queries, int64_t keys, int64_t depth,
                        bool causal = false) {
  AttentionPlan p;
  const int64_t all = heads * group;
  p.batch = {
      {heads, 1, {group * depth, depth, depth, group * depth, group * queries}},
      {batch,
       1,
       {queries * all * depth, keys * heads * depth, keys * heads * depth, queries * all * depth, all * queries}}};
  if (group > 1) p.batch.insert(p.batch.begin(), {group, 1, {depth, 0, 0, depth, queries}});
  p.rows = {{queries, 1, {all * depth, 0, 0, all * depth, 1}}};
  p.key = {keys, 1, {0, heads * depth, heads * depth, 0, 0}};
  p.depth = p.width = depth;
  p.scale = 0.125;
  if (causal) p.highest = keys - queries;
  chooseAttentionTiles(p);
  return p;
}

TEST(AttentionPlan, FitsTheMachineAndPrintsWhatItReads) {
  for (int64_t depth : {64, 80, 128, 256})
    for (int64_t queries : {1, 40, 128, 1000, 4096})
      for (int64_t group : {1, 4})
        for (bool causal : {false, true}) {
          const AttentionPlan p = attention(2, 8, group, queries, 4096, depth, causal);
          SCOPED_TRACE(p.str());
          EXPECT_EQ(p.obstacle(), "");
          EXPECT_LE(p.sharedBytes(), 227 << 10);
          EXPECT_LE(p.tileWidth() / 2 + p.tileKeys() / 2 + p.tileKeys() / 4, 192) << "registers of a consumer";
          const auto read = parseAttentionPlan(p.str());
          ASSERT_TRUE(read) << read.error().message;
          EXPECT_EQ(*read, p);
          EXPECT_EQ(read->hash(), p.hash());
          const LaunchPlan launches = attentionLaunches(p, "k");
          for (const GpuArgument &a : launches.launches[0].arguments)
            if (a.kind == GpuArgument::Kind::TensorMap) EXPECT_EQ(a.map.obstacle(), "");
          EXPECT_EQ(launches.launches[0].persistent, !causal || queries == 1);
        }
}

TEST(AttentionPlan, KeysOfAGroupOfHeadsAreReadByEachOfThem) {
  const AttentionPlan p = attention(2, 8, 4, 1024, 1024, 128);
  EXPECT_EQ(p.transfer(AttentionPlan::Q).map.str(), "bf16 b128 [128:1/64 1024:4096/128 4:128/1 8:512/1 2:4194304/1]");
  EXPECT_EQ(p.transfer(AttentionPlan::K).map.str(), "bf16 b128 [128:1/64 1024:1024/128 8:128/1 2:1048576/1]");
  EXPECT_EQ(p.batches(), 64);
}

TEST(AttentionPlan, OneWarpgroupWhereTwoWouldLeaveMultiprocessorsIdle) {
  EXPECT_EQ(attention(1, 4, 1, 1024, 1024, 128).consumers, 1);
  EXPECT_EQ(attention(8, 16, 1, 1024, 1024, 128).consumers, 2);
  EXPECT_EQ(attention(8, 16, 1, 64, 1024, 128).consumers, 1);
}

TEST(AttentionPlan, MasksThatCutNothingAreDropped) {
  AttentionPlan p = attention(2, 8, 1, 1, 1024, 128, true);
  EXPECT_FALSE(p.masked()) << "the only query is the last one";
  p = attention(2, 8, 1, 1024, 1024, 128, true);
  EXPECT_EQ(p.highest, 0);
  p.highest.reset();
  p.lowest = -1023;
  chooseAttentionTiles(p);
  EXPECT_FALSE(p.masked());
  p.lowest = -1022;
  chooseAttentionTiles(p);
  EXPECT_EQ(p.lowest, -1022) << "the last query misses a key";
}

TEST(AttentionPlan, RefusesDecisionsThatDoNotFit) {
  const AttentionPlan good = attention(2, 8, 1, 1024, 1024, 128, true);
  ASSERT_EQ(good.obstacle(), "");
  auto broken = [&](auto change) {
    AttentionPlan p = good;
    change(p);
    return !p.obstacle().empty() && !parseAttentionPlan(p.str());
  };
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.input = DType::F32; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.consumers = 3; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.stages = 1; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.key.tile = 256; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.key.strides[AttentionPlan::K] = 1020; })) << "rows of 2040 bytes";
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.width = p.depth = 512; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.width = 256; })) << "128 keys and 256 features";
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.rows[0].strides[AttentionPlan::K] = 8; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.softcap = -1; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.position = 1; }));
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.bodies = AttentionPlan::High; })) << "two ends of the keys";
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.bodies = AttentionPlan::LogSum; })) << "a body for no result";
  EXPECT_TRUE(broken([](AttentionPlan &p) { p.result = DType::F32; })) << "stored by stmatrix";
}

TEST(AttentionPlan, PrintsWhatTheCascadeComputes) {
  AttentionPlan p = attention(2, 8, 1, 1024, 1024, 128);
  EXPECT_EQ(p.str().find("bodies"), std::string::npos);
  p.bodies = AttentionPlan::Score | AttentionPlan::High;
  p.boundsRise = false;
  EXPECT_EQ(p.obstacle(), "");
  EXPECT_TRUE(p.masked());
  EXPECT_TRUE(p.masksAll());
  EXPECT_NE(p.str().find(" bodies=9 rising=0"), std::string::npos) << p.str();
  const auto read = parseAttentionPlan(p.str());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, p);
}

} // namespace
