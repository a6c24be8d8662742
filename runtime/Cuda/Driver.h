// The CUDA driver's functions, found in libcuda.so.1 at run time: nothing of CUDA is needed to build.
#pragma once

#include "ein/Error.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace ein::cuda {

using Result = int; ///< 0 is success
using DeviceHandle = int;
using ContextHandle = void *;
using ModuleHandle = void *;
using FunctionHandle = void *;
using StreamHandle = void *;
using EventHandle = void *;
using PoolHandle = void *;
using LinkHandle = void *;
using Address = unsigned long long;

/// 128 opaque bytes that describe a tensor to the tensor memory accelerator.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// Constants of cuda.h, by its names without CU_.
enum : int {
  DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
  MEMPOOL_ATTR_RELEASE_THRESHOLD = 4,
  STREAM_NON_BLOCKING = 1,
  JIT_ERROR_LOG_BUFFER = 5,
  JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
  JIT_INPUT_PTX = 1,
};

/// Every function: its name, what the library calls it, its parameters. All return a Result.
#define EIN_CUDA_FUNCTIONS(F)                                                                                          \
  F(init, "cuInit", (unsigned flags))                                                                                  \
  F(driverGetVersion, "cuDriverGetVersion", (int *version))                                                            \
  F(getErrorString, "cuGetErrorString", (Result result, const char **text))                                            \
  F(deviceGetCount, "cuDeviceGetCount", (int *count))                                                                  \
  F(deviceGet, "cuDeviceGet", (DeviceHandle * device, int ordinal))                                                    \
  F(deviceGetName, "cuDeviceGetName", (char *name, int length, DeviceHandle device))                                   \
  F(deviceGetAttribute, "cuDeviceGetAttribute", (int *value, int attribute, DeviceHandle device))                      \
  F(deviceGetDefaultMemPool, "cuDeviceGetDefaultMemPool", (PoolHandle * pool, DeviceHandle device))                    \
  F(memPoolSetAttribute, "cuMemPoolSetAttribute", (PoolHandle pool, int attribute, void *value))                       \
  F(primaryContextRetain, "cuDevicePrimaryCtxRetain", (ContextHandle * context, DeviceHandle device))                  \
  F(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceHandle device))                                      \
  F(contextPush, "cuCtxPushCurrent_v2", (ContextHandle context))                                                       \
  F(contextPop, "cuCtxPopCurrent_v2", (ContextHandle * context))                                                       \
  F(linkCreate, "cuLinkCreate_v2", (unsigned options, int *names, void **values, LinkHandle *link))                    \
  F(linkAddData, "cuLinkAddData_v2",                                                                                   \
    (LinkHandle link, int kind, void *data, size_t size, const char *name, unsigned options, int *names,               \
     void **values))                                                                                                   \
  F(linkComplete, "cuLinkComplete", (LinkHandle link, void **cubin, size_t *size))                                     \
  F(linkDestroy, "cuLinkDestroy", (LinkHandle link))                                                                   \
  F(moduleLoadData, "cuModuleLoadData", (ModuleHandle * module, const void *image))                                    \
  F(moduleUnload, "cuModuleUnload", (ModuleHandle module))                                                             \
  F(moduleGetFunction, "cuModuleGetFunction", (FunctionHandle * function, ModuleHandle module, const char *name))      \
  F(functionSetAttribute, "cuFuncSetAttribute", (FunctionHandle function, int attribute, int value))                   \
  F(launchKernel, "cuLaunchKernel",                                                                                    \
    (FunctionHandle function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,        \
     unsigned blockZ, unsigned sharedBytes, StreamHandle stream, void **parameters, void **extra))                     \
  F(memAlloc, "cuMemAlloc_v2", (Address * address, size_t bytes))                                                      \
  F(memFree, "cuMemFree_v2", (Address address))                                                                        \
  F(memAllocAsync, "cuMemAllocAsync", (Address * address, size_t bytes, StreamHandle stream))                          \
  F(memFreeAsync, "cuMemFreeAsync", (Address address, StreamHandle stream))                                            \
  F(copyToDevice, "cuMemcpyHtoDAsync_v2", (Address to, const void *from, size_t bytes, StreamHandle stream))           \
  F(copyToHost, "cuMemcpyDtoHAsync_v2", (void *to, Address from, size_t bytes, StreamHandle stream))                   \
  F(streamCreate, "cuStreamCreate", (StreamHandle * stream, unsigned flags))                                           \
  F(streamDestroy, "cuStreamDestroy_v2", (StreamHandle stream))                                                        \
  F(streamSynchronize, "cuStreamSynchronize", (StreamHandle stream))                                                   \
  F(eventCreate, "cuEventCreate", (EventHandle * event, unsigned flags))                                               \
  F(eventDestroy, "cuEventDestroy_v2", (EventHandle event))                                                            \
  F(eventRecord, "cuEventRecord", (EventHandle event, StreamHandle stream))                                            \
  F(eventElapsedTime, "cuEventElapsedTime", (float *milliseconds, EventHandle from, EventHandle to))

/// The driver: every function is there but `tensorMapEncodeTiled`, which drivers before CUDA 12 do not have.
struct Driver {
#define EIN_CUDA_MEMBER(name, symbol, parameters) Result(*name) parameters = nullptr;
  EIN_CUDA_FUNCTIONS(EIN_CUDA_MEMBER)
#undef EIN_CUDA_MEMBER
  Result (*tensorMapEncodeTiled)(TensorMap *map, int type, unsigned rank, void *address, const uint64_t *extents,
                                 const uint64_t *strideBytes, const uint32_t *box, const uint32_t *elementStrides,
                                 int interleave, int swizzle, int promotion, int fill) = nullptr;
  int version = 0; ///< 12040 is 12.4

  /// "cuLaunchKernel: invalid argument (1)".
  std::string describe(const char *call, Result result) const;
};

/// The driver of the library that EIN_CUDA_LIBRARY names, else of libcuda.so.1: loaded and initialised once per process
/// and library, never unloaded. An error of code DeviceMissing says what is missing.
Expected<const Driver *> driver();

} // namespace ein::cuda
