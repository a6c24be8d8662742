// Operands and results in memory: from .npy files, or random.
#include "tools/einc/Operands.h"

#include "compiler/IndexNotation/Element.h"
#include "tools/einc/Npy.h"

#include <cmath>
#include <random>

using namespace ein;

namespace einc {

/// Floats draw as many bits as the mantissa holds, so that no value rounds up to 1.
static double fraction(std::mt19937_64 &generator, int bits) {
  return std::ldexp(static_cast<double>(generator() >> (64 - bits)), 1 - bits) - 1;
}

void fillRandom(std::span<HostTensor> tensors, uint64_t seed) {
  std::mt19937_64 generator(seed);
  for (HostTensor &tensor : tensors) {
    const DType dtype = tensor.view.type.dtype, part = partType(dtype);
    const int64_t count = storageElements(tensor.view.type) * (isComplex(dtype) ? 2 : 1);
    const int bits = 1 - static_cast<int>(std::log2(unitRoundoff(part)));
    for (int64_t i = 0; i < count; ++i) {
      double value = 0;
      if (part == DType::Bool)
        value = static_cast<double>(generator() % 2);
      else if (isInteger(part))
        value = static_cast<double>(generator() % 21) - (isUnsigned(part) ? 0 : 10);
      else
        value = fraction(generator, bits - 1);
      setElement(part, tensor.memory.get(), i, value);
    }
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

std::vector<TensorView> viewsOf(std::span<const HostTensor> tensors) {
  std::vector<TensorView> views;
  for (const HostTensor &tensor : tensors) views.push_back(tensor.view);
  return views;
}

} // namespace einc
