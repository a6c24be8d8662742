// Laws that every plan of a cascade keeps, what its indices become, and what cannot be one pass.
#include "compiler/Lowering/CascadePlan.h"
#include "tests/unit/lowering/Shapes.h"

#include <gtest/gtest.h>

#include <map>

using namespace ein;
using ein::testing::allCpus;
using ein::testing::avx2;
using ein::testing::avx512;

namespace {

/// Builds shapes with indices named by letters; tensors in memory are row-major, virtual ones have no memory.
class Builder {
public:
  Builder(const std::map<char, int64_t> &extents, char key, int64_t bytes = 4) {
    for (auto [name, extent] : extents) {
      letters += name;
      shape.extents.push_back(extent);
    }
    shape.key = index(key);
    shape.elementBytes = bytes;
  }

  int index(char name) const { return int(letters.find(name)); }

  /// Lower case: a tensor in memory with these indices. "#n ...": virtual tensor n.
  CascadeAccess access(const std::string &text, std::vector<int> *indices = nullptr) {
    CascadeAccess a;
    const bool isVirtual = text[0] == '#';
    if (isVirtual)
      a.tensor = text[1] - '0', shape.tensors = std::max(shape.tensors, a.tensor + 1);
    else
      a.memory = memories++;
    a.strides.assign(letters.size(), 0);
    a.bytes = shape.elementBytes;
    int64_t stride = 1;
    const std::string names = text.substr(isVirtual ? 2 : 0);
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      const int i = index(*name);
      if (shape.extents[i] > 1) a.strides[i] += stride;
      stride *= shape.extents[i];
      if (indices) indices->insert(indices->begin(), i);
    }
    return a;
  }

  CascadeOp &add(CascadeRole role, const std::string &loops, const std::vector<std::string> &inputs,
                 const std::string &output, bool contracts = false) {
    CascadeOp op;
    op.role = role;
    op.contracts = contracts;
    for (char name : loops) op.loops.push_back(index(name));
    for (const std::string &input : inputs) op.inputs.push_back(access(input));
    op.output = access(output, &op.outputIndices);
    op.operations = 1;
    shape.ops.push_back(op);
    return shape.ops.back();
  }

  CascadeShape shape;

private:
  std::string letters;
  int memories = 0;
};

using enum CascadeRole;

/// softmax(Q K) V with lanes that may follow q: b h q k, d e.
CascadeShape attention(std::map<char, int64_t> extents, const std::string &q = "bhqd", const std::string &k = "bhkd",
                       const std::string &v = "bhke", int64_t bytes = 4) {
  Builder b(extents, 'k', bytes);
  b.add(Tile, "bhqkd", {q, k}, "#0bhqk", true);
  b.add(Max, "bhqk", {"#0bhqk"}, "#1bhq");
  b.add(Weight, "bhqk", {"#0bhqk", "#1bhq"}, "#2bhqk");
  b.add(Sum, "bhqk", {"#2bhqk"}, "#3bhq");
  b.add(Sum, "bhqek", {"#2bhqk", v}, "#4bhqe", true);
  b.add(Finish, "bhqe", {"#4bhqe", "#3bhq"}, "bhqe");
  return b.shape;
}

std::map<char, int64_t> sizes(int64_t heads, int64_t q, int64_t k, int64_t d) {
  return {{'b', 2}, {'h', heads}, {'q', q}, {'k', k}, {'d', d}, {'e', d}};
}

CascadePlan planOf(const CascadeShape &shape, const CpuModel &cpu = avx512()) {
  auto plan = planWideCascade(shape, cpu);
  EXPECT_TRUE(std::holds_alternative<CascadePlan>(plan)) << std::get<std::string>(plan);
  return std::get<CascadePlan>(plan);
}

std::string obstacleOf(const CascadeShape &shape) { return analyseFlow(shape, -1, true).obstacle; }

/// The same with extents of some letters at run time; all strides as in the examples.
CascadeShape withSizes(CascadeShape shape, const std::string &letters, const std::string &dynamic) {
  shape.extentSlots.assign(shape.extents.size(), -1);
  for (char letter : dynamic) shape.extentSlots[letters.find(letter)] = 0;
  return shape;
}

TEST(CascadePlan, SizesAtRunTime) {
  const std::string letters = "bdehkq"; // in the order of their numbers
  for (int64_t q : {13, 521})
    for (int64_t k : {17, 509})
      for (const CpuModel &base : allCpus())
        for (const char *dynamic : {"k", "kq", "bkq", "q"}) {
          CpuModel cpu = base;
          cpu.threads = 7;
          const CascadeShape shape = withSizes(attention(sizes(3, q, k, 64)), letters, dynamic);
          const CascadePlan p = planOf(shape, cpu);
          SCOPED_TRACE(p.str());
          EXPECT_TRUE(p.fits(shape, analyseFlow(shape, p.lane, p.direct)));
          const bool hasKeys = shape.isDynamic(shape.key), hasRows = shape.isDynamic(p.lane);
          EXPECT_NE(p.str().find(hasKeys ? "sizes at run time: keys" : "sizes at run time: rows"), std::string::npos);
          // No copy of all keys, whose room would have to be known, and panels of one width.
          for (int64_t packing : p.packing) EXPECT_FALSE(hasKeys && KeyPacking(packing) == KeyPacking::Head);
          if (hasRows) EXPECT_EQ(p.narrowPanels, 0);
          // A tile is as large as its class can fill, whatever the example.
          if (hasKeys) EXPECT_GE(p.bk, k < 64 ? 63 : 96 - 12);
        }
}

TEST(CascadePlan, FewRowsOfDynamicKeys) {
  CascadeShape shape = withSizes(attention(sizes(3, 1, 509, 64)), "bdehkq", "k");
  CpuModel cpu = avx512();
  cpu.threads = 16;
  auto plan = planCascade(shape, cpu);
  ASSERT_TRUE(std::holds_alternative<ThinCascadePlan>(plan));
  EXPECT_GT(std::get<ThinCascadePlan>(plan).splits, 1); // the keys may become many
  EXPECT_NE(std::get<ThinCascadePlan>(plan).str().find("sizes at run time: keys"), std::string::npos);
  // Parts of the keys need a known number of batches.
  plan = planCascade(withSizes(shape, "bdehkq", "bk"), cpu);
  ASSERT_TRUE(std::holds_alternative<ThinCascadePlan>(plan));
  EXPECT_EQ(std::get<ThinCascadePlan>(plan).splits, 1);
  // Rows that share keys are known, or lanes follow them.
  EXPECT_TRUE(std::holds_alternative<CascadePlan>(
      planCascade(withSizes(attention(sizes(3, 13, 509, 64)), "bdehkq", "kq"), cpu)));
  EXPECT_NE(obstacleOf(withSizes(shape, "bdehkq", "d")).find("neither row nor key"), std::string::npos);
}

TEST(CascadePlan, DecisionsFitEveryShape) {
  for (int64_t q : {1, 5, 17, 64, 197, 577, 1500})
    for (int64_t k : {1, 7, 96, 197, 4096})
      for (int64_t d : {3, 40, 64, 96, 128, 300})
        for (const CpuModel &base : allCpus())
          for (int64_t threads : {1, 2, 7})
            for (int64_t bytes : {4, 8}) {
              CpuModel cpu = base;
              cpu.threads = threads;
              const CascadeShape shape = attention(sizes(3, q, k, d), "bhqd", "bhkd", "bhke", bytes);
              const CascadePlan p = planOf(shape, cpu);
              SCOPED_TRACE(p.str());
              const CascadeFlow flow = analyseFlow(shape, p.lane, p.direct);
              EXPECT_TRUE(p.fits(shape, flow));
              EXPECT_EQ(p.lanes * bytes, cpu.vectorBytes);
              const int64_t vectors = p.widePanels * p.nv + p.narrowPanels * (p.nv - 1), least = ceilDiv(q, p.lanes);
              EXPECT_GE(vectors, least);
              EXPECT_LE(vectors * 20, least * 21) << "padding";
              EXPECT_LE(p.mrWide * p.nv + p.nv + 1, cpu.vectorRegisters);
              if (p.narrowPanels) EXPECT_LE((p.mrNarrow + 1) * (p.nv - 1) + 1, cpu.vectorRegisters);
              EXPECT_LE(p.threads, 6 * p.groups());
            }
}

TEST(CascadePlan, LanesFollowTheRowsThatTheKeySideDoesNotHave) {
  const CascadeShape shape = attention(sizes(64, 32, 100, 64));
  Builder names(sizes(1, 1, 1, 1), 'k');
  EXPECT_EQ(planOf(shape).lane, names.index('q'));
  const CascadeFlow flow = analyseFlow(shape, -1, true);
  EXPECT_EQ(flow.batch, (std::vector<int>{names.index('b'), names.index('h')}));
}

TEST(CascadePlan, PanelsAreEven) {
  const CascadePlan p = planOf(attention(sizes(12, 197, 197, 64)));
  EXPECT_EQ(p.nv, 4);
  EXPECT_EQ(p.widePanels, 1);
  EXPECT_EQ(p.narrowPanels, 3);
}

TEST(CascadePlan, LittlePaddingIsNoReasonForASecondWidth) {
  const CascadePlan p = planOf(attention(sizes(6, 1500, 1500, 64)));
  EXPECT_EQ(p.widePanels, 24);
  EXPECT_EQ(p.narrowPanels, 0);
}

TEST(CascadePlan, EveryThreadHasAPanel) {
  CpuModel cpu = avx512();
  cpu.threads = 4;
  const CascadePlan p = planOf(attention(sizes(1, 64, 4096, 64)), cpu);
  EXPECT_EQ(p.threads, 4);
  EXPECT_EQ(p.panels(), 2) << "one would do, for two batches and four threads";
  EXPECT_TRUE(p.cyclic);
}

TEST(CascadePlan, KeysFarApartAreCopiedWhereTheyAreUsedAgain) {
  auto packing = [](const CascadePlan &p) { return KeyPacking(p.packing.front()); };
  EXPECT_EQ(packing(planOf(attention(sizes(12, 512, 512, 64)))), KeyPacking::None);
  EXPECT_EQ(packing(planOf(attention(sizes(12, 512, 512, 64), "bqhd", "bkhd", "bkhe"))), KeyPacking::Head);
  EXPECT_EQ(packing(planOf(attention(sizes(12, 64, 512, 64), "bqhd", "bkhd", "bkhe"))), KeyPacking::None);
  EXPECT_EQ(packing(planOf(attention(sizes(12, 512, 512, 64), "bhqd", "bhdk", "bhke"))), KeyPacking::Tile);
}

TEST(CascadePlan, DeepInnerProductsLeaveTheRegisters) {
  EXPECT_TRUE(planOf(attention(sizes(4, 512, 512, 128))).direct);
  const CascadePlan p = planOf(attention(sizes(4, 512, 512, 300)));
  EXPECT_FALSE(p.direct);
  EXPECT_EQ(p.depthBlock, 100);
}

TEST(CascadePlan, PlacesDoNotOverlap) {
  const CascadeShape shape = attention(sizes(4, 197, 300, 40));
  const CascadePlan p = planOf(shape);
  const CascadeFlow flow = analyseFlow(shape, p.lane, p.direct);
  const CascadeScratch s(shape, flow, p);
  const int64_t vector = p.nr() * 4;
  // Lane side of Q K, the sum with V; both [across][nr].
  EXPECT_GE(s.laneSide[1] - s.laneSide[0], 40 * vector);
  EXPECT_GE(s.panelsAt - s.buffers[0], p.bk * vector);
  EXPECT_EQ(s.total, s.panelsAt + p.groupPanels * s.panelBytes);
  EXPECT_LT(s.total, 128 << 10) << "grows with the extents";
}

TEST(CascadeFlow, ScoresAndWeightsShareABuffer) {
  const CascadeFlow flow = analyseFlow(attention(sizes(4, 64, 64, 64)), -1, true);
  EXPECT_EQ(flow.obstacle, "");
  ASSERT_EQ(flow.scores.size(), 1u);
  EXPECT_EQ(flow.scores[0].score, 0);
  EXPECT_EQ(flow.buffer[0], flow.buffer[2]);
  EXPECT_TRUE(flow.late[2]);
  EXPECT_FALSE(flow.late[0]);
  EXPECT_EQ(flow.kept, std::vector<int>{0});
}

TEST(CascadeFlow, TilesWithoutAMaximumAreEarly) {
  Builder b({{'t', 64}, {'c', 32}, {'f', 100}, {'e', 16}}, 'f');
  b.add(Tile, "tfc", {"tc", "cf"}, "#0tf", true);
  b.add(Tile, "tfc", {"tc", "cf"}, "#1tf", true);
  b.add(Tile, "tf", {"#0tf", "#1tf"}, "#2tf");
  b.add(Sum, "tef", {"#2tf", "fe"}, "#3te", true);
  b.add(Finish, "te", {"#3te"}, "te");
  const CascadeFlow flow = analyseFlow(b.shape, -1, true);
  EXPECT_EQ(flow.obstacle, "");
  EXPECT_EQ(flow.lane, b.index('t'));
  EXPECT_GE(flow.buffer[0], 0) << "waits for the second inner product";
  EXPECT_EQ(flow.buffer[1], -1) << "goes on from registers";
  EXPECT_EQ(flow.kept, std::vector<int>{2});
}

TEST(CascadeFlow, SaysWhatIsInTheWay) {
  // Every row moves the keys.
  EXPECT_NE(obstacleOf(attention(sizes(2, 8, 64, 64), "bhqd", "bhqkd", "bhke")).find("lanes"), std::string::npos);

  Builder crossing(sizes(2, 8, 64, 64), 'k');
  crossing.add(Tile, "bhqkd", {"bhqkd", "bhkd"}, "#0bhqk", true);
  crossing.add(Sum, "bhqk", {"#0bhqk"}, "#1bhq");
  EXPECT_EQ(obstacleOf(crossing.shape), "both sides of an inner product move with the key");

  Builder early(sizes(2, 8, 64, 64), 'k');
  early.add(Tile, "bhqk", {"bhqk"}, "#0bhqk");
  early.add(Sum, "bhqk", {"#0bhqk"}, "#1bhq");
  early.add(Tile, "bhqk", {"#0bhqk", "#1bhq"}, "#2bhqk");
  EXPECT_EQ(obstacleOf(early.shape), "an operation needs a sum before it is complete");

  Builder nothing(sizes(2, 8, 64, 64), 'k');
  nothing.add(Tile, "bhqk", {"bhqk"}, "#0bhqk");
  EXPECT_EQ(obstacleOf(nothing.shape), "nothing is summed over the key");
}

ThinCascadePlan thinPlanOf(const CascadeShape &shape, int64_t threads = 1, const CpuModel &base = avx512()) {
  CpuModel cpu = base;
  cpu.threads = threads;
  auto plan = planThinCascade(shape, cpu);
  EXPECT_TRUE(std::holds_alternative<ThinCascadePlan>(plan)) << std::get<std::string>(plan);
  return std::get<ThinCascadePlan>(plan);
}

TEST(ThinCascadePlan, DecisionsFitEveryShape) {
  for (int64_t q : {1, 3, 5, 8})
    for (int64_t k : {1, 7, 96, 197, 4096})
      for (int64_t d : {3, 40, 64, 128, 300})
        for (const CpuModel &cpu : allCpus())
          for (int64_t threads : {1, 2, 7})
            for (const char *v : {"bhke", "bkhe", "bhek", "bekh"}) {
              const CascadeShape shape = attention(sizes(3, q, k, d), "bhqd", "bhkd", v);
              const ThinCascadePlan p = thinPlanOf(shape, threads, cpu);
              SCOPED_TRACE(p.str());
              const CascadeFlow flow = analyseThinFlow(shape);
              EXPECT_TRUE(p.fits(shape, flow));
              EXPECT_LE(p.mr * (p.nv + 1) + 1, std::max<int64_t>(cpu.vectorRegisters, 2 * p.mr + 1));
              EXPECT_LE(p.threads, 6 * p.splits);
              EXPECT_LE(ceilDiv(q, p.mr) * p.mr, q + 1) << "padding";
              const ThinCascadeScratch s(shape, flow, p);
              EXPECT_GE(s.laneSide[1], s.laneSide[0] + s.rows * s.pitch[0] * 4);
              EXPECT_GE(s.total, s.rows * p.bk * 4);
              EXPECT_LT(s.total, 1 << 20) << "grows with the keys";
            }
}

TEST(ThinCascadePlan, TakesFewRowsOnly) {
  auto isThin = [](const CascadeShape &shape) {
    return std::holds_alternative<ThinCascadePlan>(planCascade(shape, avx512()));
  };
  EXPECT_TRUE(isThin(attention(sizes(8, 1, 4096, 128))));
  EXPECT_TRUE(isThin(attention(sizes(8, 4, 4096, 128))));
  EXPECT_FALSE(isThin(attention(sizes(8, 16, 4096, 128))));
  EXPECT_FALSE(isThin(attention(sizes(8, 512, 512, 64))));
}

TEST(ThinCascadePlan, TakesMoreRowsWhereTheTeamHasTooFewPanels) {
  CpuModel cpu = avx512();
  cpu.threads = 8;
  const CascadeShape shape = attention(sizes(1, 16, 100000, 128));
  const auto plan = planCascade(shape, cpu);
  ASSERT_TRUE(std::holds_alternative<ThinCascadePlan>(plan));
  EXPECT_EQ(std::get<ThinCascadePlan>(plan).splits, 4);
}

TEST(ThinCascadePlan, RowsOfAllIndicesThatShareTheKeysGoTogether) {
  Builder b({{'g', 8}, {'r', 4}, {'q', 2}, {'k', 100}, {'d', 64}, {'e', 64}}, 'k');
  b.add(Tile, "grqkd", {"grqd", "gkd"}, "#0grqk", true);
  b.add(Max, "grqk", {"#0grqk"}, "#1grq");
  b.add(Weight, "grqk", {"#0grqk", "#1grq"}, "#2grqk");
  b.add(Sum, "grqek", {"#2grqk", "gke"}, "#3grqe", true);
  b.add(Finish, "grqe", {"#3grqe"}, "grqe");
  const CascadeFlow flow = analyseThinFlow(b.shape);
  EXPECT_EQ(flow.obstacle, "");
  EXPECT_EQ(sharedRows(b.shape, flow), 8);
  EXPECT_EQ(batchCount(b.shape, flow), 8);
}

TEST(ThinCascadePlan, HeadsInsideTheSequenceGoTogether) {
  EXPECT_EQ(thinPlanOf(attention(sizes(8, 4, 4096, 128))).batches, 1);
  EXPECT_EQ(thinPlanOf(attention(sizes(8, 4, 4096, 128), "bhqd", "bkhd", "bkhe")).batches, 8);
}

TEST(ThinCascadePlan, MemoryThatIsReadFromEndToEndIsNotAskedFor) {
  auto asks = [](int64_t rows, int64_t size, const char *k) {
    return thinPlanOf(attention(sizes(8, rows, 4096, size), "bhqd", k, k == std::string("bhkd") ? "bhke" : "bkhe"))
        .prefetch;
  };
  EXPECT_EQ(asks(1, 128, "bhkd"), 0);
  EXPECT_EQ(asks(1, 64, "bhkd"), 0);
  EXPECT_EQ(asks(2, 128, "bhkd"), 1) << "memory waits for the products";
  EXPECT_EQ(asks(1, 640, "bhkd"), 1) << "a key is read in parts: the registers do not hold its sums";
  EXPECT_EQ(asks(1, 128, "bkhd"), 1) << "other heads lie between";
}

TEST(ThinCascadePlan, KeysAreSplitForAnEvenShareOnly) {
  auto splits = [](int64_t heads, int64_t keys, int64_t threads) { // of two batches
    return thinPlanOf(attention(sizes(heads, 4, keys, 128)), threads).splits;
  };
  EXPECT_EQ(splits(1, 4096, 1), 1);
  EXPECT_EQ(splits(1, 4096, 2), 1);
  EXPECT_EQ(splits(1, 4096, 8), 4);
  EXPECT_EQ(splits(8, 4096, 3), 2) << "of 16 heads one thread would have six";
  EXPECT_EQ(splits(8, 300, 16), 1);
  EXPECT_EQ(splits(1, 16384, 64), 29) << "a tenth of the team may wait";
}

TEST(ThinCascadePlan, LanesFollowWhatIsAdjacent) {
  auto sideOf = [](const char *k) {
    const CascadeShape shape = attention(sizes(4, 1, 100, 64), "bhqd", k);
    return thinSideOf(shape, analyseThinFlow(shape).products.front());
  };
  EXPECT_TRUE(sideOf("bhkd").acrossLanes);
  EXPECT_TRUE(sideOf("bkhd").acrossLanes);
  EXPECT_FALSE(sideOf("bhdk").acrossLanes);
  EXPECT_FALSE(sideOf("bhdk").packed);
  EXPECT_TRUE(sideOf("bkdh").packed);
}

} // namespace
