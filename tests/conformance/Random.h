// Seeded choices for random tests: the same on every machine.
#pragma once

#include "ein/CompileOptions.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace ein::test {

/// Draws from std::mt19937_64 without the distributions of the standard library, which differ between libraries.
class Random {
public:
  explicit Random(uint64_t seed) : generator(seed) {}

  /// 0 to n - 1.
  int64_t below(int64_t n) { return static_cast<int64_t>(generator() % static_cast<uint64_t>(n)); }
  bool oneIn(int64_t n) { return below(n) == 0; }
  template <class T> const T &of(const std::vector<T> &choices) { return choices[below(std::ssize(choices))]; }
  template <class T> void shuffle(std::vector<T> &list) {
    for (int64_t i = std::ssize(list); i > 1; --i) std::swap(list[i - 1], list[below(i)]);
  }

private:
  std::mt19937_64 generator;
};

/// Any dtype, f32 and f64 more often.
inline DType randomDType(Random &random) {
  if (random.oneIn(2)) return random.oneIn(2) ? DType::F32 : DType::F64;
  return static_cast<DType>(random.below(kDTypes.size()));
}

/// Targets, 1 or 2 threads, and how the order is searched.
inline CompileOptions randomOptions(Random &random) {
  CompileOptions options;
  options.target.cpu = random.of<std::string>({"", "", "x86-64-v3", "x86-64-v2"});
  options.threads = static_cast<int>(1 + random.below(2));
  options.path =
      random.of<PathStrategy>({PathStrategy::Auto, PathStrategy::Optimal, PathStrategy::Greedy, PathStrategy::Fused});
  return options;
}

/// Strides of a layout of `shape`: row-major, permuted, padded, reversed, with a dimension that does not
/// move, or with elements that overlap.
inline std::vector<int64_t> randomStrides(Random &random, const std::vector<int64_t> &shape, bool mayRepeat) {
  std::vector<size_t> order(shape.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
  if (random.oneIn(3)) random.shuffle(order);
  std::vector<int64_t> strides(shape.size());
  int64_t stride = random.oneIn(6) ? 2 : 1;
  for (size_t d : order) {
    strides[d] = stride;
    stride *= std::max<int64_t>(shape[d], 1);
    if (random.oneIn(8)) stride += 1 + random.below(3);
  }
  if (shape.empty()) return strides;
  if (random.oneIn(8)) strides[random.below(std::ssize(strides))] *= -1;
  if (mayRepeat && random.oneIn(8)) strides[random.below(std::ssize(strides))] = 0;
  if (mayRepeat && random.oneIn(8)) strides[random.below(std::ssize(strides))] = 1 + random.below(3);
  return strides;
}

} // namespace ein::test
