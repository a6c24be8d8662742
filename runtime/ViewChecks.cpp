// Checks of operands and results.
#include "runtime/ViewChecks.h"

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

} // namespace

std::string nameOfView(const char *role, size_t i) { return std::string(role) + " " + std::to_string(i); }

Expected<void> checkViewCount(const char *role, size_t given, size_t taken) {
  if (given == taken) return {};
  return makeError(ErrorCode::OperandCount,
                   std::to_string(given) + " " + role + "s given, the kernel takes " + std::to_string(taken));
}

Expected<void> checkViewTypes(const char *role, std::span<const TensorView> views,
                              const std::vector<TensorType> &types) {
  if (auto fine = checkViewCount(role, views.size(), types.size()); !fine) return fine;
  for (size_t i = 0; i < views.size(); ++i)
    if (!compatible(views[i].type, types[i])) return typeError(nameOfView(role, i), views[i].type, types[i]);
  return {};
}

Expected<void> checkViewData(const char *role, std::span<const TensorView> views) {
  for (size_t i = 0; i < views.size(); ++i) {
    const TensorView &view = views[i];
    if (!view.data && view.type.numElements() > 0)
      return makeError(ErrorCode::Layout, nameOfView(role, i) + " has no data: its pointer is null");
    if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(alignmentOf(view.type.dtype)) != 0)
      return makeError(ErrorCode::Layout, nameOfView(role, i) + " is not aligned to its element of " +
                                              std::to_string(alignmentOf(view.type.dtype)) + " bytes");
  }
  return {};
}

} // namespace ein
