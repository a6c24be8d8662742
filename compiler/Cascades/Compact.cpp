// Renumbering a Program.
#include "compiler/Cascades/Compact.h"

#include <set>

namespace ein {

namespace {

/// Old ids to new ones, in the old order.
struct Renumbering {
  explicit Renumbering(size_t count) : used(count), to(count) {}
  std::vector<char> used;
  std::vector<uint32_t> to;

  void number() {
    uint32_t next = 0;
    for (size_t i = 0; i < used.size(); ++i)
      if (used[i]) to[i] = next++;
  }
};

std::string withoutDigits(std::string name) {
  while (name.size() > 1 && name.back() >= '0' && name.back() <= '9') name.pop_back();
  return name;
}

} // namespace

Program compact(const Program &p, size_t tensorsKept, size_t indicesKept, std::vector<IndexId> &keys) {
  Renumbering exprs(p.exprs.size()), tensors(p.tensors.size()), indices(p.indices.size());
  for (TensorId t : p.inputs) tensors.used[t] = true;
  for (const Assignment &a : p.assignments) exprs.used[a.value] = tensors.used[a.result] = true;
  for (ExprId e = p.exprs.size(); e-- > 0;) {
    if (!exprs.used[e]) continue;
    const Expr &x = p.exprs[e];
    for (ExprId arg : x.args) exprs.used[arg] = true;
    if (x.guard) exprs.used[*x.guard] = true;
    for (IndexId i : x.indices) indices.used[i] = true;
    if (x.list.place) indices.used[*x.list.place] = true;
    if (x.kind == Expr::Kind::Access) tensors.used[x.tensor] = true;
  }
  for (size_t t = 0; t < p.tensors.size(); ++t)
    if (tensors.used[t])
      for (IndexId i : p.tensors[t].axes) indices.used[i] = true;
  for (size_t t = 0; t < p.tensors.size(); ++t)
    if (tensors.used[t] && p.tensors[t].below) indices.used[*p.tensors[t].below] = true;
  for (size_t t = 0; t < tensorsKept; ++t) tensors.used[t] = true;
  for (size_t i = 0; i < indicesKept; ++i) indices.used[i] = true;
  exprs.number(), tensors.number(), indices.number();

  Program result = p;
  result.indices.clear(), result.tensors.clear(), result.exprs.clear();
  std::set<std::string> names;
  for (size_t t = 0; t < p.tensors.size(); ++t)
    if (tensors.used[t]) names.insert(p.tensors[t].name);
  for (size_t i = 0; i < p.indices.size(); ++i)
    if (indices.used[i] && i < indicesKept) names.insert(p.indices[i].name);
  for (size_t i = 0; i < p.indices.size(); ++i) {
    if (!indices.used[i]) continue;
    Index index = p.indices[i];
    if (i >= indicesKept) {
      const std::string base = withoutDigits(index.name);
      index.name = base;
      for (size_t n = 0; !names.insert(index.name).second; ++n) index.name = base + std::to_string(n);
    }
    result.indices.push_back(std::move(index));
  }
  for (size_t t = 0; t < p.tensors.size(); ++t) {
    if (!tensors.used[t]) continue;
    result.tensors.push_back(p.tensors[t]);
    for (IndexId &i : result.tensors.back().axes) i = indices.to[i];
    if (auto &below = result.tensors.back().below) below = indices.to[*below];
  }
  for (size_t e = 0; e < p.exprs.size(); ++e) {
    if (!exprs.used[e]) continue;
    Expr x = p.exprs[e];
    for (ExprId &arg : x.args) arg = exprs.to[arg];
    if (x.guard) x.guard = exprs.to[*x.guard];
    for (IndexId &i : x.indices) i = indices.to[i];
    if (x.list.place) x.list.place = indices.to[*x.list.place];
    for (AccessSubscript &s : x.subscripts)
      if (s) s = indices.to[*s];
    if (x.kind == Expr::Kind::Access) x.tensor = tensors.to[x.tensor];
    result.add(std::move(x));
  }
  for (Assignment &a : result.assignments) a = {tensors.to[a.result], exprs.to[a.value]};
  std::erase_if(result.stores, [&](TensorId t) { return !tensors.used[t]; });
  for (TensorId &t : result.stores) t = tensors.to[t];
  result.requirements.clear(); // they speak of the source
  for (TensorId &t : result.inputs) t = tensors.to[t];
  for (TensorId &t : result.outputs) t = tensors.to[t];
  for (IndexId &i : keys) i = indices.to[i];
  return result;
}

} // namespace ein
