// Complex Programs in real numbers.
#include "compiler/Paths/RealParts.h"

#include <algorithm>
#include <set>

namespace ein {
namespace {

bool contains(const std::vector<IndexId> &indices, IndexId i) {
  return std::find(indices.begin(), indices.end(), i) != indices.end();
}

class RealParts {
public:
  explicit RealParts(Program flat) : source(std::move(flat)), types(source.dtypes()), out(source) {
    for (const Index &i : source.indices) names.insert(i.name);
    for (const Tensor &t : source.tensors) names.insert(t.name);
    part = newIndex("part"), inner = newIndex("inner");
    for (Tensor &t : out.tensors) {
      if (!isComplex(t.dtype)) continue;
      t.dtype = partType(t.dtype);
      t.axes.push_back(part);
    }
    out.exprs.clear();
    out.assignments.clear();
  }

  Program run() && {
    for (const Assignment &a : source.assignments) {
      for (auto *known : {&wholes, &reals, &imaginaries}) known->assign(source.exprs.size(), std::nullopt);
      const bool complex = isComplex(source.tensors[a.result].dtype);
      const Expr &root = source.exprs[a.value];
      if (complex && root.kind == Expr::Kind::Reduce && contract(a.result, root)) continue;
      prepare(a.value);
      out.assignments.push_back({a.result, complex ? *wholes[a.value] : *reals[a.value]});
    }
    return std::move(out);
  }

private:
  using Known = std::vector<std::optional<ExprId>>;

  std::string freshName(const std::string &base) {
    std::string name = base;
    for (size_t n = 0; !names.insert(name).second; ++n) name = base + std::to_string(n);
    return name;
  }
  IndexId newIndex(const std::string &base) {
    out.indices.push_back({freshName(base), 2});
    return static_cast<IndexId>(out.indices.size() - 1);
  }

  bool isComplexExpr(ExprId e) const { return types[e] && isComplex(*types[e]); }
  ExprId firstPart(ExprId then, ExprId otherwise) {
    return out.map(Fn::Select, {out.map(Fn::Equal, {out.indexValue(part), out.literal(0)}), then, otherwise});
  }

  /// A complex tensor at one part, or along an index of both.
  ExprId pick(const Expr &e, int64_t at) {
    const ExprId id = with(e, std::nullopt);
    out.exprs[id].at = at;
    return id;
  }
  ExprId along(const Expr &e, IndexId index) { return with(e, index); }
  ExprId with(const Expr &e, AccessSubscript part) {
    Expr access = e;
    for (ExprId &arg : access.args) arg = *reals[arg];
    access.subscripts.push_back(part);
    return out.add(std::move(access));
  }

  /// Every expression below `root` in real numbers, children before parents.
  void prepare(ExprId root) {
    std::vector<bool> needed(root + 1, false);
    needed[root] = true;
    for (ExprId e = root + 1; e-- > 0;) {
      if (!needed[e]) continue;
      for (ExprId arg : source.exprs[e].args) needed[arg] = true;
    }
    for (ExprId e = 0; e <= root; ++e)
      if (needed[e]) lower(e);
  }

  void lower(ExprId id) {
    const Expr &e = source.exprs[id];
    if (isComplexExpr(id)) return lowerComplex(id, e);
    Expr copy = e;
    for (ExprId &arg : copy.args) arg = *reals[arg];
    const bool compares =
        !e.args.empty() && (isComplexExpr(e.args[0]) || (e.args.size() > 1 && isComplexExpr(e.args[1])));
    if (compares && (e.fn == Fn::Equal || e.fn == Fn::NotEqual)) {
      const ExprId x = out.map(e.fn, {*reals[e.args[0]], *reals[e.args[1]]});
      const ExprId y = out.map(e.fn, {*imaginaries[e.args[0]], *imaginaries[e.args[1]]});
      reals[id] = out.map(e.fn == Fn::Equal ? Fn::And : Fn::Or, {x, y});
    } else {
      reals[id] = out.add(std::move(copy));
    }
    imaginaries[id] = out.literal(0);
    // The root, as the value of a complex tensor.
    if (types[id] == DType::Bool)
      wholes[id] = firstPart(out.map(Fn::Select, {*reals[id], out.literal(1), out.literal(0)}), *imaginaries[id]);
    else if (e.kind == Expr::Kind::Reduce)
      wholes[id] = out.reduce(e.monoid, e.indices, *wholes[e.args[0]]);
    else
      wholes[id] = firstPart(*reals[id], *imaginaries[id]);
  }

  void lowerComplex(ExprId id, const Expr &e) {
    if (e.kind == Expr::Kind::Access) {
      reals[id] = pick(e, 0), imaginaries[id] = pick(e, 1), wholes[id] = along(e, part);
    } else if (e.kind == Expr::Kind::Reduce) {
      auto sum = [&](const Known &known) { return out.reduce(e.monoid, e.indices, *known[e.args[0]]); };
      wholes[id] = sum(wholes); // the root: nothing asks for its parts
    } else if (e.fn == Fn::Mul) {
      multiply(id, e.args[0], e.args[1]);
    } else if (e.fn == Fn::Conj) {
      const ExprId whole = *wholes[e.args[0]];
      reals[id] = reals[e.args[0]], imaginaries[id] = out.map(Fn::Neg, {*imaginaries[e.args[0]]});
      wholes[id] = firstPart(whole, out.map(Fn::Neg, {whole}));
    } else {
      for (Known *known : {&reals, &imaginaries, &wholes}) {
        Expr copy = e;
        for (size_t a = 0; a < e.args.size(); ++a)
          copy.args[a] = e.fn == Fn::Select && a == 0 ? *reals[e.args[a]] : *(*known)[e.args[a]];
        (*known)[id] = out.add(std::move(copy));
      }
    }
  }

  /// A real factor scales both parts; that keeps infinities and NaN of one part out of the other.
  void multiply(ExprId id, ExprId a, ExprId b) {
    auto product = [&](ExprId x, ExprId y) { return out.map(Fn::Mul, {x, y}); };
    if (!isComplexExpr(a) || !isComplexExpr(b)) {
      const ExprId factor = *reals[isComplexExpr(a) ? b : a], other = isComplexExpr(a) ? a : b;
      for (Known *known : {&reals, &imaginaries, &wholes})
        (*known)[id] = isComplexExpr(a) ? product(*(*known)[other], factor) : product(factor, *(*known)[other]);
      return;
    }
    reals[id] = out.map(Fn::Sub, {product(*reals[a], *reals[b]), product(*imaginaries[a], *imaginaries[b])});
    imaginaries[id] = out.map(Fn::Add, {product(*reals[a], *imaginaries[b]), product(*imaginaries[a], *reals[b])});
    wholes[id] = firstPart(*reals[id], *imaginaries[id]);
  }

  /// A sum of products of two complex accesses or their conjugates. False for anything else.
  bool contract(TensorId result, const Expr &sum) {
    const Expr &product = source.exprs[sum.args[0]];
    if (product.kind != Expr::Kind::Map || product.fn != Fn::Mul) return false;
    for (ExprId arg : product.args)
      if (!source.isOperand(arg) || !isComplexExpr(arg)) return false;
    ExprId left = product.args[0], right = product.args[1];
    // The parts of the result lie innermost: what is expanded has them, and should own the index next to them.
    const std::vector<IndexId> &axes = source.tensors[result].axes;
    if (!axes.empty() && contains(source.freeIndices(left), axes.back()) &&
        !contains(source.freeIndices(right), axes.back()))
      std::swap(left, right);
    const ExprId expanded = expand(right, isConjugate(left), sum.indices, axes);
    std::vector<IndexId> summed = sum.indices;
    summed.push_back(inner);
    const ExprId factor = along(accessOf(left), inner);
    const ExprId value = out.reduce(Monoid::Sum, std::move(summed), out.map(Fn::Mul, {factor, expanded}));
    out.assignments.push_back({result, value});
    return true;
  }

  bool isConjugate(ExprId operand) const { return source.exprs[operand].kind == Expr::Kind::Map; }
  const Expr &accessOf(ExprId operand) const {
    return source.exprs[isConjugate(operand) ? source.exprs[operand].args[0] : operand];
  }

  /// W[.., inner, .., part]: at (0, .) the number itself, at (1, .) the number times i, or times -i where the other
  /// factor is to be conjugated. Summed indices come before `inner`, the result's after it, so that both sides of the
  /// contraction are long runs.
  ExprId expand(ExprId operand, bool conjugatesOther, const std::vector<IndexId> &summed,
                const std::vector<IndexId> &order) {
    const Expr &access = accessOf(operand);
    std::vector<IndexId> indices = source.freeIndices(operand);
    auto place = [&](IndexId i) { return std::find(order.begin(), order.end(), i) - order.begin(); };
    std::stable_sort(indices.begin(), indices.end(), [&](IndexId a, IndexId b) { return place(a) < place(b); });
    Tensor w{freshName("expanded"), out.tensors[access.tensor].dtype, {}};
    for (IndexId i : summed)
      if (contains(indices, i)) w.axes.push_back(i);
    w.axes.push_back(inner);
    for (IndexId i : indices)
      if (!contains(summed, i)) w.axes.push_back(i);
    w.axes.push_back(part);
    const ExprId q = out.indexValue(inner), c = out.indexValue(part);
    auto where = [&](Fn test, ExprId a, ExprId b, ExprId then, ExprId otherwise) {
      return then == otherwise ? then : out.map(Fn::Select, {out.map(test, {a, b}), then, otherwise});
    };
    auto signedBy = [&](ExprId x, bool negative) { return negative ? out.map(Fn::Neg, {x}) : x; };
    const ExprId re = pick(access, 0), im = pick(access, 1);
    const bool conjugates = isConjugate(operand);
    const ExprId diagonal = where(Fn::Equal, q, out.literal(0), re, signedBy(re, conjugatesOther));
    const ExprId off = where(Fn::Less, q, c, signedBy(im, conjugates), signedBy(im, conjugates == conjugatesOther));
    const ExprId value = out.map(Fn::Select, {out.map(Fn::Equal, {q, c}), diagonal, off});
    out.tensors.push_back(std::move(w));
    const auto t = static_cast<TensorId>(out.tensors.size() - 1);
    out.assignments.push_back({t, value});
    return out.access(t);
  }

  Program source;
  std::vector<std::optional<DType>> types;
  Program out;
  std::set<std::string> names;
  IndexId part = 0, inner = 0;
  Known reals, imaginaries, wholes; ///< by expression of the source, of the assignment at hand
};

} // namespace

TensorType realView(const TensorType &type) {
  if (!isComplex(type.dtype)) return type;
  TensorType real = type;
  real.dtype = partType(type.dtype);
  for (int64_t &stride : real.strides) stride *= 2;
  real.shape.push_back(2);
  real.strides.push_back(1);
  return real;
}

Program inRealParts(Program flat) {
  const bool any =
      std::any_of(flat.tensors.begin(), flat.tensors.end(), [](const Tensor &t) { return isComplex(t.dtype); });
  return any ? RealParts(std::move(flat)).run() : flat;
}

} // namespace ein
