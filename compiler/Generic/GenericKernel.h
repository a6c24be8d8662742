// A kernel that needs no code of its own: what a call runs on while its kernel is being compiled.
#pragma once

#include "compiler/Generic/TiledProduct.h"
#include "compiler/IndexNotation/Program.h"
#include "ein/Compile.h"

#include <memory>
#include <optional>

namespace ein {

/// Interprets a flat Program in double, products of two tensors in tiles. Immutable; any number of threads may run it
/// at once. It is as exact as compiled code, or more.
class GenericKernel {
public:
  /// Refuses what the compiler would refuse about text, types and options, with the same error. Null where there is no
  /// generic kernel: it would take longer than a compilation, the values need the compiler's arithmetic (integers
  /// computed among floats), or the options ask for what only compiled code has: a target, a limit on its memory,
  /// dynamic indices.
  static Expected<std::unique_ptr<const GenericKernel>> make(const CompileRequest &request);

  const std::vector<TensorType> &operands() const { return operandTypes; }
  const std::vector<TensorType> &results() const { return resultTypes; }

  /// Writes every element of the results. Pointers are to elements at index zero of what has those types; no result
  /// overlaps anything.
  void run(void *const *operands, void *const *results) const;

private:
  /// A sum over products of two tensors, or of one with 1.
  struct Product {
    TensorId a;
    std::optional<TensorId> b;
    ProductLoops loops;
  };

  GenericKernel() = default;
  /// The product that an assignment is, if it is one.
  std::optional<Product> productOf(const Assignment &assignment) const;
  double predictNanoseconds() const;

  Program program; ///< flat
  std::vector<TensorType> operandTypes, resultTypes;
  std::vector<std::optional<Product>> products; ///< by assignment
};

} // namespace ein
