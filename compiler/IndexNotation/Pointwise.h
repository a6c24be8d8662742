// Values of pointwise functions in double, as the reference interpreter takes them.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <cmath>
#include <limits>

namespace ein {

/// Whether a power is taken by multiplication: a whole literal exponent that is not too large.
inline bool isWholePower(const Expr &exponent) {
  return exponent.kind == Expr::Kind::Literal && exponent.literal == std::floor(exponent.literal) &&
         std::fabs(exponent.literal) <= 1024;
}

/// Division rounded down, and what is left; 0 for the divisor 0. `Integer` is a signed integer.
template <class Integer> Integer floorDivide(Integer x, Integer y) {
  if (y == 0) return 0;
  const Integer q = x / y;
  return x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}
template <class Integer> Integer floorModulo(Integer x, Integer y) { return y == 0 ? 0 : x - y * floorDivide(x, y); }

/// exp(y log x): NaN for negative x, 1 for y = 0.
inline double realPower(double x, double y) {
  return y == 0 ? 1 : x < 0 ? std::numeric_limits<double>::quiet_NaN() : std::pow(x, y);
}

/// Functions of one or two real numbers.
inline double realFunction(Fn fn, double x, double y) {
  switch (fn) {
  case Fn::Div: return x / y;
  case Fn::IntDiv: return std::floor(x / y);
  case Fn::Mod: return x - y * std::floor(x / y);
  case Fn::Exp: return std::exp(x);
  case Fn::Exp2: return std::exp2(x);
  case Fn::Log: return std::log(x);
  case Fn::Sqrt: return std::sqrt(x);
  case Fn::Tanh: return std::tanh(x);
  case Fn::Erf: return std::erf(x);
  case Fn::Gelu: return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5)));
  case Fn::Silu: return x / (1 + std::exp(-x));
  case Fn::Sin: return std::sin(x);
  case Fn::Cos: return std::cos(x);
  case Fn::Floor: return std::floor(x);
  default: return 0;
  }
}

/// A real number as an integer of `bits`: rounded to zero, the nearest end beyond the range, 0 of NaN.
inline double truncatedTo(double x, int bits, bool isUnsigned) {
  if (std::isnan(x)) return 0;
  const double low = isUnsigned ? 0 : -std::ldexp(1.0, bits - 1), above = std::ldexp(1.0, isUnsigned ? bits : bits - 1);
  return x <= low ? low : x >= above ? above - 1 : std::trunc(x);
}

} // namespace ein
