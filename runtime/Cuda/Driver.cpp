// Loading of the CUDA driver.
#include "runtime/Cuda/Driver.h"
#include "runtime/Environment.h"

#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>

namespace ein::cuda {
namespace {

Error missing(std::string why) { return makeError(ErrorCode::DeviceMissing, "no CUDA device: " + std::move(why)); }

template <class Function> bool find(void *library, const char *symbol, Function &function) {
  function = reinterpret_cast<Function>(dlsym(library, symbol));
  return function != nullptr;
}

Expected<std::unique_ptr<Driver>> load(const char *path) {
  // Never closed: drivers start threads.
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    return missing(why ? why : std::string("cannot load ") + path);
  }
  auto driver = std::make_unique<Driver>();
#define EIN_CUDA_FIND(name, symbol, parameters)                                                                        \
  if (!find(library, symbol, driver->name)) return missing(std::string(path) + " lacks " symbol);
  EIN_CUDA_FUNCTIONS(EIN_CUDA_FIND)
#undef EIN_CUDA_FIND
  find(library, "cuTensorMapEncodeTiled", driver->tensorMapEncodeTiled);
  if (Result r = driver->init(0)) return missing(driver->describe("cuInit", r));
  if (Result r = driver->driverGetVersion(&driver->version)) return missing(driver->describe("cuDriverGetVersion", r));
  return driver;
}

} // namespace

std::string Driver::describe(const char *call, Result result) const {
  const char *text = nullptr;
  if (getErrorString(result, &text) != 0 || !text) text = "unknown error";
  return std::string(call) + ": " + text + " (" + std::to_string(result) + ")";
}

Expected<const Driver *> driver() {
  // Neither is ever destroyed: a kernel may outlive static destructors.
  static std::mutex &mutex = *new std::mutex;
  static auto &loaded = *new std::map<std::string, Expected<std::unique_ptr<Driver>>>;
  const char *named = environment(EnvironmentVariable::CudaLibrary);
  const std::string path = named ? named : "libcuda.so.1";
  const std::lock_guard lock(mutex);
  auto known = loaded.find(path);
  if (known == loaded.end()) known = loaded.emplace(path, load(path.c_str())).first;
  if (!known->second) return known->second.error();
  return known->second->get();
}

} // namespace ein::cuda
