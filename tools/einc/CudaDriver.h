// The CUDA driver, if this machine has one: loaded at run time, nothing of CUDA is needed to build.
#pragma once

#include <string>
#include <vector>

namespace einc {

/// A GPU and the name of the target for it.
struct CudaDevice {
  std::string name;   ///< "NVIDIA H200"
  std::string target; ///< "cuda:sm_90"
};

/// What was found.
struct CudaDriver {
  int version = 0; ///< as the driver says: 12040 is 12.4; 0 without a driver
  std::vector<CudaDevice> devices;
  std::string why; ///< there is no device
};

/// Loads libcuda.so.1 and asks it. Makes no context on any device.
CudaDriver findCudaDriver();

} // namespace einc
