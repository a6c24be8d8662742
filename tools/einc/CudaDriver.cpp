// Questions to libcuda.so.1.
#include "tools/einc/CudaDriver.h"

#include <dlfcn.h>

namespace einc {

namespace {

/// The functions that are asked, by the driver's own names and types. All return 0 for success.
struct Functions {
  int (*init)(unsigned flags) = nullptr;
  int (*driverGetVersion)(int *version) = nullptr;
  int (*deviceGetCount)(int *count) = nullptr;
  int (*deviceGet)(int *device, int ordinal) = nullptr;
  int (*deviceGetName)(char *name, int length, int device) = nullptr;
  int (*deviceGetAttribute)(int *value, int attribute, int device) = nullptr;
};

template <class Function> bool find(void *library, const char *name, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool findAll(void *library, Functions &f) {
  return find(library, "cuInit", f.init) && find(library, "cuDriverGetVersion", f.driverGetVersion) &&
         find(library, "cuDeviceGetCount", f.deviceGetCount) && find(library, "cuDeviceGet", f.deviceGet) &&
         find(library, "cuDeviceGetName", f.deviceGetName) &&
         find(library, "cuDeviceGetAttribute", f.deviceGetAttribute);
}

} // namespace

CudaDriver findCudaDriver() {
  CudaDriver driver;
  // Never closed: drivers start threads.
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  Functions f;
  if (!library || !findAll(library, f)) {
    const char *why = dlerror();
    driver.why = why ? why : "libcuda.so.1 lacks a function";
    return driver;
  }
  const auto failed = [&](const char *what, int status) {
    if (status != 0) driver.why = std::string(what) + " returned " + std::to_string(status);
    return status != 0;
  };
  int count = 0;
  if (failed("cuDriverGetVersion", f.driverGetVersion(&driver.version)) || failed("cuInit", f.init(0)) ||
      failed("cuDeviceGetCount", f.deviceGetCount(&count)))
    return driver;
  for (int i = 0; i < count; ++i) {
    constexpr int kMajor = 75, kMinor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
    int device = 0, major = 0, minor = 0;
    char name[256] = {};
    if (failed("cuDeviceGet", f.deviceGet(&device, i)) ||
        failed("cuDeviceGetName", f.deviceGetName(name, sizeof name - 1, device)) ||
        failed("cuDeviceGetAttribute", f.deviceGetAttribute(&major, kMajor, device)) ||
        failed("cuDeviceGetAttribute", f.deviceGetAttribute(&minor, kMinor, device)))
      return driver;
    driver.devices.push_back({name, "cuda:sm_" + std::to_string(major) + std::to_string(minor)});
  }
  if (count == 0) driver.why = "the driver has no device";
  return driver;
}

} // namespace einc
