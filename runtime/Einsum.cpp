// Buffers and the one-line einsum.
#include "ein/Einsum.h"
#include "runtime/LoadedKernel.h"
#include "runtime/Memory.h"
#include "runtime/NewResult.h"

namespace ein {

/// For a valid type; null if there is not enough.
static std::shared_ptr<void> memoryFor(const TensorType &type) {
  const auto bytes = static_cast<size_t>(type.numElements() * byteSize(type.dtype));
  constexpr size_t kSmall = 4096;
  if (bytes > kSmall) return {allocateAligned(bytes), freeAligned};
  // One allocation with the count, of the ordinary kind: most of what a small einsum costs is allocation.
  auto block = std::make_shared_for_overwrite<char[]>(bytes + kAlignment);
  const size_t past = reinterpret_cast<uintptr_t>(block.get()) % kAlignment;
  return std::shared_ptr<void>(block, block.get() + (kAlignment - past));
}

Buffer::Buffer(TensorType type) : tensorType(type.dtype, std::move(type.shape)) {
  if (tensorType.verify()) memory = memoryFor(tensorType);
}

Expected<Buffer> runForNew(const LoadedKernel &kernel, std::span<const TensorView> operands,
                           const CompileOptions &options) {
  const std::vector<TensorType> &results = kernel.module().results;
  if (results.size() != 1)
    return makeError(ErrorCode::Unsupported,
                     "einsum returns one result, the Program has " + std::to_string(results.size()),
                     "compile a kernel and run it on memory of your own");
  // Row-major, and its type moves on into the buffer: a copy would be most of what a small einsum costs.
  TensorType type = results[0];
  if (!options.dynamic.empty()) {
    std::vector<TensorType> types;
    for (const TensorView &view : operands) types.push_back(view.type);
    auto sized = kernel.resultsFor(types);
    if (!sized) return sized.error();
    type = std::move((*sized)[0]);
  }
  std::shared_ptr<void> memory = memoryFor(type);
  if (!memory) return makeError(ErrorCode::Limit, "no memory for a result of type " + type.str());
  TensorView result(memory.get(), std::move(type));
  if (auto done = kernel.run(operands, {&result, 1}); !done) return done.error();
  return Buffer(std::move(result.type), std::move(memory));
}

Expected<Buffer> einsum(std::string_view text, std::span<const TensorView> operands, const CompileOptions &options) {
  return Engine::global().einsum(text, operands, options);
}

} // namespace ein
