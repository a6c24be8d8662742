// The text form of a Program.
#include "compiler/IndexNotation/Program.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ein {
namespace {

/// How tightly an operator binds, loosest first; the levels of the expression grammar.
enum Precedence { Conditional, Disjunction, Conjunction, Negation, Comparison, Sum, Term, Unary, Power, Atom };

Precedence precedenceOf(Fn fn) {
  switch (fn) {
  case Fn::Or: return Disjunction;
  case Fn::And: return Conjunction;
  case Fn::Not: return Negation;
  case Fn::Less:
  case Fn::LessEqual:
  case Fn::Greater:
  case Fn::GreaterEqual:
  case Fn::Equal:
  case Fn::NotEqual: return Comparison;
  case Fn::Add:
  case Fn::Sub: return Sum;
  case Fn::Mul:
  case Fn::Div:
  case Fn::IntDiv:
  case Fn::Mod: return Term;
  case Fn::Neg: return Unary;
  case Fn::Pow: return Power;
  default: return Atom;
  }
}

std::string literalText(double value) {
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

/// Prints one expression with a stack of what is still to be written, so that depth costs no recursion.
class ExprPrinter {
public:
  explicit ExprPrinter(const Program &p) : p(p) {}

  std::string print(ExprId root) {
    pieces = {{root, Conditional, {}}};
    while (!pieces.empty()) {
      Piece piece = std::move(pieces.back());
      pieces.pop_back();
      if (piece.text.empty())
        expand(piece);
      else
        out += piece.text;
    }
    return std::move(out);
  }

private:
  /// A text, or (if that is empty) an expression and the loosest operator that needs no parentheses.
  struct Piece {
    ExprId e;
    Precedence context;
    std::string text;
  };

  static Piece text(std::string t) { return {0, Conditional, std::move(t)}; }

  /// Pushes `list` so that its first piece comes out first.
  void push(std::vector<Piece> list) {
    for (size_t i = list.size(); i-- > 0;) pieces.push_back(std::move(list[i]));
  }

  void expand(const Piece &piece) {
    const Expr &e = p.exprs[piece.e];
    switch (e.kind) {
    case Expr::Kind::Literal: {
      bool parenthesise = std::signbit(e.literal) && piece.context > Unary;
      out += parenthesise ? "(" + literalText(e.literal) + ")" : literalText(e.literal);
      return;
    }
    case Expr::Kind::IndexValue: out += p.indices[e.indices[0]].name; return;
    case Expr::Kind::Access: expandAccess(e); return;
    case Expr::Kind::Top: expandReduction(topWord(e.list), e); return;
    case Expr::Kind::Map: expandMap(e, piece.context); return;
    case Expr::Kind::Reduce: expandReduction(name(e.monoid), e); return;
    case Expr::Kind::Softmax: expandReduction("softmax", e); return;
    }
  }

  void expandAccess(const Expr &e) {
    std::vector<Piece> list = {text(p.tensors[e.tensor].name)};
    for (size_t i = 0; i < e.subscripts.size(); ++i) {
      list.push_back(text(i == 0 ? "[" : ","));
      auto computed = std::find(e.computed.begin(), e.computed.end(), i);
      if (computed != e.computed.end())
        list.push_back({e.args[computed - e.computed.begin()], Conditional, {}});
      else if (e.subscripts[i])
        list.push_back(text(p.indices[*e.subscripts[i]].name));
      else
        list.push_back(text(std::to_string(i + 1 == e.subscripts.size() ? e.at : 0)));
    }
    if (!e.subscripts.empty()) list.push_back(text("]"));
    push(std::move(list));
  }

  static const char *topWord(const Expr::TopList &list) {
    return !list.place ? list.smallest ? "argmin" : "argmax" : list.positions ? "argtop" : "top";
  }

  void expandMap(const Expr &e, Precedence context) {
    Precedence own = precedenceOf(e.fn);
    std::vector<Piece> list;
    if (own == Atom) {
      list.push_back(text(std::string(spelling(e.fn)) + "("));
      for (size_t i = 0; i < e.args.size(); ++i) {
        if (i > 0) list.push_back(text(", "));
        list.push_back({e.args[i], Conditional, {}});
      }
      if (e.fn == Fn::Cast) list.push_back(text(", " + std::string(ein::name(e.dtype))));
      list.push_back(text(")"));
    } else if (own == Power) {
      if (own < context) list.push_back(text("("));
      list.push_back({e.args[0], Atom, {}});
      list.push_back(text(" ^ "));
      list.push_back({e.args[1], Unary, {}});
      if (own < context) list.push_back(text(")"));
    } else {
      if (own < context) list.push_back(text("("));
      auto tighter = static_cast<Precedence>(own + 1);
      if (e.args.size() == 1) {
        list.push_back(text(e.fn == Fn::Not ? "not " : "-"));
        list.push_back({e.args[0], tighter, {}});
      } else {
        // Binary operators are left-associative; comparisons do not associate at all.
        list.push_back({e.args[0], own == Comparison ? tighter : own, {}});
        list.push_back(text(std::string(" ") + spelling(e.fn) + " "));
        list.push_back({e.args[1], tighter, {}});
      }
      if (own < context) list.push_back(text(")"));
    }
    push(std::move(list));
  }

  void expandReduction(const char *operation, const Expr &e) {
    std::string head = std::string(operation) + "[";
    for (size_t i = 0; i < e.indices.size(); ++i) head += (i ? "," : "") + p.indices[e.indices[i]].name;
    if (e.kind == Expr::Kind::Top && e.list.place) head += "->" + p.indices[*e.list.place].name;
    std::vector<Piece> list = {text(std::move(head))};
    if (e.guard) {
      list.push_back(text(" | "));
      list.push_back({*e.guard, Conditional, {}});
    }
    list.push_back(text("]("));
    list.push_back({e.args[0], Conditional, {}});
    if (e.args.size() > 1) { // of a softmax
      list.push_back(text(", sink = "));
      list.push_back({e.args[1], Conditional, {}});
    }
    list.push_back(text(")"));
    push(std::move(list));
  }

  const Program &p;
  std::vector<Piece> pieces;
  std::string out;
};

std::string axesText(const Program &p, const Tensor &t) {
  std::string out;
  size_t dimension = 0, left = 0; // axes of the dimension at hand
  bool grouped = false;
  for (size_t i = 0; i < t.axes.size(); ++i) {
    const bool begins = left == 0;
    if (begins) left = t.groups.empty() ? 1 : t.groups[dimension++];
    out += i == 0 ? "[" : begins ? "," : " ";
    if (begins && left > 1) out += "(", grouped = true;
    out += p.indices[t.axes[i]].name;
    if (--left == 0 && grouped) out += ")", grouped = false;
  }
  return t.axes.empty() ? out : out + "]";
}

std::string attributesText(const Program &p, const Tensor &t) {
  return (t.sorted ? std::string(" sorted") : "") + (t.below ? " below(" + p.indices[*t.below].name + ")" : "");
}

/// "name(a, b)" or "name a, b" of tensors.
std::string tensorList(const Program &p, const std::vector<TensorId> &tensors) {
  std::string out;
  for (TensorId t : tensors) out += (out.empty() ? "" : ", ") + p.tensors[t].name;
  return out;
}

} // namespace

std::string print(const Program &p, ExprId e) { return ExprPrinter(p).print(e); }

std::string print(const Program &p) {
  std::string out;
  for (size_t i = 0; i < p.indices.size(); ++i) {
    out += (i ? ", " : "index ") + p.indices[i].name;
    if (p.indices[i].extent) out += " = " + std::to_string(*p.indices[i].extent);
  }
  if (!p.indices.empty()) out += "\n";
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    const Tensor &t = p.tensors[p.inputs[i]];
    out += (i ? ", " : "in ") + t.name + ": " + std::string(name(t.dtype)) + axesText(p, t) + attributesText(p, t);
  }
  if (!p.inputs.empty()) out += "\n";
  for (const Assignment &a : p.assignments) {
    const Tensor &t = p.tensors[a.result];
    out += t.name + axesText(p, t) + ": " + std::string(name(t.dtype)) + " = " + print(p, a.value) + "\n";
  }
  for (size_t i = 0; i < p.outputs.size(); ++i) out += (i ? ", " : "out ") + p.tensors[p.outputs[i]].name;
  if (!p.outputs.empty()) out += "\n";
  for (const Requirement &r : p.requirements)
    out += std::string("require ") + name(r.kind) + "(" + tensorList(p, r.tensors) + ")\n";
  if (!p.stores.empty()) out += "store " + tensorList(p, p.stores) + "\n";
  return out;
}

} // namespace ein
