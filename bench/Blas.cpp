// The BLAS libraries that are installed, found by dlopen.
#include "bench/Blas.h"

#include <algorithm>
#include <dlfcn.h>
#include <initializer_list>

using namespace ein;

namespace bench {

constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;

static void *openFirst(std::initializer_list<const char *> files) {
  for (const char *file : files)
    if (void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

template <class F> static F *find(void *library, const char *symbol) {
  return reinterpret_cast<F *>(dlsym(library, symbol));
}

static Blas withCblas(std::string name, void *library) {
  Blas blas{std::move(name), {}};
  blas.sgemm = find<Blas::Gemm<float>>(library, "cblas_sgemm");
  blas.dgemm = find<Blas::Gemm<double>>(library, "cblas_dgemm");
  blas.sgemv = find<Blas::Gemv<float>>(library, "cblas_sgemv");
  blas.dgemv = find<Blas::Gemv<double>>(library, "cblas_dgemv");
  blas.sdot = find<Blas::Dot<float>>(library, "cblas_sdot");
  blas.ddot = find<Blas::Dot<double>>(library, "cblas_ddot");
  return blas;
}

std::vector<Blas> openBlasLibraries() {
  std::vector<Blas> found;
  if (void *library = openFirst({"libopenblas.so.0", "libopenblas.so"})) {
    Blas blas = withCblas("OpenBLAS", library);
    blas.setThreadsInt = find<void(int)>(library, "openblas_set_num_threads");
    if (auto *config = find<char *()>(library, "openblas_get_config")) blas.detail = config();
    if (auto *core = find<char *()>(library, "openblas_get_corename")) blas.detail += std::string(" core ") + core();
    found.push_back(std::move(blas));
  }
  if (void *library = openFirst({"libblis.so.4", "libblis.so"})) {
    Blas blas = withCblas("BLIS", library);
    blas.setThreadsLong = find<void(int64_t)>(library, "bli_thread_set_num_threads");
    if (auto *version = find<const char *()>(library, "bli_info_get_version_str")) blas.detail = version();
    auto *id = find<int()>(library, "bli_arch_query_id");
    auto *arch = find<const char *(int)>(library, "bli_arch_string");
    if (id && arch) blas.detail += std::string(" kernels ") + arch(id());
    found.push_back(std::move(blas));
  }
  if (void *library = openFirst({"libdnnl.so", "libdnnl.so.3", "libdnnl.so.2"})) {
    Blas blas{"oneDNN", {}};
    blas.onednnSgemm = find<Blas::OneDnnGemm>(library, "dnnl_sgemm");
    blas.setThreadsInt = find<void(int)>(library, "omp_set_num_threads");
    struct Version {
      int major, minor, patch;
    };
    if (auto *version = find<const Version *()>(library, "dnnl_version"))
      blas.detail = std::to_string(version()->major) + "." + std::to_string(version()->minor) + "." +
                    std::to_string(version()->patch);
    found.push_back(std::move(blas));
  }
  return found;
}

void Blas::setThreads(int threads) const {
  if (setThreadsInt) setThreadsInt(threads);
  if (setThreadsLong) setThreadsLong(threads);
}

bool Matrix::isGemmOperand() const {
  const bool unitColumns = columns == 1 || columnStride == 1, unitRows = rows == 1 || rowStride == 1;
  return (unitColumns && (rows == 1 || rowStride >= columns)) || (unitRows && (columns == 1 || columnStride >= rows));
}

namespace {

/// How BLAS names a matrix of row-major order.
struct Operand {
  int trans;
  int lead;
};

Operand operandOf(const Matrix &m) {
  const bool plain = (m.columns == 1 || m.columnStride == 1) && (m.rows == 1 || m.rowStride >= m.columns);
  if (plain) return {kNoTrans, static_cast<int>(m.rows == 1 ? m.columns : m.rowStride)};
  return {kTrans, static_cast<int>(m.columns == 1 ? m.rows : m.columnStride)};
}

template <class T> struct Functions {
  Blas::Gemm<T> *gemm;
  Blas::Gemv<T> *gemv;
  Blas::Dot<T> *dot;
};

/// y = a x, where x is a column (its stride between rows) and y likewise.
template <class T>
void matrixVector(Blas::Gemv<T> *gemv, const Matrix &a, const T *dataA, int64_t strideX, const T *x, int64_t strideY,
                  T *y) {
  const Operand o = operandOf(a);
  const bool plain = o.trans == kNoTrans;
  gemv(kRowMajor, o.trans, static_cast<int>(plain ? a.rows : a.columns), static_cast<int>(plain ? a.columns : a.rows),
       T(1), dataA, o.lead, x, static_cast<int>(strideX), T(0), y, static_cast<int>(strideY));
}

template <class T>
void multiplyWith(const Functions<T> &f, const Matrix &a, const T *dataA, const Matrix &b, const T *dataB,
                  const Matrix &c, T *dataC) {
  // A stride of an extent of 1 may be anything, but BLAS wants it positive.
  const auto step = [](int64_t extent, int64_t stride) { return extent == 1 ? 1 : stride; };
  if (c.rows == 1 && c.columns == 1 && f.dot) {
    *dataC = f.dot(static_cast<int>(a.columns), dataA, static_cast<int>(step(a.columns, a.columnStride)), dataB,
                   static_cast<int>(step(b.rows, b.rowStride)));
    return;
  }
  if (c.columns == 1 && f.gemv)
    return matrixVector(f.gemv, a, dataA, step(b.rows, b.rowStride), dataB, step(c.rows, c.rowStride), dataC);
  if (c.rows == 1 && f.gemv)
    return matrixVector(f.gemv, b.transposed(), dataB, step(a.columns, a.columnStride), dataA,
                        step(c.columns, c.columnStride), dataC);
  const Operand oa = operandOf(a), ob = operandOf(b);
  const int leadC = static_cast<int>(c.rows == 1 ? c.columns : c.rowStride);
  f.gemm(kRowMajor, oa.trans, ob.trans, static_cast<int>(c.rows), static_cast<int>(c.columns),
         static_cast<int>(a.columns), T(1), dataA, oa.lead, dataB, ob.lead, T(0), dataC, leadC);
}

} // namespace

void Blas::multiply(DType dtype, const Matrix &a, const void *dataA, const Matrix &b, const void *dataB,
                    const Matrix &c, void *dataC) const {
  if (dtype == DType::F64)
    return multiplyWith<double>({dgemm, dgemv, ddot}, a, static_cast<const double *>(dataA), b,
                                static_cast<const double *>(dataB), c, static_cast<double *>(dataC));
  const auto *x = static_cast<const float *>(dataA), *y = static_cast<const float *>(dataB);
  auto *z = static_cast<float *>(dataC);
  if (!onednnSgemm) return multiplyWith<float>({sgemm, sgemv, sdot}, a, x, b, y, c, z);
  const Operand oa = operandOf(a), ob = operandOf(b);
  onednnSgemm(oa.trans == kTrans ? 'T' : 'N', ob.trans == kTrans ? 'T' : 'N', c.rows, c.columns, a.columns, 1.0f, x,
              oa.lead, y, ob.lead, 0.0f, z, c.rows == 1 ? c.columns : c.rowStride);
}

} // namespace bench
