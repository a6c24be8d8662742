// A blocked permuting copy, as a library beside a GEMM would have it.
#pragma once

#include <cstdint>
#include <vector>

namespace bench {

/// A copy between two strided layouts of one index space. Strides in elements; destination elements are distinct.
struct Permute {
  struct Dimension {
    int64_t extent, from, to;
  };

  Permute() = default;
  /// Orders the loops by destination stride and merges dimensions that are adjacent in both.
  explicit Permute(std::vector<Dimension> dimensions);
  /// Copies elements of 4 or 8 bytes with up to `threads` threads. Thread teams sleep at once when it is done.
  void run(void *to, const void *from, int64_t elementBytes, int threads) const;

private:
  template <class T> void copy(T *to, const T *from, int threads) const;

  std::vector<Dimension> outer; ///< outermost first
  Dimension row = {1, 1, 1};    ///< of unit stride in the source where there is one
  Dimension column = {1, 1, 1}; ///< of unit stride in the destination
};

} // namespace bench
