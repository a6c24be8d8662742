// The reference: evaluates a bound Program by nested loops in double.
#include "compiler/IndexNotation/Interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ein {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Interpreter {
public:
  /// With `magnitudes`, |x| stands for operands and literals, and + for -.
  Interpreter(const Program &p, bool magnitudes)
      : p(p), magnitudes(magnitudes), free(p.allFreeIndices()), tensors(p.tensors.size()), point(p.indices.size(), 0),
        rows(p.exprs.size()) {}

  std::vector<ReferenceTensor> run(std::span<const ReferenceTensor> operands) {
    for (size_t o = 0; o < operands.size(); ++o) {
      tensors[p.inputs[o]] = operands[o];
      if (magnitudes)
        for (double &x : tensors[p.inputs[o]].values) x = std::fabs(x);
    }
    for (const Assignment &a : p.assignments) {
      const std::vector<IndexId> &axes = p.tensors[a.result].axes;
      ReferenceTensor &result = tensors[a.result];
      result.shape = p.typeOf(a.result).shape;
      forEachPoint(axes, [&] { result.values.push_back(evaluate(a.value)); });
    }
    std::vector<ReferenceTensor> results;
    for (TensorId t : p.outputs) results.push_back(tensors[t]);
    return results;
  }

private:
  /// Calls `body` at each value of `indices`, the last one fastest.
  template <class Body> void forEachPoint(const std::vector<IndexId> &indices, Body body, size_t depth = 0) {
    if (depth == indices.size()) return body();
    IndexId i = indices[depth];
    const int64_t outside = point[i]; // an index may be bound here and free elsewhere
    for (point[i] = 0; point[i] < *p.indices[i].extent; ++point[i]) forEachPoint(indices, body, depth + 1);
    point[i] = outside;
  }

  double evaluate(ExprId id) {
    const Expr &e = p.exprs[id];
    switch (e.kind) {
    case Expr::Kind::Literal: return magnitudes ? std::fabs(e.literal) : e.literal;
    case Expr::Kind::IndexValue: return static_cast<double>(point[e.indices[0]]);
    case Expr::Kind::Access: return access(e);
    case Expr::Kind::Map: return map(e);
    case Expr::Kind::Reduce: return reduce(e);
    case Expr::Kind::Softmax: return softmax(id);
    }
    return 0;
  }

  double access(const Expr &e) const {
    const ReferenceTensor &t = tensors[e.tensor];
    int64_t offset = 0; // row-major
    for (size_t d = 0; d < e.subscripts.size(); ++d)
      offset = offset * t.shape[d] + (e.subscripts[d] ? point[*e.subscripts[d]] : 0);
    return t.values[offset];
  }

  double map(const Expr &e) {
    if (e.fn == Fn::Select) return evaluate(e.args[0]) != 0 ? evaluate(e.args[1]) : evaluate(e.args[2]);
    double x = evaluate(e.args[0]);
    double y = e.args.size() > 1 ? evaluate(e.args[1]) : 0;
    switch (e.fn) {
    case Fn::Add: return x + y;
    case Fn::Sub: return magnitudes ? x + y : x - y;
    case Fn::Mul: return x * y;
    case Fn::Div: return x / y;
    case Fn::Neg: return magnitudes ? x : -x;
    case Fn::Exp: return std::exp(x);
    case Fn::Log: return std::log(x);
    case Fn::Sqrt: return std::sqrt(x);
    case Fn::Tanh: return std::tanh(x);
    case Fn::Abs: return std::fabs(x);
    case Fn::Floor: return std::floor(x);
    case Fn::Sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Fn::Max: return larger(x, y);
    case Fn::Min: return smaller(x, y);
    case Fn::Less: return x < y;
    case Fn::LessEqual: return x <= y;
    case Fn::Greater: return x > y;
    case Fn::GreaterEqual: return x >= y;
    case Fn::Equal: return x == y;
    case Fn::NotEqual: return x != y;
    case Fn::And: return x != 0 && y != 0;
    case Fn::Or: return x != 0 || y != 0;
    case Fn::Not: return x == 0;
    case Fn::Select: break;
    }
    return 0;
  }

  // A NaN on either side is the result, as in numpy.maximum and arith.maximumf.
  static double larger(double x, double y) { return std::isnan(x) || x > y ? x : y; }
  static double smaller(double x, double y) { return std::isnan(x) || x < y ? x : y; }

  double reduce(const Expr &e) {
    if (e.monoid == Monoid::LogSumExp) return logSumExp(e);
    double total = identityOf(e.monoid);
    forEachPoint(e.indices, [&] {
      if (e.guard && evaluate(*e.guard) == 0) return;
      double x = evaluate(e.args[0]);
      total = e.monoid == Monoid::Sum ? total + x : e.monoid == Monoid::Max ? larger(total, x) : smaller(total, x);
    });
    return total;
  }

  /// m + log(sum of exp(x - m)) with m the maximum, or 0 where that is infinite.
  double logSumExp(const Expr &e) {
    double highest = -kInfinity, sum = 0;
    auto forEachTerm = [&](auto use) {
      forEachPoint(e.indices, [&] {
        if (!e.guard || evaluate(*e.guard) != 0) use(evaluate(e.args[0]));
      });
    };
    forEachTerm([&](double x) { highest = larger(highest, x); });
    const double shift = std::isinf(highest) ? 0 : highest;
    forEachTerm([&](double x) { sum += std::exp(x - shift); });
    return shift + std::log(sum);
  }

  /// exp(x - max) / sum of that, at the current point; 0 where the guard is false.
  double softmax(ExprId id) {
    const Expr &e = p.exprs[id];
    auto allowed = [&] { return !e.guard || evaluate(*e.guard) != 0; };
    if (!allowed()) return 0;
    SoftmaxRow &row = rows[id];
    std::vector<int64_t> at;
    for (IndexId i : free[id])
      if (std::find(e.indices.begin(), e.indices.end(), i) == e.indices.end()) at.push_back(point[i]);
    if (!row.known || row.at != at) {
      row = {true, std::move(at), -kInfinity, 0};
      forEachPoint(e.indices, [&] {
        if (allowed()) row.highest = larger(row.highest, evaluate(e.args[0]));
      });
      forEachPoint(e.indices, [&] {
        if (allowed()) row.sum += std::exp(evaluate(e.args[0]) - row.highest);
      });
    }
    return std::exp(evaluate(e.args[0]) - row.highest) / row.sum;
  }

  /// Maximum and sum of the row of a softmax that was looked at last: the next point is often in it too.
  struct SoftmaxRow {
    bool known = false;
    std::vector<int64_t> at; ///< values of the indices that are not reduced
    double highest = 0, sum = 0;
  };

  const Program &p;
  bool magnitudes;
  std::vector<std::vector<IndexId>> free; ///< free indices, by expression
  std::vector<ReferenceTensor> tensors;   ///< by tensor id
  std::vector<int64_t> point;             ///< the value of each index
  std::vector<SoftmaxRow> rows;           ///< by expression
};

double elementAt(const TensorView &view, int64_t offset) {
  if (view.type.dtype == DType::F32) return static_cast<const float *>(view.data)[offset];
  return static_cast<const double *>(view.data)[offset];
}

} // namespace

ReferenceTensor readReference(const TensorView &view) {
  const TensorType &type = view.type;
  ReferenceTensor result{type.shape, {}};
  if (std::find(type.shape.begin(), type.shape.end(), 0) != type.shape.end()) return result;
  std::vector<int64_t> position(type.shape.size(), 0);
  for (int64_t offset = 0;;) {
    result.values.push_back(elementAt(view, offset));
    size_t d = position.size();
    while (d > 0 && position[d - 1] + 1 == type.shape[d - 1]) { // carry
      offset -= position[d - 1] * type.strides[d - 1];
      position[--d] = 0;
    }
    if (d == 0) return result;
    ++position[d - 1];
    offset += type.strides[d - 1];
  }
}

std::vector<ReferenceTensor> interpret(const Program &p, std::span<const ReferenceTensor> operands) {
  return Interpreter(p, false).run(operands);
}

std::vector<ReferenceTensor> interpretMagnitude(const Program &p, std::span<const ReferenceTensor> operands) {
  return Interpreter(p, true).run(operands);
}

} // namespace ein
