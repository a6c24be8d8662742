// Which dimensions of the operands have a dynamic index, read off the text once.
#pragma once

#include "ein/CompileOptions.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace ein {

/// Most dynamic indices.
inline constexpr size_t kMaxDynamic = 8;
/// A dimension whose extent is compiled in.
inline constexpr uint8_t kStaticDimension = 255;

/// For each dimension of operands of these ranks, one after the other: the number of its index in `options.dynamic`,
/// or kStaticDimension. Each thread keeps the answers for the texts it asked for last, so that most calls neither read
/// the text nor allocate; the span is valid until the thread's next call.
std::span<const uint8_t> dynamicDimensions(std::string_view text, const CompileOptions &options,
                                           std::span<const size_t> ranks);

} // namespace ein
