// The work behind `flatten`: rewrites assignment by assignment into a new Program.
#pragma once

#include "compiler/Paths/Flatten.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ein {

/// Tensors and indices of the source keep their ids, new tensors follow. Each expression of the source is
/// lowered once, children before parents; what it became is a pointwise expression of the new Program.
class Flattener {
public:
  Flattener(const FusedProgram &source, const CompileOptions &options);
  /// Everything but the workspace.
  FlatProgram run() &&;

private:
  // Flatten.cpp: the walk over expressions.
  void flattenAssignment(const Assignment &assignment);
  void keepAssignment(const Assignment &assignment);
  std::vector<ExprId> reachable(ExprId root) const;
  bool storesNothingFor(TensorId result) const;
  ExprId rebuild(const Expr &e);
  void flattenReduce(const Expr &e, TensorId target);
  void reduceTo(TensorId target, Monoid monoid, std::vector<IndexId> indices, ExprId body);
  void logSumExpTo(TensorId target, const std::vector<IndexId> &indices, ExprId x);
  void flattenSoftmax(const Expr &e, TensorId target);
  void flattenTop(const Expr &e, TensorId target); // FlattenTop.cpp

  // FlattenSum.cpp: sums of products, and what else distributes.
  struct Product;
  /// A reduction and what it distributes over.
  struct Ring {
    Monoid add;
    Fn multiply;
  };
  Product splitProduct(ExprId body, const std::vector<IndexId> &summed);
  void flattenSum(TensorId target, const std::vector<IndexId> &summed, ExprId body);
  void flattenTropical(TensorId target, Monoid monoid, const std::vector<IndexId> &reduced, ExprId body);
  bool isEmpty(const std::vector<IndexId> &reduced) const;
  bool keepsInOneNest(const std::vector<ExprId> &factors) const;
  void contract(TensorId target, Ring ring, std::vector<IndexId> summed, std::vector<ExprId> operands);
  void contractInPairs(TensorId target, Ring ring, const ContractionPath &path, std::vector<ExprId> nodes);
  void contractSigned(TensorId target, Monoid monoid, const ContractionPath &path, const std::vector<ExprId> &operands);
  ExprId productOf(Fn multiply, const std::vector<ExprId> &factors);
  void sumOneSided(Monoid add, std::vector<IndexId> &summed, std::vector<ExprId> &operands, DType dtype);
  ContractionProblem problemOf(TensorId target, const std::vector<ExprId> &operands) const;
  std::vector<IndexId> indicesOf(ExprId access) const;
  /// Whether an expression is a tensor as it lies in memory.

  // Tensors of the new Program.
  std::vector<IndexId> inOrder(std::vector<IndexId> indices) const;
  TensorId newTensor(std::vector<IndexId> axes, DType dtype);
  DType sumType(ExprId e);
  ExprId assign(TensorId result, ExprId value);
  ExprId materialise(ExprId value) { return materialise(value, current); }
  ExprId materialise(ExprId value, TensorId partOf);
  ExprId masked(std::optional<ExprId> guard, ExprId value, double otherwise);

  const FusedProgram &fused;
  const Program &source;
  const CompileOptions &options;
  FlatProgram flat;
  Program &out;
  std::vector<std::optional<ExprId>> lowered; ///< by expression of the source
  std::set<std::string> names;                ///< taken by tensors and indices
  std::vector<std::optional<DType>> types;    ///< of the new Program's expressions, as far as they were asked for
  size_t nextName = 0;
  double searchedMs = 0;
  bool inOneNest = false; ///< `require nostore`: no intermediates on the way to `current`
  TensorId current = 0;   ///< result of the assignment being flattened: gives dtype and order of axes
};

} // namespace ein
