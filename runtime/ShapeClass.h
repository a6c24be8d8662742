// Shape classes: the operands' types with what dynamic indices leave to each call put into one standard form.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"
#include "runtime/DynamicDimensions.h"
#include "runtime/Few.h"

#include <span>
#include <string_view>
#include <vector>

namespace ein {

/// Extents from here on are served by one kernel, those below by another.
inline constexpr int64_t kLongExtent = 64;

/// The types that stand for all operands of a class in keys and in the compiler. Every extent of a dynamic index
/// becomes a number that says which index it is and whether it is long (a prime, so that nothing divides it by chance).
/// An operand with such a dimension is row-major if it was; else its strides of 0 and 1 stay, and the others become
/// numbers of their own. All else stays as it is, extents 1 that broadcast as well. Idempotent. `options.dynamic` must
/// not be empty; at most kMaxDynamic names count. Few operands of low rank take no allocation.
class ShapeClass {
public:
  /// A standard type, whose numbers are the class's.
  struct Operand {
    DType dtype;
    std::span<int64_t> shape, strides;
    operator TensorType() const { return {dtype, {shape.begin(), shape.end()}, {strides.begin(), strides.end()}}; }
  };

  ShapeClass(std::string_view text, std::span<const TensorType *const> operands, const CompileOptions &options);
  std::span<const Operand> operands() const { return all.values(); }

private:
  void fixExtents(std::span<const TensorType *const> operands, std::span<const uint8_t> dimensions, size_t count);

  Few<Operand, 8> all;
  Few<int64_t, 64> numbers; ///< of each operand: its extents, then its strides
};

/// The same as types.
std::vector<TensorType> shapeClass(std::string_view text, std::span<const TensorType> operands,
                                   const CompileOptions &options);

} // namespace ein
