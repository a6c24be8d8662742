// Elementary functions on vectors, from arithmetic only: no call to libm leaves a kernel.
#pragma once

#include "compiler/Lowering/NestBuilder.h"

namespace ein {

/// Elementary functions of a vector of f32 or f64. NaN in, NaN out; exp(-inf) = 0, exp(inf) = inf,
/// log(0) = -inf, log of a negative is NaN. Errors measured in docs/numerics.md.
///
/// exp: x = n ln 2 + r, |r| <= ln 2 / 2, exp(r) by its Taylor polynomial, scaled by 2^n in two steps so
/// that subnormal results are right.
mlir::Value emitExp(NestBuilder &b, mlir::Value x);
/// exp2: the same of x ln 2, whose whole part is taken before it is rounded.
mlir::Value emitExp2(NestBuilder &b, mlir::Value x);
/// 2^x for x below the largest exponent. x = n + f, |f| <= 1/2; a polynomial of degree 5 (f32: 7 ulp) or 13 (f64)
/// that is exact at f = 0. From the smallest exponent down the result is 0.
mlir::Value emitShortExp2(NestBuilder &b, mlir::Value x);
/// log: x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)) by its odd series.
mlir::Value emitLog(NestBuilder &b, mlir::Value x);
/// tanh: with q = exp(2|x|) - 1 computed without cancellation, q / (q + 2).
mlir::Value emitTanh(NestBuilder &b, mlir::Value x);
/// erf: the Taylor series of erf(x) / x up to 1; from there 1 - exp(-x^2) g(x), where g is a polynomial in s = a - b /
/// (x
/// + d), interpolated at Chebyshev's points between 1 and where erf is 1 to the last bit.
mlir::Value emitErf(NestBuilder &b, mlir::Value x);
/// sin and cos: x = n pi/2 + r with pi/2 in three parts, then Taylor's series on |r| <= pi/4. Computed in f64. NaN from
/// |x| > 2^20 on, where the parts of pi/2 are not enough.
mlir::Value emitSin(NestBuilder &b, mlir::Value x);
mlir::Value emitCos(NestBuilder &b, mlir::Value x);
/// Correctly rounded square root.
mlir::Value emitSqrt(NestBuilder &b, mlir::Value x);

} // namespace ein
