// Flattening of lists: the largest entries of a row, one after the other.
#include "compiler/Paths/Flattener.h"

#include <algorithm>
#include <limits>

namespace ein {

/// Entry t+1 is the largest of those that come after entry t in the order of the list: smaller, or as large and further
/// on. NaN comes before all. Each entry takes two reductions; what is left over at the end is -inf at position -1.
void Flattener::flattenTop(const Expr &e, TensorId target) {
  const double worst = (e.list.smallest ? 1 : -1) * std::numeric_limits<double>::infinity();
  const IndexId along = e.indices[0];
  const ExprId x = *lowered[e.args[0]], at = out.indexValue(along),
               none = out.literal(double(*out.indices[along].extent));
  const Monoid best = e.list.smallest ? Monoid::Min : Monoid::Max;
  // An empty list has the form of a list of one; no element of it is stored.
  const int64_t entries = e.list.place ? std::max<int64_t>(*out.indices[*e.list.place].extent, 1) : 1;
  auto both = [&](ExprId a, ExprId b) { return out.map(Fn::And, {a, b}); };
  auto either = [&](ExprId a, ExprId b) { return out.map(Fn::Or, {a, b}); };

  std::optional<ExprId> counts = e.guard ? lowered[*e.guard] : std::nullopt;
  std::vector<ExprId> found;
  for (int64_t t = 0; t < entries; ++t) {
    const ExprId value = materialise(out.reduce(best, {along}, masked(counts, x, worst)));
    // It is the first that equals the largest; or, where that is NaN, the first NaN.
    ExprId is = either(out.map(Fn::Equal, {x, value}), out.map(Fn::NotEqual, {x, x}));
    if (counts) is = both(*counts, is);
    const ExprId first = out.reduce(Monoid::Min, {along}, out.map(Fn::Select, {is, at, none}));
    const ExprId position = assign(newTensor(inOrder(out.freeIndices(first)), DType::I32), first);
    found.push_back(e.list.positions ? masked(out.map(Fn::Less, {position, none}), position, -1) : value);

    const ExprId later = out.map(Fn::Greater, {at, position});
    const ExprId worse = out.map(e.list.smallest ? Fn::Greater : Fn::Less, {x, value});
    const ExprId afterNumber = either(worse, both(out.map(Fn::Equal, {x, value}), later));
    const ExprId afterNan = both(out.map(Fn::NotEqual, {value, value}), either(out.map(Fn::Equal, {x, x}), later));
    ExprId after = both(out.map(Fn::Less, {position, none}), either(afterNumber, afterNan));
    counts = e.guard ? both(*lowered[*e.guard], after) : after;
  }
  ExprId list = found.back();
  for (int64_t t = entries - 1; t-- > 0;)
    list = out.map(Fn::Select,
                   {out.map(Fn::Equal, {out.indexValue(*e.list.place), out.literal(double(t))}), found[t], list});
  if (entries == 1 && e.list.place) // an index that nothing else has
    list = out.map(Fn::Select, {out.map(Fn::Equal, {out.indexValue(*e.list.place), out.literal(0)}), list, list});
  assign(target, list);
}

} // namespace ein
