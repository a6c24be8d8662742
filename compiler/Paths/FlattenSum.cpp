// Flattening of sums of products and their like in other semirings: constants out, factors into tensors, n-ary
// contractions into pairwise ones.
#include "compiler/Paths/Flattener.h"
#include "compiler/Paths/Fusion.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ein {

namespace {

bool contains(const std::vector<IndexId> &indices, IndexId i) {
  return std::find(indices.begin(), indices.end(), i) != indices.end();
}

bool disjoint(const std::vector<IndexId> &a, const std::vector<IndexId> &b) {
  return std::none_of(a.begin(), a.end(), [&](IndexId i) { return contains(b, i); });
}

void addMissing(std::vector<IndexId> &indices, const std::vector<IndexId> &more) {
  for (IndexId i : more)
    if (!contains(indices, i)) indices.push_back(i);
}

} // namespace

/// scale * factors / divisors: the body of a sum with all that does not depend on the summed indices,
/// and is not an operand, taken out.
struct Flattener::Product {
  double scale = 1;
  std::vector<ExprId> factors;
  std::vector<ExprId> divisors;
};

Flattener::Product Flattener::splitProduct(ExprId body, const std::vector<IndexId> &summed) {
  Product product;
  struct Item {
    ExprId e;
    bool inverse;
  };
  std::vector<Item> stack{{body, false}};
  while (!stack.empty()) {
    auto [id, inverse] = stack.back();
    stack.pop_back();
    const Expr &e = out.exprs[id];
    bool map = e.kind == Expr::Kind::Map;
    if (map && e.fn == Fn::Neg) {
      product.scale = -product.scale;
      stack.push_back({e.args[0], inverse});
    } else if (map && !inverse && (e.fn == Fn::Mul || e.fn == Fn::Div)) {
      // The left argument comes off first: operands keep their order.
      stack.push_back({e.args[1], e.fn == Fn::Div});
      stack.push_back({e.args[0], false});
    } else if (e.kind == Expr::Kind::Literal && std::isfinite(e.literal) && e.literal != 0) {
      product.scale = inverse ? product.scale / e.literal : product.scale * e.literal;
    } else if (!inverse) {
      product.factors.push_back(id);
    } else if (disjoint(out.freeIndices(id), summed)) {
      product.divisors.push_back(id);
    } else {
      product.factors.push_back(out.map(Fn::Div, {out.literal(1), id}));
    }
  }
  return product;
}

void Flattener::flattenSum(TensorId target, const std::vector<IndexId> &summed, ExprId body) {
  // Over nothing a sum is 0, whatever its factors are: they stay inside.
  if (isEmpty(summed)) {
    assign(target, out.reduce(Monoid::Sum, summed, body));
    return;
  }
  Product product = splitProduct(body, summed);
  std::vector<IndexId> all;
  for (ExprId factor : product.factors) addMissing(all, indicesOf(factor));
  if (!std::isfinite(product.scale) || product.scale == 0) {
    assign(target, out.reduce(Monoid::Sum, summed, body));
    return;
  }

  bool plain = product.scale == 1 && product.divisors.empty();
  std::vector<IndexId> kept = all;
  std::erase_if(kept, [&](IndexId i) { return contains(summed, i); });
  TensorId sum = plain ? target : newTensor(inOrder(std::move(kept)), out.tensors[target].dtype);
  if (keepsInOneNest(product.factors)) {
    assign(sum, out.reduce(Monoid::Sum, summed, productOf(Fn::Mul, product.factors)));
  } else {
    for (ExprId &factor : product.factors)
      if (!out.isOperand(factor)) factor = materialise(factor, target);
    contract(sum, {Monoid::Sum, Fn::Mul}, summed, product.factors);
  }
  if (plain) return;
  ExprId value = out.access(sum);
  if (product.scale != 1) value = out.map(Fn::Mul, {value, out.literal(product.scale)});
  for (ExprId divisor : product.divisors) value = out.map(Fn::Div, {value, divisor});
  assign(target, value);
}

/// Where a factor that is no access has all the indices, to store it would save nothing.
bool Flattener::keepsInOneNest(const std::vector<ExprId> &factors) const {
  if (inOneNest) return true;
  std::vector<IndexId> all;
  for (ExprId factor : factors) addMissing(all, indicesOf(factor));
  return std::any_of(factors.begin(), factors.end(),
                     [&](ExprId factor) { return !out.isOperand(factor) && indicesOf(factor).size() == all.size(); });
}

/// Maxima, minima and lse. They distribute over sums, so sums of tensors are taken in pairs; so are products under
/// maxima and minima, see contractSigned.
void Flattener::flattenTropical(TensorId target, Monoid monoid, const std::vector<IndexId> &reduced, ExprId body) {
  const Expr &root = out.exprs[body];
  const bool isProduct = root.kind == Expr::Kind::Map && root.fn == Fn::Mul && monoid != Monoid::LogSumExp;
  const Ring ring{monoid, isProduct ? Fn::Mul : Fn::Add};
  std::vector<ExprId> factors, stack{body};
  while (!stack.empty()) {
    const ExprId id = stack.back();
    const Expr &e = out.exprs[id];
    stack.pop_back();
    if (e.kind == Expr::Kind::Map && e.fn == ring.multiply)
      stack.insert(stack.end(), e.args.rbegin(), e.args.rend());
    else
      factors.push_back(id);
  }
  auto isConstant = [&](ExprId factor) { return indicesOf(factor).empty() && !out.isOperand(factor); };
  // Over nothing there is no term: identities of parts must not meet, as -inf * 0 or -inf + inf.
  if (factors.size() == 1 || isEmpty(reduced) || keepsInOneNest(factors) ||
      std::any_of(factors.begin(), factors.end(), isConstant))
    return reduceTo(target, monoid, reduced, body);
  for (ExprId &factor : factors)
    if (!out.isOperand(factor)) factor = materialise(factor, target);
  contract(target, ring, reduced, factors);
}

bool Flattener::isEmpty(const std::vector<IndexId> &reduced) const {
  return std::any_of(reduced.begin(), reduced.end(), [&](IndexId i) { return out.indices[i].extent == 0; });
}

ExprId Flattener::productOf(Fn multiply, const std::vector<ExprId> &factors) {
  ExprId value = factors[0];
  for (size_t f = 1; f < factors.size(); ++f) value = out.map(multiply, {value, factors[f]});
  return value;
}

/// Sums away, operand by operand, what only that operand has: each index left joins operands or is kept.
void Flattener::sumOneSided(Monoid add, std::vector<IndexId> &summed, std::vector<ExprId> &operands, DType dtype) {
  std::vector<size_t> users(out.indices.size());
  for (ExprId operand : operands)
    for (IndexId i : indicesOf(operand)) ++users[i];
  std::vector<char> isSummed(out.indices.size());
  for (IndexId i : summed) isSummed[i] = true;
  auto oneSided = [&](IndexId i) { return isSummed[i] && users[i] == 1; };
  for (ExprId &operand : operands) {
    std::vector<IndexId> axes = indicesOf(operand), gone;
    std::copy_if(axes.begin(), axes.end(), std::back_inserter(gone), oneSided);
    if (gone.empty()) continue;
    std::erase_if(axes, oneSided);
    // What is real stays so.
    const DType own = isComplex(sumType(operand)) ? dtype : partType(dtype);
    TensorId rest = newTensor(std::move(axes), own);
    reduceTo(rest, add, gone, operand);
    operand = out.access(rest);
  }
  std::erase_if(summed, oneSided);
}

void Flattener::contract(TensorId target, Ring ring, std::vector<IndexId> summed, std::vector<ExprId> operands) {
  // A factor may turn a maximum into a minimum, unless it is a truth value.
  const bool isSigned = ring.add != Monoid::Sum && ring.multiply == Fn::Mul && options.semiring != Semiring::OrAnd;
  if (operands.size() > 1 && !isSigned) sumOneSided(ring.add, summed, operands, out.tensors[target].dtype);
  ContractionProblem problem = problemOf(target, operands);
  double budgetMs = std::max(0.0, options.pathBudgetMs - searchedMs);
  ContractionPath path =
      options.order.empty() ? findPath(problem, options.path, budgetMs) : givenPath(problem, options.order);
  searchedMs += path.searchMs;
  FusionChoice fusion;
  if (options.path == PathStrategy::Auto && options.order.empty())
    fusion = chooseFusion(problem, path, double(options.memoryLimit));
  if (fusion.fused) {
    // What an inner loop does not move is multiplied outside of it.
    std::stable_sort(operands.begin(), operands.end(),
                     [&](ExprId a, ExprId b) { return indicesOf(a).size() < indicesOf(b).size(); });
    const ExprId value = productOf(ring.multiply, operands);
    if (summed.empty())
      assign(target, value);
    else
      reduceTo(target, ring.add, summed, value);
    std::string expression = problem.str();
    flat.contractions.push_back({std::move(problem), std::move(path), std::move(expression), fusion});
    return;
  }

  if (isSigned)
    contractSigned(target, ring.add, path, operands);
  else
    contractInPairs(target, ring, path, operands);
  std::string expression = problem.str();
  flat.contractions.push_back({std::move(problem), std::move(path), std::move(expression), fusion});
}

void Flattener::contractInPairs(TensorId target, Ring ring, const ContractionPath &path, std::vector<ExprId> nodes) {
  for (const PathStep &step : path.steps) {
    ExprId value = nodes[step.left];
    std::vector<IndexId> gone = indicesOf(value);
    if (step.right >= 0) {
      addMissing(gone, indicesOf(nodes[step.right]));
      value = out.map(ring.multiply, {value, nodes[step.right]});
    }
    std::erase_if(gone, [&](IndexId i) { return contains(step.result, i); });
    const bool last = &step == &path.steps.back();
    const TensorId result = last ? target : newTensor(step.result, out.tensors[target].dtype);
    if (gone.empty())
      assign(result, value);
    else
      reduceTo(result, ring.add, gone, value);
    nodes.push_back(out.access(result));
  }
}

/// Max or min of products in pairs. The maximum over x of c * x is c times that of x, or times the minimum of x where c
/// is negative; so intermediates come as both, and of what they give with c the larger is the maximum.
void Flattener::contractSigned(TensorId target, Monoid monoid, const ContractionPath &path,
                               const std::vector<ExprId> &operands) {
  using Extremes = std::vector<ExprId>; // one, or the greatest and the least
  std::vector<Extremes> nodes;
  for (ExprId operand : operands) nodes.push_back({operand});
  for (const PathStep &step : path.steps) {
    Extremes products = nodes[step.left];
    std::vector<IndexId> gone = indicesOf(products[0]);
    if (step.right >= 0) {
      const Extremes left = std::exchange(products, {}), &right = nodes[step.right];
      addMissing(gone, indicesOf(right[0]));
      for (ExprId a : left)
        for (ExprId b : right) products.push_back(out.map(Fn::Mul, {a, b}));
    }
    std::erase_if(gone, [&](IndexId i) { return contains(step.result, i); });
    auto extreme = [&](TensorId result, Monoid m) {
      std::vector<ExprId> each;
      for (ExprId product : products)
        each.push_back(gone.empty() ? product
                       : products.size() == 1
                           ? out.reduce(m, gone, product)
                           : assign(newTensor(step.result, out.tensors[target].dtype), out.reduce(m, gone, product)));
      return assign(result, productOf(m == Monoid::Max ? Fn::Max : Fn::Min, each));
    };
    if (&step == &path.steps.back()) {
      extreme(target, monoid);
      return;
    }
    Extremes both{extreme(newTensor(step.result, out.tensors[target].dtype), Monoid::Max)};
    if (!gone.empty() || products.size() > 1)
      both.push_back(extreme(newTensor(step.result, out.tensors[target].dtype), Monoid::Min));
    nodes.push_back(std::move(both));
  }
}

ContractionProblem Flattener::problemOf(TensorId target, const std::vector<ExprId> &operands) const {
  ContractionProblem problem;
  for (ExprId operand : operands) problem.operands.push_back(indicesOf(operand));
  problem.output = out.tensors[target].axes;
  for (const Index &i : out.indices) {
    problem.extents.push_back(i.extent.value_or(1));
    problem.names.push_back(i.name);
  }
  problem.elementBytes = byteSize(out.tensors[target].dtype);
  return problem;
}

/// Free indices; those of an operand in the order of its subscripts.
std::vector<IndexId> Flattener::indicesOf(ExprId e) const {
  if (!out.isOperand(e)) return out.freeIndices(e);
  if (out.exprs[e].kind == Expr::Kind::Map) e = out.exprs[e].args[0];
  std::vector<IndexId> indices;
  for (const AccessSubscript &s : out.exprs[e].subscripts)
    if (s && !contains(indices, *s)) indices.push_back(*s);
  return indices;
}

} // namespace ein
