// Every expression of the cheatsheet (shared/seeds/einsum-cheatsheet.txt), in its order, against sums written out.
#include "tests/conformance/Direct.h"

using namespace ein::test;

namespace {

/// The cheatsheet's a, b and c.
const Array a = arange({2, 3}), b = arange({3}), c = arange({3, 4});

} // namespace

TEST(Cheatsheet, Transpose) {
  EXPECT_TRUE(gives("ij->ji", {a}, tabulate({3, 2}, [](auto j, auto i) { return a(i, j); })));
}

TEST(Cheatsheet, Sum) { EXPECT_TRUE(gives("ij->", {a}, scalar(15))); }

TEST(Cheatsheet, Rowsum) { EXPECT_TRUE(gives("ij->j", {a}, vector({3, 5, 7}))); }

TEST(Cheatsheet, Colsum) { EXPECT_TRUE(gives("ij->i", {a}, vector({3, 12}))); }

TEST(Cheatsheet, MatrixVector) { EXPECT_TRUE(gives("ij, j ->i", {a, b}, vector({5, 14}))); }

TEST(Cheatsheet, MatrixMatrix) {
  EXPECT_TRUE(gives("ij, jk -> ik", {a, c}, Array{{{2, 4}, {20, 23, 26, 29, 56, 68, 80, 92}}}));
}

TEST(Cheatsheet, DotProduct) { EXPECT_TRUE(gives("j,j->", {b, b}, scalar(5))); }

TEST(Cheatsheet, SoftmaxOfWeightedColumns) {
  const Array w = noise({5}), m = noise({5, 7});
  const Array scores = tabulate({7}, [&](auto j) { return sum({5}, [&](auto i) { return w(i) * m(i, j); }); });
  EXPECT_TRUE(gives("i,ij->j", {w, m}, scores));
  EXPECT_TRUE(gives("in w: f32[i], M: f32[i, j]\n"
                    "probs = softmax[j](einsum(\"i,ij->j\", w, M))\n"
                    "out probs",
                    {w, m}, softmax(scores)));
}

TEST(Cheatsheet, BatchOfVectors) {
  const Array h = noise({2, 3}), w = noise({5, 3});
  const Array wT = tabulate({3, 5}, [&](auto j, auto k) { return w(k, j); });
  const Array expected =
      tabulate({2, 5}, [&](auto i, auto k) { return sum({3}, [&](auto j) { return h(i, j) * w(k, j); }); });
  EXPECT_TRUE(gives("ij,jk->ik", {h, columnMajor(wT)}, expected)) << "w.T is a view";
  EXPECT_TRUE(gives("ij,jk->ik", {h, wT}, expected));
}

TEST(Cheatsheet, BatchOfSequences) {
  const Array data = noise({2, 6, 3}), wT = columnMajor(noise({3, 5}));
  EXPECT_TRUE(gives("ilj,jk->ilk", {data, wT}, tabulate({2, 6, 5}, [&](auto i, auto l, auto k) {
                      return sum({3}, [&](auto j) { return data(i, l, j) * wT(j, k); });
                    })));
}

namespace {

/// Batch 2, length 6, 4 heads of 5: projections before they are split into heads, and what attention makes of them.
struct Heads {
  Array q = noise({2, 6, 4, 5}), k = noise({2, 6, 4, 5}), v = noise({2, 6, 4, 5});
  Array scores = softmax(tabulate({2, 4, 6, 6}, [this](auto b, auto h, auto i, auto j) {
    return sum({5}, [&](auto d) { return q(b, i, h, d) * k(b, j, h, d); }) / std::sqrt(5.0);
  }));
  Array output = tabulate({2, 6, 4, 5}, [this](auto b, auto l, auto h, auto d) {
    return sum({6}, [&](auto j) { return scores(b, h, l, j) * v(b, j, h, d); });
  });
};

Array swapMiddle(const Array &x) {
  return tabulate({x.shape[0], x.shape[2], x.shape[1], x.shape[3]},
                  [&](auto b, auto h, auto l, auto d) { return x(b, l, h, d); });
}

} // namespace

TEST(Cheatsheet, MultiHeadAttention_HeadsFirst) {
  const Heads heads;
  EXPECT_TRUE(gives("blhd->bhld", {heads.q}, swapMiddle(heads.q)));
}

TEST(Cheatsheet, MultiHeadAttention_Scores) {
  const Array q = noise({2, 4, 6, 5}), k = noise({2, 4, 6, 5});
  EXPECT_TRUE(gives("bhid, bhjd -> bhij", {q, k}, tabulate({2, 4, 6, 6}, [&](auto b, auto h, auto i, auto j) {
                      return sum({5}, [&](auto d) { return q(b, h, i, d) * k(b, h, j, d); });
                    })));
}

TEST(Cheatsheet, MultiHeadAttention_Output) {
  const Array scores = noise({2, 4, 6, 6}), v = noise({2, 4, 6, 5});
  const Array expected = tabulate({2, 4, 6, 5}, [&](auto b, auto h, auto l, auto d) {
    return sum({6}, [&](auto j) { return scores(b, h, l, j) * v(b, h, j, d); });
  });
  EXPECT_TRUE(gives("bhlj,bhjd->bhld", {scores, v}, expected));
  EXPECT_TRUE(gives("...lj,...jd->...ld", {scores, v}, expected));
}

TEST(Cheatsheet, MultiHeadAttention_HeadsLast) {
  const Array output = noise({2, 4, 6, 5});
  EXPECT_TRUE(gives("bhld->blhd", {output}, swapMiddle(output)));
}

TEST(Cheatsheet, MultiHeadAttention_Explicit) {
  const Heads heads;
  EXPECT_TRUE(gives("in q: f32[b, l, h, d], k: f32[b, l, h, d], v: f32[b, l, h, d]\n"
                    "xqq = einsum(\"blhd->bhld\", q)\n"
                    "kk = einsum(\"blhd->bhld\", k)\n"
                    "vv = einsum(\"blhd->bhld\", v)\n"
                    "scores = einsum(\"bhid, bhjd -> bhij\", xqq, kk) / sqrt(5)\n"
                    "weights = softmax[j](scores)\n"
                    "output = einsum(\"bhlj,bhjd->bhld\", weights, vv)\n"
                    "out output[b, l, h, d]",
                    {heads.q, heads.k, heads.v}, heads.output));
}

TEST(Cheatsheet, MultiHeadAttention_Ellipsis) {
  const Heads heads;
  EXPECT_TRUE(gives("in q: f32[b, l, h, d], k: f32[b, l, h, d], v: f32[b, l, h, d]\n"
                    "xqq = einsum(\"blhd->bhld\", q)\n"
                    "kk = einsum(\"blhd->bhld\", k)\n"
                    "vv = einsum(\"blhd->bhld\", v)\n"
                    "scores = einsum(\"...id, ...jd -> ...ij\", xqq, kk) / sqrt(5)\n"
                    "weights = softmax[j](scores)\n"
                    "output_ee = einsum(\"...lj,...jd->...ld\", weights, vv)\n"
                    "output = einsum(\"bhld->blhd\", output_ee)\n"
                    "out output",
                    {heads.q, heads.k, heads.v}, heads.output));
}
