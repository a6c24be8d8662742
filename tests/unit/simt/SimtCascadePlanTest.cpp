// Plans of fused cascades without tensor cores: which rows a warp takes, and how keys are shared.
#include "compiler/Gpu/SimtCascadePlan.h"

#include <gtest/gtest.h>

using namespace ein;

namespace {

/// Attention: indices 0 heads, 1 queries, 2 depth, 3 width, 4 key. Queries [h,q,d], keys [h,k,d], values [h,k,e].
CascadeShape attention(int64_t heads, int64_t queries, int64_t keys, int64_t depth, int64_t width, int64_t bytes = 4) {
  CascadeShape s;
  s.extents = {heads, queries, depth, width, keys};
  s.key = 4;
  s.tensors = 5;
  auto memory = [&](int number, std::vector<int64_t> strides) {
    CascadeAccess a;
    a.memory = number, a.strides = std::move(strides), a.bytes = bytes;
    return a;
  };
  auto tensor = [&](int number) {
    CascadeAccess a;
    a.tensor = number, a.strides.assign(5, 0);
    return a;
  };
  auto add = [&](CascadeRole role, bool contracts, std::vector<int> loops, std::vector<int> out,
                 std::vector<CascadeAccess> inputs, CascadeAccess output) {
    CascadeOp op;
    op.role = role, op.contracts = contracts, op.loops = loops, op.outputIndices = out, op.inputs = inputs;
    op.output = output;
    s.ops.push_back(op);
  };
  add(CascadeRole::Tile, true, {0, 1, 4, 2}, {0, 1, 4},
      {memory(0, {queries * depth, depth, 1, 0, 0}), memory(1, {keys * depth, 0, 1, 0, depth})}, tensor(0));
  add(CascadeRole::Max, false, {0, 1, 4}, {0, 1}, {tensor(0)}, tensor(1));
  add(CascadeRole::Weight, false, {0, 1, 4}, {0, 1, 4}, {tensor(0), tensor(1)}, tensor(2));
  add(CascadeRole::Sum, true, {0, 1, 3, 4}, {0, 1, 3}, {tensor(2), memory(2, {keys * width, 0, 0, 1, width})},
      tensor(3));
  add(CascadeRole::Sum, false, {0, 1, 4}, {0, 1}, {tensor(2)}, tensor(4));
  add(CascadeRole::Finish, false, {0, 1, 3}, {0, 1, 3}, {tensor(3), tensor(4)},
      memory(3, {queries * width, width, 0, 1, 0}));
  return s;
}

SimtCascadePlan planOf(const CascadeShape &shape, int64_t alignment = 16) {
  std::vector<std::vector<int64_t>> alignments;
  for (const CascadeOp &op : shape.ops) alignments.emplace_back(op.inputs.size(), alignment);
  auto plan = planSimtCascade(shape, alignments, {});
  if (auto *why = std::get_if<std::string>(&plan)) ADD_FAILURE() << *why;
  return std::get<SimtCascadePlan>(plan);
}

TEST(SimtCascadePlan, RowsOfAWarpShareKeys) {
  const SimtCascadePlan p = planOf(attention(16, 1000, 4096, 64, 64));
  EXPECT_EQ(p.rows, 8);
  EXPECT_EQ(p.items(), 16 * 125);
  EXPECT_EQ(planOf(attention(16, 3, 4096, 64, 64)).rows, 4);
  EXPECT_EQ(planOf(attention(16, 1, 4096, 64, 64)).rows, 1);
  // Sums of many features leave registers for fewer rows.
  EXPECT_EQ(planOf(attention(16, 1000, 4096, 64, 256)).rows, 4);
}

TEST(SimtCascadePlan, VectorsFitExtentsAndAddresses) {
  EXPECT_EQ(planOf(attention(1, 8, 64, 64, 128)).lanes, (std::vector<int64_t>{4, 4}));
  EXPECT_EQ(planOf(attention(1, 8, 64, 64, 128, 2)).lanes, (std::vector<int64_t>{8, 4}));
  EXPECT_EQ(planOf(attention(1, 8, 64, 62, 64, 2)).lanes, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(planOf(attention(1, 8, 64, 64, 128), 4).lanes, (std::vector<int64_t>{1, 1}));
}

TEST(SimtCascadePlan, PartsCoverTheKeys) {
  for (int64_t keys : {64, 127, 1000, 4096, 100001}) {
    const SimtCascadePlan p = planOf(attention(4, 1, keys, 64, 64));
    EXPECT_GE(p.split * p.chunk, keys) << p.str();
    EXPECT_LT((p.split - 1) * p.chunk, keys) << p.str() << ": the last part is empty";
    EXPECT_EQ(p.partBytes(), p.split > 1 ? p.split * 4 * (64 + 2) * 4 : 0);
  }
  EXPECT_GT(planOf(attention(4, 1, 100001, 64, 64)).split, 100);
  EXPECT_EQ(planOf(attention(64, 4096, 4096, 64, 64)).split, 1) << "there are rows enough";
}

TEST(SimtCascadePlan, SumsFitRegisters) {
  EXPECT_TRUE(std::holds_alternative<SimtCascadePlan>(
      planSimtCascade(attention(1, 8, 64, 8, 4000), {{16, 16}, {16}, {16, 16}, {16, 16}, {16}, {16, 16}}, {})));
  EXPECT_EQ(std::get<std::string>(planSimtCascade(attention(1, 8, 64, 8, 5000),
                                                  {{16, 16}, {16}, {16, 16}, {16, 16}, {16}, {16, 16}}, {})),
            "sums over more indices than registers hold");
}

} // namespace
