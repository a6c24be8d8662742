// Every expression of the notebook (shared/seeds/einsum-notebook.txt), in its order and at its sizes.
#include "tests/conformance/Direct.h"

using namespace ein::test;

TEST(Notebook, DotProduct) { EXPECT_TRUE(gives("i,i->", {vector({1, 2, 3}), vector({4, 5, 6})}, scalar(32))); }

TEST(Notebook, OuterProduct) {
  EXPECT_TRUE(gives("i,j->ij", {vector({1, 2}), vector({4, 5, 6})}, Array{{{2, 3}, {4, 5, 6, 8, 10, 12}}}));
}

TEST(Notebook, MatrixVectorMultiplication) {
  EXPECT_TRUE(gives("ij,j->i", {Array{{{2, 3}, {1, 2, 3, 4, 5, 6}}}, vector({7, 8, 9})}, vector({50, 122})));
}

/// What `ik,kj->ij` means.
static Array product(const Array &a, const Array &b) {
  return tabulate({a.shape[0], b.shape[1]},
                  [&](auto i, auto j) { return sum({b.shape[0]}, [&](auto k) { return a(i, k) * b(k, j); }); });
}

/// What `bik,bkj->bij` means.
static Array batchedProduct(const Array &a, const Array &b) {
  return tabulate({a.shape[0], a.shape[1], b.shape[2]}, [&](auto n, auto i, auto j) {
    return sum({b.shape[1]}, [&](auto k) { return a(n, i, k) * b(n, k, j); });
  });
}

TEST(Notebook, MatrixMatrixMultiplication) {
  const Array a = noise({2, 3}), b = noise({3, 4});
  EXPECT_TRUE(gives("ik,kj->ij", {a, b}, product(a, b)));
}

TEST(Notebook, BatchedMatrixMultiplication) {
  const Array a = noise({10, 2, 3}), b = noise({10, 3, 4});
  EXPECT_TRUE(gives("bij,bjk->bik", {a, b}, batchedProduct(a, b)));
}

TEST(Notebook, SoftmaxAttentionScores) {
  const Array q = noise({64, 8, 20, 64}), k = noise({64, 8, 64, 64});
  EXPECT_TRUE(gives("bhqd,bhkd->bhqk", {q, k}, tabulate({64, 8, 20, 64}, [&](auto b, auto h, auto i, auto j) {
                      return sum({64}, [&](auto d) { return q(b, h, i, d) * k(b, h, j, d); });
                    })));
}

TEST(Notebook, ContextVectorViaAttention) {
  const Array weights = noise({64, 8, 20, 64}), v = noise({64, 8, 64, 64});
  EXPECT_TRUE(gives("bhqk,bhkd->bhqd", {weights, v}, tabulate({64, 8, 20, 64}, [&](auto b, auto h, auto i, auto d) {
                      return sum({64}, [&](auto j) { return weights(b, h, i, j) * v(b, h, j, d); });
                    })));
}

TEST(Notebook, ProfilingEinsum) {
  const Array a = noise({512, 512}), b = noise({512, 512});
  EXPECT_TRUE(gives("ik,kj->ij", {a, b}, product(a, b)));
}

TEST(Notebook, ProfilingBatchedMatmul) {
  const Array a = noise({128, 64, 64}), b = noise({128, 64, 64});
  EXPECT_TRUE(gives("bik,bkj->bij", {a, b}, batchedProduct(a, b)));
}
