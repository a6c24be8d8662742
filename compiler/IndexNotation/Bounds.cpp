// Intervals of integer expressions, and linear inequalities that guards give.
#include "compiler/IndexNotation/Bounds.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace ein {
namespace {

constexpr int64_t kFar = int64_t(1) << 62;
using Wide = __int128;

int64_t clamped(Wide x) { return static_cast<int64_t>(std::clamp<Wide>(x, -kFar, kFar)); }

int64_t floorDiv(Wide a, Wide b) {
  Wide q = a / b;
  return clamped(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
}

IntegerRange rangeOfType(DType dtype) {
  const int bits = int(byteSize(dtype)) * 8;
  if (isUnsigned(dtype)) return {0, bits == 64 ? kFar : (int64_t(1) << bits) - 1};
  return {bits == 64 ? -kFar : -(int64_t(1) << (bits - 1)), bits == 64 ? kFar : (int64_t(1) << (bits - 1)) - 1};
}

IntegerRange divided(const IntegerRange &a, const IntegerRange &b) {
  if (b.low <= 0) { // of either sign, or 0, which gives 0
    const int64_t most = std::max(std::abs(a.low), std::abs(a.high));
    return {-most - 1, most};
  }
  auto [low, high] =
      std::minmax({floorDiv(a.low, b.low), floorDiv(a.low, b.high), floorDiv(a.high, b.low), floorDiv(a.high, b.high)});
  return {low, high};
}

IntegerRange remainder(const IntegerRange &a, const IntegerRange &b) {
  if (a.low >= 0 && b.low > a.high) return a;
  return {std::min<int64_t>(b.low + 1, 0), std::max<int64_t>(b.high - 1, 0)};
}

/// constant + sum of coefficient * atom, an atom being any other integer expression.
struct Linear {
  Wide constant = 0;
  std::map<ExprId, Wide> terms;

  void add(const Linear &other, Wide factor) {
    constant += other.constant * factor;
    for (auto [atom, coefficient] : other.terms)
      if ((terms[atom] += coefficient * factor) == 0) terms.erase(atom);
  }
  /// Whether sums of products with it might leave 128 bits.
  bool isLarge() const {
    return std::any_of(terms.begin(), terms.end(), [](const auto &t) { return t.second > kMost || t.second < -kMost; });
  }
  static constexpr Wide kMost = Wide(1) << 40;
};

class Prover {
public:
  Prover(const Program &p, IntegerRanges &ranges) : p(p), ranges(ranges) {}

  std::optional<LeavingSubscript> find(ExprId root) {
    stack = {{root, kNone}};
    while (!stack.empty()) {
      const Visit visit = stack.back();
      stack.pop_back();
      const Expr &e = p.exprs[visit.e];
      for (size_t n = 0; e.kind == Expr::Kind::Access && n < e.computed.size(); ++n)
        if (auto above = leaves(e, n, visit.conditions)) return LeavingSubscript{visit.e, n, *above};
      push(e, visit.conditions);
    }
    return std::nullopt;
  }

private:
  /// Conditions hold as a list, each with the one that was known before it.
  static constexpr size_t kNone = size_t(-1);
  struct Condition {
    Linear atLeastZero;
    size_t before;
  };
  struct Visit {
    ExprId e;
    size_t conditions;
  };

  void push(const Expr &e, size_t conditions) {
    if (e.kind == Expr::Kind::Map && e.fn == Fn::Select) {
      stack.push_back({e.args[2], assume(e.args[0], true, conditions)});
      stack.push_back({e.args[1], assume(e.args[0], false, conditions)});
      stack.push_back({e.args[0], conditions});
      return;
    }
    if (e.guard) stack.push_back({*e.guard, conditions});
    const size_t inside = e.guard ? assume(*e.guard, false, conditions) : conditions;
    for (size_t a = e.args.size(); a-- > 0;) stack.push_back({e.args[a], a == 0 ? inside : conditions});
  }

  /// What is known where a bool expression is true, or false.
  size_t assume(ExprId condition, bool negated, size_t known) {
    std::vector<std::pair<ExprId, bool>> all{{condition, negated}};
    while (!all.empty()) {
      auto [id, isFalse] = all.back();
      all.pop_back();
      const Expr &e = p.exprs[id];
      if (e.kind != Expr::Kind::Map) continue;
      if (e.fn == Fn::Not) all.push_back({e.args[0], !isFalse});
      if (e.fn == (isFalse ? Fn::Or : Fn::And))
        for (ExprId arg : e.args) all.push_back({arg, isFalse});
      if (e.fn >= Fn::Less && e.fn <= Fn::NotEqual) known = assumeComparison(e, isFalse, known);
    }
    return known;
  }

  size_t assumeComparison(const Expr &e, bool isFalse, size_t known) {
    if (!ranges[e.args[0]] || !ranges[e.args[1]]) return known;
    static constexpr Fn kOpposite[] = {Fn::GreaterEqual, Fn::Greater, Fn::LessEqual, Fn::Less, Fn::NotEqual, Fn::Equal};
    const Fn fn = isFalse ? kOpposite[int(e.fn) - int(Fn::Less)] : e.fn;
    if (fn == Fn::NotEqual) return known;
    auto atLeast = [&](ExprId larger, ExprId smaller, int by) {
      Condition c{linear(larger), known};
      c.atLeastZero.add(linear(smaller), -1);
      c.atLeastZero.constant -= by;
      conditions.push_back(std::move(c));
      known = conditions.size() - 1;
    };
    const bool strict = fn == Fn::Less || fn == Fn::Greater;
    if (fn != Fn::Less && fn != Fn::LessEqual) atLeast(e.args[0], e.args[1], strict);
    if (fn != Fn::Greater && fn != Fn::GreaterEqual) atLeast(e.args[1], e.args[0], strict);
    return known;
  }

  /// The linear form of an integer expression. Children first, without recursion.
  const Linear &linear(ExprId root) {
    std::vector<ExprId> todo{root};
    while (!todo.empty()) {
      const ExprId id = todo.back();
      const Expr &e = p.exprs[id];
      const bool sums = e.kind == Expr::Kind::Map && (e.fn == Fn::Add || e.fn == Fn::Sub || e.fn == Fn::Neg);
      const bool scales = e.kind == Expr::Kind::Map && e.fn == Fn::Mul &&
                          std::any_of(e.args.begin(), e.args.end(), [&](ExprId a) { return isConstant(a); });
      const size_t before = todo.size();
      if (!linears.count(id) && (sums || scales))
        for (ExprId arg : e.args)
          if (!linears.count(arg)) todo.push_back(arg);
      if (todo.size() > before) continue;
      todo.pop_back();
      if (!linears.count(id)) linears.emplace(id, combine(id, sums, scales));
    }
    return linears.at(root);
  }

  bool isConstant(ExprId e) { return ranges[e] && ranges[e]->low == ranges[e]->high; }

  Linear combine(ExprId id, bool sums, bool scales) {
    const Expr &e = p.exprs[id];
    Linear result;
    if (isConstant(id)) {
      result.constant = ranges[id]->low;
    } else if (sums) {
      result.add(linears.at(e.args[0]), e.fn == Fn::Neg ? -1 : 1);
      if (e.args.size() > 1) result.add(linears.at(e.args[1]), e.fn == Fn::Sub ? -1 : 1);
    } else if (scales) {
      const bool left = isConstant(e.args[0]);
      result.add(linears.at(e.args[left ? 1 : 0]), ranges[e.args[left ? 0 : 1]]->low);
    }
    if (!(isConstant(id) || sums || scales) || result.isLarge()) {
      result = {};
      auto [atom, isNew] = atoms.try_emplace(print(p, id), id);
      result.terms[atom->second] = 1;
    }
    return result;
  }

  Wide least(const Linear &form) {
    Wide sum = form.constant;
    for (auto [atom, factor] : form.terms) sum += factor * (factor > 0 ? ranges[atom]->low : ranges[atom]->high);
    return sum;
  }

  bool isAtLeastZero(const Linear &form, size_t known) {
    if (least(form) >= 0) return true;
    for (; known != kNone; known = conditions[known].before) {
      const Linear &condition = conditions[known].atLeastZero;
      auto implies = [&](Wide factor) {
        Linear rest = form; // what `factor` times the condition leaves of it
        rest.add(condition, -factor);
        return least(rest) >= 0;
      };
      if (implies(1)) return true;
      for (auto [atom, factor] : condition.terms) {
        auto own = form.terms.find(atom);
        if (own != form.terms.end() && own->second % factor == 0 && own->second / factor > 1 &&
            implies(own->second / factor))
          return true;
      }
    }
    return false;
  }

  /// Whether a subscript can leave its axis: nothing, or at which end.
  std::optional<bool> leaves(const Expr &access, size_t n, size_t known) {
    const int64_t extent = *p.indices[p.tensors[access.tensor].axes[access.computed[n]]].extent;
    const Linear at = linear(access.args[n]);
    if (!isAtLeastZero(at, known)) return false;
    Linear room;
    room.constant = extent - 1;
    room.add(at, -1);
    if (!isAtLeastZero(room, known)) return true;
    return std::nullopt;
  }

  const Program &p;
  IntegerRanges &ranges;
  std::map<ExprId, Linear> linears;
  std::map<std::string, ExprId> atoms; ///< equal expressions are one atom
  std::vector<Condition> conditions;
  std::vector<Visit> stack;
};

} // namespace

std::optional<IntegerRange> IntegerRanges::rangeOfMap(const Expr &e) const {
  if (e.fn == Fn::Cast || isPredicate(e.fn) || isReal(e.fn) || e.fn == Fn::Rand) return std::nullopt;
  for (size_t a = e.fn == Fn::Select ? 1 : 0; a < e.args.size(); ++a)
    if (!known[e.args[a]]) return std::nullopt;
  const IntegerRange &x = *known[e.args[e.fn == Fn::Select ? 1 : 0]], &y = *known[e.args.back()];
  switch (e.fn) {
  case Fn::Add: return IntegerRange{clamped(Wide(x.low) + y.low), clamped(Wide(x.high) + y.high)};
  case Fn::Sub: return IntegerRange{clamped(Wide(x.low) - y.high), clamped(Wide(x.high) - y.low)};
  case Fn::Neg: return IntegerRange{-x.high, -x.low};
  case Fn::Mul: {
    auto [low, high] =
        std::minmax({Wide(x.low) * y.low, Wide(x.low) * y.high, Wide(x.high) * y.low, Wide(x.high) * y.high});
    return IntegerRange{clamped(low), clamped(high)};
  }
  case Fn::IntDiv: return divided(x, y);
  case Fn::Mod: return remainder(x, y);
  case Fn::Max: return IntegerRange{std::max(x.low, y.low), std::max(x.high, y.high)};
  case Fn::Min: return IntegerRange{std::min(x.low, y.low), std::min(x.high, y.high)};
  case Fn::Select: return IntegerRange{std::min(x.low, y.low), std::max(x.high, y.high)};
  case Fn::Abs: return IntegerRange{x.low > 0 ? x.low : 0, std::max(std::abs(x.low), std::abs(x.high))};
  case Fn::Floor: return x;
  case Fn::Sign: return IntegerRange{-1, 1};
  default: return IntegerRange{-kFar, kFar}; // a power
  }
}

std::optional<IntegerRange> IntegerRanges::rangeOf(const Expr &e) {
  switch (e.kind) {
  case Expr::Kind::Literal:
    if (e.literal != std::floor(e.literal) || std::fabs(e.literal) > 0x1p53) return std::nullopt;
    return IntegerRange{int64_t(e.literal), int64_t(e.literal)};
  case Expr::Kind::IndexValue:
    return IntegerRange{0, std::max<int64_t>(p.indices[e.indices[0]].extent.value_or(kFar) - 1, 0)};
  case Expr::Kind::Access: return rangeOfTensor(e.tensor);
  case Expr::Kind::Map:
    if (e.fn == Fn::Cast && isInteger(e.dtype)) return rangeOfType(e.dtype);
    return rangeOfMap(e);
  case Expr::Kind::Top:
    if (e.list.positions) {
      const int64_t entries = *p.indices[e.indices[0]].extent;
      const int64_t listed = e.list.place ? *p.indices[*e.list.place].extent : 1;
      return IntegerRange{e.guard || listed > entries ? -1 : 0, std::max<int64_t>(entries - 1, 0)};
    }
    return std::nullopt;
  case Expr::Kind::Reduce:
    if (!known[e.args[0]]) return std::nullopt;
    return IntegerRange{-kFar, kFar};
  case Expr::Kind::Softmax: break;
  }
  return std::nullopt;
}

std::optional<IntegerRange> IntegerRanges::rangeOfTensor(TensorId id) {
  const Tensor &t = p.tensors[id];
  if (!isInteger(t.dtype)) return std::nullopt;
  values.resize(p.tensors.size());
  for (; assignments < p.assignments.size(); ++assignments)
    values[p.assignments[assignments].result] = p.assignments[assignments].value;
  if (t.below) return IntegerRange{0, std::max<int64_t>(*p.indices[*t.below].extent - 1, 0)};
  const IntegerRange type = rangeOfType(t.dtype);
  if (!values[id] || *values[id] >= known.size()) return type;
  const std::optional<IntegerRange> &value = known[*values[id]];
  return value && value->low >= type.low && value->high <= type.high ? *value : type;
}

const std::optional<IntegerRange> &IntegerRanges::operator[](ExprId e) {
  while (known.size() <= e) known.push_back(rangeOf(p.exprs[known.size()]));
  return known[e];
}

std::optional<LeavingSubscript> findLeavingSubscript(const Program &p, ExprId root, IntegerRanges &ranges) {
  return Prover(p, ranges).find(root);
}

} // namespace ein
