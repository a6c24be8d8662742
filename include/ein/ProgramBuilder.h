// Writes the text of a Program from C++ expressions (docs/notation.md says what it means).
#pragma once

#include "ein/DType.h"

#include <charconv>
#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>

namespace ein::notation {

/// An expression, as text that needs no parentheses around it.
class Term {
public:
  Term(double number) {
    char digits[32];
    auto [end, error] = std::to_chars(digits, digits + sizeof digits, std::fabs(number));
    text = std::string(digits, end);
    if (std::signbit(number)) text = "(-" + text + ")";
  }
  explicit Term(std::string text) : text(std::move(text)) {}
  const std::string &str() const { return text; }
  /// Subscripts: names of indices or any integer expressions. X({i, j + 1}).
  Term operator()(std::initializer_list<Term> subscripts) const;

private:
  std::string text;
};

/// The value of an index; also what names it in subscripts.
inline Term index(std::string name) { return Term(std::move(name)); }

inline std::string listed(std::initializer_list<Term> terms) {
  std::string text;
  for (const Term &term : terms) text += (text.empty() ? "" : ", ") + term.str();
  return text;
}
inline Term Term::operator()(std::initializer_list<Term> subscripts) const {
  return Term(text + "[" + listed(subscripts) + "]");
}
inline Term binary(const Term &a, const char *operation, const Term &b) {
  return Term("(" + a.str() + " " + operation + " " + b.str() + ")");
}

inline Term operator+(const Term &a, const Term &b) { return binary(a, "+", b); }
inline Term operator-(const Term &a, const Term &b) { return binary(a, "-", b); }
inline Term operator*(const Term &a, const Term &b) { return binary(a, "*", b); }
inline Term operator/(const Term &a, const Term &b) { return binary(a, "/", b); }
inline Term operator%(const Term &a, const Term &b) { return binary(a, "%", b); }
inline Term operator<(const Term &a, const Term &b) { return binary(a, "<", b); }
inline Term operator<=(const Term &a, const Term &b) { return binary(a, "<=", b); }
inline Term operator>(const Term &a, const Term &b) { return binary(a, ">", b); }
inline Term operator>=(const Term &a, const Term &b) { return binary(a, ">=", b); }
inline Term operator==(const Term &a, const Term &b) { return binary(a, "==", b); }
inline Term operator!=(const Term &a, const Term &b) { return binary(a, "!=", b); }
inline Term operator&&(const Term &a, const Term &b) { return binary(a, "and", b); }
inline Term operator||(const Term &a, const Term &b) { return binary(a, "or", b); }
inline Term operator!(const Term &a) { return Term("(not " + a.str() + ")"); }
inline Term operator-(const Term &a) { return Term("(-" + a.str() + ")"); }
/// a // b, rounded down.
inline Term floorDivide(const Term &a, const Term &b) { return binary(a, "//", b); }
inline Term power(const Term &a, const Term &b) { return binary(a, "^", b); }

/// Any function of the language: apply("exp", {x}), apply("where", {c, a, b}).
inline Term apply(const char *function, std::initializer_list<Term> arguments) {
  return Term(function + ("(" + listed(arguments) + ")"));
}
inline Term exp(const Term &x) { return apply("exp", {x}); }
inline Term log(const Term &x) { return apply("log", {x}); }
inline Term tanh(const Term &x) { return apply("tanh", {x}); }
inline Term sqrt(const Term &x) { return apply("sqrt", {x}); }
inline Term where(const Term &c, const Term &a, const Term &b) { return apply("where", {c, a, b}); }
inline Term cast(const Term &x, DType dtype) { return apply("cast", {x, Term(std::string(name(dtype)))}); }

/// Any reduction: reduce("sum", {"k"}, x), reduce("softmax", {"k"}, x, index("k") <= index("q")).
inline Term reduce(const char *operation, std::initializer_list<std::string_view> indices, const Term &x,
                   const Term &guard = Term(std::string())) {
  std::string names;
  for (std::string_view i : indices) names.append(names.empty() ? "" : ", ").append(i);
  const std::string bar = guard.str().empty() ? "" : " | " + guard.str();
  return Term(operation + ("[" + names + bar + "](" + x.str() + ")"));
}
inline Term sum(std::initializer_list<std::string_view> indices, const Term &x) { return reduce("sum", indices, x); }
inline Term softmax(std::initializer_list<std::string_view> indices, const Term &x,
                    const Term &guard = Term(std::string())) {
  return reduce("softmax", indices, x, guard);
}

/// Collects statements in the order in which they are made. Nothing is checked before the text is compiled.
///
///     Program p;
///     Term A = p.input("A: f32[i,k]"), B = p.input("B: f32[k,j]");
///     p.let("C[i,j]", sum({"k"}, A * B));
///     engine.compile(p.str(), types);
class Program {
public:
  /// An operand, declared as in the language: "A: f32[i,k]".
  Term input(const std::string &declaration) { return state("in " + declaration, declaration); }
  /// A definition; on the left a name, or a name with indices and dtype: "C", "C[i,j]: bf16".
  Term let(const std::string &left, const Term &value) { return state(left + " = " + value.str(), left); }
  /// "index r = 4".
  Term index(const std::string &declaration) { return state("index " + declaration, declaration); }
  /// "O[b,q,e]", "O: bf16".
  void output(const std::string &declaration) { state("out " + declaration, declaration); }
  /// Any other line: "require nostore(S)".
  void line(const std::string &text) { state(text, text); }
  const std::string &str() const { return text; }

private:
  Term state(const std::string &statement, const std::string &declared) {
    text += statement + "\n";
    return Term(declared.substr(0, declared.find_first_of(" :[=")));
  }

  std::string text;
};

} // namespace ein::notation
