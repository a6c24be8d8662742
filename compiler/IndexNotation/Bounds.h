// Where computed subscripts can go, by intervals and by the guards around them.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <optional>
#include <vector>

namespace ein {

/// Bounds of an integer expression, both included; beyond +-2^62 they are not told apart.
struct IntegerRange {
  int64_t low = 0, high = 0;
};

/// The ranges of the expressions of a Program that may still grow: of those that are integers at each point of their
/// indices. Integer tensors have the range of their value, of their `below`, or of their dtype.
class IntegerRanges {
public:
  explicit IntegerRanges(const Program &p) : p(p) {}
  /// Nothing where the expression may be no integer.
  const std::optional<IntegerRange> &operator[](ExprId e);

private:
  std::optional<IntegerRange> rangeOf(const Expr &e);
  std::optional<IntegerRange> rangeOfTensor(TensorId t);
  std::optional<IntegerRange> rangeOfMap(const Expr &e) const;

  const Program &p;
  std::vector<std::optional<IntegerRange>> known; ///< by expression
  std::vector<std::optional<ExprId>> values;      ///< by tensor: what it is assigned
  size_t assignments = 0;                         ///< how many of them are in `values`
};

/// A subscript that may leave its axis.
struct LeavingSubscript {
  ExprId access;
  size_t computed; ///< which of the access' computed subscripts
  bool above;      ///< whether at the upper end
};

/// The first computed subscript below `root` for which neither its range nor one of the conditions under which it is
/// evaluated (guards, `if`) implies that it stays on its axis.
std::optional<LeavingSubscript> findLeavingSubscript(const Program &p, ExprId root, IntegerRanges &ranges);

} // namespace ein
