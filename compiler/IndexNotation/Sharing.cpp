// Hash-consing of a bound Program.
#include "compiler/IndexNotation/Sharing.h"

#include <bit>
#include <map>

namespace ein {
namespace {

using Key = std::vector<uint64_t>;

/// All that makes an expression what it is; lists behind their lengths.
Key keyOf(const Expr &e) {
  Key key{uint64_t(e.kind), uint64_t(e.fn),  uint64_t(e.monoid),        std::bit_cast<uint64_t>(e.literal),
          e.tensor,         uint64_t(e.at),  uint64_t(e.dtype),         e.list.place ? *e.list.place + 1 : 0,
          e.list.positions, e.list.smallest, e.guard ? *e.guard + 1 : 0};
  auto add = [&](const auto &list) {
    key.push_back(list.size());
    key.insert(key.end(), list.begin(), list.end());
  };
  add(e.computed), add(e.indices), add(e.args);
  for (const AccessSubscript &s : e.subscripts) key.push_back(s ? *s + 1 : 0);
  return key;
}

} // namespace

void shareExpressions(Program &p) {
  std::vector<bool> needed(p.exprs.size(), false);
  for (const Assignment &a : p.assignments) needed[a.value] = true;
  for (size_t e = p.exprs.size(); e-- > 0;) {
    if (!needed[e]) continue;
    for (ExprId arg : p.exprs[e].args) needed[arg] = true;
    if (p.exprs[e].guard) needed[*p.exprs[e].guard] = true;
  }
  std::vector<Expr> all = std::move(p.exprs);
  p.exprs.clear();
  std::vector<ExprId> now(all.size());
  std::map<Key, ExprId> known;
  for (size_t e = 0; e < all.size(); ++e) {
    if (!needed[e]) continue;
    for (ExprId &arg : all[e].args) arg = now[arg];
    if (all[e].guard) all[e].guard = now[*all[e].guard];
    auto [entry, isNew] = known.try_emplace(keyOf(all[e]), static_cast<ExprId>(p.exprs.size()));
    now[e] = entry->second;
    if (isNew) p.add(std::move(all[e]));
  }
  for (Assignment &a : p.assignments) a.value = now[a.value];
}

} // namespace ein
