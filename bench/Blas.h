// The BLAS libraries that are installed, found by dlopen.
#pragma once

#include "ein/DType.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// A matrix (or a vector, where an extent is 1) in memory, strides in elements.
struct Matrix {
  int64_t rows = 1, columns = 1;
  int64_t rowStride = 0, columnStride = 0;

  Matrix transposed() const { return {columns, rows, columnStride, rowStride}; }
  /// Whether a GEMM can take it: one unit stride, the other at least that extent. An extent of 1 has any stride.
  bool isGemmOperand() const;
};

/// One library. Functions that it lacks are null.
struct Blas {
  std::string name;   ///< "OpenBLAS", "BLIS", "oneDNN"
  std::string detail; ///< what it says about itself: version, kernels it chose

  /// c = a b, c's columns of unit stride or c a single column. gemv where a or b is a vector, dot where both are, as
  /// far as the library has them. Requires `supports(dtype)`, operands that pass `isGemmOperand` and extents below
  /// 2^31.
  void multiply(ein::DType dtype, const Matrix &a, const void *dataA, const Matrix &b, const void *dataB,
                const Matrix &c, void *dataC) const;
  bool supports(ein::DType dtype) const { return dtype == ein::DType::F32 ? sgemm || onednnSgemm : dgemm != nullptr; }
  void setThreads(int threads) const;

  template <class T>
  using Gemm = void(int order, int transA, int transB, int m, int n, int k, T alpha, const T *a, int lda, const T *b,
                    int ldb, T beta, T *c, int ldc);
  template <class T>
  using Gemv = void(int order, int trans, int m, int n, T alpha, const T *a, int lda, const T *x, int incX, T beta,
                    T *y, int incY);
  template <class T> using Dot = T(int n, const T *x, int incX, const T *y, int incY);
  using OneDnnGemm = int(char transA, char transB, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                         int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

  Gemm<float> *sgemm = nullptr;
  Gemm<double> *dgemm = nullptr;
  Gemv<float> *sgemv = nullptr;
  Gemv<double> *dgemv = nullptr;
  Dot<float> *sdot = nullptr;
  Dot<double> *ddot = nullptr;
  OneDnnGemm *onednnSgemm = nullptr;
  void (*setThreadsInt)(int) = nullptr;
  void (*setThreadsLong)(int64_t) = nullptr;
};

/// Opens OpenBLAS, BLIS and oneDNN, those that are there, in this order. They stay open.
std::vector<Blas> openBlasLibraries();

} // namespace bench
