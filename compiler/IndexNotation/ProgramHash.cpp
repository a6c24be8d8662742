// Hashing of bound Programs, bottom up, with lets looked through and bound indices numbered by depth.
#include "compiler/IndexNotation/ProgramHash.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <map>

namespace ein {
namespace {

/// 128 bits: two independent 64-bit mixes of the same words.
struct Digest {
  uint64_t a = 0x6A09E667F3BCC909, b = 0xBB67AE8584CAA73B;

  void add(uint64_t word) {
    a = std::rotl((a ^ word) * 0x9E3779B97F4A7C15, 29);
    b = std::rotl((b + word) * 0xD6E8FEB86659FD93, 37) ^ a;
  }
  void add(const Digest &other) { add(other.a), add(other.b); }
  friend auto operator<=>(const Digest &, const Digest &) = default;
};

uint64_t mixed(std::initializer_list<uint64_t> words) {
  Digest d;
  for (uint64_t word : words) d.add(word);
  return d.a;
}

/// The function that stands for a family: sums for differences, `<` for `>`.
Fn familyOf(Fn fn) {
  if (fn == Fn::Sub || fn == Fn::Neg) return Fn::Add;
  return fn == Fn::Greater ? Fn::Less : fn == Fn::GreaterEqual ? Fn::LessEqual : fn;
}
bool isAssociative(Fn fn) {
  return fn == Fn::Add || fn == Fn::Mul || fn == Fn::And || fn == Fn::Or || fn == Fn::Max || fn == Fn::Min;
}
bool isCommutative(Fn fn) { return isAssociative(fn) || fn == Fn::Equal || fn == Fn::NotEqual; }

class ProgramHasher {
public:
  /// `looksThrough`: lets are hashed where they are used, as if they had been written there.
  ProgramHasher(const Program &p, bool looksThrough)
      : p(p), looksThrough(looksThrough), free(p.allFreeIndices()), types(p.dtypes()), value(p.tensors.size()),
        input(p.tensors.size()) {
    for (const Assignment &a : p.assignments) value[a.result] = a.value;
    for (size_t i = 0; i < p.inputs.size(); ++i) input[p.inputs[i]] = i + 1;
    findRoles();
  }

  /// Nothing where to look through lets takes too long.
  std::optional<std::string> run() {
    Digest all;
    for (TensorId t : p.inputs) all.add(ofInput(p.tensors[t]));
    for (TensorId t : p.outputs) all.add(ofTensor(t));
    std::vector<Digest> asked;
    for (const Requirement &r : p.requirements)
      for (TensorId t : r.tensors) asked.push_back(ofRequest(uint64_t(r.kind), t));
    for (TensorId t : p.stores) asked.push_back(ofRequest(99, t));
    for (const Digest &d : sorted(asked)) all.add(d);
    if (looksThrough && memo.size() > kMost) return std::nullopt;
    char text[40];
    std::snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)all.a, (unsigned long long)all.b);
    return text;
  }

private:
  static constexpr size_t kMost = 100000;
  static constexpr uint64_t kNoIndex = uint64_t(1) << 40;

  /// An expression, with a number for each of its free indices; what it binds is numbered from `depth` on.
  struct Place {
    ExprId e;
    std::map<IndexId, uint64_t> numbers;
    uint64_t depth;
  };
  using Key = std::vector<uint64_t>;
  /// A place on which another's digest depends, and how.
  struct Part {
    uint64_t tag;
    Place place;
  };

  Digest ofInput(const Tensor &t) {
    Digest d;
    d.add(uint64_t(t.dtype)), d.add(t.sorted), d.add(t.below ? uint64_t(*p.indices[*t.below].extent) + 1 : 0);
    for (IndexId axis : t.axes) {
      d.add(uint64_t(*p.indices[axis].extent));
      d.add(uint64_t(std::find(t.axes.begin(), t.axes.end(), axis) - t.axes.begin())); // a diagonal
    }
    for (uint32_t n : t.groups) d.add(n);
    return d;
  }

  Place ownPlace(TensorId t) const {
    Place place{*value[t], {}, 0};
    for (IndexId axis : p.tensors[t].axes) place.numbers.emplace(axis, place.numbers.size());
    place.depth = place.numbers.size();
    return place;
  }

  Digest ofTensor(TensorId t) {
    Digest d;
    d.add(uint64_t(p.tensors[t].dtype));
    for (IndexId axis : p.tensors[t].axes) d.add(uint64_t(*p.indices[axis].extent));
    d.add(hash(ownPlace(t)));
    return d;
  }

  Digest ofRequest(uint64_t kind, TensorId t) {
    Digest d;
    d.add(kind), d.add(ofTensor(t));
    return d;
  }

  static std::vector<Digest> sorted(std::vector<Digest> list) {
    std::sort(list.begin(), list.end());
    return list;
  }

  Key keyOf(const Place &place) const {
    Key key{place.e, place.depth};
    for (IndexId i : free[place.e]) key.push_back(place.numbers.at(i));
    return key;
  }

  /// Parts first, with a stack of what is under way: depth costs no recursion.
  Digest hash(const Place &root) {
    std::vector<Place> stack{root};
    while (!stack.empty()) {
      if (looksThrough && memo.size() > kMost) return {};
      const Place place = stack.back();
      const Key key = keyOf(place);
      if (memo.count(key)) {
        stack.pop_back();
        continue;
      }
      const std::vector<Part> parts = partsOf(place);
      const size_t before = stack.size();
      for (const Part &part : parts)
        if (!memo.count(keyOf(part.place))) stack.push_back(part.place);
      if (stack.size() > before) continue;
      memo.emplace(key, combine(place, parts));
      stack.pop_back();
    }
    return memo.at(keyOf(root));
  }

  Place inside(const Place &place, ExprId e) const {
    Place part{e, {}, place.depth};
    for (IndexId i : free[e]) part.numbers.emplace(i, place.numbers.at(i));
    return part;
  }

  std::vector<Part> partsOf(const Place &place) const {
    const Expr &e = p.exprs[place.e];
    if (e.kind == Expr::Kind::Access) return partsOfAccess(place, e);
    if (e.kind == Expr::Kind::Map) return partsOfMap(place, e);
    std::vector<Part> parts;
    if (e.kind < Expr::Kind::Reduce) return parts;
    Place body = place;
    for (IndexId i : orderOf(e)) body.numbers[i] = body.depth++;
    for (size_t a = 0; a < e.args.size(); ++a) parts.push_back({a, inside(body, e.args[a])});
    if (e.guard) parts.push_back({99, inside(body, *e.guard)});
    return parts;
  }

  std::vector<Part> partsOfAccess(const Place &place, const Expr &e) const {
    std::vector<Part> parts;
    for (size_t n = 0; n < e.args.size(); ++n) parts.push_back({e.computed[n], inside(place, e.args[n])});
    if (!value[e.tensor]) return parts;
    Place let = ownPlace(e.tensor);
    if (isTransparent(e)) {
      let.depth = place.depth;
      for (size_t d = 0; d < e.subscripts.size(); ++d)
        let.numbers[p.tensors[e.tensor].axes[d]] = e.subscripts[d] ? place.numbers.at(*e.subscripts[d]) : kNoIndex;
    }
    parts.push_back({98, std::move(let)});
    return parts;
  }

  bool isTransparent(const Expr &e) const { return looksThrough && value[e.tensor] && e.computed.empty(); }

  std::vector<Part> partsOfMap(const Place &place, const Expr &e) const {
    const Fn family = familyOf(e.fn);
    std::vector<Part> parts;
    if (!isAssociative(family)) {
      for (size_t a = 0; a < e.args.size(); ++a) parts.push_back({a, inside(place, e.args[a])});
      if (family != e.fn) std::swap(parts[0].place, parts[1].place);
      return parts;
    }
    std::vector<std::pair<ExprId, bool>> stack{{place.e, false}}; // and whether it is subtracted
    while (!stack.empty()) {
      auto [id, negative] = stack.back();
      stack.pop_back();
      const Expr &x = p.exprs[id];
      if (x.kind != Expr::Kind::Map || familyOf(x.fn) != family) {
        parts.push_back({negative, inside(place, id)});
        continue;
      }
      for (size_t a = 0; a < x.args.size(); ++a)
        stack.push_back({x.args[a], negative != (x.fn == Fn::Neg || (x.fn == Fn::Sub && a == 1))});
    }
    return parts;
  }

  Digest combine(const Place &place, const std::vector<Part> &parts) const {
    const Expr &e = p.exprs[place.e];
    std::vector<Digest> digests;
    for (const Part &part : parts) {
      Digest d = memo.at(keyOf(part.place));
      d.add(part.tag);
      digests.push_back(d);
    }
    if (e.kind == Expr::Kind::Access && isTransparent(e)) {
      Digest d = memo.at(keyOf(parts.back().place));
      const std::optional<DType> own = types[*value[e.tensor]];
      if (own && *own != p.tensors[e.tensor].dtype) d.add(uint64_t(p.tensors[e.tensor].dtype)); // a conversion
      return d;
    }
    Digest d;
    d.add(uint64_t(e.kind));
    switch (e.kind) {
    case Expr::Kind::Literal: d.add(std::bit_cast<uint64_t>(e.literal)); break;
    case Expr::Kind::IndexValue: d.add(place.numbers.at(e.indices[0])); break;
    case Expr::Kind::Access:
      d.add(input[e.tensor]), d.add(uint64_t(e.at));
      for (const AccessSubscript &s : e.subscripts) d.add(s ? place.numbers.at(*s) : kNoIndex);
      break;
    case Expr::Kind::Map:
      d.add(uint64_t(familyOf(e.fn)));
      if (e.fn == Fn::Cast) d.add(uint64_t(e.dtype));
      if (isCommutative(familyOf(e.fn))) {
        // How their parts were numbered says nothing.
        if (!isAssociative(familyOf(e.fn)))
          for (size_t i = 0; i < parts.size(); ++i) digests[i] = memo.at(keyOf(parts[i].place));
        digests = sorted(std::move(digests));
      }
      break;
    default:
      d.add(uint64_t(e.monoid)), d.add(e.list.positions), d.add(e.list.smallest);
      d.add(e.list.place ? place.numbers.at(*e.list.place) : kNoIndex);
      for (IndexId i : orderOf(e)) {
        d.add(uint64_t(*p.indices[i].extent));
        if (e.kind == Expr::Kind::Softmax) d.add(place.numbers.at(i)); // the point that is looked at
      }
    }
    for (const Digest &part : digests) d.add(part);
    return d;
  }

  /// The indices that an expression binds, by extent and by the roles that they play in it.
  std::vector<IndexId> orderOf(const Expr &e) const {
    std::vector<IndexId> order = e.indices;
    auto role = [&](IndexId i) { return std::pair(*p.indices[i].extent, roleOf(e.args[0], i)); };
    std::stable_sort(order.begin(), order.end(), [&](IndexId a, IndexId b) { return role(a) < role(b); });
    return order;
  }

  uint64_t roleOf(ExprId e, IndexId i) const {
    auto known = roles[e].find(i);
    return known == roles[e].end() ? 0 : known->second;
  }

  /// For each free index of each expression a number made of the dimensions of operands that it walks there.
  void findRoles() {
    roles.resize(p.exprs.size());
    for (ExprId id = 0; id < p.exprs.size(); ++id) {
      const Expr &e = p.exprs[id];
      auto &own = roles[id];
      if (e.kind == Expr::Kind::IndexValue) own[e.indices[0]] = 1;
      for (size_t d = 0; d < e.subscripts.size(); ++d)
        if (e.subscripts[d])
          own[*e.subscripts[d]] +=
              value[e.tensor] ? roleOf(*value[e.tensor], p.tensors[e.tensor].axes[d]) : mixed({input[e.tensor], d});
      const uint64_t tag = e.kind == Expr::Kind::Map && !isAssociative(familyOf(e.fn)) ? uint64_t(familyOf(e.fn)) : 0;
      auto take = [&](ExprId part) {
        for (const auto &[i, role] : roles[part]) own[i] += tag ? mixed({role, tag}) : role;
      };
      for (ExprId arg : e.args) take(arg);
      if (e.guard) take(*e.guard);
    }
  }

  const Program &p;
  const bool looksThrough;
  std::vector<std::vector<IndexId>> free;
  std::vector<std::optional<DType>> types;
  std::vector<std::optional<ExprId>> value; ///< by tensor
  std::vector<size_t> input;                ///< by tensor: its place among the inputs, from 1
  std::vector<std::map<IndexId, uint64_t>> roles;
  std::map<Key, Digest> memo;
};

} // namespace

std::string programHash(const Program &p) {
  if (auto hash = ProgramHasher(p, true).run()) return *hash;
  return *ProgramHasher(p, false).run();
}

} // namespace ein
