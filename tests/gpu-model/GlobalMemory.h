// Global memory: the buffers that a kernel may touch, and who touched them.
#pragma once

#include "tests/gpu-model/Shadow.h"

#include <memory>
#include <string>

namespace ein::gpumodel {

/// A range of host memory that stands for device memory.
struct GlobalBuffer {
  std::string name; ///< "operand 0"
  uint8_t *data = nullptr;
  size_t bytes = 0;
  bool writable = true;    ///< false: every write is a fault
  bool initialised = true; ///< false: reading what was not written is a fault
};

class GlobalMemory {
public:
  void add(GlobalBuffer buffer);
  /// A launch ends: what it wrote stays, what it did is before everything that follows.
  void endLaunch();

  /// Checks and remembers an access; where there is none to be, says so.
  std::optional<Trouble> access(const void *pointer, size_t bytes, Access kind, const Actor &actor);
  /// The name of the place for a report: "result 0 + 128".
  std::string place(const void *pointer);

private:
  struct Entry {
    GlobalBuffer buffer;
    WordShadow shadow; ///< only of what is writable
  };
  Entry *lookUp(const void *pointer, size_t bytes);
  std::vector<std::unique_ptr<Entry>> entries;
  Entry *last = nullptr;
};

} // namespace ein::gpumodel
