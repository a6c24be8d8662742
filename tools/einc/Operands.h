// Operands and results in memory: from .npy files, or random.
#pragma once

#include "tools/einc/HostTensor.h"
#include "tools/einc/Request.h"

#include <span>

namespace einc {

/// Fills all storage of the tensors, one after another, from std::mt19937_64(seed): uniform in [-1, 1), in steps of
/// 2^-23 (f32) or 2^-52 (f64), the same on every machine.
void fillRandom(std::span<HostTensor> tensors, uint64_t seed);

/// The same with integers from -2 to 2: sums of products of few of them have one exact value in any order.
void fillIntegers(std::span<HostTensor> tensors, uint64_t seed);

/// The operands of a request: the files' arrays, else random ones of the given types.
ein::Expected<std::vector<HostTensor>> loadOperands(const Arguments &arguments, const Request &request, uint64_t seed);

/// Uninitialised tensors of the given types.
ein::Expected<std::vector<HostTensor>> allocateAll(std::span<const ein::TensorType> types);

/// With beta, fills the elements of the results with integers from -2 to 2, drawn from std::mt19937_64(~seed) in
/// row-major order, and returns copies for the reference.
ein::Expected<std::vector<HostTensor>> fillPriors(const ein::CompileOptions &options, std::span<HostTensor> results,
                                                  uint64_t seed);

/// The views, for Kernel::run.
std::vector<ein::TensorView> viewsOf(std::span<const HostTensor> tensors);

} // namespace einc
