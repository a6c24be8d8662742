// C[b,m,n] = sum over k of A[b,m,k] B[b,k,n] in double, whatever lies between the elements: plain code, in tiles.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ein {

/// A loop of a product and its stride in each of the three tensors.
struct ProductLoop {
  int64_t extent, a, b, c;
};

/// The loops of a product, by what they do. Batches move in all tensors; rows not in `b`, columns not in `a`; the
/// depth, which is summed over, not in `c`.
struct ProductLoops {
  std::vector<ProductLoop> batch, rows, columns, depth;
};

/// Adds the product to `c`. A tile of the result is summed in registers, with the vectors that this CPU has.
void addProduct(const ProductLoops &loops, std::span<const double> a, std::span<const double> b, std::span<double> c);

/// About how long that takes, nanoseconds.
double predictProduct(const ProductLoops &loops);

} // namespace ein
