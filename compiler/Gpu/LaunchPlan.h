// The launches of one step. No MLIR.
#pragma once

#include "ein/Launch.h"

namespace ein {

/// The launches of a step, in order, on one stream.
struct LaunchPlan {
  std::vector<GpuLaunch> launches;
  int64_t workspaceBytes = 0; ///< that the slots of kind Workspace lie in; its address is a multiple of 256

  std::string str() const;
};

} // namespace ein
