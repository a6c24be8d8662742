// Functions, reductions, gathers, groups and lists of Programs: what they print as, and their values by hand.
#include "tests/unit/notation/Helpers.h"

#include <cmath>
#include <limits>

namespace ein {
namespace {

using test::assignment;
using test::printed;
using test::tensor;
using test::types;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
using V = std::vector<double>;

std::vector<ReferenceTensor> run(const std::string &text, std::string_view operands,
                                 std::vector<ReferenceTensor> values) {
  auto p = parseAndBind(text, types(operands));
  if (!p) {
    ADD_FAILURE() << p.error().render();
    return {{}};
  }
  if (auto ok = verify(*p); !ok) ADD_FAILURE() << ok.error().render();
  return interpret(*p, values);
}

/// The value of an expression of x = 2, A = [3, 1, 2], E = [] and the integers n = -7, t = [2, 0].
V value(const std::string &expression) {
  auto whole = [](std::vector<int64_t> shape, std::vector<int64_t> values) {
    return ReferenceTensor{std::move(shape), V(values.begin(), values.end()), values};
  };
  return run("in x: f64, A: f64[i], E: f64[z], n: int32, t: int64[j] below(i)\nindex s = 2\nR = " + expression +
                 "\nout R",
             "f64[] f64[3] f64[0] i32[] i64[2]",
             {tensor({}, {2}), tensor({3}, {3, 1, 2}), tensor({0}, {}), whole({}, {-7}), whole({2}, {2, 0})})[0]
      .values;
}

TEST(ProgramLanguageTest, PrintsAsItParses) {
  const char *const expressions[] = {"-x ^ 2",
                                     "(-x) ^ 2",
                                     "x ^ -2 ^ x",
                                     "(x ^ 2) ^ 3",
                                     "n // 3 % 2 * 4",
                                     "n // (3 % 2)",
                                     "exp2(x)",
                                     "cast(x, i32)",
                                     "rand(n, i)",
                                     "A[t[j]]",
                                     "A[n % 3]",
                                     "A[1]",
                                     "argmax[i](A[i])",
                                     "top[i->s](A[i])",
                                     "argtop[i->s | i > 0](A[i])",
                                     "softmax[i](A[i], sink = x)",
                                     "prod[i](A[i])"};
  for (const char *e : expressions) {
    const std::string head = "in x: f64, A: f64[i], n: i32, t: i32[j] below(i)\nindex s = 2\nR = ";
    const std::string once = printed(head + e + "\nout R", "f64[] f64[3] i32[] i32[2]");
    EXPECT_NE(once.find(std::string(" = ") + e + "\n"), std::string::npos) << e << "\n" << once;
    EXPECT_EQ(printed(once, "f64[] f64[3] i32[] i32[2]"), once);
  }
}

TEST(ProgramLanguageTest, PrintsDeclarations) {
  const std::string text = "index g = 2, r = 3, s = 5, d = 4\nin Q: f32[s,(g r),d], t: i32[s] sorted below(g)\n"
                           "Y[s,r,d]: f32 = Q[s,t,r,d]\nout Y\nrequire onepass(Y)\nrequire nostore(Y)\nstore Y\n";
  const std::string types = "f32[5,6,4] i32[5]";
  EXPECT_NE(printed(text, types).find("in Q: f32[s,(g r),d], t: i32[s] sorted below(g)\n"), std::string::npos)
      << printed(text, types);
  EXPECT_NE(printed(text, types).find("out Y\nrequire onepass(Y)\nrequire nostore(Y)\nstore Y\n"), std::string::npos);
  EXPECT_EQ(printed(printed(text, types), types), printed(text, types));
}

TEST(ProgramLanguageTest, Functions) {
  EXPECT_EQ(value("x ^ 3 - 2 ^ 2 ^ x + x ^ -1"), V{-7.5});
  EXPECT_EQ(value("-x ^ 2 + 4 ^ 0.5 + x ^ 0"), V{-1});
  EXPECT_TRUE(std::isnan(value("(-x) ^ 0.5")[0]));
  EXPECT_EQ(value("n // 2 * 100 + n % 2 * 10 + 7 // 2 % 2"), V{-389});
  EXPECT_EQ(value("n // 0 + n % 0"), V{0});
  EXPECT_EQ(value("-5.5 // x * 10 + -5.5 % x"), V{-29.5});
  EXPECT_EQ(value("exp2(x + 1) + erf(0) + sin(0) + cos(0) + gelu(0) + silu(0)"), V{9});
  EXPECT_NEAR(value("gelu(1)")[0], 0.8413447460685429, 1e-15);
  EXPECT_NEAR(value("silu(1)")[0], 0.7310585786300049, 1e-15);
  EXPECT_EQ(value("cast(2.7 * x, i32) + cast(-2.7, i32)"), V{3});
  EXPECT_EQ(value("cast(1e30, i8) + cast(-1e30, i16) + cast(0 / (x - x), i32)"), V{127 - 32768});
  EXPECT_EQ(value("cast(x > 1, f32) + cast(n * 50, i8)"), V{1 - 94});
}

TEST(ProgramLanguageTest, RandomNumbersAreUniform) {
  const V r =
      run("in seed: u32\nindex i = 100, j = 100\nR = rand(seed, i, j)\nout R", "u32[]", {{{}, {42}, {42}}})[0].values;
  double sum = 0, squares = 0, neighbours = 0;
  for (size_t i = 0; i < r.size(); ++i) {
    ASSERT_GE(r[i], 0);
    ASSERT_LT(r[i], 1);
    sum += r[i], squares += r[i] * r[i], neighbours += i ? (r[i] - 0.5) * (r[i - 1] - 0.5) : 0;
  }
  EXPECT_NEAR(sum / 1e4, 0.5, 0.01);
  EXPECT_NEAR(squares / 1e4, 1.0 / 3, 0.01);
  EXPECT_NEAR(neighbours / 1e4, 0, 0.005);
  EXPECT_NE(value("rand(n)"), value("rand(n + 1)"));
  EXPECT_NE(value("rand(n, 1, 2)"), value("rand(n, 2, 1)"));
}

TEST(ProgramLanguageTest, Reductions) {
  EXPECT_EQ(value("prod[i](A) + 100 * prod[z](E) + 1000 * prod[i | i > 0](A)"), V{2106});
  EXPECT_EQ(value("mean[i](A) + 10 * mean[i | i > 0](A)"), V{17});
  EXPECT_NEAR(value("var[i](A - 1)")[0], 2.0 / 3, 1e-15);
  EXPECT_EQ(value("var[i | A > 1](A)"), V{0.25});
  EXPECT_TRUE(std::isnan(value("mean[z](E)")[0]));
  EXPECT_TRUE(std::isnan(value("var[i | i > 5](A)")[0]));
  EXPECT_EQ(value("where(any[i](A > 2) and not all[i](A > 2), 1, 0)"), V{1});
  EXPECT_EQ(value("argmax[i](A) + 10 * argmin[i](A) + 100 * argmax[i | i > 0](A)"), V{210});
  EXPECT_EQ(value("argmax[z](E) + argmax[i](0 * A)"), V{-1});
  EXPECT_EQ(value("argmax[i](where(i == 1, inf - inf, A))"), V{1});
  EXPECT_EQ(value("top[i->s](A)"), (V{3, 2}));
  EXPECT_EQ(value("argtop[i->s](A)"), (V{0, 2}));
  EXPECT_EQ(value("argtop[i->s](0 * A)"), (V{0, 1}));
  EXPECT_EQ(value("top[i->s | i == 1](A)"), (V{1, -kInfinity}));
  EXPECT_EQ(value("argtop[i->s | i == 1](A)"), (V{1, -1}));
  EXPECT_EQ(value("softmax[i | i == 1](A, sink = 1)"), (V{0, 0.5, 0}));
  EXPECT_EQ(value("softmax[i | i > 5](A, sink = x)"), (V{0, 0, 0}));
  EXPECT_EQ(value("softmax[i](A, sink = -inf) - softmax[i](A)"), (V{0, 0, 0}));
}

TEST(ProgramLanguageTest, Gathers) {
  EXPECT_EQ(value("A[t]"), (V{2, 3}));
  EXPECT_EQ(value("A[2]"), V{2});
  EXPECT_EQ(value("A[(i + 1) % 3]"), (V{1, 2, 3}));
  EXPECT_EQ(value("A[2 - i]"), (V{2, 1, 3}));
  EXPECT_EQ(value("sum[i | i + 1 < 3](A[i + 1])"), V{3});
  EXPECT_EQ(value("if i >= 1 then A[i - 1] else 0"), (V{0, 3, 1}));
  EXPECT_EQ(value("if not (n < 0 or n >= 3) then A[n] else 9"), V{9});
  EXPECT_EQ(value("A[argmin[i](A)]"), V{1});
}

TEST(ProgramLanguageTest, GroupedAxesShareADimension) {
  const char *const text = "index r = 2\nin Q: f64[(g r),d], K: f64[g,d]\nY[g,r] = sum[d](Q * K)\nout Y";
  EXPECT_EQ(run(text, "f64[4,1] f64[2,1]", {tensor({4, 1}, {1, 2, 3, 4}), tensor({2, 1}, {10, 100})})[0].values,
            (V{10, 20, 300, 400}));
}

TEST(ProgramLanguageTest, EinsumsTakeExpressionsAndSemirings) {
  EXPECT_EQ(value("einsum(\"a,a->\", A + 1, A)"), V{20});
  EXPECT_EQ(value("einsum(\"a,b->ab\", A, A, over = max_plus)"), (V{6, 4, 5, 4, 2, 3, 5, 3, 4}));
  EXPECT_EQ(value("einsum(\"a,a->\", A, A, over = min_plus)"), V{2});
  EXPECT_EQ(value("einsum(\"a,a->\", A, A - 3, over = or_and)"), V{1});
  EXPECT_NEAR(value("einsum(\"a,a->\", A, -A, over = lse_plus)")[0], std::log(3), 1e-15);
}

TEST(ProgramLanguageTest, MeansOfLargeGuardsStayShort) {
  // Nested guards are used more than once at each level: named, they grow the text only linearly.
  std::string guard = "A > 0";
  for (int depth = 0; depth < 40; ++depth) guard = "var[i | " + guard + "](A) > 0 and A > 1 and A < 7 and A != 3";
  const std::string text = printed("in A: f64[i]\nY = var[i | " + guard + "](A)\nout Y", "f64[3]");
  EXPECT_LT(text.size(), 100000u);
  EXPECT_NE(text.find("guard"), std::string::npos) << text;
}

} // namespace
} // namespace ein
