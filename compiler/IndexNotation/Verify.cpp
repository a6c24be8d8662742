// The invariants of a bound Program.
#include "compiler/IndexNotation/Program.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

namespace ein {
namespace {

Error broken(std::string message) { return makeError(ErrorCode::Compile, "malformed Program: " + std::move(message)); }

/// What an expression denotes at one point; nothing for literals and index values, which take the dtype around them.
using ValueType = std::optional<DType>;

class Verifier {
public:
  explicit Verifier(const Program &p) : p(p) {}

  Expected<void> run() {
    if (auto ok = checkDeclarations(); !ok) return ok;
    if (auto ok = checkExprs(); !ok) return ok;
    free = p.allFreeIndices();
    if (auto ok = checkBinders(); !ok) return ok;
    if (auto ok = checkAssignments(); !ok) return ok;
    return checkOutputs();
  }

private:
  Expected<void> checkDeclarations() {
    std::set<std::string_view> names;
    for (const Index &i : p.indices) {
      if (i.name.empty() || !names.insert(i.name).second)
        return broken("index name '" + i.name + "' is empty or taken");
      if (!i.extent || *i.extent < 0) return broken("index '" + i.name + "' has no extent");
    }
    for (const Tensor &t : p.tensors) {
      if (t.name.empty() || !names.insert(t.name).second)
        return broken("tensor name '" + t.name + "' is empty or taken");
      for (IndexId axis : t.axes)
        if (axis >= p.indices.size()) return broken("tensor '" + t.name + "' has an axis that is no index");
      size_t grouped = 0;
      for (uint32_t n : t.groups) grouped += n;
      if (!t.groups.empty() && grouped != t.axes.size())
        return broken("groups of '" + t.name + "' do not fit its axes");
      if (t.below && *t.below >= p.indices.size()) return broken("values of '" + t.name + "' are below no index");
    }
    return {};
  }

  Expected<void> checkExprs() {
    for (ExprId id = 0; id < p.exprs.size(); ++id) {
      const Expr &e = p.exprs[id];
      for (ExprId arg : e.args)
        if (arg >= id) return broken("expression " + std::to_string(id) + " comes before its argument");
      if (e.guard && (*e.guard >= id || types[*e.guard] != DType::Bool))
        return broken("guard of expression " + std::to_string(id) + " is not a bool expression before it");
      for (IndexId i : e.indices)
        if (i >= p.indices.size()) return broken("expression " + std::to_string(id) + " has an index out of range");
      auto type = typeOf(e);
      if (!type) return type.error();
      types.push_back(*type);
    }
    return {};
  }

  Expected<ValueType> typeOf(const Expr &e) {
    switch (e.kind) {
    case Expr::Kind::Literal:
      if (std::isnan(e.literal)) return broken("a literal is not a number");
      return ValueType();
    case Expr::Kind::IndexValue:
      if (e.indices.size() != 1) return broken("an index value needs one index");
      return ValueType();
    case Expr::Kind::Access: return typeOfAccess(e);
    case Expr::Kind::Map: return typeOfMap(e);
    case Expr::Kind::Reduce:
    case Expr::Kind::Softmax: return typeOfReduction(e);
    case Expr::Kind::Top:
      if (e.args.size() != 1 || e.indices.size() != 1 || types[e.args[0]] == DType::Bool)
        return broken("a list needs one argument, a number, and one index");
      if (e.list.place && *e.list.place >= p.indices.size()) return broken("a list is along no index");
      return p.dtypeOf(e, types);
    }
    return broken("unknown kind of expression");
  }

  Expected<ValueType> typeOfReduction(const Expr &e) {
    const bool softmax = e.kind == Expr::Kind::Softmax, hasSink = softmax && e.args.size() == 2;
    if (e.args.size() != 1 && !hasSink) return broken("a reduction needs one argument");
    const bool takesBool = !softmax && (e.monoid == Monoid::Max || e.monoid == Monoid::Min);
    if (types[e.args[0]] == DType::Bool && !takesBool) return broken("a sum, product or softmax needs a number");
    return p.dtypeOf(e, types);
  }

  Expected<ValueType> typeOfAccess(const Expr &e) {
    if (e.tensor >= p.tensors.size()) return broken("access to a tensor out of range");
    const Tensor &t = p.tensors[e.tensor];
    if (e.computed.size() != e.args.size()) return broken("computed subscripts of '" + t.name + "' without values");
    for (ExprId arg : e.args)
      if (types[arg] && !isInteger(*types[arg])) return broken("a subscript of '" + t.name + "' is no integer");
    if (e.subscripts.size() != t.axes.size()) return broken("access to '" + t.name + "' does not fit its rank");
    for (size_t d = 0; d < t.axes.size(); ++d) {
      if (std::find(e.computed.begin(), e.computed.end(), d) != e.computed.end()) {
        if (e.subscripts[d]) return broken("a subscript of '" + t.name + "' is an index and computed");
        continue;
      }
      if (e.subscripts[d] && *e.subscripts[d] >= p.indices.size())
        return broken("subscript of '" + t.name + "' is no index");
      const bool isPart = !e.subscripts[d] && d + 1 == t.axes.size() && *p.indices[t.axes[d]].extent == 2;
      if (isPart && (e.at == 0 || e.at == 1)) continue;
      int64_t extent = e.subscripts[d] ? *p.indices[*e.subscripts[d]].extent : 1;
      if (extent != *p.indices[t.axes[d]].extent) return broken("subscript of '" + t.name + "' has another extent");
    }
    return ValueType(t.dtype);
  }

  Expected<ValueType> typeOfMap(const Expr &e) {
    if (arity(e.fn) < 0 ? e.args.empty() : e.args.size() != static_cast<size_t>(arity(e.fn)))
      return broken(std::string("wrong arity of ") + spelling(e.fn));
    bool wantsBool = e.fn == Fn::And || e.fn == Fn::Or || e.fn == Fn::Not;
    for (size_t i = 0; i < e.args.size(); ++i) {
      bool bool0 = wantsBool || (e.fn == Fn::Select && i == 0);
      if (e.fn == Fn::Cast) continue;
      if ((types[e.args[i]] == DType::Bool) != bool0)
        return broken(std::string("ill-typed argument of ") + spelling(e.fn));
      if (e.fn == Fn::Conj && !(types[e.args[i]] && isComplex(*types[e.args[i]])))
        return broken("the conjugate of what is real");
    }
    return p.dtypeOf(e, types);
  }

  /// Reductions are over indices of their argument that are bound nowhere inside it.
  Expected<void> checkBinders() {
    for (const Expr &e : p.exprs) {
      std::set<IndexId> &inside = bound.emplace_back();
      for (ExprId arg : e.args) inside.insert(bound[arg].begin(), bound[arg].end());
      if (e.guard) inside.insert(bound[*e.guard].begin(), bound[*e.guard].end());
      if (e.kind != Expr::Kind::Reduce && e.kind != Expr::Kind::Softmax && e.kind != Expr::Kind::Top) continue;
      if (e.indices.empty()) return broken("a reduction over no index");
      if (std::set<IndexId>(e.indices.begin(), e.indices.end()).size() != e.indices.size())
        return broken("a reduction names an index twice");
      const std::vector<IndexId> &available = free[e.args[0]];
      for (IndexId i : e.indices) {
        if (!std::binary_search(available.begin(), available.end(), i))
          return broken("a reduction over '" + p.indices[i].name + "', on which its argument does not depend");
        if (inside.count(i)) return broken("index '" + p.indices[i].name + "' is bound twice, one inside the other");
      }
      if (e.kind != Expr::Kind::Softmax) inside.insert(e.indices.begin(), e.indices.end());
    }
    return {};
  }

  Expected<void> checkAssignments() {
    defined.assign(p.tensors.size(), false);
    for (TensorId t : p.inputs) {
      if (t >= p.tensors.size() || defined[t]) return broken("an input is out of range or listed twice");
      defined[t] = true;
    }
    for (const Assignment &a : p.assignments) {
      if (a.result >= p.tensors.size() || a.value >= p.exprs.size()) return broken("an assignment is out of range");
      const Tensor &t = p.tensors[a.result];
      if (defined[a.result]) return broken("'" + t.name + "' is assigned twice");
      if (auto ok = checkReads(a.value); !ok) return ok;
      std::vector<IndexId> axes = t.axes;
      std::sort(axes.begin(), axes.end());
      if (axes != free[a.value]) return broken("the axes of '" + t.name + "' are not the free indices of its value");
      for (IndexId i : axes)
        if (bound[a.value].count(i))
          return broken("index '" + p.indices[i].name + "' of '" + t.name + "' is also bound in its value");
      ValueType type = types[a.value];
      if (type ? !convertible(*type, t.dtype) : t.dtype == DType::Bool)
        return broken("the value of '" + t.name + "' has a dtype that it cannot store");
      defined[a.result] = true;
    }
    return {};
  }

  /// Every tensor that `root` reads is defined.
  Expected<void> checkReads(ExprId root) {
    std::vector<ExprId> stack = {root};
    std::vector<bool> seen(root + 1, false);
    while (!stack.empty()) {
      ExprId id = stack.back();
      stack.pop_back();
      if (seen[id]) continue;
      seen[id] = true;
      const Expr &e = p.exprs[id];
      if (e.kind == Expr::Kind::Access && !defined[e.tensor])
        return broken("'" + p.tensors[e.tensor].name + "' is read before it is assigned");
      stack.insert(stack.end(), e.args.begin(), e.args.end());
      if (e.guard) stack.push_back(*e.guard);
    }
    return {};
  }

  Expected<void> checkOutputs() {
    if (p.outputs.empty()) return broken("no output");
    std::set<TensorId> seen(p.inputs.begin(), p.inputs.end());
    for (TensorId t : p.outputs)
      if (t >= p.tensors.size() || !defined[t] || !seen.insert(t).second)
        return broken("an output is undefined, an input, or listed twice");
    for (const Requirement &r : p.requirements)
      for (TensorId t : r.tensors)
        if (t >= p.tensors.size() || !defined[t]) return broken("a requirement names no tensor");
    for (TensorId t : p.stores)
      if (t >= p.tensors.size() || !defined[t]) return broken("what is to be stored is no tensor");
    return {};
  }

  const Program &p;
  std::vector<ValueType> types;           ///< by expression
  std::vector<std::vector<IndexId>> free; ///< by expression
  std::deque<std::set<IndexId>> bound;    ///< by expression: what the Reduces in it bind
  std::vector<bool> defined;              ///< by tensor
};

} // namespace

Expected<void> verify(const Program &p) { return Verifier(p).run(); }

} // namespace ein
