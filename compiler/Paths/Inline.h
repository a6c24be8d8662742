// Pointwise steps that become part of the only step that reads them.
#pragma once

#include "compiler/Paths/Flatten.h"

#include <set>

namespace ein {

/// Puts pointwise values in the place of accesses to them, where one other step reads them, once at each point, along
/// the same axis and in the same type: results do not change, and what lies between is never stored. Not those of
/// `kept`. Steps of cascades stay as they are.
void inlinePointwise(FlatProgram &flat, const std::set<TensorId> &kept);

} // namespace ein
