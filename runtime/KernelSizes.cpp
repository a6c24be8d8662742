// Calls of kernels with dynamic indices: the sizes of a call, read off its operands and results.
#include "runtime/LoadedKernel.h"
#include "runtime/ViewChecks.h"

namespace ein {

static std::string dimension(size_t d) { return ": its dimension " + std::to_string(d); }

/// The extents first, as what a message can best be about.
Expected<void> LoadedKernel::readSizes(const char *role, size_t number, const TensorType &type, const TensorType &want,
                                       const int32_t *slots, Sizes &sizes) const {
  const size_t rank = want.shape.size();
  const auto refuse = [&](ErrorCode code, const std::string &why) {
    return makeError(code, nameOfView(role, number) + " is " + type.str() + ", but " + why);
  };
  if (type.dtype != want.dtype)
    return refuse(ErrorCode::DTypeMismatch, "the kernel takes " + std::string(name(want.dtype)));
  if (type.shape.size() != rank || type.strides.size() != rank)
    return refuse(ErrorCode::Rank, "the kernel takes rank " + std::to_string(rank));
  bool rowMajor = false;
  for (size_t d = 0; d < rank; ++d) {
    const int32_t slot = slots[d];
    const int64_t extent = type.shape[d];
    rowMajor |= slots[rank + d] == CompiledModule::kRowMajor;
    if (slot < 0) {
      if (extent != want.shape[d])
        return refuse(ErrorCode::Extent, "the kernel takes " + std::to_string(want.shape[d]) + dimension(d));
      continue;
    }
    const DynamicIndex &index = compiled.dynamic[static_cast<size_t>(slot)];
    int64_t &known = sizes[static_cast<size_t>(slot)];
    if (known < 0) known = extent;
    if (known != extent)
      return refuse(ErrorCode::Extent, index.name + " is " + std::to_string(known) + " before" + dimension(d));
    if (extent < index.least || extent > index.most)
      return refuse(ErrorCode::Extent, "the kernel takes " + index.name + " from " + std::to_string(index.least) +
                                           " to " + std::to_string(index.most) + dimension(d));
  }
  if (rowMajor && !type.isContiguous()) return refuse(ErrorCode::Layout, "the kernel takes it row-major");
  for (size_t d = 0; d < rank; ++d) {
    const int32_t slot = slots[rank + d];
    if (slot >= 0) sizes[static_cast<size_t>(slot)] = type.strides[d];
    if (slot == CompiledModule::kAsCompiled && type.strides[d] != want.strides[d] && type.shape[d] > 1)
      return refuse(ErrorCode::Layout, "the kernel takes a stride of " + std::to_string(want.strides[d]) +
                                           " in dimension " + std::to_string(d));
  }
  return {};
}

Expected<void> LoadedKernel::readSizes(std::span<const TensorView> operands, std::span<const TensorView> results,
                                       Sizes &sizes) const {
  if (auto fine = checkViewCount("operand", operands.size(), resultsAt); !fine) return fine;
  if (auto fine = checkViewCount("result", results.size(), compiled.results.size()); !fine) return fine;
  sizes.fill(-1);
  const int32_t *slots = compiled.sizeSlots.data();
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool isResult = i >= resultsAt;
    const size_t number = isResult ? i - resultsAt : i;
    const TensorType &want = isResult ? compiled.results[number] : compiled.operands[number];
    const TensorView &view = isResult ? results[number] : operands[number];
    if (auto fine = readSizes(isResult ? "result" : "operand", number, view.type, want, slots, sizes); !fine)
      return fine;
    slots += 2 * want.shape.size();
  }
  return {};
}

TensorType LoadedKernel::sized(const TensorType &type, const int32_t *slots, const Sizes &sizes) const {
  TensorType result = type;
  bool isDynamic = false;
  for (size_t d = 0; d < type.shape.size(); ++d)
    if (slots[d] >= 0) {
      result.shape[d] = sizes[static_cast<size_t>(slots[d])];
      isDynamic = true;
    }
  return isDynamic ? TensorType(type.dtype, std::move(result.shape)) : result;
}

Expected<std::vector<TensorType>> LoadedKernel::resultsFor(std::span<const TensorType> operands) const {
  if (compiled.dynamic.empty()) return compiled.results;
  if (auto fine = checkViewCount("operand", operands.size(), resultsAt); !fine) return fine.error();
  Sizes sizes;
  sizes.fill(-1);
  const int32_t *slots = compiled.sizeSlots.data();
  for (size_t i = 0; i < operands.size(); ++i) {
    const TensorType &want = compiled.operands[i];
    if (auto fine = readSizes("operand", i, operands[i], want, slots, sizes); !fine) return fine.error();
    slots += 2 * want.shape.size();
  }
  std::vector<TensorType> types;
  for (const TensorType &type : compiled.results) {
    types.push_back(sized(type, slots, sizes));
    slots += 2 * type.shape.size();
  }
  return types;
}

} // namespace ein
