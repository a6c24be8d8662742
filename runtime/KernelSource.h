// Where kernels come from that an engine does not have in memory: the disk, the compiler, libein-generic.
#pragma once

#include "ein/Compile.h"
#include "runtime/DiskCache.h"
#include "runtime/LoadedKernel.h"
#include "runtime/RecompileLog.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ein {

/// Thread-safe. All calls are made within a ForkGate.
class KernelSource {
public:
  using KernelPointer = std::shared_ptr<const LoadedKernel>;

  explicit KernelSource(bool usesDisk);

  /// A kernel that is wanted.
  struct Order {
    CompileRequest request;
    std::string diskKey; ///< empty without a cache on disk
  };
  /// With the plans that `einc tune` stored, if there are. `operands`: of the call, where `request` has those of its
  /// shape class. Refuses types that are no types.
  Expected<Order> order(CompileRequest request, const std::vector<TensorType> &operands);

  /// The kernel on disk, null if there is none. A module that cannot be loaded is as good as none.
  KernelPointer fromDisk(const Order &order);
  /// Compiles, and keeps on disk.
  Expected<KernelPointer> compile(const Order &order);
  /// The generic kernel, null if there is none. Refuses what the compiler would refuse about text, types and options,
  /// with the same error.
  static Expected<KernelPointer> generic(const Order &order);

  std::atomic<uint64_t> compiles = 0, diskHits = 0, diskWrites = 0;

private:
  std::optional<DiskCache> diskCache;
  std::optional<RecompileLog> recompiles;
};

} // namespace ein
