// What einsum strings mean: the Program they become.
#include "tests/unit/notation/Helpers.h"

#include <nlohmann/json.hpp>

#include <fstream>

namespace ein {
namespace {

using test::assignment;
using test::printed;

TEST(EinsumProgramTest, PrintsTheWholeProgram) {
  EXPECT_EQ(printed("ij,jk->ik", "f32[2,3] f32[3,4]"), "index i = 2, j = 3, k = 4\n"
                                                       "in op0: f32[i,j], op1: f32[j,k]\n"
                                                       "result[i,k]: f32 = sum[j](op0[i,j] * op1[j,k])\n"
                                                       "out result\n");
  EXPECT_EQ(printed("...i,i...", "f64[2,1,3] f64[1,5]"),
            "index dots0 = 2, dots1 = 5, i = 3, one = 1\n"
            "in op0: f64[dots0,one,i], op1: f64[one,dots1]\n"
            "result[dots0,dots1]: f64 = sum[i](op0[dots0,0,i] * op1[0,dots1])\n"
            "out result\n");
  EXPECT_EQ(printed("", "f32[]"), "in op0: f32\nresult: f32 = op0\nout result\n");
}

TEST(EinsumProgramTest, Assignments) {
  struct Row {
    const char *text, *operands, *expected;
  };
  const Row rows[] = {
      // Implicit output: the ellipsis, then what occurs once, by code point.
      {"ba", "f32[2,3]", "result[a,b]: f32 = op0[b,a]"},
      {"bA", "f32[2,3]", "result[A,b]: f32 = op0[b,A]"},
      {"ij,jh", "f32[2,3] f32[3,4]", "result[h,i]: f32 = sum[j](op0[i,j] * op1[j,h])"},
      {"...ba", "f32[7,2,3]", "result[dots0,a,b]: f32 = op0[dots0,b,a]"},
      {"ii", "f32[3,3]", "result: f32 = sum[i](op0[i,i])"},
      {"βα", "f32[2,3]", "result[α,β]: f32 = op0[β,α]"},
      // Diagonals of any multiplicity.
      {"iii->i", "f32[3,3,3]", "result[i]: f32 = op0[i,i,i]"},
      {"iji->j", "f32[3,4,3]", "result[j]: f32 = sum[i](op0[i,j,i])"},
      {"a...a->...", "f32[3,5,3]", "result[dots0]: f32 = sum[a](op0[a,dots0,a])"},
      // Extent 1 broadcasts across operands.
      {"i,i->i", "f32[1] f32[3]", "result[i]: f32 = op0[0] * op1[i]"},
      {"i,i->i", "f32[0] f32[1]", "result[i]: f32 = op0[i] * op1[0]"},
      {"i,i->i", "f32[1] f32[1]", "result[i]: f32 = op0[i] * op1[i]"},
      {"ij,jk->ik", "f32[2,1] f32[3,4]", "result[i,k]: f32 = sum[j](op0[i,0] * op1[j,k])"},
      {"ii,i->", "f32[1,1] f32[4]", "result: f32 = sum[i](op0[0,0] * op1[i])"},
      // Ellipses align from the right, may be empty, and are summed where the output has none.
      {"...i,...i->...", "f32[2,1,4] f32[3,4]", "result[dots0,dots1]: f32 = sum[i](op0[dots0,0,i] * op1[dots1,i])"},
      {"...i->...", "f32[3]", "result: f32 = sum[i](op0[i])"},
      {"i->...i", "f32[3]", "result[i]: f32 = op0[i]"},
      {"...i->i", "f32[2,3]", "result[i]: f32 = sum[dots0](op0[dots0,i])"},
      {"i...,...i->...", "f32[4,5,6] f32[5,6,4]",
       "result[dots0,dots1]: f32 = sum[i](op0[i,dots0,dots1] * op1[dots0,dots1,i])"},
      {"...->...", "f32[]", "result: f32 = op0"},
      // Scalars and empty extents.
      {",->", "f64[] f64[]", "result: f64 = op0 * op1"},
      {"i,->i", "f64[3] f64[]", "result[i]: f64 = op0[i] * op1"},
      {"ij->", "f32[0,3]", "result: f32 = sum[i,j](op0[i,j])"},
      // Summed indices in the order of the operands.
      {"ab,cb,cd->", "f32[1,2] f32[3,2] f32[3,4]", "result: f32 = sum[a,b,c,d](op0[a,b] * op1[c,b] * op2[c,d])"},
  };
  for (const Row &row : rows) EXPECT_EQ(assignment(row.text, row.operands), row.expected) << row.text;
}

TEST(EinsumProgramTest, NamesInBraces) {
  EXPECT_EQ(assignment("{batch}{head_1}i,{head_1}i->{batch}", "f32[2,3,4] f32[3,4]"),
            "result[batch]: f32 = sum[head_1,i](op0[batch,head_1,i] * op1[head_1,i])");
  // {i} is i; names sort as labels do.
  EXPECT_EQ(assignment("{b}a{aa},b", "f32[2,3,4] f32[2]"), "result[a,aa]: f32 = sum[b](op0[b,a,aa] * op1[b])");
  // What a Program could not call so is renamed.
  EXPECT_EQ(assignment("{sum}{op0}{result}{dots0}...->{sum}...", "f32[2,2,2,2,3]"),
            "result[sum0,dots0]: f32 = sum[op00,result0,dots00](op0[sum0,op00,result0,dots00,dots0])");
  EXPECT_EQ(assignment("{one},{one}x->x", "f32[1] f32[3,2]"), "result[x]: f32 = sum[one](op0[0] * op1[one,x])");
}

TEST(EinsumProgramTest, SpacedNamesByOption) {
  CompileOptions options;
  options.labels = LabelStyle::Names;
  auto p = parseAndBind("batch q d, batch k d -> batch q k", test::types("f32[2,3,4] f32[2,5,4]"), options);
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_EQ(print(*p, p->assignments[0].value), "sum[d](op0[batch,q,d] * op1[batch,k,d])");
}

TEST(EinsumProgramTest, ScatterByOption) {
  auto scattered = [](std::string_view text, std::string_view operands) {
    CompileOptions options;
    options.scatter = true;
    auto p = parseAndBind(text, test::types(operands), options);
    if (!p) return p.error().render();
    if (auto ok = verify(*p); !ok) return ok.error().render();
    std::string all = print(*p);
    auto again = parseAndBind(all, test::types(operands));
    EXPECT_TRUE(again && print(*again) == all) << all;
    size_t at = all.find("result[");
    return all.substr(at, all.find('\n', at) - at);
  };
  EXPECT_EQ(scattered("a->aa", "f32[2]"), "result[a,a0]: f32 = where(a0 == a, op0[a], 0)");
  EXPECT_EQ(scattered("ij->iji", "f32[2,3]"), "result[i,j,i0]: f32 = where(i0 == i, op0[i,j], 0)");
  EXPECT_EQ(scattered("ab,bc->caac", "f32[2,3] f32[3,4]"),
            "result[c,a,a0,c0]: f32 = where(a0 == a and c0 == c, sum[b](op0[a,b] * op1[b,c]), 0)");
  EXPECT_EQ(scattered("ij->ij", "f32[2,3]"), "result[i,j]: f32 = op0[i,j]");
}

/// The Program of an einsum string, without its declarations and outputs.
std::string assignments(std::string_view text, std::string_view operands, const CompileOptions &options) {
  auto p = parseAndBind(text, test::types(operands), options);
  if (!p) return p.error().render();
  if (auto ok = verify(*p); !ok) return ok.error().render();
  std::string all = print(*p);
  auto again = parseAndBind(all, test::types(operands));
  EXPECT_TRUE(again && print(*again) == all) << all;
  const size_t first = all.find("\n", all.find("in op0")) + 1;
  return all.substr(first, all.find("out result") - first);
}

TEST(EinsumProgramTest, ConjugatesByOption) {
  CompileOptions options;
  options.conjugate = {1, 0};
  // What is real is its own conjugate.
  EXPECT_EQ(assignments("ij,jk->ik", "f32[2,3] c64[3,4]", options),
            "result[i,k]: c64 = sum[j](op0[i,j] * conj(op1[j,k]))\n");
  EXPECT_EQ(assignments("i,i->i", "c64[2] c64[2]", options), "result[i]: c64 = conj(op0[i]) * conj(op1[i])\n");
}

TEST(EinsumProgramTest, ComputesAndAccumulatesByOption) {
  CompileOptions sums;
  sums.accumulateDType = DType::F64;
  EXPECT_EQ(assignments("ij,jk->ki", "f32[2,3] f32[3,4]", sums),
            "accumulated[k,i]: f64 = sum[j](op0[i,j] * op1[j,k])\nresult[k,i]: f32 = accumulated[k,i]\n");
  // The default is not written out.
  EXPECT_EQ(assignments("ij,jk->ki", "f64[2,3] f32[3,4]", sums), "result[k,i]: f64 = sum[j](op0[i,j] * op1[j,k])\n");
  CompileOptions products;
  products.computeDType = DType::F32;
  EXPECT_EQ(assignments("iij,jk->ik", "f64[2,2,3] f32[3,4]", products),
            "op0r[i,j]: f32 = op0[i,i,j]\nresult[i,k]: f64 = sum[j](op0r[i,j] * op1[j,k])\n");
  products.accumulateDType = products.resultDType = DType::F32;
  EXPECT_EQ(assignments("ij,jk->ik", "i32[2,3] f32[3,4]", products),
            "result[i,k]: f32 = sum[j](op0[i,j] * op1[j,k])\n");
  // An integer loses digits before a wider sum, too.
  products.accumulateDType = DType::F64;
  EXPECT_EQ(assignments("i,i->", "i32[2] f32[2]", products),
            "op0r[i]: f32 = op0[i]\naccumulated: f64 = sum[i](op0r[i] * op1[i])\nresult: f32 = accumulated\n");
}

TEST(EinsumProgramTest, ManyIndices) {
  // 1024 indices in 16 operands of rank 64: letters from beyond ASCII.
  std::string text;
  std::vector<TensorType> operands(16, TensorType(DType::F32, std::vector<int64_t>(64, 1)));
  for (int i = 0; i < 1024; ++i) {
    if (i > 0 && i % 64 == 0) text += ',';
    text += "{i" + std::to_string(i) + "}";
  }
  auto p = parseAndBind(text + "->", operands);
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_EQ(p->indices.size(), 1024u);
  operands.push_back(TensorType(DType::F32, {1}));
  auto refused = parseAndBind(text + ",{more}->", operands);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Limit);
  EXPECT_EQ(refused.error().labels[0].span.begin, text.size() + 1);
}

TEST(EinsumProgramTest, ManyOperands) {
  std::string text = "a";
  for (int i = 1; i < 4096; ++i) text += ",a";
  auto p = parseAndBind(text + "->", std::vector<TensorType>(4096, TensorType(DType::F32, {2})));
  ASSERT_TRUE(p) << p.error().render();
  EXPECT_TRUE(verify(*p));
  EXPECT_EQ(p->freeIndices(p->assignments[0].value).size(), 0u);
  EXPECT_GT(print(*p).size(), 4096u * 4);
}

/// Every conformance case that is written as a string: does it bind, and to a result of the right shape?
TEST(EinsumProgramTest, ConformanceShapes) {
  std::ifstream file(EIN_TEST_DATA "/conformance_valid.json");
  size_t checked = 0;
  for (const auto &row : nlohmann::json::parse(file)) {
    if (!row["expr"].is_string() || row["tier"] == 3) continue;
    std::vector<TensorType> operands;
    for (const auto &shape : row["shapes"]) operands.emplace_back(DType::F64, shape.get<std::vector<int64_t>>());
    auto p = programFromEinsum(row["expr"].get<std::string>(), operands);
    std::string tags = row["tags"].dump();
    if (tags.find("extension:repeated-output") != std::string::npos) { // refused by default
      EXPECT_FALSE(p) << row["id"];
      if (row["expr"] == "->ii") continue; // no operand says what extent i has
      CompileOptions options;
      options.scatter = true;
      p = programFromEinsum(row["expr"].get<std::string>(), operands, options);
    }
    if (!p) {
      ADD_FAILURE() << row["id"] << " " << p.error().render();
      continue;
    }
    auto ok = verify(*p);
    EXPECT_TRUE(ok) << row["id"] << " " << ok.error().message;
    EXPECT_EQ(p->typeOf(p->outputs[0]).shape, row["out"].get<std::vector<int64_t>>())
        << row["id"] << " " << row["expr"];
    ++checked;
  }
  EXPECT_GE(checked, 1000u);
}

} // namespace
} // namespace ein
