// Compares results with the reference interpreter, element by element, against a rounding bound.
#pragma once

#include "compiler/IndexNotation/Program.h"
#include "ein/TensorView.h"

#include <span>
#include <string>
#include <vector>

namespace einc {

/// The outcome. `error` and `bound` belong to the element that comes closest to its bound, or exceeds it most.
struct CheckReport {
  bool fine = true;
  bool typical = true; ///< all errors are as small as those of sums in blocks are; see Roundings
  double error = 0;
  double bound = 0;
  std::string place; ///< that element and its two values: "O[1,2] is 0.5, the reference 0.75"
};

/// Evaluates the bound `program` in double and compares.
///
/// Where the program is made of sums and products, the bound of an element is the textbook one: gamma(n) * magnitude,
/// with gamma(n) = n u / (1 - n u), u the unit roundoff of the type computed in, magnitude the same program over
/// absolute values, and n the most roundings on any way from an operand to the result: for an einsum the product of the
/// summed extents plus one per product. Where types differ, and where values are stored in a narrower one, n u is the
/// sum over the roundings of their u. It holds for any order of summation.
///
/// Other functions have no such bound. There it is 8 gamma(n) times the largest magnitude in the reference result:
/// generous where the function is well conditioned (softmax of moderate scores), yet far below what a wrong mask, a
/// lost term or a swapped index would change.
CheckReport check(const ein::Program &program, std::span<const ein::TensorView> operands,
                  std::span<const ein::TensorView> results);

/// The first element in which two results for the same operands differ by more than both may err; empty where they
/// agree. The bound is that of `check`, once for each. `magnitudes` are the results for the operands' absolute
/// values; they may be empty unless the program is made of sums and products.
std::string disagreement(const ein::Program &program, std::span<const ein::TensorView> expected,
                         std::span<const ein::TensorView> magnitudes, std::span<const ein::TensorView> results);

/// n and n u of the bound above, and whether it is a bound: true for sums of products.
struct Roundings {
  double most = 0;
  double units = 0;
  double smallest = 0; ///< the coarsest of the smallest numbers that are computed with
  /// As `units`, with 4 sqrt(K) + 8 for the K roundings of a sum where that is less. No bound, but four times what
  /// sequential sums of random numbers need, which are worse than sums in blocks.
  double typicalUnits = 0;
  bool sumsOfProducts = true;
};
Roundings countRoundings(const ein::Program &program);

} // namespace einc
