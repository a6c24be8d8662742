// Making of disk keys.
#include "runtime/DiskKey.h"
#include "BuildId.inc"
#include "runtime/CanonicalText.h"
#include "runtime/Environment.h"
#include "runtime/HostCpu.h"

#include <sys/stat.h>

namespace ein {
namespace {

/// Tells one compiler that EIN_COMPILER names from another, and from a later state of its file. Empty for the compiler
/// that belongs to libein, which the build id covers.
std::string otherCompiler() {
  const char *path = environment(EnvironmentVariable::Compiler);
  struct stat status;
  if (!path || ::stat(path, &status) != 0) return {};
  std::string identity = path;
  for (long long part : {static_cast<long long>(status.st_dev), static_cast<long long>(status.st_ino),
                         static_cast<long long>(status.st_size), static_cast<long long>(status.st_mtim.tv_sec),
                         static_cast<long long>(status.st_mtim.tv_nsec)})
    identity += " " + std::to_string(part);
  return identity;
}

} // namespace

std::string_view buildId() { return EIN_BUILD_ID; }

std::string diskKey(const CompileRequest &request) {
  CompileRequest canonical = request;
  // Dynamic indices are named, and so not to be renamed.
  if (request.options.labels == LabelStyle::Letters && request.options.dynamic.empty())
    canonical.text = canonicalText(request.text);
  canonical.dumpStages.clear();
  canonical.candidates = 0;
  for (TensorType &type : canonical.operands)
    if (type.isContiguous()) type = TensorType(type.dtype, type.shape);
  // PTX is the same wherever it is made.
  const GpuName *gpu = findGpu(request.options.target.gpu);
  const std::string machine =
      gpu ? "compute capability " + std::to_string(gpu->computeCapability) + ", PTX " + std::to_string(gpu->ptxVersion)
          : hostCpuText();
  return "ein " EIN_BUILD_ID "\n" + otherCompiler() + "\n" + machine + "\n" + canonical.serialize();
}

} // namespace ein
