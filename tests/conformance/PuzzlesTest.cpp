// All puzzles of shared/seeds/einsum-puzzles.txt, solved; each against what its numpy line says.
#include "tests/conformance/Direct.h"

#include <limits>

using namespace ein::test;

// Identity.

TEST(Puzzles, Puzzle01_IdentityOfVector) {
  const Array a = arange({10});
  EXPECT_TRUE(gives("i->i", {a}, a));
}

TEST(Puzzles, Puzzle02_IdentityOfTensor) {
  const Array a = arange({5, 4, 3, 2});
  EXPECT_TRUE(gives("ijkl->ijkl", {a}, a));
}

// Multiplication.

TEST(Puzzles, Puzzle03_MultiplyVectors) {
  const Array a = arange({10}), b = arange({10});
  EXPECT_TRUE(gives("i,i->i", {a, b}, tabulate({10}, [&](auto i) { return a(i) * b(i); })));
}

TEST(Puzzles, Puzzle04_MultiplyTensors) {
  const Array a = arange({2, 3, 4}), b = arange({2, 3, 4});
  EXPECT_TRUE(gives("ijk,ijk->ijk", {a, b},
                    tabulate({2, 3, 4}, [&](auto i, auto j, auto k) { return a(i, j, k) * b(i, j, k); })));
}

// Summation.

TEST(Puzzles, Puzzle05_SumOfVector) {
  const Array a = arange({10});
  EXPECT_TRUE(gives("i->", {a}, scalar(sum({10}, [&](auto i) { return a(i); }))));
}

TEST(Puzzles, Puzzle06_MultiplyVectors) {
  const Array a = arange({10}), b = arange({10});
  EXPECT_TRUE(gives("i,i->i", {a, b}, tabulate({10}, [&](auto i) { return a(i) * b(i); })));
}

TEST(Puzzles, Puzzle07_DotProduct) {
  const Array a = vector({1, 2, 3}), b = vector({4, 5, 6});
  EXPECT_TRUE(gives("i,i->", {a, b}, scalar(sum({3}, [&](auto i) { return a(i) * b(i); }))));
}

// Sum over an axis.

TEST(Puzzles, Puzzle08_SumOverLastAxis) {
  const Array a = arange({2, 5});
  EXPECT_TRUE(gives("ij->i", {a}, tabulate({2}, [&](auto i) { return sum({5}, [&](auto j) { return a(i, j); }); })));
}

TEST(Puzzles, Puzzle09_SumOfProductOverFirstAxis) {
  const Array a = arange({2, 5}), b = arange({2, 5});
  EXPECT_TRUE(gives("ij,ij->j", {a, b},
                    tabulate({5}, [&](auto j) { return sum({2}, [&](auto i) { return a(i, j) * b(i, j); }); })));
}

TEST(Puzzles, Puzzle10_SumOverMiddleAxis) {
  const Array a = arange({2, 3, 4});
  EXPECT_TRUE(gives("ijk->ik", {a},
                    tabulate({2, 4}, [&](auto i, auto k) { return sum({3}, [&](auto j) { return a(i, j, k); }); })));
}

// Diagonal and trace.

TEST(Puzzles, Puzzle11_Diagonal) {
  const Array a = arange({3, 3});
  EXPECT_TRUE(gives("ii->i", {a}, tabulate({3}, [&](auto i) { return a(i, i); })));
}

TEST(Puzzles, Puzzle12_Trace) {
  const Array a = arange({3, 3});
  EXPECT_TRUE(gives("ii->", {a}, scalar(sum({3}, [&](auto i) { return a(i, i); }))));
}

// Broadcasting.

TEST(Puzzles, Puzzle13_BroadcastVector) {
  const Array a = arange({2, 3}), b = arange({3});
  EXPECT_TRUE(gives("ij,j->i", {a, b},
                    tabulate({2}, [&](auto i) { return sum({3}, [&](auto j) { return a(i, j) * b(j); }); })));
}

TEST(Puzzles, Puzzle14_BroadcastMatrix) {
  const Array a = arange({2, 3, 4}), b = arange({3, 4});
  EXPECT_TRUE(gives("ijk,jk->i", {a, b}, tabulate({2}, [&](auto i) {
                      return sum({3, 4}, [&](auto j, auto k) { return a(i, j, k) * b(j, k); });
                    })));
}

// Outer product.

TEST(Puzzles, Puzzle15_OuterProductOfVectors) {
  const Array a = arange({3}), b = arange({4});
  EXPECT_TRUE(gives("i,j->ij", {a, b}, tabulate({3, 4}, [&](auto i, auto j) { return a(i) * b(j); })));
}

TEST(Puzzles, Puzzle16_OuterProductOfVectorAndMatrix) {
  const Array a = arange({3}), b = arange({2, 2});
  EXPECT_TRUE(gives("i,jk->ijk", {a, b}, tabulate({3, 2, 2}, [&](auto i, auto j, auto k) { return a(i) * b(j, k); })));
}

// Transposition and permutation.

TEST(Puzzles, Puzzle17_Transpose) {
  const Array a = arange({2, 3});
  EXPECT_TRUE(gives("ij->ji", {a}, tabulate({3, 2}, [&](auto j, auto i) { return a(i, j); })));
}

/// The text asks for (4,2,3), its check for np.transpose(a, (2, 1, 0)); the check decides.
TEST(Puzzles, Puzzle18_Permute) {
  const Array a = arange({2, 3, 4});
  EXPECT_TRUE(gives("ijk->kji", {a}, tabulate({4, 3, 2}, [&](auto k, auto j, auto i) { return a(i, j, k); })));
}

TEST(Puzzles, Puzzle19_PermuteFourAxes) {
  const Array a = arange({2, 3, 4, 5});
  EXPECT_TRUE(
      gives("ijkl->ljik", {a}, tabulate({5, 3, 2, 4}, [&](auto l, auto j, auto i, auto k) { return a(i, j, k, l); })));
}

TEST(Puzzles, Puzzle20_MultiplyThenPermute) {
  const Array a = arange({2, 3, 4}), b = arange({2, 3, 4});
  EXPECT_TRUE(gives("ijk,ijk->kij", {a, b},
                    tabulate({4, 2, 3}, [&](auto k, auto i, auto j) { return a(i, j, k) * b(i, j, k); })));
}

// Matrix multiplication.

TEST(Puzzles, Puzzle21_MatrixProduct) {
  const Array a = arange({3, 2}), b = arange({2, 3});
  EXPECT_TRUE(gives("ij,jk->ik", {a, b}, tabulate({3, 3}, [&](auto i, auto k) {
                      return sum({2}, [&](auto j) { return a(i, j) * b(j, k); });
                    })));
}

TEST(Puzzles, Puzzle22_TransposedMatrixProduct) {
  const Array a = arange({3, 2}), b = arange({2, 3});
  EXPECT_TRUE(gives("ij,jk->ki", {a, b}, tabulate({3, 3}, [&](auto k, auto i) {
                      return sum({2}, [&](auto j) { return a(i, j) * b(j, k); });
                    })));
}

TEST(Puzzles, Puzzle23_ProductWithTransposed) {
  const Array a = arange({3, 2}), b = arange({3, 2});
  EXPECT_TRUE(gives("ij,kj->ik", {a, b}, tabulate({3, 3}, [&](auto i, auto k) {
                      return sum({2}, [&](auto j) { return a(i, j) * b(k, j); });
                    })));
}

TEST(Puzzles, Puzzle24_TensorTimesMatrix) {
  const Array a = arange({2, 3, 4}), b = arange({4, 5});
  EXPECT_TRUE(gives("ijk,kl->ijl", {a, b}, tabulate({2, 3, 5}, [&](auto i, auto j, auto l) {
                      return sum({4}, [&](auto k) { return a(i, j, k) * b(k, l); });
                    })));
}

TEST(Puzzles, Puzzle25_BatchedMatrixProduct) {
  const Array a = noise({10, 3, 4}), b = noise({10, 4, 5});
  EXPECT_TRUE(gives("bij,bjk->bik", {a, b}, tabulate({10, 3, 5}, [&](auto n, auto i, auto k) {
                      return sum({4}, [&](auto j) { return a(n, i, j) * b(n, j, k); });
                    })));
}

TEST(Puzzles, Puzzle26_Tensordot) {
  const Array a = noise({3, 5, 4}), b = noise({5, 6});
  EXPECT_TRUE(gives("ijk,jl->ikl", {a, b}, tabulate({3, 4, 6}, [&](auto i, auto k, auto l) {
                      return sum({5}, [&](auto j) { return a(i, j, k) * b(j, l); });
                    })));
}

TEST(Puzzles, Puzzle27_TensordotPermuted) {
  const Array a = noise({5, 3, 4}), b = noise({6, 5});
  EXPECT_TRUE(gives("ijk,li->kjl", {a, b}, tabulate({4, 3, 6}, [&](auto k, auto j, auto l) {
                      return sum({5}, [&](auto i) { return a(i, j, k) * b(l, i); });
                    })));
}

TEST(Puzzles, Puzzle28_TensordotSummedTransposed) {
  const Array a = noise({2, 3, 4}), b = noise({3, 5, 6});
  EXPECT_TRUE(gives("ijk,jlm->mi", {a, b}, tabulate({6, 2}, [&](auto m, auto i) {
                      return sum({3, 4, 5}, [&](auto j, auto k, auto l) { return a(i, j, k) * b(j, l, m); });
                    })));
}

// Ellipsis.

TEST(Puzzles, Puzzle29_EllipsisTranspose) {
  const Array a = noise({2, 3, 4, 5, 6, 7});
  EXPECT_TRUE(gives("...ij->...ji", {a},
                    tabulate({2, 3, 4, 5, 7, 6},
                             [&](auto p, auto q, auto r, auto s, auto j, auto i) { return a(p, q, r, s, i, j); })));
}

TEST(Puzzles, Puzzle30_EllipsisProduct) {
  const Array a = noise({3, 4, 5}), b = noise({5, 6});
  EXPECT_TRUE(gives("...j,jk->...k", {a, b}, tabulate({3, 4, 6}, [&](auto p, auto q, auto k) {
                      return sum({5}, [&](auto j) { return a(p, q, j) * b(j, k); });
                    })));
}

// Attention, with b, l, d, h, k = 16, 10, 32, 4, 8 and a causal mask.

static const double kMasked = -std::numeric_limits<double>::infinity();

TEST(Puzzles, Puzzle31_AttentionHead) {
  const Array x = noise({16, 10, 32}), wq = noise({32, 8}), wk = noise({32, 8}), wv = noise({32, 8});
  auto project = [&](const Array &w) {
    return tabulate({16, 10, 8},
                    [&](auto b, auto l, auto k) { return sum({32}, [&](auto d) { return x(b, l, d) * w(d, k); }); });
  };
  const Array q = project(wq), k = project(wk), v = project(wv);
  const Array weights = softmax(tabulate({16, 10, 10}, [&](auto b, auto l, auto m) {
    return m <= l ? sum({8}, [&](auto c) { return q(b, l, c) * k(b, m, c); }) / std::sqrt(8.0) : kMasked;
  }));
  const Array expected = tabulate({16, 10, 8}, [&](auto b, auto l, auto c) {
    return sum({10}, [&](auto m) { return weights(b, l, m) * v(b, m, c); });
  });
  EXPECT_TRUE(gives("in x: f32[b, l, d], wq: f32[d, k], wk: f32[d, k], wv: f32[d, k]\n"
                    "q = einsum(\"bld,dk->blk\", x, wq)\n"
                    "key = einsum(\"bmd,dk->bmk\", x, wk)\n"
                    "v = einsum(\"bmd,dk->bmk\", x, wv)\n"
                    "scores = einsum(\"blk,bmk->blm\", q, key) / sqrt(8)\n"
                    "weights = softmax[m | m <= l](scores)\n"
                    "head = einsum(\"blm,bmk->blk\", weights, v)\n"
                    "out head",
                    {x, wq, wk, wv}, expected));
}

TEST(Puzzles, Puzzle32_MultiHeadAttention) {
  const Array x = noise({16, 10, 32}), wo = noise({4, 8, 32});
  const Array wq = noise({32, 4, 8}), wk = noise({32, 4, 8}), wv = noise({32, 4, 8});
  auto project = [&](const Array &w) {
    return tabulate({16, 4, 10, 8}, [&](auto b, auto h, auto l, auto k) {
      return sum({32}, [&](auto d) { return x(b, l, d) * w(d, h, k); });
    });
  };
  const Array q = project(wq), k = project(wk), v = project(wv);
  const Array weights = softmax(tabulate({16, 4, 10, 10}, [&](auto b, auto h, auto l, auto m) {
    return m <= l ? sum({8}, [&](auto c) { return q(b, h, l, c) * k(b, h, m, c); }) / std::sqrt(8.0) : kMasked;
  }));
  const Array heads = tabulate({16, 4, 10, 8}, [&](auto b, auto h, auto l, auto c) {
    return sum({10}, [&](auto m) { return weights(b, h, l, m) * v(b, h, m, c); });
  });
  const Array expected = tabulate({16, 10, 32}, [&](auto b, auto l, auto d) {
    return sum({4, 8}, [&](auto h, auto c) { return heads(b, h, l, c) * wo(h, c, d); });
  });
  EXPECT_TRUE(gives("in x: f32[b, l, d], wq: f32[d, h, k], wk: f32[d, h, k], wv: f32[d, h, k], wo: f32[h, k, d]\n"
                    "q = einsum(\"bld,dhk->bhlk\", x, wq)\n"
                    "key = einsum(\"bmd,dhk->bhmk\", x, wk)\n"
                    "v = einsum(\"bmd,dhk->bhmk\", x, wv)\n"
                    "scores = einsum(\"bhlk,bhmk->bhlm\", q, key) / sqrt(8)\n"
                    "weights = softmax[m | m <= l](scores)\n"
                    "heads = einsum(\"bhlm,bhmk->bhlk\", weights, v)\n"
                    "attention = einsum(\"bhlk,hkd->bld\", heads, wo)\n"
                    "out attention",
                    {x, wq, wk, wv, wo}, expected));
}
