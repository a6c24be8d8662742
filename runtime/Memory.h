// Aligned memory for buffers and for the workspaces of kernels.
#pragma once

#include <cstddef>

namespace ein {

/// Alignment of every allocation below.
inline constexpr size_t kAlignment = 64;

/// At least `bytes` bytes, 64-byte aligned, on huge pages where there are 2 MiB or more; null if there
/// is not enough memory. Never null for 0. Freed with `freeAligned`.
void *allocateAligned(size_t bytes);
void freeAligned(void *memory);

/// This thread's workspace of at least `bytes` bytes; null if there is not enough memory. Its content is
/// undefined and it is valid until the thread's next call: kernels do not call back, so runs of one
/// thread never overlap. Grows, and is kept until the thread ends.
void *threadWorkspace(size_t bytes);

} // namespace ein
