// Parsing of target names.
#include "ein/Target.h"

namespace ein {
namespace {

constexpr GpuName kGpus[] = {{"sm_80", 80, 80, false},   {"sm_86", 86, 80, false},   {"sm_87", 87, 80, false},
                             {"sm_89", 89, 80, false},   {"sm_90", 90, 80, false},   {"sm_90a", 90, 80, true},
                             {"sm_100", 100, 86, false}, {"sm_100a", 100, 86, true}, {"sm_120", 120, 87, false},
                             {"sm_120a", 120, 87, true}};

/// What may follow a name.
constexpr std::string_view kTf32 = "+tf32", kTf32Thrice = "+tf32x3";

} // namespace

const GpuName *findGpu(std::string_view name) {
  const size_t plus = name.find('+');
  const std::string_view may = plus == name.npos ? "" : name.substr(plus);
  if (!may.empty() && may != kTf32 && may != kTf32Thrice) return nullptr;
  for (const GpuName &gpu : kGpus)
    if (gpu.name == name.substr(0, plus)) return &gpu;
  return nullptr;
}

int Target::tf32Products() const { return gpu.ends_with(kTf32) ? 1 : gpu.ends_with(kTf32Thrice) ? 3 : 0; }

Expected<Target> Target::parse(std::string_view text) {
  if (text == "host" || text == "native") return Target{};
  for (std::string_view cpu : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    for (bool portable : {false, true}) {
      Target target{std::string(cpu), portable};
      if (text == target.str()) return target;
    }
  }
  if (text.starts_with("cuda:") && findGpu(text.substr(5))) return Target{{}, false, std::string(text.substr(5))};
  std::string gpus;
  for (const GpuName &gpu : kGpus) gpus += std::string(gpus.empty() ? "" : ", ") + "cuda:" + gpu.name;
  return makeError(ErrorCode::Syntax, "unknown target '" + std::string(text) + "'",
                   "targets are host (or native), host:x86-64-v2, host:x86-64-v3 and host:x86-64-v4 for this machine, "
                   "x86-64-v2, x86-64-v3 and x86-64-v4 for any of that level, and for NVIDIA GPUs " +
                       gpus + "; +tf32 or +tf32x3 behind one of these lets f32 be multiplied as tf32");
}

} // namespace ein
