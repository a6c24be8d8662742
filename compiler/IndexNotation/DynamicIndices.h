// Indices whose extents come with each call: which they are, and whether the Program stays the same whatever they are.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <span>
#include <string_view>

namespace ein {

/// Sets `Index::dynamic` of every index of `p`, which is bound to `operands`, that has the extent of one that
/// `options.dynamic` names. The extents of those are standard ones (runtime/ShapeClass.h). Refuses unknown names, and
/// indices whose extent is more than the length of loops: where it is part of a value, where the extent of another
/// index follows from it in another way than being the same, or where a position on it is computed.
Expected<void> markDynamicIndices(Program &p, std::string_view text, std::span<const TensorType> operands,
                                  const CompileOptions &options);

/// The index of each stored dimension of a tensor; nothing for one that several indices share.
std::vector<std::optional<IndexId>> indicesOfDimensions(const Tensor &tensor);

} // namespace ein
