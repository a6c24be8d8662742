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

static int smallInteger(std::mt19937_64 &generator) { return static_cast<int>(generator() % 5) - 2; }

void fillIntegers(std::span<HostTensor> tensors, uint64_t seed) {
  std::mt19937_64 generator(seed);
  for (HostTensor &tensor : tensors)
    for (int64_t i = 0, count = storageElements(tensor.view.type); i < count; ++i)
      if (tensor.view.type.dtype == DType::F32)
        static_cast<float *>(tensor.memory.get())[i] = static_cast<float>(smallInteger(generator));
      else
        static_cast<double *>(tensor.memory.get())[i] = smallInteger(generator);
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
      const int value = smallInteger(generator);
      for (const TensorView &view : {result.view, prior->view})
        if (view.type.dtype == DType::F32)
          static_cast<float *>(view.data)[offset] = static_cast<float>(value);
        else
          static_cast<double *>(view.data)[offset] = value;
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
