// Puts the code of a module into memory.
#pragma once

#include "ein/CompiledModule.h"

#include <utility>

namespace ein {

/// The signature of a module's entry; see CompiledModule.
using EntryFunction = void(void *const *operands, void *const *results, void *workspace);

/// Loaded code; unloads it when destroyed.
class CodeImage {
public:
  /// Loads an ELF shared object from its bytes, through an anonymous file: what runs are the very bytes
  /// given. Refuses an image with a segment or a stack that is writable and executable. For a module
  /// with several threads makes the OpenMP runtime's symbols global first.
  static Expected<CodeImage> load(const CompiledModule &module);

  CodeImage(CodeImage &&other) noexcept
      : handle(std::exchange(other.handle, nullptr)), entryFunction(other.entryFunction) {}
  CodeImage &operator=(CodeImage &&) = delete;
  ~CodeImage();

  EntryFunction *entry() const { return entryFunction; }

private:
  CodeImage(void *handle, EntryFunction *entry) : handle(handle), entryFunction(entry) {}
  void *handle;
  EntryFunction *entryFunction;
};

} // namespace ein
