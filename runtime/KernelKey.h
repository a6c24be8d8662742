// The key under which a kernel is cached: bytes that name a compilation, made without allocating.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace ein {

/// Everything a compilation depends on, each part behind its length, so that two compilations have the
/// same bytes only if they are the same. On the stack unless it is long.
class KernelKey {
public:
  KernelKey() = default;
  KernelKey(const KernelKey &) = delete;
  KernelKey &operator=(const KernelKey &) = delete;

  void add(std::string_view text) {
    number(text.size());
    append(text.data(), text.size());
  }
  void add(const std::vector<int64_t> &numbers) {
    number(numbers.size());
    append(numbers.data(), numbers.size() * sizeof(int64_t));
  }
  void add(const TensorType &type) {
    number(static_cast<uint64_t>(type.dtype));
    add(type.shape);
    add(type.strides);
  }
  /// `threads`: the resolved team size.
  void add(const CompileOptions &options, int threads) {
    add(options.target.cpu);
    number(static_cast<uint64_t>(options.path));
    append(&options.pathBudgetMs, sizeof options.pathBudgetMs);
    number(static_cast<uint64_t>(threads));
    number(static_cast<uint64_t>(options.memoryLimit));
    number(options.resultStrides.size());
    for (const std::vector<int64_t> &strides : options.resultStrides) add(strides);
    number(static_cast<uint64_t>(options.labels));
    number(options.scatter);
    number(options.order.size());
    for (const std::vector<int64_t> &step : options.order) add(step);
  }
  void number(uint64_t value) { append(&value, sizeof value); }

  std::string_view bytes() const { return spill.empty() ? std::string_view(few.data(), size) : spill; }

private:
  void append(const void *data, size_t n) {
    if (n == 0) return;
    if (spill.empty() && size + n <= few.size()) {
      std::memcpy(few.data() + size, data, n);
      size += n;
      return;
    }
    if (spill.empty()) spill.assign(few.data(), size);
    spill.append(static_cast<const char *>(data), n);
  }

  std::array<char, 1024> few;
  size_t size = 0;
  std::string spill;
};

} // namespace ein
