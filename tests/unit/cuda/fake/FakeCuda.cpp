// The functions of libcuda.so.1 that ein asks for.
#include "tests/unit/cuda/fake/FakeCuda.h"
#include "runtime/Cuda/Driver.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kInvalidValue = 1, kInvalidPtx = 218, kNotFound = 500;

struct State {
  int computeCapability = 90;
  std::string calls;
  std::map<std::string, std::pair<int, int>> failures; // calls left, result
  int alive = 0;
  bool quiet = false;
  std::set<std::string> names; // of functions that were asked for: their handles
};

State &state() {
  static State s;
  return s;
}

/// Records a call; its result, 0 unless it is to fail.
int called(const std::string &function, const std::string &details = "") {
  if (state().quiet) return 0;
  state().calls += function + (details.empty() ? "" : " " + details) + "\n";
  auto failure = state().failures.find(function);
  if (failure == state().failures.end() || --failure->second.first > 0) return 0;
  const int result = failure->second.second;
  state().failures.erase(failure);
  return result;
}

/// Makes something with an address of its own.
int made(const char *function, void **handle) {
  if (int r = called(function)) return r;
  *handle = std::malloc(1);
  ++state().alive;
  return 0;
}

int destroyed(const char *function, void *handle) {
  std::free(handle);
  --state().alive;
  return called(function);
}

std::string text(unsigned x, unsigned y, unsigned z) {
  return std::to_string(x) + "x" + std::to_string(y) + "x" + std::to_string(z);
}

} // namespace

EXPORT void fakeReset(int computeCapability) {
  const int alive = state().alive;
  state() = State();
  state().computeCapability = computeCapability;
  state().alive = alive;
}
EXPORT void fakeFail(const char *function, int nth, int result) { state().failures[function] = {nth, result}; }
EXPORT void fakeQuiet(bool quiet) { state().quiet = quiet; }
EXPORT const char *fakeCalls() { return state().calls.c_str(); }
EXPORT int fakeAlive() { return state().alive; }

EXPORT int cuInit(unsigned) { return called("cuInit"); }
EXPORT int cuDriverGetVersion(int *version) {
  *version = 12040;
  return called("cuDriverGetVersion");
}
EXPORT int cuGetErrorString(int result, const char **words) {
  *words = result == kInvalidPtx ? "a PTX JIT compilation failed" : "a planned failure";
  return 0;
}
EXPORT int cuDeviceGetCount(int *count) {
  *count = 1;
  return called("cuDeviceGetCount");
}
EXPORT int cuDeviceGet(int *device, int ordinal) {
  *device = ordinal;
  if (ordinal != 0) return kInvalidValue;
  return called("cuDeviceGet");
}
EXPORT int cuDeviceGetName(char *name, int length, int) {
  std::strncpy(name, "Fake GPU", size_t(length));
  return called("cuDeviceGetName");
}
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == 75   ? state().computeCapability / 10
           : attribute == 76 ? state().computeCapability % 10
                             : 4; // multiprocessors
  return called("cuDeviceGetAttribute");
}
EXPORT int cuDeviceGetDefaultMemPool(void **, int) { return called("cuDeviceGetDefaultMemPool"); }
EXPORT int cuMemPoolSetAttribute(void *, int, void *) { return called("cuMemPoolSetAttribute"); }
EXPORT int cuDevicePrimaryCtxRetain(void **context, int) {
  static char primary; // the device's, however often it is retained
  if (int r = called("cuDevicePrimaryCtxRetain")) return r;
  *context = &primary;
  ++state().alive;
  return 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) {
  --state().alive;
  return called("cuDevicePrimaryCtxRelease");
}
EXPORT int cuCtxPushCurrent_v2(void *) { return 0; }
EXPORT int cuCtxPopCurrent_v2(void **) { return 0; }
EXPORT int cuLinkCreate_v2(unsigned count, int *names, void **values, void **link) {
  // The buffer of the error log comes back from cuLinkAddData: it is the link.
  if (int r = called("cuLinkCreate")) return r;
  *link = count == 2 && names[0] == 5 ? values[0] : nullptr;
  ++state().alive;
  return 0;
}
EXPORT int cuLinkAddData_v2(void *link, int kind, void *data, size_t size, const char *, unsigned, int *, void **) {
  const auto *ptx = static_cast<const char *>(data);
  if (kind != 1 || size == 0 || ptx[size - 1] != 0) return kInvalidValue;
  if (!std::strstr(ptx, ".entry")) {
    std::strcpy(static_cast<char *>(link), "ptxas error: nothing to compile");
    return kInvalidPtx;
  }
  return called("cuLinkAddData");
}
EXPORT int cuLinkComplete(void *, void **cubin, size_t *size) {
  static char image[] = "fake cubin";
  *cubin = image;
  *size = sizeof image;
  return called("cuLinkComplete");
}
EXPORT int cuLinkDestroy(void *) {
  --state().alive;
  return called("cuLinkDestroy");
}
EXPORT int cuModuleLoadData(void **module, const void *image) {
  if (std::strcmp(static_cast<const char *>(image), "fake cubin") != 0) return kInvalidValue;
  return made("cuModuleLoadData", module);
}
EXPORT int cuModuleUnload(void *module) { return destroyed("cuModuleUnload", module); }
EXPORT int cuModuleGetFunction(void **function, void *, const char *name) {
  if (std::strcmp(name, "absent") == 0) return kNotFound;
  *function = const_cast<char *>(state().names.insert(name).first->c_str());
  return called("cuModuleGetFunction", name);
}
EXPORT int cuFuncSetAttribute(void *function, int attribute, int value) {
  return called("cuFuncSetAttribute",
                static_cast<char *>(function) + (" " + std::to_string(attribute)) + " " + std::to_string(value));
}
EXPORT int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void *, void **parameters, void **) {
  if (state().quiet) return 0;
  uint64_t first = 0;
  std::memcpy(&first, parameters[0], sizeof first);
  return called("cuLaunchKernel", static_cast<char *>(function) + (" grid " + text(gx, gy, gz)) + " block " +
                                      text(bx, by, bz) + " shared " + std::to_string(shared) + " argument " +
                                      std::to_string(first));
}
EXPORT int cuMemAlloc_v2(unsigned long long *address, size_t bytes) {
  if (int r = called("cuMemAlloc", std::to_string(bytes))) return r;
  *address = reinterpret_cast<uintptr_t>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  ++state().alive;
  return 0;
}
EXPORT int cuMemFree_v2(unsigned long long address) {
  return destroyed("cuMemFree", reinterpret_cast<void *>(address));
}
EXPORT int cuMemAllocAsync(unsigned long long *address, size_t bytes, void *) {
  if (int r = called("cuMemAllocAsync", std::to_string(bytes))) return r;
  *address = reinterpret_cast<uintptr_t>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  ++state().alive;
  return 0;
}
EXPORT int cuMemFreeAsync(unsigned long long address, void *) {
  return destroyed("cuMemFreeAsync", reinterpret_cast<void *>(address));
}
EXPORT int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes, void *) {
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return called("cuMemcpyHtoDAsync", std::to_string(bytes));
}
EXPORT int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, void *) {
  std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
  return called("cuMemcpyDtoHAsync", std::to_string(bytes));
}
EXPORT int cuStreamCreate(void **stream, unsigned) { return made("cuStreamCreate", stream); }
EXPORT int cuStreamDestroy_v2(void *stream) { return destroyed("cuStreamDestroy", stream); }
EXPORT int cuStreamSynchronize(void *) { return called("cuStreamSynchronize"); }
EXPORT int cuEventCreate(void **event, unsigned) { return made("cuEventCreate", event); }
EXPORT int cuEventDestroy_v2(void *event) { return destroyed("cuEventDestroy", event); }
EXPORT int cuEventRecord(void *, void *) { return called("cuEventRecord"); }
EXPORT int cuEventElapsedTime(float *milliseconds, void *, void *) {
  *milliseconds = 0.25F;
  return called("cuEventElapsedTime");
}
EXPORT int cuTensorMapEncodeTiled(ein::cuda::TensorMap *map, int type, unsigned rank, void *address,
                                  const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
                                  const uint32_t *, int, int swizzle, int, int) {
  std::memcpy(map, &address, sizeof address);
  std::string details = "type " + std::to_string(type) + " swizzle " + std::to_string(swizzle);
  for (unsigned d = 0; d < rank; ++d)
    details += " " + std::to_string(extents[d]) + ":" + (d ? std::to_string(strides[d - 1]) : "-") + "/" +
               std::to_string(box[d]);
  return called("cuTensorMapEncodeTiled", details);
}
