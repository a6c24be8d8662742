// Launch plans as text.
#include "compiler/Gpu/LaunchPlan.h"

namespace ein {

std::string LaunchPlan::str() const {
  std::string s = "workspace " + std::to_string(workspaceBytes) + '\n';
  for (const GpuLaunch &l : launches) s += l.str();
  return s;
}

} // namespace ein
