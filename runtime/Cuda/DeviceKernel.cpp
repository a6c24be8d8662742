// Kernels on a device: compiled or found on disk, loaded, launched, timed.
#include "ein/Compile.h"
#include "runtime/Cuda/DeviceCache.h"
#include "runtime/Cuda/Module.h"
#include "runtime/DiskCache.h"
#include "runtime/DiskKey.h"
#include "runtime/Environment.h"
#include "runtime/KernelKey.h"

namespace ein {
namespace {

/// The key of what the driver makes of PTX: the text by its hash, the GPU, the driver.
std::string cubinKey(const CudaContext &context, const CompiledModule &module) {
  return "cubin of " + DiskCache::nameOf(module.code) + ", " + std::to_string(module.code.size()) +
         " bytes; compute capability " + std::to_string(context.info.computeCapability) + ", driver " +
         std::to_string(context.driver.version);
}

/// The PTX as the driver compiles it, kept on disk.
Expected<std::string> cubinOf(const CudaContext &context, const CompiledModule &module) {
  const std::optional<DiskCache> disk = DiskCache::fromEnvironment();
  const std::string key = disk ? cubinKey(context, module) : std::string();
  if (disk)
    if (auto known = disk->get(key)) return std::move(known->code);
  auto cubin = compilePtx(context, module.code);
  if (!cubin || !disk) return cubin;
  CompiledModule entry;
  entry.key = key;
  entry.code = *cubin;
  disk->put(key, entry);
  return cubin;
}

Expected<CompiledModule> compiledModule(const CompileRequest &request) {
  const std::optional<DiskCache> disk = DiskCache::fromEnvironment();
  const std::string key = disk ? diskKey(request) : std::string();
  if (disk)
    if (auto known = disk->get(key)) {
      // Whoever compiled it may have spelled the text and the strides of extents 1 in another way.
      known->key = request.keyText();
      known->operands = request.operands;
      return std::move(*known);
    }
  auto result = ein::compile(request);
  if (!result) return result.error();
  if (disk) disk->put(key, result->module);
  return std::move(result->module);
}

} // namespace

Expected<DeviceKernel> Device::load(CompiledModule module) const {
  const GpuName *gpu = findGpu(module.gpu);
  const int here = info().computeCapability;
  if (!gpu)
    return makeError(ErrorCode::Unsupported, "the kernel is for a CPU", "compile it for " + info().target.str());
  if (gpu->isSpecific ? gpu->computeCapability != here : gpu->computeCapability > here)
    return makeError(ErrorCode::Unsupported, "the kernel is for cuda:" + module.gpu + ", this is " + info().name,
                     "compile it for " + info().target.str());
  for (const auto *types : {&module.operands, &module.results})
    for (const TensorType &type : *types)
      if (auto fine = type.verify(); !fine) return fine.error();
  auto cubin = module.launches.empty() ? Expected<std::string>(std::string()) : cubinOf(*context, module);
  if (!cubin) return cubin.error();
  auto loaded = CudaModule::load(context, std::move(module), *cubin);
  if (!loaded) return loaded.error();
  return DeviceKernel(std::move(*loaded));
}

Expected<DeviceKernel> Device::compile(std::string_view text, std::span<const TensorType> operands,
                                       const CompileOptions &options) const {
  CompileRequest request;
  request.text = text;
  request.operands.assign(operands.begin(), operands.end());
  request.options = options;
  request.options.threads = 1;
  if (!options.target.isGpu()) request.options.target = info().target;
  for (size_t i = 0; i < operands.size(); ++i)
    if (auto fine = operands[i].verify(); !fine) {
      fine.error().message = "operand " + std::to_string(i) + ": " + fine.error().message;
      return fine.error();
    }
  KernelKey key;
  key.add(text);
  key.add(operands.size());
  for (const TensorType &operand : operands) key.add(operand);
  key.add(request.options, request.options.threads);
  auto kernel = cache->get(key.bytes(), [&]() -> Expected<DeviceCache::Module> {
    auto module = compiledModule(request);
    if (!module) return module.error();
    auto made = load(std::move(*module));
    if (!made) return made.error();
    return made->loaded;
  });
  if (!kernel) return kernel.error();
  return DeviceKernel(std::move(*kernel));
}

const CompiledModule &DeviceKernel::module() const { return loaded->module(); }

Expected<void> DeviceKernel::launch(std::span<const TensorView> operands, std::span<const TensorView> results,
                                    const Stream &stream) const {
  if (auto fine = loaded->check(operands, results); !fine) return fine;
  return loaded->launch(operands, results, stream.handle());
}

namespace {

/// Events around launches, destroyed whatever happens.
class Events {
public:
  explicit Events(const CudaContext &context) : context(context) {}
  ~Events() {
    for (cuda::EventHandle event : events) context.driver.eventDestroy(event);
  }
  Events(const Events &) = delete;
  Events &operator=(const Events &) = delete;

  Expected<void> record(cuda::StreamHandle stream) {
    cuda::EventHandle event = nullptr;
    if (auto r = context.driver.eventCreate(&event, 0)) return context.failure("cuEventCreate", r);
    events.push_back(event);
    if (auto r = context.driver.eventRecord(event, stream)) return context.failure("cuEventRecord", r);
    return {};
  }
  Expected<std::vector<float>> differences() const {
    std::vector<float> times(events.size() - 1);
    for (size_t i = 0; i < times.size(); ++i)
      if (auto r = context.driver.eventElapsedTime(&times[i], events[i], events[i + 1]))
        return context.failure("cuEventElapsedTime", r);
    return times;
  }

private:
  const CudaContext &context;
  std::vector<cuda::EventHandle> events;
};

} // namespace

Expected<std::vector<float>> DeviceKernel::time(std::span<const TensorView> operands,
                                                std::span<const TensorView> results, const Stream &stream,
                                                int runs) const {
  if (auto fine = loaded->check(operands, results); !fine) return fine.error();
  const CudaContext::Scope scope(loaded->device());
  Events events(loaded->device());
  if (auto fine = events.record(stream.handle()); !fine) return fine.error();
  for (int i = 0; i < runs; ++i) {
    if (auto fine = loaded->launch(operands, results, stream.handle()); !fine) return fine.error();
    if (auto fine = events.record(stream.handle()); !fine) return fine.error();
  }
  if (auto fine = stream.synchronize(); !fine) return fine.error();
  return events.differences();
}

} // namespace ein
