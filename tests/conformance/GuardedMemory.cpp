// Memory that notices a kernel which leaves its tensors.
#include "tests/conformance/GuardedMemory.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace ein::test {
namespace {

constexpr int64_t kPage = 4096;

/// Whole pages for `bytes`.
int64_t pagesFor(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

struct Block {
  char *begin; ///< of the pages that may be touched
  int64_t bytes;
};

/// The pages around a tensor's storage: what `guardedTensor` mapped.
Block blockOf(const einc::HostTensor &tensor) {
  const int64_t bytes = einc::storageElements(tensor.view.type) * byteSize(tensor.view.type.dtype);
  const auto address = reinterpret_cast<uintptr_t>(tensor.memory.get());
  // A tensor that begins a block begins a page; else it ends where the block does.
  const uintptr_t end = pagesFor(static_cast<int64_t>(address) + bytes);
  return {reinterpret_cast<char *>(end) - pagesFor(bytes), pagesFor(bytes)};
}

/// Calls `use` with a pattern as wide as an element: NaN in every float.
template <class Use> auto withPattern(int64_t bytes, Use use) {
  constexpr uint64_t signalling64 = 0x7ff4000000000001;
  switch (bytes) {
  case 1: return use(uint8_t(0xa5));
  case 2: return use(uint16_t(0x7fa1));
  case 4: return use(uint32_t(0x7fa00001));
  case 8: return use(signalling64);
  default: return use(static_cast<unsigned __int128>(signalling64) << 64 | signalling64);
  }
}

template <class Bits> void fill(Block block, Bits pattern) {
  for (int64_t i = 0; i < block.bytes / int64_t(sizeof(Bits)); ++i) {
    std::memcpy(block.begin + i * int64_t(sizeof(Bits)), &pattern, sizeof pattern);
  }
}

template <class Bits>
std::optional<int64_t> findWritten(Block block, int64_t first, const std::vector<bool> &isElement, Bits pattern) {
  for (int64_t i = 0; i < block.bytes / int64_t(sizeof(Bits)); ++i) {
    const int64_t offset = i - first;
    const bool inside = offset >= 0 && offset < int64_t(isElement.size()) && isElement[offset];
    if (!inside && std::memcmp(block.begin + i * int64_t(sizeof(Bits)), &pattern, sizeof pattern) != 0) return offset;
  }
  return {};
}

/// Which offsets of the storage belong to elements.
std::vector<bool> elementsOf(const TensorType &type) {
  std::vector<bool> isElement(einc::storageElements(type), false);
  if (type.numElements() == 0) return isElement;
  int64_t low = 0, high = 0;
  type.addressRange(low, high);
  std::vector<int64_t> at(type.rank(), 0);
  int64_t offset = -low;
  while (true) {
    isElement[offset] = true;
    int64_t d = type.rank() - 1;
    for (; d >= 0 && ++at[d] == type.shape[d]; --d) {
      offset -= (type.shape[d] - 1) * type.strides[d];
      at[d] = 0;
    }
    if (d < 0) return isElement;
    offset += type.strides[d];
  }
}

/// The watch: what a signal handler may look at.
struct {
  std::array<Block, 4096> blocks;
  std::array<const char *, 4096> storage;
  size_t count = 0;
  std::atomic<bool> isTouched = false;
  Touch touch;
  char lastWords[1 << 14];
} watched;

/// Opens the guard page and notes it, or says what ran and lets the process die.
void onFault(int signal, siginfo_t *info, void *) {
  const char *page = reinterpret_cast<char *>(reinterpret_cast<uintptr_t>(info->si_addr) / kPage * kPage);
  for (size_t i = 0; i < watched.count; ++i) {
    const Block block = watched.blocks[i];
    if (page != block.begin - kPage && page != block.begin + block.bytes) continue;
    mprotect(const_cast<char *>(page), kPage, PROT_READ | PROT_WRITE);
    if (!watched.isTouched.exchange(true)) watched.touch = {i, static_cast<char *>(info->si_addr) - watched.storage[i]};
    return;
  }
  [[maybe_unused]] auto written = write(STDERR_FILENO, watched.lastWords, strlen(watched.lastWords));
  std::signal(signal, SIG_DFL);
}

} // namespace

einc::HostTensor guardedTensor(const TensorType &type, Guard guard) {
  int64_t low = 0, high = 0;
  type.addressRange(low, high);
  const int64_t bytes = (high - low) * byteSize(type.dtype);
  const int64_t mapped = pagesFor(bytes) + 2 * kPage;
  void *pages = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return {};
  char *begin = static_cast<char *>(pages) + kPage;
  mprotect(begin, pagesFor(bytes), PROT_READ | PROT_WRITE);
  char *storage = guard == Guard::Below ? begin : begin + pagesFor(bytes) - bytes;
  einc::HostTensor tensor;
  tensor.memory = std::shared_ptr<void>(storage, [pages, mapped](void *) { munmap(pages, mapped); });
  tensor.view = TensorView(storage - low * byteSize(type.dtype), type);
  return tensor;
}

void poison(const einc::HostTensor &tensor) {
  withPattern(byteSize(tensor.view.type.dtype), [&](auto pattern) { fill(blockOf(tensor), pattern); });
}

std::optional<int64_t> writtenOutside(const einc::HostTensor &tensor) {
  const Block block = blockOf(tensor);
  const std::vector<bool> isElement = elementsOf(tensor.view.type);
  const int64_t first = (static_cast<char *>(tensor.memory.get()) - block.begin) / byteSize(tensor.view.type.dtype);
  return withPattern(byteSize(tensor.view.type.dtype),
                     [&](auto pattern) { return findWritten(block, first, isElement, pattern); });
}

void watch(std::span<const einc::HostTensor *const> tensors, const std::string &reproducer) {
  watched.isTouched = false;
  watched.count = std::min(tensors.size(), watched.blocks.size());
  for (size_t i = 0; i < watched.count; ++i) {
    watched.blocks[i] = blockOf(*tensors[i]);
    watched.storage[i] = static_cast<char *>(tensors[i]->memory.get());
  }
  const std::string line = "\ndied in: " + reproducer + "\n";
  watched.lastWords[line.copy(watched.lastWords, sizeof watched.lastWords - 1)] = 0;
  struct sigaction action = {};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(signal, &action, nullptr);
}

std::optional<Touch> touched() {
  if (!watched.isTouched) return {};
  return watched.touch;
}

} // namespace ein::test
