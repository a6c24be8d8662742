// Expressions that these tests once found wrong, each as small as it got.
#include "tests/conformance/Support.h"

using namespace ein;
using namespace ein::test;

namespace {

struct Found {
  const char *name;
  const char *text;
  const char *operands;
  const char *cpu;
  int threads;
  std::optional<DType> result = {};
};

void PrintTo(const Found &found, std::ostream *out) { *out << found.text; }

const Found kFound[] = {
    {"RowsPackedPastTheEnd", "abe,ced->bcad", "f64[15,3,300]{900,1,3} f64[48,300,2]", "x86-64-v2", 1},
    {"ColsPackedPastTheEnd", "bda,dc->abc", "f64[2,300,15] f64[300,300]", "x86-64-v2", 2},
    {"TransposedPastTheEnd", "ebfa,fdec->cbad", "f32[300,3,4,15] f32[4,4,300,1]", "x86-64-v3", 2},
    {"EmptyResultOfASum", "ab,b->b", "f32[7,0] f32[0]", "", 1},
    {"EmptyResultTimesScalar", "ab,->b", "f32[7,0] f32[]", "", 1},
    {"PlanOfManyLoops", "zlpr,lrbz->bpr", "f32[4,16,2,15] f32[16,15,5,4]", "", 1},
    {"OperandThatDoesNotMove", "i,ij->j", "f32[30]{0} f32[30,5]", "", 1},
    {"GatherAcrossTwoLoops",
     "in A: f32[k,j,l], C: f32[k,j,l], N: i32[l] below(l)\nT[l,k] = max[j](C[k,j,N[l]] * A)\nout T",
     "f32[16,1,16] f32[16,1,16]{16,16,-1} i32[16]", "", 1},
    {"RowsOfATeamBesideSquares", "abe,adec->bcda", "f64[1,31,1100] f64[1,4,1100,100]", "x86-64-v3", 2},
    {"PartsNarrowerThanAnOperand", "ac,cb->ba", "i64[3,16000] c64[16000,32]", "x86-64-v2", 2},
    {"ConditionsAsNumbers", "b,jk->jb", "bool[3] bool[17,2]", "", 1, DType::U8},
    {"NoConditionsAsNumbers", "b,jk->jb", "bool[3] bool[17,0]", "", 1, DType::I32},
    {"ConditionsAsComplexNumbers", "b,j->jb", "bool[3] bool[17]", "", 1, DType::C64},
};

class FoundOnce : public ::testing::TestWithParam<Found> {};

TEST_P(FoundOnce, AsInterpreted) {
  Case c;
  c.text = GetParam().text;
  c.types = types(GetParam().operands);
  c.options.target.cpu = GetParam().cpu;
  c.options.threads = GetParam().threads;
  c.options.resultDType = GetParam().result;
  for (c.seed = 1; c.seed <= 2; ++c.seed) EXPECT_TRUE(computesAsInterpreted(c)) << "guard " << c.seed % 2;
}

INSTANTIATE_TEST_SUITE_P(Case, FoundOnce, ::testing::ValuesIn(kFound),
                         [](const ::testing::TestParamInfo<Found> &info) { return info.param.name; });

} // namespace
