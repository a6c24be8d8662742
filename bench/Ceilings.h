// What the machine can do: multiply-adds in registers, bytes to and from memory.
#pragma once

#include "ein/DType.h"

#include <cstddef>

namespace bench {

/// Measured on an otherwise idle moment of this process, best of several tries.
struct Ceilings {
  double flopsF32 = 0; ///< register-only multiply-adds, 2 per lane, FLOP/s
  double flopsF64 = 0;
  double memcpyBytes = 0; ///< large memcpy: bytes read plus bytes written, per second
  double copyBytes = 0;   ///< the better of memcpy and a copy with non-temporal stores
  double readBytes = 0;   ///< bytes per second of a sum over a large array
  double cacheBytes = 0;  ///< last-level cache; work that fits in it is not bound by memory

  double flops(ein::DType dtype) const { return dtype == ein::DType::F32 ? flopsF32 : flopsF64; }
};

/// Measures with `threads` threads at once; takes about a second.
Ceilings measureCeilings(int threads);

/// memcpy by `threads` threads, each its part.
void copyBytes(void *to, const void *from, size_t bytes, int threads);
/// Sums `bytes` bytes (a multiple of 64) as 32-bit lanes by `threads` threads, each its part; the sum makes it happen.
unsigned readBytes(const void *from, size_t bytes, int threads);

} // namespace bench
