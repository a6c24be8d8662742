// Simplification of loop nests.
#include "compiler/Lowering/NestShape.h"

#include <algorithm>
#include <cstdlib>

namespace ein {

int64_t NestShape::points(bool reduced) const {
  int64_t n = 1;
  for (const LoopDim &d : dims)
    if (d.reduced == reduced) n *= d.extent;
  return n;
}

bool LoopDim::hasSizes() const {
  return isDynamic() || std::any_of(strideSlots.begin(), strideSlots.end(), [](int slot) { return slot >= 0; });
}

std::string NestShape::str() const {
  std::string s;
  for (const LoopDim &d : dims) {
    s += s.empty() ? "" : " ";
    s += (d.isDynamic() ? "~" : "") + std::to_string(d.extent) + (d.reduced ? "r(" : "p(");
    for (size_t o = 0; o < d.strides.size(); ++o) s += (o ? "," : "") + std::to_string(d.strides[o]);
    s += ")";
  }
  return s;
}

/// How far apart the iterations of a loop are: the output's stride, or the operands' where it has none.
static int64_t spread(const LoopDim &d, unsigned output) {
  if (d.strides[output] != 0) return std::abs(d.strides[output]);
  int64_t widest = 0;
  for (unsigned o = 0; o < output; ++o) widest = std::max(widest, std::abs(d.strides[o]));
  return widest;
}

/// Whether `outer` directly around `inner` is one loop for every operand.
static bool fusible(const LoopDim &outer, const LoopDim &inner) {
  if (outer.reduced != inner.reduced || outer.valued || inner.valued) return false;
  if (outer.hasSizes() || inner.hasSizes()) return false; // the examples may agree by chance
  for (size_t o = 0; o < outer.strides.size(); ++o)
    if (outer.strides[o] != inner.strides[o] * inner.extent) return false;
  return true;
}

NestShape simplify(const NestShape &shape) {
  NestShape result = shape;
  result.dims.clear();
  std::vector<LoopDim> dims;
  for (const LoopDim &d : shape.dims)
    if (d.extent != 1 || d.isDynamic()) dims.push_back(d);
  std::stable_sort(dims.begin(), dims.end(), [&](const LoopDim &a, const LoopDim &b) {
    if (a.reduced != b.reduced) return b.reduced;
    if (a.maybeShort() != b.maybeShort()) return a.maybeShort();
    return spread(a, shape.output()) > spread(b, shape.output());
  });
  for (LoopDim &d : dims) {
    if (!result.dims.empty() && fusible(result.dims.back(), d)) {
      LoopDim &outer = result.dims.back();
      outer.extent *= d.extent;
      outer.strides = d.strides;
      outer.sources.insert(outer.sources.end(), d.sources.begin(), d.sources.end());
    } else {
      result.dims.push_back(std::move(d));
    }
  }
  return result;
}

} // namespace ein
