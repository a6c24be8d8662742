// A tensor that owns its memory and may have any strides.
#pragma once

#include "ein/TensorView.h"

#include <memory>

namespace einc {

/// Memory and the view into it. Copies share the memory.
struct HostTensor {
  std::shared_ptr<void> memory;
  ein::TensorView view;

  /// Uninitialised, 64-byte aligned memory for every element that `type` can address. Refuses types that do not
  /// verify and sizes beyond the machine's memory.
  static ein::Expected<HostTensor> allocate(ein::TensorType type);
};

/// The tensor itself where it is row-major, else a row-major copy.
ein::Expected<HostTensor> rowMajor(const HostTensor &tensor);

/// Elements of storage that `type` can address. Requires a type that verifies.
int64_t storageElements(const ein::TensorType &type);

} // namespace einc
