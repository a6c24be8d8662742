// Which numbers of a kernel with dynamic indices come with each call, and where.
#include "compiler/IndexNotation/DynamicIndices.h"
#include "compiler/Lowering/LowerToLinalg.h"

namespace ein {

/// The places of one operand's extents and strides; new ones for strides that nothing else tells.
static void appendSlots(const Program &p, TensorId tensor, const TensorType &type, int32_t &next,
                        std::vector<int32_t> &slots) {
  const std::vector<std::optional<IndexId>> own = indicesOfDimensions(p.tensors[tensor]);
  bool isDynamic = false;
  for (size_t d = 0; d < type.shape.size(); ++d) {
    const int dynamic = d < own.size() && own[d] ? p.indices[*own[d]].dynamic : -1;
    isDynamic |= dynamic >= 0;
    slots.push_back(dynamic >= 0 ? dynamic : CompiledModule::kAsCompiled);
  }
  const bool rowMajor = isDynamic && type.isContiguous();
  for (int64_t stride : type.strides) {
    const bool isKnown = !isDynamic || stride == 0 || stride == 1;
    slots.push_back(rowMajor ? CompiledModule::kRowMajor : isKnown ? CompiledModule::kAsCompiled : next++);
  }
}

Expected<void> assignSizes(const Program &p, CompiledModule &module) {
  for (const Index &index : p.indices) {
    if (index.dynamic < 0) continue;
    module.dynamic.resize(std::max(module.dynamic.size(), size_t(index.dynamic) + 1));
    DynamicIndex &dynamic = module.dynamic[index.dynamic];
    if (dynamic.most > 0) continue; // the first one of several with one extent has the name
    const bool isLong = *index.extent >= 64;
    dynamic = {index.name, isLong ? 64 : 0, isLong ? INT32_MAX : 63};
  }
  if (module.dynamic.empty()) return {};
  auto next = int32_t(module.dynamic.size());
  for (size_t i = 0; i < module.operands.size(); ++i)
    appendSlots(p, p.inputs[i], module.operands[i], next, module.sizeSlots);
  for (size_t i = 0; i < module.results.size(); ++i)
    appendSlots(p, p.outputs[i], module.results[i], next, module.sizeSlots);
  if (next > int32_t(kMaxSizes))
    return makeError(ErrorCode::Limit,
                     std::to_string(next) + " dynamic extents and strides, at most " + std::to_string(kMaxSizes),
                     "name fewer dynamic indices, or make operands row-major");
  return {};
}

} // namespace ein
