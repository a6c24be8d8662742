// Memory that notices a kernel which leaves its tensors.
#pragma once

#include "tools/einc/HostTensor.h"

#include <optional>
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

/// What to print should the process die of a memory fault from here on.
void announce(const std::string &reproducer);

} // namespace ein::test
