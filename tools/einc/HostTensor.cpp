// A tensor that owns its memory and may have any strides.
#include "tools/einc/HostTensor.h"

#include "runtime/Memory.h"

#include <cstring>
#include <unistd.h>

using namespace ein;

namespace einc {

int64_t storageElements(const TensorType &type) {
  int64_t low = 0, high = 0;
  type.addressRange(low, high);
  return high - low;
}

Expected<HostTensor> HostTensor::allocate(TensorType type) {
  if (auto ok = type.verify(); !ok) return ok.error();
  int64_t low = 0, high = 0;
  type.addressRange(low, high);
  int64_t bytes = (high - low) * byteSize(type.dtype);
  int64_t machine = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  auto tooLarge = [&] {
    return makeError(ErrorCode::Limit, type.str() + " needs " + std::to_string(bytes) +
                                           " bytes, but this machine has " + std::to_string(machine));
  };
  if (bytes > machine) return tooLarge();
  void *memory = allocateAligned(static_cast<size_t>(bytes));
  if (!memory) return tooLarge();
  HostTensor tensor;
  tensor.memory = std::shared_ptr<void>(memory, freeAligned);
  tensor.view = TensorView(static_cast<char *>(memory) - low * byteSize(type.dtype), std::move(type));
  return tensor;
}

Expected<HostTensor> rowMajor(const HostTensor &tensor) {
  const TensorType &type = tensor.view.type;
  if (type.isContiguous()) return tensor;
  auto copy = HostTensor::allocate(TensorType(type.dtype, type.shape));
  if (!copy) return copy.error();
  const int64_t size = byteSize(type.dtype);
  auto *to = static_cast<char *>(copy->memory.get());
  std::vector<int64_t> at(type.shape.size(), 0);
  for (int64_t left = type.numElements(), from = 0; left > 0; --left, to += size) {
    std::memcpy(to, static_cast<const char *>(tensor.view.data) + from * size, static_cast<size_t>(size));
    for (size_t d = at.size(); d-- > 0;) {
      from += type.strides[d];
      if (++at[d] < type.shape[d]) break;
      from -= at[d] * type.strides[d];
      at[d] = 0;
    }
  }
  return copy;
}

} // namespace einc
