// The public handle to a loaded kernel.
#include "ein/Kernel.h"
#include "runtime/LoadedKernel.h"

namespace ein {

Expected<void> Kernel::run(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  return loaded->run(operands, results);
}

bool Kernel::runUnchecked(void *const *operands, void *const *results) const { return loaded->call(operands, results); }

Expected<std::vector<TensorType>> Kernel::resultsFor(std::span<const TensorType> operands) const {
  return loaded->resultsFor(operands);
}

const CompiledModule &Kernel::module() const { return loaded->module(); }

} // namespace ein
