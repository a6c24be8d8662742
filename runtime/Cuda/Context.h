// A GPU's primary context, and calls of the driver within it.
#pragma once

#include "ein/Device.h"
#include "runtime/Cuda/Driver.h"

namespace ein {

/// The primary context of one GPU, held while anything of it is in use.
class CudaContext {
public:
  static Expected<std::shared_ptr<CudaContext>> open(int ordinal);
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;
  CudaContext &operator=(const CudaContext &) = delete;

  const cuda::Driver &driver;
  const DeviceInfo info;

  /// Makes the context the current one of this thread for as long as it lives.
  class Scope {
  public:
    explicit Scope(const CudaContext &context) : context(context) { context.driver.contextPush(context.handle); }
    ~Scope() {
      cuda::ContextHandle before;
      context.driver.contextPop(&before);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    const CudaContext &context;
  };

  /// The error of a call that did not return 0.
  Error failure(const char *call, cuda::Result result) const {
    return makeError(ErrorCode::Run, driver.describe(call, result));
  }

private:
  CudaContext(const cuda::Driver &driver, DeviceInfo info, cuda::DeviceHandle device, cuda::ContextHandle handle)
      : driver(driver), info(std::move(info)), device(device), handle(handle) {}
  const cuda::DeviceHandle device;
  const cuda::ContextHandle handle;
};

} // namespace ein
