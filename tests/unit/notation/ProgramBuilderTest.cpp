// Programs written from C++ are those written as text.
#include "ein/ProgramBuilder.h"
#include "compiler/IndexNotation/ProgramHash.h"
#include "tests/unit/notation/Helpers.h"

namespace ein {
namespace {

namespace n = notation;

std::string hashOf(const std::string &text, const char *operands) {
  auto p = parseAndBind(text, test::types(operands));
  EXPECT_TRUE(p) << text << (p ? "" : p.error().render());
  return p ? programHash(*p) : "";
}

TEST(ProgramBuilderTest, Attention) {
  n::Program p;
  const n::Term Q = p.input("Q: f32[b,q,d]"), K = p.input("K: f32[b,k,d]"), V = p.input("V: f32[b,k,e]");
  const n::Term S = p.let("S", n::sum({"d"}, Q * K) * 0.125);
  const n::Term P = p.let("P", n::softmax({"k"}, S, n::index("k") <= n::index("q")));
  p.let("O[b,q,e]", n::sum({"k"}, P * V));
  p.output("O");
  EXPECT_EQ(p.str(), "in Q: f32[b,q,d]\nin K: f32[b,k,d]\nin V: f32[b,k,e]\nS = (sum[d]((Q * K)) * 0.125)\n"
                     "P = softmax[k | (k <= q)](S)\nO[b,q,e] = sum[k]((P * V))\nout O\n");
  EXPECT_EQ(hashOf(p.str(), "f32[2,3,4] f32[2,5,4] f32[2,5,6]"),
            hashOf("in Q: f32[b,q,d], K: f32[b,k,d], V: f32[b,k,e]\n"
                   "O[b,q,e] = sum[k](softmax[k | k <= q](0.125 * sum[d](Q * K)) * V)\nout O",
                   "f32[2,3,4] f32[2,5,4] f32[2,5,6]"));
}

TEST(ProgramBuilderTest, OperatorsAndSubscripts) {
  n::Program p;
  const n::Term A = p.input("A: f32[i,j]"), t = p.input("t: i32[i] below(j)");
  p.index("m = 2");
  const n::Term i = n::index("i"), j = n::index("j");
  const n::Term X = p.let("X[i,j]", n::where(i < j && !(i == 1.0), A, -A) - n::power(A, 2.0) % 3.0);
  p.let("Y[i]: f64", n::cast(X({i, t({i})}), DType::F64) + n::exp(-1e-3 / A({i, n::floorDivide(i, 2.0)})));
  p.output("Y");
  p.line("require stored(X)");
  EXPECT_EQ(hashOf(p.str(), "f32[2,3] i32[2]"),
            hashOf("in A: f32[i,j], t: i32[i] below(j)\nX[i,j] = (if i < j and not i == 1 then A else -A) - A ^ 2 % 3\n"
                   "Y[i]: f64 = cast(X[i, t], f64) + exp(-0.001 / A[i, i // 2])\nout Y\nrequire stored(X)",
                   "f32[2,3] i32[2]"));
}

} // namespace
} // namespace ein
