// Chooses the mma plan of a contraction for a GPU. No MLIR.
#pragma once

#include "compiler/Gpu/GemmPlanner.h"
#include "compiler/Gpu/MmaPlan.h"

namespace ein {

/// What the planner knows of a GPU with mma.sync. Rates are by cycle and multiprocessor.
struct MmaModel {
  int64_t multiprocessors = 108;
  int64_t sharedBytes = 99 << 10; ///< that one block can have
  double halfProducts = 1024;     ///< multiplications of 16-bit floats; of tf32 half as many, of bytes twice
  double doubleProducts = 64;     ///< of f64
  double cacheBytes = 40;         ///< L2 to shared memory
  double memoryBytes = 10;        ///< global memory to L2
};

/// The plan that is predicted to be the fastest. `products`: of tf32 for one of f32, 1 or 3.
std::variant<MmaPlan, GemmRefusal> planMma(const GemmRequest &request, const MmaModel &gpu = {}, int64_t products = 1);
/// Cycles of a whole launch, by the planner's model: products, fragments from shared memory, copies, waves of tiles.
double predictCycles(const MmaPlan &plan, const MmaModel &gpu);

} // namespace ein
