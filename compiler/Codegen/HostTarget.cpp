// Detection of the CPU.
#include "compiler/Codegen/HostTarget.h"
#include "ein/Cpu.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <mutex>
#include <unistd.h>

namespace ein {

std::unique_ptr<llvm::TargetMachine> HostTarget::createMachine() const {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser(); // the C functions ask CPUID
  });
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(triple, cpu, features, llvm::TargetOptions(),
                                                                          llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                                          llvm::CodeGenOptLevel::Default));
}

/// A cache size from the C library, or a usual one where it does not know.
static int64_t cacheBytes(int name, int64_t usual) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : usual;
}

/// All that this machine reports.
static void takeHost(HostTarget &host) {
  host.cpu = llvm::sys::getHostCPUName().str();
  const llvm::StringMap<bool> has = llvm::sys::getHostCPUFeatures();
  for (const auto &feature : has)
    host.features +=
        (host.features.empty() ? "" : ",") + std::string(feature.second ? "+" : "-") + feature.first().str();
  for (const CpuFeature &feature : cpuFeatureTable())
    if (has.lookup(feature.name)) host.needs.emplace_back(feature.name);
}

Expected<HostTarget> hostTarget(const Target &target) {
  HostTarget host;
  if (target.cpu.empty()) {
    takeHost(host);
  } else {
    host.cpu = target.cpu;
    host.needs = levelFeatures(target.cpu);
    if (!target.portable && !missingFeatures(host.needs).empty())
      return makeError(ErrorCode::Unsupported, "this CPU does not have " + target.cpu,
                       "--target host is for what it has, --target " + target.cpu + " for another machine");
  }
  const auto needs = [&](const char *name) { return llvm::is_contained(host.needs, name); };
  const bool wide = needs("avx512f") && needs("avx512vl") && needs("avx512dq") && needs("avx512bw");
  const bool fused = needs("avx2") && needs("fma");
  host.model.vectorBytes = wide ? 64 : fused ? 32 : 16;
  host.model.vectorRegisters = wide ? 32 : 16;
  host.model.fma = wide || fused;
  host.model.l1Bytes = 32 << 10;
  host.model.l2Bytes = 1 << 20;
  host.model.l3Bytes = 16 << 20;
  if (target.portable) return host;
  host.model.splitsWideVectors = wide && llvm::sys::getHostCPUName() == "znver4";
  host.model.l1Bytes = cacheBytes(_SC_LEVEL1_DCACHE_SIZE, host.model.l1Bytes);
  host.model.l2Bytes = cacheBytes(_SC_LEVEL2_CACHE_SIZE, host.model.l2Bytes);
  host.model.l3Bytes = cacheBytes(_SC_LEVEL3_CACHE_SIZE, host.model.l3Bytes);
  return host;
}

} // namespace ein
