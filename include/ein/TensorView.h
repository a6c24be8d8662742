// A pointer with a type. Never owns.
#pragma once

#include "ein/TensorType.h"

#include <initializer_list>

namespace ein {

/// Memory that somebody else owns, seen as a tensor. `data` is the address of the element at index
/// zero; it must be aligned to the element.
struct TensorView {
  void *data = nullptr;
  TensorType type;

  TensorView() = default;
  TensorView(void *data, TensorType type) : data(data), type(std::move(type)) {}
  /// Row-major view: `TensorView a(ptr, {64, 32});`
  template <class T>
  TensorView(T *data, std::vector<int64_t> shape)
      : data(const_cast<void *>(static_cast<const void *>(data))),
        type(DTypeOf<std::remove_const_t<T>>::value, std::move(shape)) {}
};

} // namespace ein
