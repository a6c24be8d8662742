// A Program in the form in which gradients are taken.
#pragma once

#include "compiler/Cascades/Arena.h"

#include <map>

namespace ein {

/// A softmax, named: exp(score - reference) where the guard holds, else 0.
struct NamedSoftmax {
  ExprId score;
  std::vector<IndexId> indices;
  std::optional<ExprId> guard, sink;
  TensorId reference = 0; ///< log of the sum of exponentials, 0 where that is -inf
  TensorId weights = 0;
};

/// The assignments of a Program in an arena. No softmax is left: each is a tensor of exp(score - reference), made again
/// from a log-sum-exp of which there is one number a row. Maxima, minima and products are over one index each.
class AdjointForm {
public:
  AdjointForm(Arena &arena, const Program &source);

  std::vector<Assignment> assignments;
  std::map<TensorId, NamedSoftmax> softmaxes; ///< by the tensor that holds the weights

  /// A new tensor for `value`.
  TensorId assign(const std::string &like, ExprId value);
  /// `value` as a tensor: an access as it is, else a new one.
  ExprId named(const std::string &like, ExprId value);
  /// The softmax over the same points as this log-sum-exp.
  const NamedSoftmax *softmaxLike(const Expr &logSumExp) const;
  /// The expression in place of a log-sum-exp in an exponent: 0 where it is -inf.
  ExprId finite(ExprId logSumExp);

private:
  ExprId rewrite(ExprId value, TensorId result);
  ExprId split(const Expr &reduction);
  ExprId softmax(const Expr &e, const std::string &name, std::optional<TensorId> root);

  Arena &a;
};

} // namespace ein
