// The product in tiles, from panels that are packed through tables of offsets.
#include "compiler/Generic/TiledProduct.h"

#include <algorithm>
#include <cstring>

namespace ein {
namespace {

constexpr int64_t kRows = 6, kColumns = 8;            // of a tile
constexpr int64_t kDepthBlock = 256;                  // of a panel: it stays in L1
constexpr int64_t kRowBlock = 96, kColumnBlock = 512; // of what is packed at once: L2

/// Eight doubles, in as many registers as they take.
using Vector = double __attribute__((vector_size(64), aligned(8)));
using Tile = double[kRows][kColumns];

[[gnu::always_inline]] inline void addTile(const double *a, const double *b, int64_t depth, Tile &tile) {
  Vector sums[kRows];
  std::memcpy(sums, tile, sizeof sums);
  for (int64_t k = 0; k < depth; ++k, a += kRows, b += kColumns) {
    Vector columns;
    std::memcpy(&columns, b, sizeof columns);
    for (int64_t r = 0; r < kRows; ++r) sums[r] += a[r] * columns;
  }
  std::memcpy(tile, sums, sizeof sums);
}

[[gnu::target("avx512f")]] void addTile512(const double *a, const double *b, int64_t depth, Tile &tile) {
  addTile(a, b, depth, tile);
}
[[gnu::target("avx2,fma")]] void addTile256(const double *a, const double *b, int64_t depth, Tile &tile) {
  addTile(a, b, depth, tile);
}
void addTile128(const double *a, const double *b, int64_t depth, Tile &tile) { addTile(a, b, depth, tile); }

using TileFunction = void(const double *a, const double *b, int64_t depth, Tile &tile);

TileFunction *tileFunction() {
  if (__builtin_cpu_supports("avx512f")) return addTile512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? addTile256 : addTile128;
}

struct Offset {
  int64_t a = 0, b = 0, c = 0;
};

/// Where each point of the loops is, the last loop fastest.
std::vector<Offset> offsetsOf(const std::vector<ProductLoop> &loops) {
  std::vector<Offset> offsets(1);
  for (const ProductLoop &loop : loops) {
    std::vector<Offset> outer = std::move(offsets);
    offsets.clear();
    offsets.reserve(outer.size() * static_cast<size_t>(loop.extent));
    for (const Offset &o : outer)
      for (int64_t i = 0; i < loop.extent; ++i)
        offsets.push_back({o.a + i * loop.a, o.b + i * loop.b, o.c + i * loop.c});
  }
  return offsets;
}

int64_t pointsOf(const std::vector<ProductLoop> &loops) {
  int64_t points = 1;
  for (const ProductLoop &loop : loops) points *= loop.extent;
  return points;
}

/// A batch with fewer results is no tile.
constexpr int64_t kFewResults = 16;

class TiledProduct {
public:
  explicit TiledProduct(const ProductLoops &loops)
      : rows(offsetsOf(loops.rows)), columns(offsetsOf(loops.columns)), depth(offsetsOf(loops.depth)) {}

  void add(const double *a, const double *b, double *c) {
    if (std::ssize(rows) * std::ssize(columns) < kFewResults) return addDots(a, b, c);
    for (int64_t k = 0; k < std::ssize(depth); k += kDepthBlock)
      for (int64_t n = 0; n < std::ssize(columns); n += kColumnBlock) {
        const std::span<const Offset> ks = piece(depth, k, kDepthBlock), ns = piece(columns, n, kColumnBlock);
        pack(packedB, kColumns, ns, ks, [&](const Offset &column, const Offset &at) { return b[column.b + at.b]; });
        for (int64_t m = 0; m < std::ssize(rows); m += kRowBlock) {
          const std::span<const Offset> ms = piece(rows, m, kRowBlock);
          pack(packedA, kRows, ms, ks, [&](const Offset &row, const Offset &at) { return a[row.a + at.a]; });
          addBlock(ms, ns, std::ssize(ks), c);
        }
      }
  }

private:
  static std::span<const Offset> piece(const std::vector<Offset> &all, int64_t begin, int64_t most) {
    return std::span(all).subspan(static_cast<size_t>(begin),
                                  static_cast<size_t>(std::min<int64_t>(most, std::ssize(all) - begin)));
  }

  /// Panels of `width` rows or columns, step of the depth by step; zeros where the last is cut off.
  template <class Element>
  static void pack(std::vector<double> &packed, int64_t width, std::span<const Offset> side,
                   std::span<const Offset> depth, Element element) {
    const int64_t panels = (std::ssize(side) + width - 1) / width;
    packed.resize(static_cast<size_t>(panels * width * std::ssize(depth)));
    double *to = packed.data();
    for (int64_t panel = 0; panel < panels; ++panel) {
      const std::span<const Offset> own = side.subspan(static_cast<size_t>(panel * width));
      const int64_t count = std::min<int64_t>(width, std::ssize(own));
      for (const Offset &at : depth) {
        for (int64_t i = 0; i < count; ++i) to[i] = element(own[static_cast<size_t>(i)], at);
        for (int64_t i = count; i < width; ++i) to[i] = 0;
        to += width;
      }
    }
  }

  void addBlock(std::span<const Offset> rows, std::span<const Offset> columns, int64_t depth, double *c) const {
    for (int64_t n = 0; n < std::ssize(columns); n += kColumns)
      for (int64_t m = 0; m < std::ssize(rows); m += kRows) {
        Tile tile = {};
        tileSum(packedA.data() + m * depth, packedB.data() + n * depth, depth, tile);
        for (int64_t i = m; i < std::min<int64_t>(m + kRows, std::ssize(rows)); ++i)
          for (int64_t j = n; j < std::min<int64_t>(n + kColumns, std::ssize(columns)); ++j)
            c[rows[static_cast<size_t>(i)].c + columns[static_cast<size_t>(j)].c] += tile[i - m][j - n];
      }
  }

  void addDots(const double *a, const double *b, double *c) const {
    for (const Offset &row : rows)
      for (const Offset &column : columns) {
        double sum = 0;
        for (const Offset &at : depth) sum += a[row.a + at.a] * b[column.b + at.b];
        c[row.c + column.c] += sum;
      }
  }

  TileFunction *const tileSum = tileFunction();
  const std::vector<Offset> rows, columns, depth;
  std::vector<double> packedA, packedB;
};

} // namespace

void addProduct(const ProductLoops &loops, std::span<const double> a, std::span<const double> b, std::span<double> c) {
  TiledProduct product(loops);
  for (const Offset &batch : offsetsOf(loops.batch))
    product.add(a.data() + batch.a, b.data() + batch.b, c.data() + batch.c);
}

double predictProduct(const ProductLoops &loops) {
  const auto rows = static_cast<double>(pointsOf(loops.rows)), columns = static_cast<double>(pointsOf(loops.columns)),
             depth = static_cast<double>(pointsOf(loops.depth)), batch = static_cast<double>(pointsOf(loops.batch));
  // Of the plain loops, a step; of tiles, a step for each pair of numbers in whole tiles, and what is packed.
  if (rows * columns < kFewResults) return batch * (20 + rows * columns * (2 + 1.5 * depth));
  const auto whole = [](double n, int64_t width) { return std::max(n, static_cast<double>(width)); };
  return batch * (100 + depth * (0.12 * whole(rows, kRows) * whole(columns, kColumns) + 2 * (rows + columns)) +
                  2 * rows * columns);
}

} // namespace ein
