// Devices, their memory and streams.
#include "ein/Device.h"
#include "runtime/Cuda/Context.h"
#include "runtime/Cuda/DeviceCache.h"

#include <array>

namespace ein {
namespace {

/// The target for a compute capability: the GPU's own, else the newest older one whose code runs on it.
Target targetFor(int computeCapability) {
  Target target;
  int best = 0;
  for (const char *name :
       {"sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_100a", "sm_120", "sm_120a"}) {
    const GpuName &gpu = *findGpu(name);
    const bool fits =
        gpu.isSpecific ? gpu.computeCapability == computeCapability : gpu.computeCapability <= computeCapability;
    if (fits && gpu.computeCapability >= best) best = gpu.computeCapability, target.gpu = name;
  }
  return target;
}

/// What the driver says of a GPU; an error where it says nothing.
Expected<DeviceInfo> describe(const cuda::Driver &driver, int ordinal, cuda::DeviceHandle &device) {
  auto failure = [&](const char *call, cuda::Result r) {
    return makeError(ErrorCode::DeviceMissing,
                     "no CUDA device " + std::to_string(ordinal) + ": " + driver.describe(call, r));
  };
  std::array<char, 256> name{};
  int major = 0, minor = 0;
  DeviceInfo info;
  if (auto r = driver.deviceGet(&device, ordinal)) return failure("cuDeviceGet", r);
  if (auto r = driver.deviceGetName(name.data(), int(name.size()) - 1, device)) return failure("cuDeviceGetName", r);
  for (auto [attribute, value] : {std::pair(cuda::DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major),
                                  {cuda::DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor},
                                  {cuda::DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &info.multiprocessors}})
    if (auto r = driver.deviceGetAttribute(value, attribute, device)) return failure("cuDeviceGetAttribute", r);
  info.name = name.data();
  info.computeCapability = major * 10 + minor;
  info.target = targetFor(info.computeCapability);
  return info;
}

} // namespace

DeviceReport findDevices() {
  DeviceReport report;
  auto driver = cuda::driver();
  if (!driver) return report.why = driver.error().message, report;
  report.driverVersion = (*driver)->version;
  int count = 0;
  if (auto r = (*driver)->deviceGetCount(&count))
    return report.why = (*driver)->describe("cuDeviceGetCount", r), report;
  if (count == 0) report.why = "no CUDA device: the driver has none";
  for (int i = 0; i < count; ++i) {
    cuda::DeviceHandle device;
    auto info = describe(**driver, i, device);
    if (!info) return report.why = info.error().message, report;
    report.devices.push_back(std::move(*info));
  }
  return report;
}

Expected<std::shared_ptr<CudaContext>> CudaContext::open(int ordinal) {
  auto driver = cuda::driver();
  if (!driver) return driver.error();
  cuda::DeviceHandle device = 0;
  auto info = describe(**driver, ordinal, device);
  if (!info) return info.error();
  if (!info->target.isGpu())
    return makeError(ErrorCode::DeviceMissing,
                     "no CUDA device that can be used: " + info->name + " has compute capability " +
                         std::to_string(info->computeCapability / 10) + "." +
                         std::to_string(info->computeCapability % 10),
                     "ein compiles for compute capability 8.0 and newer");
  cuda::ContextHandle handle = nullptr;
  if (auto r = (*driver)->primaryContextRetain(&handle, device))
    return makeError(ErrorCode::DeviceMissing,
                     "no CUDA device that can be used: " + (*driver)->describe("cuDevicePrimaryCtxRetain", r));
  // Workspaces are taken from the pool and given back to it by every launch: it keeps what it has.
  cuda::PoolHandle pool = nullptr;
  uint64_t everything = UINT64_MAX;
  if ((*driver)->deviceGetDefaultMemPool(&pool, device) == 0)
    (*driver)->memPoolSetAttribute(pool, cuda::MEMPOOL_ATTR_RELEASE_THRESHOLD, &everything);
  return std::shared_ptr<CudaContext>(new CudaContext(**driver, std::move(*info), device, handle));
}

CudaContext::~CudaContext() { driver.primaryContextRelease(device); }

Device::Device(std::shared_ptr<CudaContext> context)
    : context(std::move(context)), cache(std::make_shared<DeviceCache>()) {}

Expected<Device> Device::open(int ordinal) {
  auto context = CudaContext::open(ordinal);
  if (!context) return context.error();
  return Device(std::move(*context));
}

const DeviceInfo &Device::info() const { return context->info; }
int Device::driverVersion() const { return context->driver.version; }

Stream Stream::wrap(void *handle) {
  return Stream(nullptr, std::shared_ptr<void>(handle, [](void *) {}));
}

Expected<Stream> Device::makeStream() const {
  const CudaContext::Scope scope(*context);
  cuda::StreamHandle handle = nullptr;
  if (auto r = context->driver.streamCreate(&handle, cuda::STREAM_NON_BLOCKING))
    return context->failure("cuStreamCreate", r);
  auto destroy = [context = context](void *stream) {
    const CudaContext::Scope scope(*context);
    context->driver.streamDestroy(stream);
  };
  return Stream(context, std::shared_ptr<void>(handle, destroy));
}

Expected<void> Stream::synchronize() const {
  auto driver = cuda::driver();
  if (!driver) return driver.error();
  if (auto r = (*driver)->streamSynchronize(handle()))
    return makeError(ErrorCode::Run,
                     "what was put into the stream failed: " + (*driver)->describe("cuStreamSynchronize", r));
  return {};
}

Expected<Buffer> Device::allocate(size_t bytes) const {
  const CudaContext::Scope scope(*context);
  cuda::Address address = 0;
  if (auto r = context->driver.memAlloc(&address, std::max<size_t>(1, bytes))) {
    Error error = context->failure("cuMemAlloc", r);
    error.message = std::to_string(bytes) + " bytes of device memory: " + error.message;
    return error;
  }
  auto free = [context = context](void *memory) {
    const CudaContext::Scope scope(*context);
    context->driver.memFree(reinterpret_cast<cuda::Address>(memory));
  };
  return Buffer(context, std::shared_ptr<void>(reinterpret_cast<void *>(address), free), bytes);
}

Expected<void> Buffer::copyIn(const void *host, const Stream &stream, void *at, size_t count) const {
  if (count == 0) return {};
  const CudaContext::Scope scope(*context);
  if (auto r = context->driver.copyToDevice(reinterpret_cast<cuda::Address>(at), host, count, stream.handle()))
    return context->failure("cuMemcpyHtoDAsync", r);
  return stream.synchronize();
}

Expected<void> Buffer::copyOut(void *host, const Stream &stream, const void *at, size_t count) const {
  if (count == 0) return {};
  const CudaContext::Scope scope(*context);
  if (auto r = context->driver.copyToHost(host, reinterpret_cast<cuda::Address>(at), count, stream.handle()))
    return context->failure("cuMemcpyDtoHAsync", r);
  return stream.synchronize();
}

} // namespace ein
