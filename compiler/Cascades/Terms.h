// Expressions as sums of products of powers and one exponential: the normal form in which cascades are found.
#pragma once

#include "compiler/Cascades/Arena.h"

#include <map>
#include <set>

namespace ein {

/// scale * product of factors^power * exp(sum of coefficient * expression), 0 where a guard is false.
struct Summand {
  double scale = 1;
  std::map<ExprId, int> powers;
  std::map<ExprId, double> exponent;
  std::set<ExprId> guards;
};
using Terms = std::vector<Summand>;

/// Normal forms of an arena's expressions. What is no sum or product, or has too many terms, is a factor of its own.
/// exp(a + b) is exp(a) exp(b), products are distributed over sums, x / y is x y^-1, `if g then x else 0` and
/// exp of `if g then x else -inf` are guards, exp(log(x)) is x for sums of exponentials.
class TermForm {
public:
  explicit TermForm(Arena &arena) : a(arena) {}

  Terms of(ExprId e);
  ExprId expression(const Summand &term);
  ExprId expression(const Terms &terms);
  /// The product of some factors; 1 of none.
  ExprId product(const std::map<ExprId, int> &powers);
  /// The sum of coefficients times expressions.
  ExprId linear(const std::map<ExprId, double> &sum);
  ExprId allOf(const std::set<ExprId> &guards);

  static constexpr size_t kMostTerms = 16;

  /// Expressions that are positive, or 0 where that stands for no term at all: sums of exponentials.
  std::set<ExprId> positive;

private:
  Terms compute(ExprId e);
  Terms ofMap(ExprId e);
  std::optional<Terms> inverse(const Terms &terms);
  Summand exponential(ExprId argument, double scale);
  bool isSumOfExponentials(ExprId e);
  std::optional<ExprId> logarithmOf(const Expr &e);
  Terms factor(ExprId e);

  Arena &a;
  std::map<ExprId, Terms> known;
};

} // namespace ein
