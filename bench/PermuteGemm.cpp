// The peer of a contraction: permute operands into GEMM layout, GEMM, permute the result, as torch does.
#include "bench/PermuteGemm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace ein;

namespace bench {

std::shared_ptr<char> allocateBytes(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) + 63) / 64 * 64 + 64;
  std::shared_ptr<char> memory(static_cast<char *>(std::aligned_alloc(64, size)), std::free);
  if (memory) std::memset(memory.get(), 0, size);
  return memory;
}

static int64_t product(const std::vector<uint32_t> &indices, const std::vector<int64_t> &extents) {
  int64_t points = 1;
  for (uint32_t index : indices) points *= extents[index];
  return points;
}

/// The stride of the group of indices as one index, if it is one: each steps over all of the next.
static std::optional<int64_t> collapse(const std::vector<uint32_t> &group, const Layout &layout,
                                       const std::vector<int64_t> &extents) {
  int64_t stride = 0, span = 0;
  for (auto index = group.rbegin(); index != group.rend(); ++index) {
    if (extents[*index] == 1) continue;
    const int64_t own = layout.at(*index);
    if (span == 0)
      stride = own;
    else if (own != span)
      return std::nullopt;
    span = own * extents[*index];
  }
  return stride;
}

static void appendDense(Layout &dense, int64_t &stride, const std::vector<uint32_t> &group,
                        const std::vector<int64_t> &extents) {
  for (auto index = group.rbegin(); index != group.rend(); ++index) {
    dense[*index] = stride;
    stride *= extents[*index];
  }
}

PermuteGemm::Side PermuteGemm::side(const Layout &layout, const std::vector<uint32_t> &batch,
                                    const std::vector<uint32_t> &rows, const std::vector<uint32_t> &columns,
                                    bool isResult) const {
  Side s;
  const auto rowStride = collapse(rows, layout, extents), columnStride = collapse(columns, layout, extents);
  s.matrix = {product(rows, extents), product(columns, extents), rowStride.value_or(0), columnStride.value_or(0)};
  bool direct = rowStride && columnStride && s.matrix.isGemmOperand();
  // BLAS writes rows of unit stride, or a single column.
  if (isResult)
    direct &= s.matrix.columns == 1 || (*columnStride == 1 && (s.matrix.rows == 1 || *rowStride >= s.matrix.columns));
  Layout used = layout;
  if (!direct) {
    s.copied = true;
    int64_t stride = 1;
    used.clear();
    for (const auto *group : {&columns, &rows, &batch}) appendDense(used, stride, *group, extents);
    s.matrix.rowStride = s.matrix.columns, s.matrix.columnStride = 1;
    std::vector<Permute::Dimension> dimensions;
    for (const auto &[index, dense] : used)
      dimensions.push_back(isResult ? Permute::Dimension{extents[index], dense, layout.at(index)}
                                    : Permute::Dimension{extents[index], layout.at(index), dense});
    s.permute = Permute(std::move(dimensions));
  }
  s.offsets = {0};
  for (uint32_t index : batch) {
    std::vector<int64_t> next;
    for (int64_t offset : s.offsets)
      for (int64_t i = 0; i < extents[index]; ++i) next.push_back(offset + i * used.at(index));
    s.offsets = std::move(next);
  }
  return s;
}

static int64_t elementsOf(const Matrix &matrix, size_t batch) {
  return matrix.rows * matrix.columns * static_cast<int64_t>(batch);
}

PermuteGemm PermuteGemm::candidate(const Layout &left, const Layout &right, const Layout &result,
                                   const Groups &g) const {
  PermuteGemm p;
  p.dtype = dtype, p.extents = extents;
  p.a = p.side(left, g.batch, g.m, g.k, false);
  p.b = p.side(right, g.batch, g.k, g.n, false);
  p.c = p.side(result, g.batch, g.m, g.n, true);
  for (const Side *s : {&p.a, &p.b, &p.c})
    if (s->copied) p.copies += elementsOf(s->matrix, s->offsets.size());
  return p;
}

PermuteGemm::Side PermuteGemm::denseSide(const Matrix &matrix) const {
  Side s;
  s.matrix = {matrix.rows, matrix.columns, matrix.columns, 1};
  for (size_t point = 0; point < c.offsets.size(); ++point) s.offsets.push_back(elementsOf(matrix, point));
  return s;
}

PermuteGemm PermuteGemm::gemmAlone() const {
  PermuteGemm p;
  p.dtype = dtype, p.swapped = swapped;
  p.a = denseSide(a.matrix), p.b = denseSide(b.matrix), p.c = denseSide(c.matrix);
  return p;
}

/// The indices of `group` by falling stride in `layout`.
static std::vector<uint32_t> orderedBy(std::vector<uint32_t> group, const Layout &layout) {
  std::sort(group.begin(), group.end(), [&](uint32_t x, uint32_t y) { return layout.at(x) > layout.at(y); });
  return group;
}

std::optional<PermuteGemm> PermuteGemm::plan(DType dtype, const Layout &left, const Layout &right, const Layout &result,
                                             const std::vector<int64_t> &extents) {
  std::vector<uint32_t> batch, inLeft, inRight, summed;
  for (uint32_t index = 0; index < extents.size(); ++index) {
    const bool l = left.contains(index), r = right.contains(index), out = result.contains(index);
    if (!l && !r) continue;
    if (!out && !(l && r)) return std::nullopt;
    (!out ? summed : l && r ? batch : l ? inLeft : inRight).push_back(index);
  }
  const int64_t points = product(inLeft, extents) * product(inRight, extents) * product(summed, extents);
  if (points == 1 && product(batch, extents) > 1) return std::nullopt;

  PermuteGemm base;
  base.dtype = dtype, base.extents = extents;
  std::optional<PermuteGemm> best;
  for (bool swap : {false, true}) {
    const Layout &x = swap ? right : left, &y = swap ? left : right;
    const auto &m = swap ? inRight : inLeft, &n = swap ? inLeft : inRight;
    for (const Layout *k : {&x, &y})
      for (const Layout *rows : {&x, &result})
        for (const Layout *columns : {&y, &result}) {
          PermuteGemm p = base.candidate(
              x, y, result,
              {orderedBy(batch, result), orderedBy(m, *rows), orderedBy(n, *columns), orderedBy(summed, *k)});
          p.swapped = swap;
          if (!best || p.copies < best->copies) best = std::move(p);
        }
  }
  for (Side *s : {&best->a, &best->b, &best->c})
    if (s->copied) s->buffer = allocateBytes(elementsOf(s->matrix, s->offsets.size()) * byteSize(dtype));
  return best;
}

void PermuteGemm::multiplyAll(const Blas &blas, const char *left, const char *right, char *result) const {
  const int64_t bytes = byteSize(dtype);
  for (size_t point = 0; point < c.offsets.size(); ++point)
    blas.multiply(dtype, a.matrix, left + a.offsets[point] * bytes, b.matrix, right + b.offsets[point] * bytes,
                  c.matrix, result + c.offsets[point] * bytes);
}

void PermuteGemm::run(const Blas &blas, const void *left, const void *right, void *result, int threads) const {
  if (swapped) std::swap(left, right);
  const auto inLayout = [&](const Side &s, const void *data) {
    if (!s.copied) return static_cast<const char *>(data);
    s.permute.run(s.buffer.get(), data, byteSize(dtype), threads);
    return static_cast<const char *>(s.buffer.get());
  };
  const char *x = inLayout(a, left), *y = inLayout(b, right);
  multiplyAll(blas, x, y, c.copied ? c.buffer.get() : static_cast<char *>(result));
  if (c.copied) c.permute.run(result, c.buffer.get(), byteSize(dtype), threads);
}

bool PermuteGemm::covers(int64_t left, int64_t right, int64_t result) const {
  if (swapped) std::swap(left, right);
  const size_t batch = c.offsets.size();
  return elementsOf(a.matrix, batch) == left && elementsOf(b.matrix, batch) == right &&
         elementsOf(c.matrix, batch) == result;
}

std::string PermuteGemm::size() const {
  return std::to_string(c.offsets.size()) + "x" + std::to_string(c.matrix.rows) + "x" +
         std::to_string(c.matrix.columns) + "x" + std::to_string(a.matrix.columns);
}

} // namespace bench
