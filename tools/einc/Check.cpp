// Compares results with the reference interpreter, element by element, against a rounding bound.
#include "tools/einc/Check.h"

#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Interpreter.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

using namespace ein;

namespace einc {

/// gamma(n) of Higham, Accuracy and Stability of Numerical Algorithms, section 3.1, given n u; infinite where that
/// reaches 1.
static double gamma(double units) { return units < 1 ? units / (1 - units) : std::numeric_limits<double>::infinity(); }

/// Every product may lose up to one denormal, the store half of one.
static double absoluteBound(const Roundings &roundings, DType dtype) {
  return roundings.most * roundings.smallest + smallestNumber(dtype) / 2;
}

namespace {

/// Walks a Program bottom-up, counting roundings by expression and by tensor.
class RoundingCounter {
public:
  explicit RoundingCounter(const Program &program)
      : program(program), types(program.dtypes()), byTensor(program.tensors.size()), byExpr(program.exprs.size()) {}

  Roundings count() {
    double coarsest = 0;
    for (const Assignment &assignment : program.assignments) {
      const DType stored = storageOf(assignment.result);
      const DType computed = accumulateType(promote(types[assignment.value].value_or(stored), stored));
      unit = unitRoundoff(computed), coarsest = std::max(coarsest, unit);
      result.smallest = std::max(result.smallest, smallestNumber(computed));
      // Children come before parents, so one sweep up to the value suffices.
      for (ExprId e = 0; e <= assignment.value; ++e) byExpr[e] = ofExpr(program.exprs[e]);
      byTensor[assignment.result] = byExpr[assignment.value];
      if (unitRoundoff(stored) > unit) byTensor[assignment.result].add(1, unitRoundoff(stored));
    }
    for (TensorId output : program.outputs) {
      result.most = std::max(result.most, byTensor[output].count);
      result.units = std::max(result.units, byTensor[output].units);
      result.typicalUnits = std::max(result.typicalUnits, byTensor[output].typical);
    }
    // A complex product has two real ones and a sum in each part; errors of both parts meet in the next product.
    const bool complex =
        std::any_of(program.tensors.begin(), program.tensors.end(), [](const Tensor &t) { return isComplex(t.dtype); });
    if (complex) result.most = 3 * result.most + 2;
    if (complex)
      for (double *units : {&result.units, &result.typicalUnits}) *units = 3 * *units + 2 * coarsest;
    return result;
  }

private:
  /// On the worst way to a value.
  struct Errors {
    double count = 0, units = 0, typical = 0;
    void add(double n, double unit) {
      count += n, units += n * unit;
      typical += std::min(n, 4 * std::sqrt(n) + 8) * unit;
    }
    /// `combine` of each number.
    template <class Combine> void join(const Errors &other, Combine combine) {
      count = combine(count, other.count), units = combine(units, other.units);
      typical = combine(typical, other.typical);
    }
  };

  const Program &program;
  const std::vector<std::optional<DType>> types; ///< by expression
  std::vector<Errors> byTensor, byExpr;
  double unit = 0; ///< of the type that the assignment at hand is computed in
  Roundings result;

  /// 16 bits are only what leaves the kernel.
  DType storageOf(TensorId t) const {
    const bool leaves = std::find(program.outputs.begin(), program.outputs.end(), t) != program.outputs.end();
    const DType dtype = program.tensors[t].dtype;
    return leaves || !isFloat(dtype) ? dtype : accumulateType(dtype);
  }

  double terms(const std::vector<IndexId> &indices) const {
    double product = 1;
    for (IndexId index : indices) product *= static_cast<double>(program.indices[index].extent.value_or(1));
    return product;
  }

  Errors ofExpr(const Expr &expr) {
    Errors sum, worst;
    for (ExprId arg : expr.args) {
      sum.join(byExpr[arg], std::plus<>());
      worst.join(byExpr[arg], [](double a, double b) { return std::max(a, b); });
    }
    switch (expr.kind) {
    case Expr::Kind::Literal:
    case Expr::Kind::IndexValue: worst.add(1, unit); return worst;
    // A number that is wider than what is computed in is rounded as it is read.
    case Expr::Kind::Access: {
      Errors read = byTensor[expr.tensor];
      if (unitRoundoff(program.tensors[expr.tensor].dtype) < unit) read.add(1, unit);
      return read;
    }
    case Expr::Kind::Map:
      if (expr.fn == Fn::Conj) return worst;
      if (expr.fn == Fn::Pow) {
        result.sumsOfProducts = false;
        worst.add(16, unit);
        return worst;
      }
      if (expr.fn != Fn::Mul)
        result.sumsOfProducts &= expr.fn == Fn::Add || expr.fn == Fn::Sub || expr.fn == Fn::Neg;
      else
        worst = sum;
      worst.add(1, unit);
      return worst;
    case Expr::Kind::Reduce:
      result.sumsOfProducts &= expr.monoid == Monoid::Sum && !expr.guard;
      if (expr.monoid == Monoid::LogSumExp) worst.add(3, unit);
      if (expr.monoid == Monoid::Prod) {
        worst.add(1, unit);
        return {worst.count * terms(expr.indices), worst.units * terms(expr.indices)};
      }
      if (expr.monoid == Monoid::Sum || expr.monoid == Monoid::LogSumExp) worst.add(terms(expr.indices), unit);
      return worst;
    case Expr::Kind::Top: result.sumsOfProducts = false; return worst;
    case Expr::Kind::Softmax:
      result.sumsOfProducts = false;
      worst.add(terms(expr.indices) + 3, unit);
      return worst;
    }
    return worst;
  }
};

} // namespace

Roundings countRoundings(const Program &program) { return RoundingCounter(program).count(); }

/// "[1,2]" of a flat row-major position.
static std::string positionText(const std::vector<int64_t> &shape, int64_t flat) {
  std::vector<int64_t> position(shape.size());
  for (size_t d = shape.size(); d-- > 0; flat /= shape[d]) position[d] = flat % shape[d];
  return shapeString(position);
}

std::string disagreement(const Program &program, std::span<const TensorView> expected,
                         std::span<const TensorView> magnitudes, std::span<const TensorView> results) {
  const Roundings roundings = countRoundings(program);
  for (size_t r = 0; r < results.size(); ++r) {
    const ReferenceTensor wanted = readReference(expected[r]), found = readReference(results[r]);
    const DType dtype = results[r].type.dtype;
    const double relative = 2 * gamma(roundings.units), absolute = 2 * absoluteBound(roundings, dtype);
    std::vector<double> scale;
    if (roundings.sumsOfProducts) {
      scale = readReference(magnitudes[r]).values;
    } else {
      double largest = 0;
      for (double value : wanted.values)
        if (std::isfinite(value)) largest = std::max(largest, 8 * std::abs(value));
      scale.assign(wanted.values.size(), largest);
    }
    for (size_t i = 0; i < wanted.values.size(); ++i) {
      const double a = wanted.values[i], b = found.values[i];
      // The magnitudes are rounded themselves, or have overflowed like the results.
      const double bound = relative * scale[i] / (1 - std::min(relative, 0.5)) + absolute;
      if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= bound || !std::isfinite(scale[i])) continue;
      char values[96];
      std::snprintf(values, sizeof values, " is %.9g, expected %.9g", b, a);
      return program.tensors[program.outputs[r]].name + positionText(wanted.shape, static_cast<int64_t>(i)) + values;
    }
  }
  return {};
}

CheckReport check(const Program &program, std::span<const TensorView> operands, std::span<const TensorView> results) {
  std::vector<ReferenceTensor> inputs;
  for (const TensorView &operand : operands) inputs.push_back(readReference(operand));
  std::vector<ReferenceTensor> references = interpret(program, inputs);
  Roundings roundings = countRoundings(program);
  std::vector<ReferenceTensor> magnitudes;
  if (roundings.sumsOfProducts) magnitudes = interpretMagnitude(program, inputs);

  CheckReport report;
  double worst = -1;
  bool allTypical = true;
  for (size_t r = 0; r < references.size(); ++r) {
    ReferenceTensor result = readReference(results[r]);
    const std::vector<double> &expected = references[r].values;
    const DType dtype = results[r].type.dtype;
    const bool exact = !references[r].integers.empty();
    const double largestValue = largestNumber(dtype);
    // The reference rounds as well, in double.
    const double relative = gamma(roundings.units) + gamma(roundings.most * 0x1p-53);
    const double absolute = absoluteBound(roundings, dtype);
    const double typical = gamma(2 * roundings.typicalUnits); // the reference's is no larger
    double scale = 0;
    for (double value : expected)
      if (std::isfinite(value)) scale = std::max(scale, 8 * std::abs(value));
    for (size_t i = 0; i < expected.size(); ++i) {
      double value = result.values[i], reference = expected[i];
      double magnitude = roundings.sumsOfProducts ? magnitudes[r].values[i] : scale;
      bool same = exact ? result.integers[i] == references[r].integers[i]
                        : value == reference || (std::isnan(value) && std::isnan(reference));
      bool overflowed = magnitude > largestValue && !std::isfinite(value);
      double error = same || overflowed ? 0
                     : exact            ? std::max(1.0, std::abs(value - reference))
                                        : std::abs(value - reference);
      double bound = relative * magnitude + absolute;
      bool fine = error <= bound || same || overflowed;
      allTypical &= fine && (!roundings.sumsOfProducts || error <= typical * magnitude + absolute);
      double ratio = fine ? (error > 0 ? error / bound : 0) : std::numeric_limits<double>::infinity();
      if (ratio <= worst) continue;
      worst = ratio;
      char values[96];
      std::snprintf(values, sizeof values, " is %.9g, the reference %.9g", value, reference);
      report = {fine, true, error, bound,
                program.tensors[program.outputs[r]].name + positionText(references[r].shape, static_cast<int64_t>(i)) +
                    values};
    }
  }
  report.typical = allTypical;
  return report;
}

} // namespace einc
