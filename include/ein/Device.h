// NVIDIA GPUs: devices, their memory, streams, and kernels that are compiled for them.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/CompiledModule.h"
#include "ein/TensorView.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

class CudaContext;
class CudaModule;
class DeviceCache;

/// What the CUDA driver says of one GPU.
struct DeviceInfo {
  std::string name;          ///< "NVIDIA H200"
  int computeCapability = 0; ///< 90
  int multiprocessors = 0;
  Target target; ///< what to compile for; of a GPU older than compute capability 8.0 a CPU

  friend bool operator==(const DeviceInfo &, const DeviceInfo &) = default;
};

/// What this machine has. The driver's library is looked for at the first question.
struct DeviceReport {
  int driverVersion = 0; ///< as the driver says: 12040 is 12.4; 0 without a driver
  std::vector<DeviceInfo> devices;
  std::string why; ///< there is none that can be used
};
DeviceReport findDevices();

/// An order in which a GPU works: launches and copies of one stream run one after the other. Copying shares it.
class Stream {
public:
  /// A stream of the driver that somebody else made, and keeps: a CUstream or a cudaStream_t.
  static Stream wrap(void *handle);

  void *handle() const { return stream.get(); }
  /// Waits for all that was put in, and reports what went wrong on the way.
  Expected<void> synchronize() const;

private:
  friend class Device;
  Stream(std::shared_ptr<CudaContext> context, std::shared_ptr<void> stream)
      : context(std::move(context)), stream(std::move(stream)) {}
  std::shared_ptr<CudaContext> context; ///< null of a stream that was wrapped
  std::shared_ptr<void> stream;
};

/// Memory of a GPU, from its address on a multiple of 256. Copying shares it; it is freed with the last copy.
class Buffer {
public:
  void *data() const { return memory.get(); }
  size_t size() const { return bytes; }
  /// From and to memory of the host, `count` bytes from an address within the buffer on. They return when the stream
  /// has done it.
  Expected<void> copyIn(const void *host, const Stream &stream, void *at, size_t count) const;
  Expected<void> copyOut(void *host, const Stream &stream, const void *at, size_t count) const;

private:
  friend class Device;
  Buffer(std::shared_ptr<CudaContext> context, std::shared_ptr<void> memory, size_t bytes)
      : context(std::move(context)), memory(std::move(memory)), bytes(bytes) {}
  std::shared_ptr<CudaContext> context;
  std::shared_ptr<void> memory;
  size_t bytes = 0;
};

/// A module on a GPU, ready to be launched. Copying is cheap; any number of threads may launch it at once.
class DeviceKernel {
public:
  /// Checks operands and results against the compiled types, then puts the launches into the stream. Their `data` are
  /// device addresses, multiples of 16 bytes; results overlap nothing. Waits for nothing and allocates from the
  /// stream-ordered pool only, so that it can be captured into a graph. What a kernel does wrong while it runs is
  /// reported by the stream's next `synchronize`.
  Expected<void> launch(std::span<const TensorView> operands, std::span<const TensorView> results,
                        const Stream &stream) const;
  /// Milliseconds that each of `runs` launches takes on the GPU, by events around every one of them; synchronises.
  Expected<std::vector<float>> time(std::span<const TensorView> operands, std::span<const TensorView> results,
                                    const Stream &stream, int runs) const;

  const CompiledModule &module() const;
  const std::vector<TensorType> &operands() const { return module().operands; }
  const std::vector<TensorType> &results() const { return module().results; }

private:
  friend class Device;
  explicit DeviceKernel(std::shared_ptr<const CudaModule> loaded) : loaded(std::move(loaded)) {}
  std::shared_ptr<const CudaModule> loaded;
};

/// A GPU of this machine with the driver's primary context, which others in this process share. Copying is cheap.
/// Thread-safe. Without a driver or a GPU all that there is of it is an error of code `DeviceMissing`, which says why.
class Device {
public:
  static Expected<Device> open(int ordinal = 0);

  const DeviceInfo &info() const;
  /// 12040 is 12.4.
  int driverVersion() const;

  Expected<Stream> makeStream() const;
  Expected<Buffer> allocate(size_t bytes) const;
  /// The kernel of a text for this GPU: from memory, from the disk cache, or compiled. `options.target` may name a GPU;
  /// any other is replaced by this one's. Kernels stay in memory as long as a copy of this device or of the kernel
  /// lives.
  Expected<DeviceKernel> compile(std::string_view text, std::span<const TensorType> operands,
                                 const CompileOptions &options = {}) const;
  /// Hands the PTX of a module to the driver, or takes what the driver made of it before from the disk cache.
  Expected<DeviceKernel> load(CompiledModule module) const;

private:
  explicit Device(std::shared_ptr<CudaContext> context);
  std::shared_ptr<CudaContext> context;
  std::shared_ptr<DeviceCache> cache;
};

} // namespace ein
