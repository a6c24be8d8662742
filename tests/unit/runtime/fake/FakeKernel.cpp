// The code of a fake kernel: copies `bytes` bytes of operand 0 to result 0. FakeCompiler.cpp finds the two
// patterns in the image and puts the real numbers in their place.
#include <cstdint>

extern "C" {
volatile const uint64_t fakeBytes = 0x5a17c0de5a17c0de;
volatile const uint64_t fakeWorkspace = 0x3a17c0de3a17c0de;

__attribute__((visibility("default"))) void fake_entry(void *const *operands, void *const *results, void *workspace) {
  // Every byte of the workspace is there and it is aligned; else the result stays as it is.
  if (reinterpret_cast<uintptr_t>(workspace) % 64 != 0) return;
  for (uint64_t i = 0; i < fakeWorkspace; ++i) static_cast<volatile char *>(workspace)[i] = 1;
  const char *from = static_cast<const char *>(operands[0]);
  char *to = static_cast<char *>(results[0]);
  for (uint64_t i = 0; i < fakeBytes; ++i) to[i] = from[i];
}
}
