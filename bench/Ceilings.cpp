// What the machine can do: multiply-adds in registers, bytes to and from memory.
#include "bench/Ceilings.h"
#include "bench/Timing.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <omp.h>
#include <string>

namespace bench {

namespace {

template <class T, int bytes> struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
};

constexpr int kChains = 12; // enough for two units of latency 4, few enough for 16 registers

/// `steps` multiply-adds in each of independent chains. Inlined into functions that name the instruction set.
template <class T, int bytes> __attribute__((always_inline)) inline double chains(int64_t steps, T factor) {
  using Vector = typename VectorOf<T, bytes>::type;
  Vector x[kChains], scale = Vector{} + factor, shift = Vector{} + static_cast<T>(1e-3);
#pragma unroll
  for (int c = 0; c < kChains; ++c) x[c] = Vector{} + static_cast<T>(c);
  for (int64_t s = 0; s < steps; ++s) {
#pragma unroll
    for (int c = 0; c < kChains; ++c) x[c] = x[c] * scale + shift;
  }
  Vector sum = x[0];
#pragma unroll
  for (int c = 1; c < kChains; ++c) sum += x[c];
  T total = 0;
  for (size_t lane = 0; lane < bytes / sizeof(T); ++lane) total += sum[lane];
  return static_cast<double>(total);
}

template <class T> __attribute__((target("avx512f,fma"), noinline)) double chains512(int64_t steps, T factor) {
  return chains<T, 64>(steps, factor);
}
template <class T> __attribute__((target("avx2,fma"), noinline)) double chains256(int64_t steps, T factor) {
  return chains<T, 32>(steps, factor);
}
template <class T> __attribute__((noinline)) double chains128(int64_t steps, T factor) {
  return chains<T, 16>(steps, factor);
}

volatile double sink; // what is written here is not optimised away

template <class T> double flopsPerSecond(int threads) {
  const bool has512 = __builtin_cpu_supports("avx512f");
  const bool has256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  double (*function)(int64_t, T) = has512 ? chains512<T> : has256 ? chains256<T> : chains128<T>;
  const double lanes = (has512 ? 64 : has256 ? 32 : 16) / static_cast<double>(sizeof(T));
  constexpr int64_t steps = 1'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    const double start = now();
#pragma omp parallel num_threads(threads)
    sink = function(steps, static_cast<T>(0.999));
    best = std::max(best, 2.0 * lanes * kChains * steps * threads / (now() - start));
  }
  return best;
}

constexpr size_t kArray = 256 << 20;

/// This thread's part of `bytes`, whole cache lines.
struct Part {
  size_t begin, end;
  explicit Part(size_t bytes) {
    const size_t lines = bytes / 64, team = omp_get_num_threads(), id = omp_get_thread_num();
    begin = lines * id / team * 64;
    end = id + 1 == team ? bytes : lines * (id + 1) / team * 64;
  }
};

using Line __attribute__((vector_size(16))) = uint32_t;

void streamCopy(char *to, const char *from, size_t bytes, int threads) {
#pragma omp parallel num_threads(threads)
  {
    const Part part(bytes);
    for (size_t at = part.begin; at + sizeof(Line) <= part.end; at += sizeof(Line))
      __builtin_nontemporal_store(*reinterpret_cast<const Line *>(from + at), reinterpret_cast<Line *>(to + at));
  }
}

/// Bytes per second of the best of a few calls that move `bytes`.
template <class Call> double bytesPerSecond(double bytes, Call call) {
  double best = 0;
  for (int attempt = 0; attempt < 6; ++attempt) {
    const double start = now();
    call();
    best = std::max(best, bytes / (now() - start));
  }
  return best;
}

double lastLevelCache() {
  double largest = 32 << 20;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
    double size = 0;
    char unit = 'K';
    if (file >> size >> unit) largest = size * (unit == 'M' ? 1 << 20 : 1 << 10);
  }
  return largest;
}

} // namespace

void copyBytes(void *to, const void *from, size_t bytes, int threads) {
  if (threads == 1) {
    std::memcpy(to, from, bytes);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const Part part(bytes);
    std::memcpy(static_cast<char *>(to) + part.begin, static_cast<const char *>(from) + part.begin,
                part.end - part.begin);
  }
}

unsigned readBytes(const void *from, size_t bytes, int threads) {
  uint32_t total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
  {
    const Part part(bytes);
    const char *base = static_cast<const char *>(from);
    Line sums[4] = {};
    for (size_t at = part.begin; at + 64 <= part.end; at += 64)
      for (int lane = 0; lane < 4; ++lane) sums[lane] += *reinterpret_cast<const Line *>(base + at + 16 * lane);
    const Line sum = sums[0] + sums[1] + sums[2] + sums[3];
    total += sum[0] + sum[1] + sum[2] + sum[3];
  }
  return total;
}

Ceilings measureCeilings(int threads) {
  Ceilings c;
  c.flopsF32 = flopsPerSecond<float>(threads);
  c.flopsF64 = flopsPerSecond<double>(threads);
  const std::unique_ptr<char, decltype(&std::free)> from(static_cast<char *>(std::aligned_alloc(64, kArray)),
                                                         std::free);
  const std::unique_ptr<char, decltype(&std::free)> to(static_cast<char *>(std::aligned_alloc(64, kArray)), std::free);
  if (from && to) {
    std::memset(from.get(), 1, kArray);
    std::memset(to.get(), 1, kArray);
    c.memcpyBytes = bytesPerSecond(2.0 * kArray, [&] { copyBytes(to.get(), from.get(), kArray, threads); });
    c.copyBytes = std::max(c.memcpyBytes,
                           bytesPerSecond(2.0 * kArray, [&] { streamCopy(to.get(), from.get(), kArray, threads); }));
    c.readBytes = bytesPerSecond(kArray, [&] { sink = readBytes(from.get(), kArray, threads); });
  }
  c.cacheBytes = lastLevelCache();
  return c;
}

} // namespace bench
