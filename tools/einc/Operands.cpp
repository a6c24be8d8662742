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
    const int bits = isFloat(part) ? 1 - std::ilogb(unitRoundoff(part)) : 0; // of the mantissa
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

/// -2 to 2; of what has no sign 0 to 4, or 0 and 1.
static double smallInteger(std::mt19937_64 &generator, DType dtype) {
  const int values = dtype == DType::Bool ? 2 : 5, least = isUnsigned(dtype) || dtype == DType::Bool ? 0 : -2;
  return static_cast<double>(generator() % values) + least;
}

void fillIntegers(std::span<HostTensor> tensors, uint64_t seed) {
  std::mt19937_64 generator(seed);
  for (HostTensor &tensor : tensors) {
    const DType dtype = tensor.view.type.dtype, part = partType(dtype);
    const int64_t count = storageElements(tensor.view.type) * (isComplex(dtype) ? 2 : 1);
    for (int64_t i = 0; i < count; ++i) setElement(part, tensor.memory.get(), i, smallInteger(generator, part));
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
    if (tensors && arguments.integers) fillIntegers(*tensors, seed);
    if (tensors && !arguments.integers) fillRandom(*tensors, seed);
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

/// Calls `use` with the offset of each element, row-major.
template <class Use> static void forEachOffset(const TensorType &type, Use use) {
  const std::vector<int64_t> dense = TensorType(type.dtype, type.shape).strides;
  for (int64_t i = 0; i < type.numElements(); ++i) {
    int64_t offset = 0, rest = i;
    for (int64_t d = 0; d < type.rank(); rest %= dense[d++]) offset += rest / dense[d] * type.strides[d];
    use(offset);
  }
}

Expected<std::vector<HostTensor>> fillPriors(const CompileOptions &options, std::span<HostTensor> results,
                                             uint64_t seed) {
  std::vector<HostTensor> priors;
  if (options.beta == 0) return priors;
  std::mt19937_64 generator(~seed);
  for (const HostTensor &result : results) {
    auto prior = HostTensor::allocate(result.view.type);
    if (!prior) return prior.error();
    forEachOffset(result.view.type, [&](int64_t offset) {
      // Complex results have no priors: nothing scales them.
      const double value = smallInteger(generator, result.view.type.dtype);
      for (const TensorView &view : {result.view, prior->view}) setElement(view.type.dtype, view.data, offset, value);
    });
    priors.push_back(std::move(*prior));
  }
  return priors;
}

std::vector<TensorView> viewsOf(std::span<const HostTensor> tensors) {
  std::vector<TensorView> views;
  for (const HostTensor &tensor : tensors) views.push_back(tensor.view);
  return views;
}

} // namespace einc
