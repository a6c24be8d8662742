// Checks of operands and results, and the call into loaded code.
#include "runtime/LoadedKernel.h"
#include "ein/Cpu.h"
#include "runtime/Memory.h"
#include "runtime/ViewChecks.h"

#include <cstring>
#include <memory>
#include <numeric>

namespace ein {
namespace {

/// Copies each element of `from` to the same place relative to `to`.
void copyElements(const TensorView &from, void *to) {
  const TensorType &type = from.type;
  const auto size = static_cast<size_t>(byteSize(type.dtype));
  std::vector<int64_t> at(type.shape.size(), 0);
  for (int64_t left = type.numElements(), offset = 0; left > 0; --left) {
    const auto place = offset * static_cast<int64_t>(size);
    std::memcpy(static_cast<char *>(to) + place, static_cast<const char *>(from.data) + place, size);
    for (size_t d = at.size(); d-- > 0;) {
      offset += type.strides[d];
      if (++at[d] < type.shape[d]) break;
      offset -= at[d] * type.strides[d];
      at[d] = 0;
    }
  }
}

/// Whether two views may share memory: by the bytes [low, high) that they address, and by the steps in which they walk
/// them: the columns of one matrix lie between each other.
bool overlap(const TensorView &a, int64_t lowA, int64_t highA, const TensorView &b, int64_t lowB, int64_t highB) {
  if (lowA == highA || lowB == highB) return false;
  const auto baseA = reinterpret_cast<intptr_t>(a.data), baseB = reinterpret_cast<intptr_t>(b.data);
  if (baseA + lowA >= baseB + highB || baseB + lowB >= baseA + highA) return false;
  int64_t step = 0;
  for (const TensorType *type : {&a.type, &b.type})
    for (size_t d = 0; d < type->shape.size(); ++d)
      if (type->shape[d] > 1) step = std::gcd(step, type->strides[d] * byteSize(type->dtype));
  if (step == 0) return true;
  const int64_t apart = ((baseB - baseA) % step + step) % step; // of elements of a, then of b, modulo the step
  return apart < byteSize(a.type.dtype) || step - apart < byteSize(b.type.dtype);
}

/// Memory in place of a result's, of the same layout, and at first with the same values: the kernel may read them.
struct Elsewhere {
  Elsewhere(const TensorView &result, int64_t low, int64_t high)
      : memory(allocateAligned(static_cast<size_t>(high - low)), freeAligned), result(result),
        view(static_cast<char *>(memory.get()) - low, result.type) {
    if (memory) copyElements(result, view.data);
  }

  std::unique_ptr<void, void (*)(void *)> memory;
  TensorView result, view;
};

} // namespace

LoadedKernel::LoadedKernel(CompiledModule module, CodeImage image, GenericCode generic)
    : compiled(std::move(module)), image(std::move(image)), generic(std::move(generic)),
      resultsAt(compiled.operands.size()) {
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
  if (!module.gpu.empty())
    return makeError(ErrorCode::Unsupported, "the kernel is for GPUs: cuda:" + module.gpu,
                     "a Device loads and launches it (ein/Device.h)");
  for (const auto *types : {&module.operands, &module.results})
    for (const TensorType &type : *types)
      if (auto fine = type.verify(); !fine) return fine.error();
  if (const std::vector<std::string> missing = missingFeatures(module.features); !missing.empty()) {
    std::string names;
    for (const std::string &name : missing) names += (names.empty() ? "" : ", ") + name;
    return makeError(ErrorCode::Unsupported, "this CPU lacks what the kernel was compiled for: " + names,
                     "compile it for a lower level, such as x86-64-v2");
  }
  auto image = CodeImage::load(module);
  if (!image) return image.error();
  return std::shared_ptr<const LoadedKernel>(new LoadedKernel(std::move(module), std::move(*image), {}));
}

std::shared_ptr<const LoadedKernel> LoadedKernel::makeGeneric(CompiledModule types, GenericCode generic) {
  return std::shared_ptr<const LoadedKernel>(new LoadedKernel(std::move(types), {}, std::move(generic)));
}

size_t LoadedKernel::codeBytes() const {
  constexpr size_t page = 4096;
  return compiled.code.size() + (compiled.code.size() + page - 1) / page * page;
}

Expected<void> LoadedKernel::check(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  std::vector<Want> ranges;
  Sizes sizes;
  return check(operands, results, ranges, sizes);
}

Expected<void> LoadedKernel::check(std::span<const TensorView> operands, std::span<const TensorView> results,
                                   std::vector<Want> &ranges, Sizes &sizes) const {
  ranges = wanted;
  if (compiled.dynamic.empty()) {
    if (auto fine = checkViewTypes("operand", operands, compiled.operands); !fine) return fine;
    if (auto fine = checkViewTypes("result", results, compiled.results); !fine) return fine;
  } else {
    if (auto fine = readSizes(operands, results, sizes); !fine) return fine;
    for (size_t i = 0; i < ranges.size(); ++i) {
      const TensorType &type = i < resultsAt ? operands[i].type : results[i - resultsAt].type;
      if (auto fine = type.verify(); !fine) return fine;
      type.addressRange(ranges[i].low, ranges[i].high);
      ranges[i].low *= byteSize(type.dtype), ranges[i].high *= byteSize(type.dtype);
    }
  }
  if (auto fine = checkViewData("operand", operands); !fine) return fine;
  if (auto fine = checkViewData("result", results); !fine) return fine;
  for (size_t r = 0; r < results.size(); ++r)
    for (size_t i = 0; i < r; ++i)
      if (overlap(results[r], ranges[resultsAt + r].low, ranges[resultsAt + r].high, results[i],
                  ranges[resultsAt + i].low, ranges[resultsAt + i].high))
        return makeError(ErrorCode::Layout,
                         nameOfView("result", r) + " overlaps " + nameOfView("result", i) + " in memory",
                         "give each result memory of its own");
  return {};
}

int64_t LoadedKernel::workspaceBytes(const int64_t *sizes) const {
  return sizes ? image.bytes()(sizes) : compiled.workspaceBytes;
}

bool LoadedKernel::call(void *const *operands, void *const *results, const int64_t *sizes) const {
  if (!sizes && !compiled.dynamic.empty()) return false;
  if (generic) [[unlikely]]
    return generic.run(operands, results);
  void *workspace = nullptr;
  if (const int64_t bytes = workspaceBytes(sizes); bytes > 0) {
    workspace = threadWorkspace(static_cast<size_t>(bytes));
    if (!workspace) return false;
  }
  if (sizes)
    image.sizedEntry()(operands, results, workspace, sizes);
  else
    image.entry()(operands, results, workspace);
  return true;
}

Error LoadedKernel::noWorkspace(const int64_t *sizes) const {
  return makeError(ErrorCode::Limit,
                   "no memory for a workspace of " + std::to_string(workspaceBytes(sizes)) + " bytes");
}

Expected<void> LoadedKernel::checkAndRun(std::span<const TensorView> operands,
                                         std::span<const TensorView> results) const {
  std::vector<Want> ranges;
  Sizes sizes;
  if (auto fine = check(operands, results, ranges, sizes); !fine) return fine;
  std::vector<void *> pointers;
  std::vector<Elsewhere> elsewhere;
  for (const TensorView &view : operands) pointers.push_back(view.data);
  for (size_t r = 0; r < results.size(); ++r) {
    pointers.push_back(results[r].data);
    bool overlaps = false;
    const Want &want = ranges[resultsAt + r];
    for (size_t o = 0; o < operands.size(); ++o)
      overlaps |= overlap(results[r], want.low, want.high, operands[o], ranges[o].low, ranges[o].high);
    if (!overlaps) continue;
    elsewhere.emplace_back(results[r], want.low, want.high);
    if (!elsewhere.back().memory)
      return makeError(ErrorCode::Limit,
                       "no memory for a copy of " + nameOfView("result", r) + ", which overlaps an operand");
    pointers.back() = elsewhere.back().view.data;
  }
  const int64_t *given = compiled.dynamic.empty() ? nullptr : sizes.data();
  if (!call(pointers.data(), pointers.data() + operands.size(), given)) return noWorkspace(given);
  for (const Elsewhere &copy : elsewhere) copyElements(copy.view, copy.result.data);
  return {};
}

/// Whether no result's bytes [low, high) meet those of what stands before it.
[[gnu::always_inline]] static inline bool areApart(const uintptr_t *low, const uintptr_t *high, size_t resultsBegin,
                                                   size_t count) {
  for (size_t r = resultsBegin; r < count; ++r)
    for (size_t i = 0; i < r; ++i)
      if (low[r] < high[i] && low[i] < high[r]) return false;
  return true;
}

/// Small and without a call, as it is what a call of a small kernel costs.
[[gnu::always_inline]] inline bool LoadedKernel::evidentlyFit(std::span<const TensorView> operands,
                                                              std::span<const TensorView> results,
                                                              void **pointers) const {
  const size_t count = wanted.size(), resultsBegin = resultsAt;
  if (count > kFew || !compiled.dynamic.empty() || operands.size() != resultsBegin ||
      results.size() != count - resultsBegin)
    return false;
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
  return areApart(low, high, resultsBegin, count);
}

bool LoadedKernel::evidentlyFit(std::span<const TensorView> operands, std::span<const TensorView> results,
                                void **pointers, Sizes &sizes) const {
  const size_t count = wanted.size();
  if (count > kFew || !readSizes(operands, results, sizes)) return false;
  uintptr_t low[kFew], high[kFew];
  for (size_t i = 0; i < count; ++i) {
    const TensorView &view = i < resultsAt ? operands[i] : results[i - resultsAt];
    const auto address = reinterpret_cast<uintptr_t>(view.data);
    if (address == 0 || (address & wanted[i].alignmentMask) != 0 || !view.type.verify()) return false;
    int64_t first, last;
    view.type.addressRange(first, last);
    const int64_t bytes = byteSize(view.type.dtype);
    low[i] = address + static_cast<uintptr_t>(first * bytes);
    high[i] = address + static_cast<uintptr_t>(last * bytes);
    pointers[i] = view.data;
  }
  return areApart(low, high, resultsAt, count);
}

Expected<void> LoadedKernel::run(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  void *pointers[kFew];
  if (!compiled.dynamic.empty()) {
    Sizes sizes;
    if (!evidentlyFit(operands, results, pointers, sizes)) return checkAndRun(operands, results);
    if (!call(pointers, pointers + operands.size(), sizes.data())) return noWorkspace(sizes.data());
    return {};
  }
  if (!evidentlyFit(operands, results, pointers)) return checkAndRun(operands, results);
  if (!call(pointers, pointers + operands.size())) return noWorkspace(nullptr);
  return {};
}

} // namespace ein
