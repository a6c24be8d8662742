// Kernels from disk, from the compiler, and generic ones.
#include "runtime/KernelSource.h"
#include "runtime/DiskKey.h"
#include "runtime/TunedPlans.h"

namespace ein {

KernelSource::KernelSource(bool usesDisk) {
  if (RecompileLog::isWanted()) recompiles.emplace();
  if (usesDisk) diskCache = DiskCache::fromEnvironment();
}

Expected<KernelSource::Order> KernelSource::order(CompileRequest request, const std::vector<TensorType> &operands) {
  if (recompiles) recompiles->compiling(request, operands);
  for (size_t i = 0; i < request.operands.size(); ++i)
    if (auto fine = request.operands[i].verify(); !fine) {
      fine.error().message = "operand " + std::to_string(i) + ": " + fine.error().message;
      return fine.error();
    }
  if (request.options.plans.empty()) request.options.plans = loadTunedPlans(request);
  std::string key = diskCache ? diskKey(request) : std::string();
  return Order{std::move(request), std::move(key)};
}

KernelSource::KernelPointer KernelSource::fromDisk(const Order &order) {
  if (!diskCache) return nullptr;
  auto module = diskCache->get(order.diskKey);
  if (!module) return nullptr;
  // Whoever compiled it may have spelled the text and the strides of extents 1 in another way.
  module->key = order.request.keyText();
  module->operands = order.request.operands;
  auto kernel = LoadedKernel::load(std::move(*module));
  if (!kernel) return nullptr;
  ++diskHits;
  return *kernel;
}

Expected<KernelSource::KernelPointer> KernelSource::compile(const Order &order) {
  ++compiles;
  auto result = ein::compile(order.request);
  if (!result) return result.error();
  auto kernel = LoadedKernel::load(std::move(result->module));
  if (kernel && diskCache && diskCache->put(order.diskKey, (*kernel)->module())) ++diskWrites;
  return kernel;
}

Expected<KernelSource::KernelPointer> KernelSource::generic(const Order &order) {
  CompiledModule types;
  auto code = GenericCode::make(order.request, types);
  if (!code) return code.error();
  return *code ? LoadedKernel::makeGeneric(std::move(types), std::move(**code)) : nullptr;
}

} // namespace ein
