// The rules that a Program can break, E01 to E21 but for what only a kernel tells (E17, E18), and its warnings.
#include "tests/unit/notation/Helpers.h"

#include "compiler/Adjoints/Adjoint.h"
#include "compiler/Paths/Requirements.h"

namespace ein {
namespace {

using test::types;

/// After "in A: f32[i,j], B: f64[j], t: i32[i] below(j), h: f16[i], c: bool[i]".
struct Row {
  const char *rule, *text, *message;
  const char *first;       ///< what the first caret is under
  const char *second = ""; ///< what another one is under; "" where there is one place only
  const char *help = "";
};

const std::string kHead = "in A: f32[i,j], B: f64[j], t: i32[i] below(j), h: f16[i], c: bool[i]\n";
constexpr const char *kTypes = "f32[2,3] f64[3] i32[2] f16[2] bool[2]";

std::string at(const Error &e, const Label &label) {
  return e.text.substr(label.span.begin, label.span.end - label.span.begin);
}

void expectReported(const Row &row, const Error &e) {
  EXPECT_EQ(e.rule, row.rule) << row.text << "\n" << e.render();
  EXPECT_NE(e.message.find(row.message), std::string::npos) << row.text << "\n" << e.render();
  EXPECT_NE(e.help.find(row.help), std::string::npos) << row.text << "\n" << e.render();
  ASSERT_FALSE(e.labels.empty()) << row.text << "\n" << e.render();
  EXPECT_EQ(at(e, e.labels[0]), row.first) << e.render();
  if (!*row.second) return;
  ASSERT_GE(e.labels.size(), 2u) << row.text << "\n" << e.render();
  EXPECT_EQ(at(e, e.labels[1]), row.second) << e.render();
}

TEST(RulesTest, Errors) {
  const Row rows[] = {
      {"E01", "Y = AA\nout Y", "unknown name 'AA'", "AA", "", "did you mean 'A'?"},
      {"E01", "Y = sum[i](Z); Z = A\nout Y", "'Z' is used before it is defined", "Z", "Z", "move its definition up"},
      {"E02", "Y = A[i,i]\nout Y", "index 'i' has extent 2 in 'A' but 3 in 'A'", "i", "i"},
      {"E02", "index k = 5\nY = A[k,j]\nout Y", "index 'k' has extent 5 in its declaration but 2", "k", "k"},
      {"E03", "Y[i] = A * 2\nout Y", "index 'j' is left over: not in the result 'Y[i]'", "A * 2", "Y", "sum[j](...)"},
      {"E04", "Y[i,j] = sum[j](A)\nout Y", "the result lists 'j' but", "j", "sum", "drop it"},
      {"E05", "Y = sum[j](t)\nout Y", "reduction over 'j', but its argument does not", "j", "t"},
      {"E06", "Y = sum[i,j,i](A)\nout Y", "index 'i' is reduced twice", "i", "i", "list it once"},
      {"E06", "index k = 2, k\nout A", "'k' is declared twice", "k", "k"},
      {"E06", "index s = 2\nY = top[j->i](A)\nout Y", "the argument depends on 'i'", "i", "", "another index"},
      {"E06", "Y = softmax[j](A, sink = B)\nout Y", "the sink depends on 'j'", "B"},
      {"E07", "Y = A[i]\nout Y", "'A' takes 2 subscripts, got 1", "A[i]"},
      {"E08", "Y[i] = A[i, h]\nout Y", "a subscript must be an integer, and this is f16", "h", "", "cast(x, i32)"},
      {"E08", "Y[i] = A[i, i / 2]\nout Y", "a subscript must be an integer", "i / 2"},
      {"E08", "Y = rand(A)\nout Y", "'rand' takes integers", "A"},
      {"E09", "Y = A + c\nout Y", "'+' needs a number", "c", "", "where(c, 1, 0)"},
      {"E09", "Y = exp(t)\nout Y", "'exp' is not defined for i32", "exp(t)", "", "cast(x, f32)"},
      {"E09", "Y: i32 = A\nout Y", "'Y' is declared i32 but its value is f32", "i32", "", "cast(x, i32)"},
      {"E09", "Y = mean[i](t)\nout Y", "'mean' is not defined for i32", "t"},
      {"E09", "Y = any[i](h)\nout Y", "'any' needs bool", "h"},
      {"E09", "Y = cast(A, f8)\nout Y", "dtype 'f8' is not accepted", "f8"},
      {"E09", "Y = t ^ t\nout Y", "integers take whole literal exponents", "t ^ t"},
      {"E10", "Y = sum[j | j](A)\nout Y", "a guard must be bool", "j", "", "k <= q"},
      {"E12", "Y = top[j->s](A)\nout Y", "unknown name 's'", "s", "", "index s = 2"},
      {"E12", "index s\nY = top[j->s](A)\nout Y", "needs a fixed extent", "s", "", "index s = 2"},
      {"E12", "Y = top[j](A)\nout Y", "needs the index of its list", "top[j](A)", "", "top[j->s]"},
      {"E12", "index s = 65\nY = top[j->s](A)\nout Y", "at most 64 entries", "s"},
      {"E13", "Y = A\nout Z", "unknown name 'Z'", "Z"},
      {"E13", "Y = A; Y = A\nout Y", "'Y' is declared twice", "Y", "Y"},
      {"E13", "Y = A\nout Y, Y", "'Y' is an output twice", "Y"},
      {"E14", "Y = A * Y\nout Y", "'Y' is defined by itself", "Y", "Y"},
      {"E15", "Y = sum[j](A[i, j + 1])\nout Y", "j + 1 < 3 is not implied", "j + 1", "A[i, j + 1]", "add a guard"},
      {"E15", "Y = sum[j | j < 3](A[i, j - 1])\nout Y", "j - 1 >= 0 is not implied", "j - 1"},
      {"E15", "Y = sum[j | j + 1 < 4](A[i, j + 1])\nout Y", "j + 1 < 3 is not implied", "j + 1"},
      {"E15", "Y = A[t, j]\nout Y", "may leave the axis 'i' of 'A'", "t", "", "declare 'below(i)' on 't'"},
      {"E15", "Y[i] = A[i, 3]\nout Y", "3 < 3 is not implied", "3"},
      {"E16", "Y = softmax[j](h * 1.5)\nout Y", "reduction over 'j'", "j", "h * 1.5"},
      {"E20", "Y = einsum(\"i,i->\", h, h, over = min_minus)\nout Y", "unknown semiring 'min_minus'", "min_minus"},
      {"E20", "Y = einsum(\"i,i->\", t, t, over = lse_plus)\nout Y", "'lse_plus' is not defined for i32", "t"},
      {"E21", "Z = A * 2\nY[i] = Z[i, t]\nout Y", "'Z[i, t]' needs an order of the axes of 'Z'", "Z[i, t]", "",
       "Z[i,j] = ..."},
  };
  for (const Row &row : rows) {
    auto p = parseAndBind(kHead + row.text, types(kTypes));
    ASSERT_FALSE(p) << row.text << "\n" << print(*p);
    expectReported(row, p.error());
  }
}

TEST(RulesTest, GroupsNeedOneUnknownExtent) {
  auto refused = [](const std::string &text, const char *operands, const char *message) {
    auto p = parseAndBind(text, types(operands));
    ASSERT_FALSE(p) << print(*p);
    EXPECT_EQ(p.error().rule, "E11") << p.error().render();
    EXPECT_NE(p.error().message.find(message), std::string::npos) << p.error().render();
  };
  refused("in Q: f32[(g r)]\nout Q", "f32[6]", "(g r): all indices but one need an extent");
  refused("index r = 5\nin Q: f32[(g r)]\nout Q", "f32[32]", "(g r): 32 is not divisible by 5");
  refused("index r = 5, g = 2\nin Q: f32[(g r)]\nout Q", "f32[32]", "(g r): 32 is not 10");
  refused("index r = 0\nin Q: f32[(g r)]\nout Q", "f32[0]", "all indices but one");
  EXPECT_TRUE(parseAndBind("in Q: f32[(g r)], K: f32[g]\nout Q", types("f32[6] f32[3]")));
  EXPECT_TRUE(parseAndBind("index r = g\nin Q: f32[(g r)], K: f32[g]\nout Q", types("f32[9] f32[3]")));
}

TEST(RulesTest, SubscriptsThatStay) {
  const char *const fine[] = {
      "sum[j | j + 1 < 3](A[i, j + 1])",
      "sum[j | j > 0](A[i, j - 1])",
      "sum[j | not (j <= 0)](A[i, j - 1])",
      "sum[j | j == 1](A[i, 2 * j])",
      "if j >= 1 and j < 3 then A[i, j - 1] else 0",
      "if j < 1 or j >= 3 then 0 else A[i, j - 1]",
      "if i + j < 3 then A[i, i + j] else 0",
      "A[i, (j + 7) % 3]",
      "A[i, min(max(j - 1, 0), 2)]",
      "A[i, clamp(j * j, 0, 2)]",
      "A[j // 2, t]",
      "A[argmin[i](h), j]",
  };
  for (const char *e : fine) {
    auto p = parseAndBind(kHead + "Y = " + e + "\nout Y", types(kTypes));
    EXPECT_TRUE(p) << e << "\n" << (p ? "" : p.error().render());
  }
}

/// E17 and E18, of what a kernel stores.
TEST(RulesTest, Requirements) {
  struct Case {
    const char *rule, *text, *message;
  };
  const Case cases[] = {
      {"", "Y[i] = sum[j](A)\nout Y\nrequire onepass(Y)", ""},
      {"", "Y[i] = sum[j](A)\nZ = Y * 2\nout Z\nrequire stored(Y)\nrequire exact(Y)\nstore Y", ""},
      {"E17", "Y = softmax[j](A)\nout Y\nrequire onepass(Y)", "stored on the way to 'Y'"},
      {"E17", "S = sum[j](A)\nY = S * 2\nout Y\nrequire onepass(Y)", "'S' is stored on the way to 'Y'"},
      {"E18", "S = sum[j](A)\nY = S * 2\nout Y\nrequire nostore(S)", "'require nostore(S)' fails: 'S' is stored"},
      {"E18", "S = sum[j](A)\nY = S * 2\nout Y\nrequire nostore(Y)", "'S' is stored on the way to 'Y'"},
      {"E18", "S: f16 = h * 2\nY = S * 2\nout S, Y\nrequire exact(S)", "16 bits that is read again"},
  };
  for (const Case &c : cases) {
    auto p = parseAndBind(kHead + c.text, types(kTypes));
    ASSERT_TRUE(p) << c.text << "\n" << p.error().render();
    auto flat = flatten(*p, {});
    ASSERT_TRUE(flat);
    auto met = checkRequirements(*p, *flat);
    EXPECT_EQ(met ? "" : met.error().rule, c.rule) << c.text << (met ? "" : met.error().render());
    if (met) continue;
    EXPECT_NE(met.error().message.find(c.message), std::string::npos) << met.error().render();
    EXPECT_EQ(at(met.error(), met.error().labels[0]).find("on"), *c.rule && c.rule[2] == '7' ? 0u : std::string::npos);
  }
  auto operand = parseAndBind(kHead + "Y = A\nout Y\nrequire stored(A)", types(kTypes));
  ASSERT_FALSE(operand);
  EXPECT_NE(operand.error().message.find("'A' is an operand"), std::string::npos);
}

TEST(RulesTest, Warnings) {
  const Row rows[] = {
      {"W01", "Y = softmax[j](A + where(j <= i, 0, -1e9))\nout Y", "adding a large number", "where(j <= i, 0, -1e9)"},
      {"W01", "Y = lse[j](A - B * 1e9)\nout Y", "adding a large number", "B * 1e9"},
      {"W02", "Y = softmax[j | A > 0](A)\nout Y", "depends on float data", "A"},
      {"W03", "Y = mean[j | j < i](A)\nout Y", "the mean of no point is NaN", "j < i"},
      {"W03", "Y = var[j | j < i](A)\nout Y", "the var of no point is NaN", "j < i"},
  };
  for (const Row &row : rows) {
    auto p = parseAndBind(kHead + row.text, types(kTypes));
    ASSERT_TRUE(p) << p.error().render();
    ASSERT_EQ(p->warnings.size(), 1u) << row.text << "\n" << (p->warnings.empty() ? "" : p->warnings[1].render());
    expectReported(row, p->warnings[0]);
    EXPECT_EQ(p->warnings[0].render().rfind("warning[" + std::string(row.rule) + "]: ", 0), 0u);
  }
  auto quiet =
      parseAndBind(kHead + "Y = softmax[j | j <= i and t < 2](A * 0.5 + where(j < 1, 0, -inf))\nout Y", types(kTypes));
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->warnings.size(), 1u); // -inf is large, too
}

TEST(RulesTest, LargeIntermediatesAreWarnedOf) {
  auto p = parseAndBind("in x: f32[i], y: f32[j]\nS = exp(x * y)\nR = sum[i,j](S) + max[i,j](S)\nout R",
                        types("f32[20000] f32[20000]"));
  ASSERT_TRUE(p);
  auto flat = flatten(*p, {});
  ASSERT_TRUE(flat);
  auto warnings = storageWarnings(*p, *flat);
  ASSERT_EQ(warnings.size(), 1u);
  expectReported({"W04", "", "the intermediate 'S' of 1.5 GiB will be stored", "exp(x * y)"}, warnings[0]);
}

} // namespace
} // namespace ein
