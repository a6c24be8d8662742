// Memory that notices a kernel which leaves its tensors.
#pragma once

#include "tools/einc/HostTensor.h"

#include <optional>
#include <span>
#include <string>

namespace ein::test {

/// Which side of a tensor meets the page that must not be touched.
enum class Guard { Below, Above };

/// Memory for `type` between two pages that must not be touched, adjacent to one of them; what is left between the
/// tensor and the other is filled with a pattern. Aligned to the element only.
einc::HostTensor guardedTensor(const TensorType &type, Guard guard);

/// Fills all storage of a tensor, and what surrounds it, with signalling NaNs.
void poison(const einc::HostTensor &tensor);

/// The storage offset of something that is no element of the tensor and yet lost its poison; nothing if all is well.
std::optional<int64_t> writtenOutside(const einc::HostTensor &tensor);

/// An access outside a tensor that hit a page of its guard.
struct Touch {
  size_t tensor = 0;  ///< position in what was watched
  int64_t offset = 0; ///< bytes from the beginning of the tensor's storage
};

/// From here on the first access to a guard page of `tensors` is noted, on any thread, and the thread goes on. Any
/// other memory fault prints `reproducer` and ends the process. At most 4096 tensors, which must outlive the watch.
void watch(std::span<const einc::HostTensor *const> tensors, const std::string &reproducer);

/// What was noted since `watch`.
std::optional<Touch> touched();

} // namespace ein::test
