// Checks of operands and results, and the call into loaded code.
#include "runtime/LoadedKernel.h"
#include "runtime/Memory.h"

#include <array>

namespace ein {
namespace {

/// Whether code compiled for `want` may run on `got`. The stride of an extent 0 or 1 is never used.
bool compatible(const TensorType &got, const TensorType &want) {
  if (got.dtype != want.dtype || got.shape != want.shape || got.strides.size() != want.strides.size()) return false;
  if (got.strides == want.strides || want.numElements() == 0) return true;
  for (size_t d = 0; d < want.shape.size(); ++d)
    if (want.shape[d] != 1 && got.strides[d] != want.strides[d]) return false;
  return true;
}

Error typeError(const std::string &who, const TensorType &got, const TensorType &want) {
  const ErrorCode code = got.dtype != want.dtype                 ? ErrorCode::DTypeMismatch
                         : got.shape.size() != want.shape.size() ? ErrorCode::Rank
                         : got.shape != want.shape               ? ErrorCode::Extent
                                                                 : ErrorCode::Layout;
  return makeError(code, who + " is " + got.str() + ", expected " + want.str());
}

std::string who(const char *role, size_t i) { return std::string(role) + " " + std::to_string(i); }

Expected<void> checkViews(const char *role, std::span<const TensorView> views, const std::vector<TensorType> &types) {
  if (views.size() != types.size())
    return makeError(ErrorCode::OperandCount, std::to_string(views.size()) + " " + role + "s given, the kernel takes " +
                                                  std::to_string(types.size()));
  for (size_t i = 0; i < views.size(); ++i) {
    const TensorView &view = views[i];
    if (!compatible(view.type, types[i])) return typeError(who(role, i), view.type, types[i]);
    if (!view.data && types[i].numElements() > 0)
      return makeError(ErrorCode::Layout, who(role, i) + " has no data: its pointer is null");
    if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(byteSize(view.type.dtype)) != 0)
      return makeError(ErrorCode::Layout, who(role, i) + " is not aligned to its element of " +
                                              std::to_string(byteSize(view.type.dtype)) + " bytes");
  }
  return {};
}

} // namespace

LoadedKernel::LoadedKernel(CompiledModule module, CodeImage image)
    : compiled(std::move(module)), image(std::move(image)) {
  const auto extents = [](const std::vector<TensorType> &types) {
    std::vector<Extent> result;
    for (const TensorType &type : types) {
      Extent extent;
      type.addressRange(extent.low, extent.high);
      result.push_back({extent.low * byteSize(type.dtype), extent.high * byteSize(type.dtype)});
    }
    return result;
  };
  operandExtents = extents(compiled.operands);
  resultExtents = extents(compiled.results);
}

Expected<std::shared_ptr<const LoadedKernel>> LoadedKernel::load(CompiledModule module) {
  for (const auto *types : {&module.operands, &module.results})
    for (const TensorType &type : *types)
      if (auto fine = type.verify(); !fine) return fine.error();
  auto image = CodeImage::load(module);
  if (!image) return image.error();
  return std::shared_ptr<const LoadedKernel>(new LoadedKernel(std::move(module), std::move(*image)));
}

Expected<void> LoadedKernel::check(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  if (auto fine = checkViews("operand", operands, compiled.operands); !fine) return fine;
  if (auto fine = checkViews("result", results, compiled.results); !fine) return fine;
  const auto overlap = [](const TensorView &a, Extent inA, const TensorView &b, Extent inB) {
    if (inA.low == inA.high || inB.low == inB.high) return false;
    const auto baseA = reinterpret_cast<intptr_t>(a.data), baseB = reinterpret_cast<intptr_t>(b.data);
    return baseA + inA.low < baseB + inB.high && baseB + inB.low < baseA + inA.high;
  };
  for (size_t r = 0; r < results.size(); ++r) {
    const auto refuse = [&](const char *role, size_t i) {
      return makeError(ErrorCode::Layout, who("result", r) + " overlaps " + who(role, i) + " in memory",
                       "give each result memory of its own");
    };
    for (size_t i = 0; i < operands.size(); ++i)
      if (overlap(results[r], resultExtents[r], operands[i], operandExtents[i])) return refuse("operand", i);
    for (size_t i = 0; i < r; ++i)
      if (overlap(results[r], resultExtents[r], results[i], resultExtents[i])) return refuse("result", i);
  }
  return {};
}

bool LoadedKernel::call(void *const *operands, void *const *results) const {
  void *workspace = nullptr;
  if (compiled.workspaceBytes > 0) {
    workspace = threadWorkspace(static_cast<size_t>(compiled.workspaceBytes));
    if (!workspace) return false;
  }
  image.entry()(operands, results, workspace);
  return true;
}

Expected<void> LoadedKernel::run(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  if (auto fine = check(operands, results); !fine) return fine;
  // Pointers lie on the stack but for expressions with many operands.
  std::array<void *, 16> few;
  std::vector<void *> many;
  const size_t count = operands.size() + results.size();
  if (count > few.size()) many.resize(count);
  void **pointers = count > few.size() ? many.data() : few.data();
  void **next = pointers;
  for (const TensorView &view : operands) *next++ = view.data;
  for (const TensorView &view : results) *next++ = view.data;
  if (!call(pointers, pointers + operands.size()))
    return makeError(ErrorCode::Limit,
                     "no memory for a workspace of " + std::to_string(compiled.workspaceBytes) + " bytes");
  return {};
}

} // namespace ein
