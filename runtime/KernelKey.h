// The key under which a kernel is cached: bytes that name a compilation, made without allocating.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace ein {

/// Everything a compilation depends on, each part behind its length, so that two compilations have the
/// same bytes only if they are the same. On the stack unless it is long.
class KernelKey {
public:
  KernelKey() = default;
  KernelKey(const KernelKey &) = delete;
  KernelKey &operator=(const KernelKey &) = delete;

  void add(std::string_view text) {
    char *at = number(room(sizeof(uint64_t) + text.size()), text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
  }
  void add(const std::vector<int64_t> &values) { numbers(room(bytesOf(values)), values); }
  /// A TensorType, or what has the same parts.
  template <class Type>
    requires requires(const Type &type) { type.dtype, type.shape, type.strides; }
  void add(const Type &type) {
    char *at = room(sizeof(uint64_t) + bytesOf(type.shape) + bytesOf(type.strides));
    at = number(at, static_cast<uint64_t>(type.dtype));
    at = numbers(at, type.shape);
    numbers(at, type.strides);
  }
  /// `threads`: the resolved team size. Options of which nothing else is chosen take two numbers: bytes to write, hash
  /// and compare are most of what a hit costs.
  void add(const CompileOptions &options, int threads) {
    add(static_cast<uint64_t>(threads));
    static thread_local CompileOptions standard;
    standard.threads = options.threads;
    standard.background = options.background; // the kernel is the same
    const bool chosen = options != standard;
    add(uint64_t{chosen});
    if (chosen) addChosen(options);
  }
  void add(uint64_t value) { number(room(sizeof value), value); }

  std::string_view bytes() const { return {data, size}; }

private:
  void addChosen(const CompileOptions &options) {
    add(options.target.cpu);
    add(static_cast<uint64_t>(options.target.portable));
    add(options.target.gpu);
    add(static_cast<uint64_t>(options.path));
    add(std::bit_cast<uint64_t>(options.pathBudgetMs));
    add(static_cast<uint64_t>(options.memoryLimit));
    add(options.resultStrides.size());
    for (const std::vector<int64_t> &strides : options.resultStrides) add(strides);
    add(options.plans.size());
    for (const std::string &plan : options.plans) add(plan);
    add(static_cast<uint64_t>(options.labels));
    add(uint64_t{options.scatter});
    for (const std::optional<DType> &dtype : {options.resultDType, options.computeDType, options.accumulateDType})
      add(dtype ? 1 + static_cast<uint64_t>(*dtype) : 0);
    add(options.conjugate);
    add(static_cast<uint64_t>(options.semiring));
    add(std::bit_cast<uint64_t>(options.alpha));
    add(std::bit_cast<uint64_t>(options.beta));
    add(uint64_t{options.fuse});
    add(options.order.size());
    for (const std::vector<int64_t> &step : options.order) add(step);
    add(options.dynamic.size());
    for (const std::string &index : options.dynamic) add(index);
  }
  static size_t bytesOf(std::span<const int64_t> values) { return (1 + values.size()) * sizeof(int64_t); }

  /// Writes at a place with enough room; where to go on.
  static char *number(char *at, uint64_t value) {
    std::memcpy(at, &value, sizeof value);
    return at + sizeof value;
  }
  static char *numbers(char *at, std::span<const int64_t> values) {
    at = number(at, values.size());
    for (int64_t value : values) at = number(at, static_cast<uint64_t>(value));
    return at;
  }

  /// Room for n more bytes, to be written next.
  char *room(size_t n) {
    if (n > capacity - size) [[unlikely]]
      grow(n);
    return data + std::exchange(size, size + n);
  }
  void grow(size_t n) {
    capacity = 2 * (size + n);
    auto more = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(more.get(), data, size);
    spill = std::move(more);
    data = spill.get();
  }

  std::array<char, 1024> few;
  std::unique_ptr<char[]> spill;
  char *data = few.data();
  size_t size = 0, capacity = few.size();
};

} // namespace ein
