// A blocked permuting copy, as a library beside a GEMM would have it.
#include "bench/Permute.h"

#include <algorithm>
#include <cstring>
#include <omp.h>

namespace bench {

Permute::Permute(std::vector<Dimension> dimensions) {
  std::erase_if(dimensions, [](const Dimension &d) { return d.extent == 1; });
  std::sort(dimensions.begin(), dimensions.end(), [](const Dimension &a, const Dimension &b) { return a.to > b.to; });
  for (const Dimension &d : dimensions) {
    if (!outer.empty() && outer.back().to == d.to * d.extent && outer.back().from == d.from * d.extent)
      outer.back() = {outer.back().extent * d.extent, d.from, d.to};
    else
      outer.push_back(d);
  }
  if (outer.empty()) return;
  column = outer.back();
  outer.pop_back();
  if (column.from == 1) return;
  auto unit = std::find_if(outer.begin(), outer.end(), [](const Dimension &d) { return d.from == 1; });
  if (unit == outer.end()) return;
  row = *unit;
  outer.erase(unit);
}

namespace {

constexpr int64_t kTile = 16;

/// to[r, c] = from[r, c] for a tile, through a buffer so that each cache line of either side is touched once.
template <class T>
void copyTile(T *to, const T *from, const Permute::Dimension &row, const Permute::Dimension &column, int64_t rows,
              int64_t columns) {
  alignas(64) T tile[kTile][kTile];
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r) tile[r][c] = from[c * column.from + r];
  for (int64_t r = 0; r < rows; ++r) std::memcpy(to + r * row.to, tile[r], columns * sizeof(T));
}

template <class T> void copyRun(T *to, const T *from, const Permute::Dimension &column, int64_t begin, int64_t end) {
  if (column.from == 1 && column.to == 1)
    std::memcpy(to + begin, from + begin, (end - begin) * sizeof(T));
  else
    for (int64_t c = begin; c < end; ++c) to[c * column.to] = from[c * column.from];
}

} // namespace

template <class T> void Permute::copy(T *to, const T *from, int threads) const {
  const bool tiles = row.extent > 1 && column.to == 1;
  const int64_t rowBlocks = tiles ? (row.extent + kTile - 1) / kTile : row.extent;
  int64_t blocks = rowBlocks;
  for (const Dimension &d : outer) blocks *= d.extent;
#pragma omp parallel for num_threads(threads) if (threads > 1)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t r = block % rowBlocks * (tiles ? kTile : 1);
    T *target = to + r * row.to;
    const T *source = from + r * row.from;
    int64_t rest = block / rowBlocks;
    for (auto d = outer.rbegin(); d != outer.rend(); rest /= d->extent, ++d) {
      target += rest % d->extent * d->to;
      source += rest % d->extent * d->from;
    }
    if (!tiles) {
      copyRun(target, source, column, 0, column.extent);
      continue;
    }
    for (int64_t c = 0; c < column.extent; c += kTile)
      copyTile(target + c, source + c * column.from, row, column, std::min(kTile, row.extent - r),
               std::min(kTile, column.extent - c));
  }
}

void Permute::run(void *to, const void *from, int64_t elementBytes, int threads) const {
  // The GEMM that follows has threads of its own; ours must not spin beside them.
  const int spin = kmp_get_blocktime();
  if (threads > 1) kmp_set_blocktime(0);
  if (elementBytes == 4)
    copy(static_cast<uint32_t *>(to), static_cast<const uint32_t *>(from), threads);
  else
    copy(static_cast<uint64_t *>(to), static_cast<const uint64_t *>(from), threads);
  if (threads > 1) kmp_set_blocktime(spin);
}

} // namespace bench
