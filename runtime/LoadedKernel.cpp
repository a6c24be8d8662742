// Checks of operands and results, and the call into loaded code.
#include "runtime/LoadedKernel.h"
#include "runtime/Memory.h"

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
    if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(alignmentOf(view.type.dtype)) != 0)
      return makeError(ErrorCode::Layout, who(role, i) + " is not aligned to its element of " +
                                              std::to_string(alignmentOf(view.type.dtype)) + " bytes");
  }
  return {};
}

} // namespace

LoadedKernel::LoadedKernel(CompiledModule module, CodeImage image)
    : compiled(std::move(module)), image(std::move(image)), resultsAt(compiled.operands.size()) {
  for (const auto *types : {&compiled.operands, &compiled.results})
    for (const TensorType &type : *types) {
      int64_t low, high;
      type.addressRange(low, high);
      const int64_t bytes = byteSize(type.dtype);
      wanted.push_back({type.dtype, type.shape.size(), static_cast<uintptr_t>(alignmentOf(type.dtype) - 1), low * bytes,
                        high * bytes});
      numbers.insert(numbers.end(), type.shape.begin(), type.shape.end());
      numbers.insert(numbers.end(), type.strides.begin(), type.strides.end());
    }
}

Expected<std::shared_ptr<const LoadedKernel>> LoadedKernel::load(CompiledModule module) {
  for (const auto *types : {&module.operands, &module.results})
    for (const TensorType &type : *types)
      if (auto fine = type.verify(); !fine) return fine.error();
  auto image = CodeImage::load(module);
  if (!image) return image.error();
  return std::shared_ptr<const LoadedKernel>(new LoadedKernel(std::move(module), std::move(*image)));
}

size_t LoadedKernel::codeBytes() const {
  constexpr size_t page = 4096;
  return compiled.code.size() + (compiled.code.size() + page - 1) / page * page;
}

Expected<void> LoadedKernel::check(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  if (auto fine = checkViews("operand", operands, compiled.operands); !fine) return fine;
  if (auto fine = checkViews("result", results, compiled.results); !fine) return fine;
  const Want *const wantedResults = wanted.data() + resultsAt;
  const auto overlap = [](const TensorView &a, const Want &inA, const TensorView &b, const Want &inB) {
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
      if (overlap(results[r], wantedResults[r], operands[i], wanted[i])) return refuse("operand", i);
    for (size_t i = 0; i < r; ++i)
      if (overlap(results[r], wantedResults[r], results[i], wantedResults[i])) return refuse("result", i);
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

Error LoadedKernel::noWorkspace() const {
  return makeError(ErrorCode::Limit,
                   "no memory for a workspace of " + std::to_string(compiled.workspaceBytes) + " bytes");
}

Expected<void> LoadedKernel::checkAndRun(std::span<const TensorView> operands,
                                         std::span<const TensorView> results) const {
  if (auto fine = check(operands, results); !fine) return fine;
  std::vector<void *> pointers;
  for (const TensorView &view : operands) pointers.push_back(view.data);
  for (const TensorView &view : results) pointers.push_back(view.data);
  if (!call(pointers.data(), pointers.data() + operands.size())) return noWorkspace();
  return {};
}

/// Small and without a call, as it is what a call of a small kernel costs.
[[gnu::always_inline]] inline bool LoadedKernel::evidentlyFit(std::span<const TensorView> operands,
                                                              std::span<const TensorView> results,
                                                              void **pointers) const {
  const size_t count = wanted.size(), resultsBegin = resultsAt;
  if (count > kFew || operands.size() != resultsBegin || results.size() != count - resultsBegin) return false;
  uintptr_t low[kFew], high[kFew];
  const Want *want = wanted.data();
  const int64_t *number = numbers.data();
  const TensorView *view = operands.data();
  for (size_t i = 0; i < count; ++i, ++view, ++want) {
    if (i == resultsBegin) view = results.data();
    const size_t rank = want->rank;
    const TensorType &type = view->type;
    const auto address = reinterpret_cast<uintptr_t>(view->data);
    if (type.dtype != want->dtype || type.shape.size() != rank || type.strides.size() != rank) return false;
    if (address == 0 || (address & want->alignmentMask) != 0) return false;
    const int64_t *const shape = type.shape.data(), *const strides = type.strides.data();
#pragma clang loop vectorize(disable) unroll(disable)
    for (size_t d = 0; d < rank; ++d, ++number)
      if (shape[d] != number[0] || strides[d] != number[rank]) return false;
    number += rank;
    pointers[i] = view->data;
    low[i] = address + static_cast<uintptr_t>(want->low);
    high[i] = address + static_cast<uintptr_t>(want->high);
  }
  for (size_t r = resultsBegin; r < count; ++r)
    for (size_t i = 0; i < r; ++i)
      if (low[r] < high[i] && low[i] < high[r]) return false;
  return true;
}

Expected<void> LoadedKernel::run(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  void *pointers[kFew];
  if (!evidentlyFit(operands, results, pointers)) return checkAndRun(operands, results);
  if (!call(pointers, pointers + operands.size())) return noWorkspace();
  return {};
}

} // namespace ein
