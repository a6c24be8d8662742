// Permute + GEMM computes what the reference computes, whatever the layouts, and copies nothing it need not.
#include "bench/PermuteGemm.h"
#include "compiler/IndexNotation/Interpreter.h"

#include <gtest/gtest.h>

using namespace ein;
using namespace bench;

namespace {

/// Row-major GEMM that follows BLAS's rules for transposition and leading dimensions.
void slowGemm(int, int transA, int transB, int m, int n, int k, double alpha, const double *a, int lda, const double *b,
              int ldb, double beta, double *c, int ldc) {
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int p = 0; p < k; ++p)
        sum += (transA == 112 ? a[p * lda + i] : a[i * lda + p]) * (transB == 112 ? b[j * ldb + p] : b[p * ldb + j]);
      c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
    }
}

void slowGemv(int, int trans, int m, int n, double alpha, const double *a, int lda, const double *x, int incX, double,
              double *y, int incY) {
  const bool transposed = trans == 112;
  for (int i = 0; i < (transposed ? n : m); ++i) {
    double sum = 0;
    for (int j = 0; j < (transposed ? m : n); ++j) sum += (transposed ? a[j * lda + i] : a[i * lda + j]) * x[j * incX];
    y[i * incY] = alpha * sum;
  }
}

double slowDot(int n, const double *x, int incX, const double *y, int incY) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i * incX] * y[i * incY];
  return sum;
}

Blas slowBlas(bool withVectors) {
  Blas blas;
  blas.dgemm = slowGemm;
  if (withVectors) blas.dgemv = slowGemv, blas.ddot = slowDot;
  return blas;
}

struct Example {
  const char *text;
  std::vector<std::vector<int64_t>> shapes;
};

class PermuteGemmTest : public testing::TestWithParam<Example> {};

TEST_P(PermuteGemmTest, ComputesWhatTheReferenceComputes) {
  std::vector<TensorType> types;
  std::vector<std::vector<double>> data;
  std::vector<ReferenceTensor> reference;
  std::vector<void *> pointers;
  data.reserve(GetParam().shapes.size());
  for (const auto &shape : GetParam().shapes) {
    types.emplace_back(DType::F64, shape);
    data.emplace_back(types.back().numElements());
    for (size_t i = 0; i < data.back().size(); ++i)
      data.back()[i] = static_cast<double>((i * 7 + data.size()) % 11) - 5;
    pointers.push_back(data.back().data());
    reference.push_back(readReference(TensorView(data.back().data(), types.back())));
  }
  auto bound = parseAndBind(GetParam().text, types);
  ASSERT_TRUE(bound);
  const std::vector<double> expected = interpret(*bound, reference).front().values;
  auto program = PermuteGemmProgram::plan(GetParam().text, types);
  ASSERT_TRUE(program);
  for (bool withVectors : {false, true})
    for (int threads : {1, 2}) {
      std::vector<double> result(expected.size(), 1e9);
      program->run(slowBlas(withVectors), pointers, result.data(), threads);
      EXPECT_EQ(result, expected) << "vectors " << withVectors << ", threads " << threads;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, PermuteGemmTest,
    testing::Values(Example{"ik,kj->ij", {{5, 3}, {3, 4}}}, Example{"ik,kj->ji", {{5, 3}, {3, 4}}},
                    Example{"bij,bjk->bik", {{2, 5, 3}, {2, 3, 4}}}, Example{"ibj,jbk->ibk", {{5, 2, 3}, {3, 2, 4}}},
                    Example{"ijb,jkb->ikb", {{5, 3, 2}, {3, 4, 2}}}, Example{"dbea,ec->abcd", {{3, 4, 5, 21}, {5, 6}}},
                    Example{"aebf,dfce->abcd", {{17, 3, 5, 2}, {18, 2, 3, 3}}},
                    Example{"ik,ijkl->jl", {{3, 4}, {3, 5, 4, 6}}}, Example{"ij,j->i", {{5, 3}, {3}}},
                    Example{"ij,i->j", {{5, 3}, {5}}}, Example{"i,i->", {{5}, {5}}}, Example{"i,j->ij", {{5}, {4}}},
                    Example{"ij,jk,kl->il", {{5, 3}, {3, 4}, {4, 2}}}, Example{"iij,jk->ik", {{3, 3, 4}, {4, 5}}}));

TEST(PermuteGemm, CopiesNothingThatAGemmCanDoWithout) {
  const auto permutes = [](const char *text, std::vector<int64_t> left, std::vector<int64_t> right) {
    const std::vector<TensorType> types{TensorType(DType::F32, std::move(left)),
                                        TensorType(DType::F32, std::move(right))};
    auto program = PermuteGemmProgram::plan(text, types);
    return program && program->onlyStep().permutes();
  };
  EXPECT_FALSE(permutes("ik,kj->ij", {5, 3}, {3, 4}));
  EXPECT_FALSE(permutes("ki,jk->ji", {3, 5}, {4, 3}));
  EXPECT_FALSE(permutes("ibj,jbk->ibk", {5, 2, 3}, {3, 2, 4}));
  EXPECT_FALSE(permutes("ea,ebcd->abcd", {3, 4}, {3, 5, 6, 7}));
  EXPECT_TRUE(permutes("ijb,jkb->ikb", {5, 3, 2}, {3, 4, 2}));
  EXPECT_TRUE(permutes("dbea,ec->abcd", {3, 4, 5, 6}, {5, 7}));
}

TEST(PermuteGemm, RefusesWhatIsNoContraction) {
  const std::vector<TensorType> types(2, TensorType(DType::F32, {4, 4}));
  EXPECT_FALSE(PermuteGemmProgram::plan("ij,ij->ij", types)); // products of scalars
  EXPECT_FALSE(PermuteGemmProgram::plan("ij,jk->k", types));  // a sum over i alone comes first
}

} // namespace
