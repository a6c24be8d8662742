// The one-liner.
#pragma once

#include "ein/Engine.h"

#include <memory>

namespace ein {

class LoadedKernel;

/// A tensor that owns its memory: 64-byte aligned, row-major.
class Buffer {
public:
  /// Takes dtype and shape of `type`; its content is undefined. Without data if there is no memory for it.
  explicit Buffer(TensorType type);
  /// Row-major view of the whole buffer.
  TensorView view() const { return TensorView(memory.get(), tensorType); }
  const TensorType &type() const { return tensorType; }
  /// Requires `T` to be the element type.
  template <class T> T *data() const {
    assert(DTypeOf<T>::value == tensorType.dtype);
    return static_cast<T *>(memory.get());
  }

private:
  friend Expected<Buffer> runForNew(const LoadedKernel &, std::span<const TensorView>, const CompileOptions &);
  Buffer(TensorType rowMajor, std::shared_ptr<void> memory)
      : tensorType(std::move(rowMajor)), memory(std::move(memory)) {}

  TensorType tensorType;
  std::shared_ptr<void> memory;
};

/// numpy's einsum on the global engine: `auto c = ein::einsum("ik,kj->ij", {a, b});`
/// The text may also be a Program with one result. Thread-safe.
Expected<Buffer> einsum(std::string_view text, std::span<const TensorView> operands,
                        const CompileOptions &options = {});
inline Expected<Buffer> einsum(std::string_view text, std::initializer_list<TensorView> operands,
                               const CompileOptions &options = {}) {
  return einsum(text, std::span<const TensorView>(operands.begin(), operands.size()), options);
}

} // namespace ein
