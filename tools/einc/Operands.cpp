// Operands and results in memory: from .npy files, or random.
#include "tools/einc/Operands.h"

#include "tools/einc/Npy.h"

#include <cmath>
#include <random>

using namespace ein;

namespace einc {

/// Draws as many bits as the mantissa holds, so that no value rounds up to 1.
template <class T, int Bits> static void fill(void *memory, int64_t count, std::mt19937_64 &generator) {
  T *values = static_cast<T *>(memory);
  const T step = std::ldexp(T(1), 1 - Bits);
  for (int64_t i = 0; i < count; ++i) values[i] = static_cast<T>(generator() >> (64 - Bits)) * step - T(1);
}

void fillRandom(std::span<HostTensor> tensors, uint64_t seed) {
  std::mt19937_64 generator(seed);
  for (HostTensor &tensor : tensors) {
    int64_t count = storageElements(tensor.view.type);
    if (tensor.view.type.dtype == DType::F32)
      fill<float, 24>(tensor.memory.get(), count, generator);
    else
      fill<double, 53>(tensor.memory.get(), count, generator);
  }
}

Expected<std::vector<HostTensor>> allocateAll(std::span<const TensorType> types) {
  std::vector<HostTensor> tensors;
  for (const TensorType &type : types) {
    auto tensor = HostTensor::allocate(type);
    if (!tensor) return tensor.error();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Expected<std::vector<HostTensor>> loadOperands(const Arguments &arguments, const Request &request, uint64_t seed) {
  if (arguments.files.empty()) {
    auto tensors = allocateAll(request.operands);
    if (tensors) fillRandom(*tensors, seed);
    return tensors;
  }
  std::vector<HostTensor> tensors;
  for (const std::string &file : arguments.files) {
    auto tensor = readNpy(file);
    if (!tensor) return tensor.error();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

Expected<std::vector<HostTensor>> fillPriors(const Request &request, std::span<HostTensor> results, uint64_t seed) {
  if (request.options.beta == 0) return std::vector<HostTensor>();
  std::vector<TensorType> types;
  for (const HostTensor &result : results) types.push_back(result.view.type);
  auto priors = allocateAll(types);
  if (!priors) return priors.error();
  for (std::span<HostTensor> tensors : {results, std::span(*priors)}) fillRandom(tensors, ~seed);
  return priors;
}

std::vector<TensorView> viewsOf(std::span<const HostTensor> tensors) {
  std::vector<TensorView> views;
  for (const HostTensor &tensor : tensors) views.push_back(tensor.view);
  return views;
}

} // namespace einc
