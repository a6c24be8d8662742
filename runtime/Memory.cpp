// Aligned memory and the workspace of each thread.
#include "runtime/Memory.h"

#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>

namespace ein {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;

/// Trivially destructible: a kernel may run after the thread-local destructors of the main thread did.
struct Workspace {
  void *memory;
  size_t size;
};
thread_local Workspace workspace;

struct WorkspaceOwner {
  ~WorkspaceOwner() {
    freeAligned(workspace.memory);
    workspace = {};
  }
};

} // namespace

void *allocateAligned(size_t bytes) {
  void *memory = nullptr;
  const bool huge = bytes >= kHugePage;
  if (posix_memalign(&memory, huge ? kHugePage : kAlignment, std::max(bytes, kAlignment)) != 0) return nullptr;
  // Whole pages only: the tail belongs to the allocator.
  if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return memory;
}

void freeAligned(void *memory) { std::free(memory); }

void *threadWorkspace(size_t bytes) {
  if (bytes <= workspace.size) return workspace.memory;
  static thread_local WorkspaceOwner owner;
  freeAligned(workspace.memory);
  // Grown by halves at least, so that a slowly growing need does not allocate each time.
  const size_t grown = std::max(bytes, workspace.size + workspace.size / 2);
  workspace = {allocateAligned(grown), grown};
  if (!workspace.memory) workspace = {};
  return workspace.memory;
}

} // namespace ein
