// Derivatives of pointwise functions, and the expressions that gradients are made of.
#pragma once

#include "compiler/Cascades/Arena.h"

#include <functional>
#include <optional>

namespace ein {

/// Builds cotangents in an arena. `if g then x else 0` stays outermost, so that what the condition excludes is 0 even
/// where a derivative there is infinite or NaN, and so that a sum can take the condition as its guard.
class Derivatives {
public:
  explicit Derivatives(Arena &arena) : a(arena) {}

  ExprId times(ExprId cotangent, ExprId factor);
  ExprId over(ExprId cotangent, ExprId divisor);
  ExprId plus(ExprId x, ExprId y);
  ExprId minus(ExprId cotangent);
  /// `cotangent` where `condition`, else 0.
  ExprId where(ExprId condition, ExprId cotangent);
  /// The sum over some indices, of which the cotangent may lack some: then it counts once for each of their values.
  ExprId sum(const std::vector<IndexId> &indices, ExprId cotangent);
  ExprId indexValue(IndexId index);
  ExprId isEqual(IndexId index, ExprId value);
  ExprId conjugate(ExprId e);
  ExprId negation(ExprId condition);

  /// What a pointwise `e` passes on to its argument number `i`; nothing where it is constant in it. `value` gives the
  /// value of an argument. Where both arguments of max or min are equal the second one counts, so relu'(0) is 0.
  std::optional<ExprId> pull(const Expr &e, size_t i, ExprId cotangent, const std::function<ExprId(size_t)> &value);

private:
  using Values = std::function<ExprId(size_t)>;
  ExprId through(ExprId cotangent, const std::function<ExprId(ExprId)> &change);
  ExprId slope(const Expr &e, const Values &value);
  std::optional<ExprId> ofPower(const Expr &e, size_t i, ExprId cotangent, const Values &value);
  bool isLiteral(ExprId e, double value) const;

  Arena &a;
};

} // namespace ein
