// The peer of a contraction: permute operands into GEMM layout, GEMM, permute the result, as torch does.
#pragma once

#include "bench/Blas.h"
#include "bench/Permute.h"
#include "ein/TensorType.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bench {

/// Strides by index, in elements: an operand of a contraction. A repeated index has the sum of its strides.
using Layout = std::map<uint32_t, int64_t>;

/// One contraction of two operands. Of all orders of indices in the GEMM (and both assignments of the operands) it
/// takes the one that copies fewest elements; with batch indices it is a loop of GEMMs. Its buffers are made once.
class PermuteGemm {
public:
  /// Nothing where an index occurs in one operand alone and not in the result, or where the products are scalars.
  static std::optional<PermuteGemm> plan(ein::DType dtype, const Layout &left, const Layout &right,
                                         const Layout &result, const std::vector<int64_t> &extents);

  void run(const Blas &blas, const void *left, const void *right, void *result, int threads) const;
  /// The same GEMMs on operands that are in GEMM layout already: what the contraction would cost without permutes.
  /// It runs on the same buffers. Requires that no operand has a repeated or a broadcast index.
  PermuteGemm gemmAlone() const;
  /// Whether operands and result of so many elements are matrices without repeated or broadcast indices.
  bool covers(int64_t left, int64_t right, int64_t result) const;
  /// Whether anything is permuted.
  bool permutes() const { return copies > 0; }
  /// "batch x M x N x K".
  std::string size() const;

private:
  /// A matrix per batch point and the copy that puts it into GEMM layout (or the result out of it).
  struct Side {
    Matrix matrix;
    std::vector<int64_t> offsets; ///< by batch point, elements
    Permute permute;
    bool copied = false;
    std::shared_ptr<char> buffer; ///< where copied
  };
  struct Groups {
    std::vector<uint32_t> batch, m, n, k;
  };

  Side side(const Layout &layout, const std::vector<uint32_t> &batch, const std::vector<uint32_t> &rows,
            const std::vector<uint32_t> &columns, bool isResult) const;
  Side denseSide(const Matrix &matrix) const;
  void multiplyAll(const Blas &blas, const char *left, const char *right, char *result) const;
  PermuteGemm candidate(const Layout &left, const Layout &right, const Layout &result, const Groups &groups) const;

  ein::DType dtype = ein::DType::F32;
  std::vector<int64_t> extents;
  bool swapped = false; ///< A is the right operand
  Side a, b, c;
  int64_t copies = 0; ///< elements copied by permutes
};

/// A whole einsum: the steps of ein's own contraction order, each a PermuteGemm.
class PermuteGemmProgram {
public:
  /// Nothing where a step is no contraction of two operands.
  static std::optional<PermuteGemmProgram> plan(const std::string &text, std::span<const ein::TensorType> operands);

  void run(const Blas &blas, std::span<void *const> operands, void *result, int threads) const;
  /// The GEMMs of its only step; requires one step.
  const PermuteGemm &onlyStep() const { return steps.front().gemm; }
  size_t stepCount() const { return steps.size(); }

private:
  struct Step {
    PermuteGemm gemm;
    uint32_t left, right, result;
  };
  std::vector<Step> steps;
  std::vector<uint32_t> inputs;
  uint32_t output = 0;
  std::vector<std::shared_ptr<char>> intermediates; ///< by tensor
};

/// Zeroed memory, 64-byte aligned.
std::shared_ptr<char> allocateBytes(int64_t bytes);

} // namespace bench
