// A list whose length is known when it is made, on the stack unless it is long.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace ein {

/// `size` values, uninitialised; up to `few` of them without allocating.
template <class T, size_t few> class Few {
public:
  explicit Few(size_t size)
      : heap(size > few ? std::make_unique_for_overwrite<T[]>(size) : nullptr),
        all(heap ? heap.get() : own.data(), size) {}
  Few(const Few &) = delete;
  Few &operator=(const Few &) = delete;

  T &operator[](size_t i) { return all[i]; }
  size_t size() const { return all.size(); }
  std::span<T> values() { return all; }
  std::span<const T> values() const { return all; }

private:
  std::array<T, few> own;
  std::unique_ptr<T[]> heap;
  std::span<T> all;
};

} // namespace ein
