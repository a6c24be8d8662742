// Fusing Programs in tests, and what the result means.
#pragma once

#include "compiler/Cascades/Cascade.h"
#include "tests/unit/paths/Programs.h"

namespace ein::test {

/// The fused Program as one whose assignments can be executed one after the other: what bounds and guards mask
/// is masked in the sums and maxima.
inline Program executable(const FusedProgram &f) {
  Program p = f.program;
  for (const Cascade &c : f.cascades) {
    std::optional<ExprId> mask;
    auto also = [&](ExprId guard) { mask = mask ? p.map(Fn::And, {*mask, guard}) : guard; };
    for (size_t i = c.first; i < c.last; ++i) {
      Assignment &a = p.assignments[i];
      const Role role = c.roles[i - c.first];
      if (role == Role::Low) also(p.map(Fn::GreaterEqual, {p.indexValue(c.key), p.access(a.result)}));
      if (role == Role::High) also(p.map(Fn::Less, {p.indexValue(c.key), p.access(a.result)}));
      if (role == Role::Guard) also(p.access(a.result));
      if (role != Role::Max && role != Role::Sum) continue;
      Expr reduce = p.exprs[a.value];
      reduce.guard = mask;
      a.value = p.add(reduce);
      if (role == Role::Max) { // a finite reference: no inf - inf in masked rows
        const ExprId empty = p.map(Fn::Equal, {a.value, p.literal(-std::numeric_limits<double>::infinity())});
        a.value = p.map(Fn::Select, {empty, p.literal(0), a.value});
      }
    }
  }
  return p;
}

inline std::string roles(const FusedProgram &f) {
  std::string text;
  for (const Cascade &c : f.cascades) {
    text += text.empty() ? "" : "; ";
    for (Role role : c.roles) text += (text.empty() || text.back() == ' ' ? "" : " ") + std::string(name(role));
  }
  return text;
}

} // namespace ein::test
