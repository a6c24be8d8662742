// Puts the code of a module into memory.
#pragma once

#include "ein/CompiledModule.h"

#include <utility>

namespace ein {

/// The signature of a module's entry; see CompiledModule.
using EntryFunction = void(void *const *operands, void *const *results, void *workspace);
/// The signatures of a module with dynamic indices.
using SizedEntryFunction = void(void *const *operands, void *const *results, void *workspace, const int64_t *sizes);
using BytesFunction = int64_t(const int64_t *sizes);

/// Loaded code; unloads it when destroyed.
class CodeImage {
public:
  /// No code.
  CodeImage() = default;
  /// Loads an ELF shared object from its bytes, through an anonymous file: what runs are the very bytes
  /// given. Refuses an image with a segment or a stack that is writable and executable. For a module
  /// with several threads makes the OpenMP runtime's symbols global first.
  static Expected<CodeImage> load(const CompiledModule &module);

  CodeImage(CodeImage &&other) noexcept
      : handle(std::exchange(other.handle, nullptr)), entryFunction(other.entryFunction),
        bytesFunction(other.bytesFunction) {}
  CodeImage &operator=(CodeImage &&) = delete;
  ~CodeImage();

  EntryFunction *entry() const { return reinterpret_cast<EntryFunction *>(entryFunction); }
  /// Of a module with dynamic indices.
  SizedEntryFunction *sizedEntry() const { return reinterpret_cast<SizedEntryFunction *>(entryFunction); }
  BytesFunction *bytes() const { return reinterpret_cast<BytesFunction *>(bytesFunction); }

private:
  CodeImage(void *handle, void *entry, void *bytes) : handle(handle), entryFunction(entry), bytesFunction(bytes) {}
  void *handle = nullptr, *entryFunction = nullptr, *bytesFunction = nullptr;
};

} // namespace ein
