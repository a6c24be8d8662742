// A whole expression, compiled for a GPU and run in the CPU model.
#pragma once

#include "tests/conformance/Generators.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <functional>

namespace ein::gpumodel {

/// Compiles a case for a GPU and runs its kernels in the model; what is wrong, or nothing. `prepare` may change the
/// operands, `plant` the kernels.
std::string mistake(test::Case c, const char *gpu, uint32_t seed,
                    const std::function<void(test::Execution &)> &prepare = {},
                    const std::function<void(mlir::gpu::GPUModuleOp)> &plant = {});

/// The plans that a case gets for a GPU, as `einc dump --stage gpu-plan` prints them.
std::string plansOf(test::Case c, const char *gpu);

} // namespace ein::gpumodel
