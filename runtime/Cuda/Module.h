// A module that the driver has loaded: what a DeviceKernel holds.
#pragma once

#include "runtime/Cuda/Context.h"

#include <array>
#include <mutex>

namespace ein {

/// Immutable but for its cache of tensor maps; any number of threads may launch it at once.
class CudaModule {
public:
  /// `cubin`: what the driver made of the module's code.
  static Expected<std::shared_ptr<const CudaModule>> load(std::shared_ptr<CudaContext> context, CompiledModule module,
                                                          const std::string &cubin);
  ~CudaModule();
  CudaModule(const CudaModule &) = delete;
  CudaModule &operator=(const CudaModule &) = delete;

  const CompiledModule &module() const { return compiled; }
  const CudaContext &device() const { return *context; }

  /// What the kernels rely on: types, extents and strides, alignment.
  Expected<void> check(std::span<const TensorView> operands, std::span<const TensorView> results) const;
  /// Puts all launches into a stream, without a check.
  Expected<void> launch(std::span<const TensorView> operands, std::span<const TensorView> results,
                        cuda::StreamHandle stream) const;

private:
  /// The tensor maps of one argument, by the address that they are for; the next one to go is `next`.
  struct MapCache {
    static constexpr size_t kMaps = 8;
    std::mutex mutex;
    size_t next = 0;
    std::array<std::pair<cuda::Address, cuda::TensorMap>, kMaps> maps{};
  };
  /// One launch with its function and room for what its arguments point to.
  struct Entry {
    const GpuLaunch *launch;
    cuda::FunctionHandle function;
    unsigned gridX;                              ///< of a persistent launch as many as there are multiprocessors
    std::vector<std::unique_ptr<MapCache>> maps; ///< by argument; null for those of other kinds
  };
  /// The value of one argument, of whichever kind.
  union ArgumentValue {
    cuda::Address address;
    int32_t i32;
    int64_t i64;
    float f32;
    cuda::TensorMap map;
  };

  CudaModule(std::shared_ptr<CudaContext> context, CompiledModule module)
      : context(std::move(context)), compiled(std::move(module)) {}
  Expected<void> findFunctions();
  Expected<void> launchAll(std::span<const TensorView> operands, std::span<const TensorView> results,
                           cuda::Address workspace, cuda::StreamHandle stream) const;
  Expected<void> fill(ArgumentValue &value, const GpuArgument &argument, cuda::Address address, MapCache *maps) const;
  /// The error of a call, with the kernel's name and expression.
  Error failure(const char *call, cuda::Result result, const std::string &kernel) const;

  std::shared_ptr<CudaContext> context;
  CompiledModule compiled;
  cuda::ModuleHandle handle = nullptr;
  std::vector<Entry> entries;
};

/// What the driver makes of PTX text, or its complaint.
Expected<std::string> compilePtx(const CudaContext &context, const std::string &ptx);

} // namespace ein
