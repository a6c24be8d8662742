// Buffers and the one-line einsum.
#include "ein/Einsum.h"
#include "runtime/Memory.h"

namespace ein {

Buffer::Buffer(TensorType type) : tensorType(type.dtype, std::move(type.shape)) {
  if (tensorType.verify())
    memory.reset(allocateAligned(static_cast<size_t>(tensorType.numElements() * byteSize(tensorType.dtype))),
                 freeAligned);
}

Expected<Buffer> einsum(std::string_view text, std::span<const TensorView> operands, const CompileOptions &options) {
  if (!options.resultStrides.empty())
    return makeError(ErrorCode::Layout, "einsum makes a row-major result, but result strides are given",
                     "compile a kernel and run it on memory of your own");
  auto kernel = Engine::global().compile(text, operands, options);
  if (!kernel) return kernel.error();
  if (kernel->results().size() != 1)
    return makeError(ErrorCode::Unsupported,
                     "einsum returns one result, the Program has " + std::to_string(kernel->results().size()),
                     "compile a kernel and run it on memory of your own");
  Buffer result(kernel->results()[0]);
  const TensorView view = result.view();
  if (!view.data) return makeError(ErrorCode::Limit, "no memory for a result of type " + view.type.str());
  if (auto done = kernel->run(operands, {&view, 1}); !done) return done.error();
  return result;
}

} // namespace ein
