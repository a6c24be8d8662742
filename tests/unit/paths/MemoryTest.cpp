// Places of intermediates: nothing that lives at the same time overlaps, and the peak is as stated.
#include "compiler/Paths/Workspace.h"
#include "tests/unit/paths/Programs.h"

#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

int64_t rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

void checkPlan(const std::vector<Lifetime> &lives, const WorkspacePlan &plan) {
  int64_t peak = 0;
  for (size_t a = 0; a < lives.size(); ++a) {
    EXPECT_EQ(plan.offsets[a] % 64, 0);
    EXPECT_GE(plan.offsets[a], 0);
    peak = std::max(peak, plan.offsets[a] + rounded(lives[a].bytes));
    for (size_t b = 0; b < a; ++b) {
      bool together = lives[a].first <= lives[b].last && lives[b].first <= lives[a].last;
      bool overlap = plan.offsets[a] < plan.offsets[b] + lives[b].bytes &&
                     plan.offsets[b] < plan.offsets[a] + lives[a].bytes && lives[a].bytes && lives[b].bytes;
      EXPECT_FALSE(together && overlap) << a << " and " << b;
    }
  }
  EXPECT_EQ(plan.bytes, peak);
}

TEST(Workspace, RandomLifetimes) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Lifetime> lives;
    for (size_t i = 0, n = random() % 40; i < n; ++i) {
      size_t first = random() % 50;
      lives.push_back({static_cast<int64_t>(random() % 5 ? random() % 2000 : 0), first, first + random() % 10});
    }
    auto plan = packWorkspace(lives);
    ASSERT_TRUE(plan);
    checkPlan(lives, *plan);
    if (HasFailure()) return;
  }
}

TEST(Workspace, MemoryIsUsedAgain) {
  // A step reads one block and writes the next: two of the four live at a time.
  std::vector<Lifetime> chain{{100, 0, 1}, {100, 1, 2}, {100, 2, 3}, {100, 3, 4}};
  EXPECT_EQ(packWorkspace(chain)->bytes, 256);
  // A gap that fits is filled.
  std::vector<Lifetime> gap{{640, 0, 1}, {64, 0, 9}, {320, 2, 3}, {320, 3, 4}};
  EXPECT_EQ(packWorkspace(gap)->bytes, 704);
}

TEST(Workspace, RefusesWhatDoesNotFit63Bits) {
  int64_t half = int64_t(1) << 62;
  EXPECT_TRUE(packWorkspace(std::vector<Lifetime>{{half, 0, 1}, {half, 2, 3}}));
  EXPECT_FALSE(packWorkspace(std::vector<Lifetime>{{half, 0, 1}, {half, 1, 3}}));
  EXPECT_FALSE(packWorkspace(std::vector<Lifetime>{{std::numeric_limits<int64_t>::max(), 0, 1}}));
}

/// The lifetimes of a flat Program, read off its assignments.
void checkFlatMemory(const FlatProgram &f) {
  const Program &p = f.program;
  std::vector<Lifetime> lives;
  WorkspacePlan plan{{}, f.workspaceBytes};
  ASSERT_EQ(f.workspaceOffsets.size(), p.tensors.size());
  for (TensorId t = 0; t < p.tensors.size(); ++t) {
    size_t assigned = 0;
    while (assigned < p.assignments.size() && p.assignments[assigned].result != t) ++assigned;
    bool outside = assigned == p.assignments.size() || isVirtual(f, assigned) ||
                   std::count(p.inputs.begin(), p.inputs.end(), t) || std::count(p.outputs.begin(), p.outputs.end(), t);
    ASSERT_EQ(f.workspaceOffsets[t] < 0, outside) << p.tensors[t].name;
    if (outside) continue;
    Lifetime life{p.typeOf(t).numElements() * byteSize(p.tensors[t].dtype), 0, 0};
    for (size_t step = 0; step < p.assignments.size(); ++step) {
      if (p.assignments[step].result == t) life.first = life.last = step;
      std::vector<ExprId> stack{p.assignments[step].value};
      while (!stack.empty()) {
        const Expr &e = p.exprs[stack.back()];
        stack.pop_back();
        if (e.kind == Expr::Kind::Access && e.tensor == t) life.last = step;
        stack.insert(stack.end(), e.args.begin(), e.args.end());
      }
    }
    lives.push_back(life);
    plan.offsets.push_back(f.workspaceOffsets[t]);
  }
  checkPlan(lives, plan);
}

TEST(FlatMemory, IntermediatesDoNotOverlap) {
  checkFlatMemory(
      flat(bound("ab,bc,cd,de,ef,fg->ag", {"f32[9,8]", "f32[8,7]", "f32[7,6]", "f32[6,5]", "f32[5,4]", "f32[4,3]"})));
  checkFlatMemory(flat(bound("in Q: f64[b,q,d], K: f64[b,k,d], V: f64[b,k,e]\n"
                             "P = softmax[k | k <= q](sum[d](Q * K) * 0.125)\n"
                             "O[b,q,e] = sum[k](P * V)\nout O\n",
                             {"f64[2,30,4]", "f64[2,50,4]", "f64[2,50,6]"})));
}

TEST(FlatMemory, LimitsAreRefusedWithTheirNumbers) {
  Program p = bound("ab,bc,cd->ad", {"f32[10,90]", "f32[90,20]", "f32[20,90]"});
  CompileOptions options;
  options.memoryLimit = 832; // 10 x 20 floats, rounded up
  EXPECT_TRUE(flatten(p, options));
  options.memoryLimit = 831;
  Expected<FlatProgram> f = flatten(p, options);
  ASSERT_FALSE(f);
  EXPECT_EQ(f.error().code, ErrorCode::Limit);
  EXPECT_EQ(f.error().message, "the kernel needs 832 bytes of workspace, the limit is 831");
  ASSERT_EQ(f.error().notes.size(), 1u);
  EXPECT_EQ(f.error().notes[0], "intermediate t0: f32[10,20] has 800 bytes");
}

TEST(FlatMemory, RefusesTensorsBeyond63Bits) {
  // An intermediate; operands that are views of one element keep the inputs small.
  std::string huge = "f64[2147483648,3]{0,0}";
  Expected<FlatProgram> f = flatten(bound("ax,by,cz->a", {huge, huge, huge}), {});
  EXPECT_TRUE(f);
  f = flatten(bound("in A: f64[a], B: f64[b], C: f64[c]\nR[a] = max[b,c](A * B + max[a](sin(A * B * C)))\nout R\n",
                    {"f64[2147483648]{0}", "f64[2147483648]{0}", "f64[2147483648]{0}"}),
              {});
  ASSERT_FALSE(f);
  EXPECT_EQ(f.error().code, ErrorCode::Limit);
}

} // namespace
