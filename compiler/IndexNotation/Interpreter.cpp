// The reference: evaluates a bound Program by nested loops in double.
#include "compiler/IndexNotation/Interpreter.h"

#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Pointwise.h"
#include "compiler/IndexNotation/Random.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ein {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Wide enough for any product of two integers; every value is brought back into the range of its dtype.
using Integer = __int128;

/// The integer of a dtype that is `x` modulo 2^bits.
Integer wrapped(Integer x, DType dtype) {
  if (dtype == DType::Bool) return x != 0;
  const int bits = int(byteSize(dtype)) * 8;
  const auto low = static_cast<unsigned __int128>(x) & ((static_cast<unsigned __int128>(1) << bits) - 1);
  const bool negative = !isUnsigned(dtype) && (low >> (bits - 1) & 1);
  return static_cast<Integer>(low) - (negative ? static_cast<Integer>(1) << bits : 0);
}

using Complex = std::complex<double>;

double real(double x) { return x; }
double real(const Complex &x) { return x.real(); }
Integer real(Integer x) { return x; }

/// `Number` is double; Integer for Programs of integers and bool only; Complex where any tensor is complex: what is
/// real then has the imaginary part 0.
template <class Number> class Interpreter {
  static constexpr bool exact = std::is_same_v<Number, Integer>;
  static constexpr bool complex = std::is_same_v<Number, Complex>;

public:
  /// With `magnitudes`, |x| stands for operands and literals, and + for -.
  Interpreter(const Program &p, bool magnitudes, AssignmentShortcut shortcut = {})
      : p(p), magnitudes(magnitudes), shortcut(std::move(shortcut)), free(p.allFreeIndices()),
        tensors(p.tensors.size()), point(p.indices.size(), 0), rows(p.exprs.size()), types(p.dtypes()) {
    for (TensorId t = 0; t < p.tensors.size(); ++t) shapes.push_back(p.typeOf(t).shape);
  }

  std::vector<ReferenceTensor> run(std::span<const ReferenceTensor> operands) {
    for (size_t o = 0; o < operands.size(); ++o) {
      std::vector<Number> &t = tensors[p.inputs[o]];
      const DType dtype = p.tensors[p.inputs[o]].dtype;
      const std::vector<double> &values = operands[o].values;
      t.reserve(values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        if constexpr (exact)
          t.push_back(wrapped(operands[o].integers[i], dtype));
        else if (isComplex(dtype))
          t.push_back(number(Complex(values[i], values[i + 1]))), ++i;
        else
          t.push_back(magnitudes ? std::fabs(values[i]) : values[i]);
      }
    }
    for (const Assignment &a : p.assignments) {
      if constexpr (std::is_same_v<Number, double>)
        if (shortcut && shortcut(a, tensors)) continue;
      const std::vector<IndexId> &axes = p.tensors[a.result].axes;
      const DType stored = p.tensors[a.result].dtype;
      computed = accumulateType(types[a.value] ? promote(*types[a.value], stored) : stored);
      std::vector<Number> &result = tensors[a.result];
      forEachPoint(axes, [&] { result.push_back(bring(evaluate(a.value), stored)); });
    }
    std::vector<ReferenceTensor> results;
    for (TensorId t : p.outputs) {
      ReferenceTensor &result = results.emplace_back(ReferenceTensor{shapes[t], {}, {}});
      const bool parts = isComplex(p.tensors[t].dtype);
      if (parts) result.shape.push_back(2);
      for (Number x : tensors[t]) {
        result.values.push_back(static_cast<double>(real(x)));
        if constexpr (complex)
          if (parts) result.values.push_back(magnitudes ? x.real() : x.imag());
        if constexpr (exact) result.integers.push_back(static_cast<int64_t>(x));
      }
    }
    return results;
  }

private:
  static Number bring(Number x, DType dtype) {
    if constexpr (exact) return wrapped(x, dtype);
    return x;
  }

  /// Calls `body` at each value of `indices`, the last one fastest.
  template <class Body> void forEachPoint(const std::vector<IndexId> &indices, Body body, size_t depth = 0) {
    if (depth == indices.size()) return body();
    IndexId i = indices[depth];
    const int64_t outside = point[i]; // an index may be bound here and free elsewhere
    for (point[i] = 0; point[i] < *p.indices[i].extent; ++point[i]) forEachPoint(indices, body, depth + 1);
    point[i] = outside;
  }

  Number evaluate(ExprId id) {
    const Expr &e = p.exprs[id];
    switch (e.kind) {
    case Expr::Kind::Literal: return number(magnitudes ? std::fabs(e.literal) : e.literal);
    case Expr::Kind::IndexValue: return static_cast<Number>(point[e.indices[0]]);
    case Expr::Kind::Access: return access(e);
    case Expr::Kind::Map: return bring(map(e, types[id]), isPredicate(e.fn) ? DType::Bool : computed);
    case Expr::Kind::Reduce: return reduce(e, types[id]);
    case Expr::Kind::Top: return top(e);
    case Expr::Kind::Softmax:
      if constexpr (!exact) return softmax(id);
    }
    return 0;
  }

  /// A literal; among integers an infinity is the last of them.
  Number number(double x) const {
    if constexpr (exact) {
      if (std::isfinite(x)) return static_cast<Integer>(x);
      const Integer half = static_cast<Integer>(1) << (8 * byteSize(computed) - 1);
      const bool isSigned = !isUnsigned(computed);
      return x > 0 ? (isSigned ? half - 1 : 2 * half - 1) : isSigned ? -half : 0;
    } else {
      return x;
    }
  }

  /// Only Interpreter<Complex> is asked; magnitudes are real.
  Number number(const Complex &x) const {
    if constexpr (complex)
      return magnitudes ? Complex(std::abs(x)) : x;
    else
      return 0;
  }

  Number access(const Expr &e) {
    const std::vector<int64_t> &shape = shapes[e.tensor];
    int64_t offset = 0; // row-major
    for (size_t d = 0; d < e.subscripts.size(); ++d) {
      const auto computedAt = std::find(e.computed.begin(), e.computed.end(), d);
      int64_t at = e.subscripts[d] ? point[*e.subscripts[d]] : d + 1 == shape.size() ? e.at : 0;
      if (computedAt != e.computed.end()) at = position(e.args[computedAt - e.computed.begin()], shape[d]);
      offset = offset * shape[d] + at;
    }
    return tensors[e.tensor][offset];
  }

  /// A computed subscript; one that breaks its caller's promise is the nearest.
  int64_t position(ExprId e, int64_t extent) {
    return std::clamp<int64_t>(static_cast<int64_t>(real(evaluateAs(types[e], e))), 0, extent - 1);
  }

  /// An expression in a type of its own, whatever is around it.
  Number evaluateAs(std::optional<DType> type, ExprId e) {
    const DType outside = computed;
    computed = accumulateType(type.value_or(DType::I64));
    const Number x = evaluate(e);
    computed = outside;
    return x;
  }

  Number map(const Expr &e, std::optional<DType> type) {
    if (e.fn == Fn::Select) return evaluate(e.args[0]) != Number(0) ? evaluate(e.args[1]) : evaluate(e.args[2]);
    if (e.fn >= Fn::Less && e.fn <= Fn::NotEqual) return compare(e);
    if (e.fn == Fn::Cast) return cast(e);
    if (e.fn == Fn::Rand) return random(e);
    Number x = evaluate(e.args[0]);
    Number y = e.args.size() > 1 ? evaluate(e.args[1]) : 0;
    const bool whole = !type || isInteger(*type);
    switch (e.fn) {
    case Fn::Add: return x + y;
    case Fn::Sub: return magnitudes ? x + y : x - y;
    case Fn::Mul: return product(x, y);
    case Fn::Neg: return magnitudes ? x : -x;
    case Fn::IntDiv:
      if (whole) return static_cast<Number>(floorDivide(static_cast<Integer>(real(x)), static_cast<Integer>(real(y))));
      break;
    case Fn::Mod:
      if (whole) return static_cast<Number>(floorModulo(static_cast<Integer>(real(x)), static_cast<Integer>(real(y))));
      break;
    case Fn::Pow: return power(x, y, isWholePower(p.exprs[e.args[1]]));
    case Fn::Abs: return real(x) < 0 ? -x : x;
    case Fn::Sign: return real(x) > 0 ? Number(1) : real(x) < 0 ? Number(-1) : x;
    case Fn::Conj: return conjugate(x);
    case Fn::Max: return larger(x, y);
    case Fn::Min: return smaller(x, y);
    case Fn::And: return real(x) != 0 && real(y) != 0;
    case Fn::Or: return real(x) != 0 || real(y) != 0;
    case Fn::Not: return real(x) == 0;
    default: break;
    }
    if constexpr (exact)
      return x; // floor
    else
      return realFunction(e.fn, real(x), real(y));
  }

  Number power(Number x, Number y, bool isWhole) {
    if constexpr (exact) {
      Number result = 1;
      for (Number n = 0; n < y; ++n) result = bring(result * x, computed);
      return result;
    } else {
      return isWhole ? std::pow(real(x), real(y)) : realPower(real(x), real(y));
    }
  }

  /// Floats are not rounded, as elsewhere here.
  Number cast(const Expr &e) {
    const std::optional<DType> from = types[e.args[0]];
    const Number x = evaluateAs(from.value_or(isInteger(e.dtype) ? DType::I64 : DType::F64), e.args[0]);
    if (e.dtype == DType::Bool) return x != Number(0);
    if (!isInteger(e.dtype)) return x;
    if constexpr (exact) return wrapped(x, e.dtype);
    if (from && (isInteger(*from) || *from == DType::Bool))
      return static_cast<Number>(wrapped(static_cast<Integer>(real(x)), e.dtype));
    return truncatedTo(static_cast<double>(real(x)), int(byteSize(e.dtype)) * 8, isUnsigned(e.dtype));
  }

  Number random(const Expr &e) {
    uint32_t state = kRandomStart;
    for (ExprId arg : e.args) {
      const auto next = static_cast<uint32_t>(static_cast<int64_t>(real(evaluateAs(types[arg], arg))));
      state = mixRandom(state, next, [](uint32_t k) { return k; });
    }
    return static_cast<Number>(std::ldexp(double(state >> (32 - kRandomBits)), -int(kRandomBits)));
  }

  /// In the type that the two sides promote to, whatever is around them.
  bool compare(const Expr &e) {
    const DType outside = computed;
    const std::optional<DType> &left = types[e.args[0]], &right = types[e.args[1]];
    if (left || right) computed = accumulateType(!left ? *right : !right ? *left : promote(*left, *right));
    if (computed == DType::Bool) computed = DType::I64; // of literals and index values only
    const Number x = evaluate(e.args[0]), y = evaluate(e.args[1]);
    computed = outside;
    switch (e.fn) {
    case Fn::Less: return real(x) < real(y);
    case Fn::LessEqual: return real(x) <= real(y);
    case Fn::Greater: return real(x) > real(y);
    case Fn::GreaterEqual: return real(x) >= real(y);
    case Fn::Equal: return x == y;
    default: return x != y;
    }
  }

  /// Without the recovery of infinities that C++ asks of complex products: the textbook formula.
  static Number product(Number x, Number y) {
    if constexpr (complex)
      return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
    else
      return x * y;
  }

  static Number conjugate(Number x) {
    if constexpr (complex)
      return std::conj(x);
    else
      return x;
  }

  // A NaN on either side is the result, as in numpy.maximum and arith.maximumf.
  static bool isNan(Number x) { return x != x; }
  static Number larger(Number x, Number y) { return isNan(x) || real(x) > real(y) ? x : y; }
  static Number smaller(Number x, Number y) { return isNan(x) || real(x) < real(y) ? x : y; }

  Number reduce(const Expr &e, std::optional<DType> type) {
    if constexpr (!exact)
      if (e.monoid == Monoid::LogSumExp) return logSumExp(e);
    if (e.monoid == Monoid::Sum) return sum(e);
    Number total = type == DType::Bool ? Number(e.monoid == Monoid::Min) : number(identityOf(e.monoid));
    forEachPoint(e.indices, [&] {
      if (e.guard && evaluate(*e.guard) == Number(0)) return;
      Number x = evaluate(e.args[0]);
      total = e.monoid == Monoid::Prod  ? bring(total * x, computed)
              : e.monoid == Monoid::Max ? larger(total, x)
                                        : smaller(total, x);
    });
    return total;
  }

  /// Floats in long double, where that is wider: a long sum in double is no better than a kernel's.
  Number sum(const Expr &e) {
    using Wide =
        std::conditional_t<exact, Integer, std::conditional_t<complex, std::complex<long double>, long double>>;
    Wide total = 0;
    forEachPoint(e.indices, [&] {
      if (e.guard && evaluate(*e.guard) == Number(0)) return;
      total += static_cast<Wide>(evaluate(e.args[0]));
      if constexpr (exact) total = wrapped(total, computed);
    });
    return static_cast<Number>(total);
  }

  /// m + log(sum of exp(x - m)) with m the maximum, or 0 where that is infinite.
  double logSumExp(const Expr &e) {
    double highest = -kInfinity, sum = 0;
    auto forEachTerm = [&](auto use) {
      forEachPoint(e.indices, [&] {
        if (!e.guard || evaluate(*e.guard) != Number(0)) use(real(evaluate(e.args[0])));
      });
    };
    forEachTerm([&](double x) { highest = real(larger(Number(highest), Number(x))); });
    const double shift = std::isinf(highest) ? 0 : highest;
    forEachTerm([&](double x) { sum += std::exp(x - shift); });
    return shift + std::log(sum);
  }

  /// The entry of a list at the current point.
  Number top(const Expr &e) {
    std::vector<std::pair<Number, int64_t>> entries;
    forEachPoint(e.indices, [&] {
      if (!e.guard || evaluate(*e.guard) != Number(0)) entries.emplace_back(evaluate(e.args[0]), point[e.indices[0]]);
    });
    std::stable_sort(entries.begin(), entries.end(), [&](const auto &a, const auto &b) {
      if (isNan(a.first) || isNan(b.first)) return isNan(a.first) && !isNan(b.first);
      return e.list.smallest ? real(a.first) < real(b.first) : real(a.first) > real(b.first);
    });
    const size_t place = e.list.place ? size_t(point[*e.list.place]) : 0;
    if (place >= entries.size()) return e.list.positions ? Number(-1) : number(identityOf(Monoid::Max));
    return e.list.positions ? Number(entries[place].second) : entries[place].first;
  }

  /// exp(x - max) / sum of that, at the current point; 0 where the guard is false.
  double softmax(ExprId id) {
    const Expr &e = p.exprs[id];
    auto allowed = [&] { return !e.guard || evaluate(*e.guard) != Number(0); };
    if (!allowed()) return 0;
    SoftmaxRow &row = rows[id];
    std::vector<int64_t> at;
    for (IndexId i : free[id])
      if (std::find(e.indices.begin(), e.indices.end(), i) == e.indices.end()) at.push_back(point[i]);
    if (!row.known || row.at != at) {
      const bool hasSink = e.args.size() > 1;
      const double sink = hasSink ? real(evaluate(e.args[1])) : -kInfinity;
      row = {true, std::move(at), sink, 0};
      forEachPoint(e.indices, [&] {
        if (allowed()) row.highest = real(larger(row.highest, evaluate(e.args[0])));
      });
      forEachPoint(e.indices, [&] {
        if (allowed() && row.highest != -kInfinity) row.sum += std::exp(real(evaluate(e.args[0])) - row.highest);
      });
      if (hasSink && row.highest != -kInfinity) row.sum += std::exp(sink - row.highest);
    }
    if (row.highest == -kInfinity) return 0;
    return std::exp(real(evaluate(e.args[0])) - row.highest) / row.sum;
  }

  /// Maximum and sum of the row of a softmax that was looked at last: the next point is often in it too.
  struct SoftmaxRow {
    bool known = false;
    std::vector<int64_t> at; ///< values of the indices that are not reduced
    double highest = 0, sum = 0;
  };

  const Program &p;
  bool magnitudes;
  AssignmentShortcut shortcut;
  std::vector<std::vector<IndexId>> free;   ///< free indices, by expression
  std::vector<std::vector<int64_t>> shapes; ///< by tensor id
  std::vector<std::vector<Number>> tensors; ///< by tensor id, row-major
  std::vector<int64_t> point;               ///< the value of each index
  std::vector<SoftmaxRow> rows;             ///< by expression
  std::vector<std::optional<DType>> types;  ///< by expression
  DType computed = DType::F64;              ///< in, by the assignment at hand
};

bool hasComplex(const Program &p) {
  return std::any_of(p.tensors.begin(), p.tensors.end(), [](const Tensor &t) { return isComplex(t.dtype); });
}

} // namespace

bool isExact(const Program &p) {
  auto isWhole = [](DType t) { return isInteger(t) || t == DType::Bool; };
  const std::vector<std::optional<DType>> types = p.dtypes();
  return std::all_of(p.tensors.begin(), p.tensors.end(), [&](const Tensor &t) { return isWhole(t.dtype); }) &&
         std::all_of(types.begin(), types.end(), [&](const auto &type) { return !type || isWhole(*type); });
}

std::vector<ReferenceTensor> interpret(const Program &p, std::span<const ReferenceTensor> operands,
                                       const AssignmentShortcut &shortcut) {
  if (isExact(p)) return Interpreter<Integer>(p, false).run(operands);
  return hasComplex(p) ? Interpreter<Complex>(p, false).run(operands)
                       : Interpreter<double>(p, false, shortcut).run(operands);
}

std::vector<ReferenceTensor> interpretMagnitude(const Program &p, std::span<const ReferenceTensor> operands) {
  return hasComplex(p) ? Interpreter<Complex>(p, true).run(operands) : Interpreter<double>(p, true).run(operands);
}

} // namespace ein
