// An einsum string bound to its operands: every dimension has an index, every index an extent.
#pragma once

#include "compiler/IndexNotation/EinsumDTypes.h"
#include "compiler/IndexNotation/Program.h"
#include "compiler/Subscripts/Subscripts.h"

#include <span>
#include <string>
#include <vector>

namespace ein {

/// A sum of products, in some semiring, before it is a Program. numpy's rules of ellipsis and broadcasting have been
/// applied.
struct BoundEinsum {
  struct Operand {
    std::string name;
    DType dtype = DType::F32;
    std::vector<int64_t> shape;
    std::vector<IndexId> dims; ///< the index of each dimension; one that repeats takes the diagonal
    Span span;
    bool conjugated = false; ///< what is complex
  };
  std::string text;              ///< what the user wrote; may be empty
  std::vector<Index> indices;    ///< named as written; "dots0", ... for the dimensions of the ellipsis
  std::vector<Operand> operands; ///< at least one
  std::string resultName;
  EinsumDTypes dtypes;
  std::vector<IndexId> output; ///< one that repeats scatters to the diagonal; no operand need have it
  Semiring semiring = Semiring::PlusTimes;

  /// Whether dimension `d` of operand `o` has extent 1 under an index of another extent.
  bool stretches(size_t o, size_t d) const { return operands[o].shape[d] != *indices[operands[o].dims[d]].extent; }
};

/// What a semiring adds and multiplies with.
struct EinsumOperations {
  Monoid add;
  Fn multiply;
  bool ofTruth = false; ///< operands are taken as true or false, 1 or 0
};
EinsumOperations operationsOf(Semiring semiring);

/// Applies the rules of docs/notation.md. `options` say what the output may do.
Expected<BoundEinsum> bindEinsumString(const Subscripts &subscripts, std::span<const TensorType> operands,
                                       const CompileOptions &options);

/// Gives indices the names they have in a Program: no word of the language, no tensor's name, none twice.
void nameForProgram(BoundEinsum &einsum);

/// The Program of `einsum`, whose names are those of a Program.
Program buildProgram(const BoundEinsum &einsum);

} // namespace ein
