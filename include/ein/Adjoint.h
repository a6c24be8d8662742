// Gradients of einsums and Programs, as text.
#pragma once

#include "ein/CompileOptions.h"
#include "ein/TensorType.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ein {

/// The vector-Jacobian product of an expression with respect to operand `which`, for operands of these types: of an
/// einsum string an einsum string where one can say it, else a Program. Its operands are the other ones in their order,
/// then the cotangent (of the result's shape, row-major or not); its result has the shape of operand `which`. Right
/// with repeated, broadcast, stretched and summed indices and with `scatter`. `text` is read as `options` say; the
/// adjoint is to be compiled with default `labels`, `scatter` and `conjugate`.
///
///     adjoint("ik,kj->ij", types, 0)   →  "kj,ij->ik"
///
/// Complex gradients belong to the inner product Re sum(conj(x) * y), as in torch: the other factors are conjugated,
/// for which the adjoint is a Program. That of a real operand among complex ones is complex; its real part counts.
///
/// Shapes count: a dimension of extent 1 that the einsum stretches has a gradient of extent 1. Loads the compiler.
/// Errors are those of the text, `operand-count` for an operand it does not have.
///
/// The adjoint of a Program, and of an einsum string over another semiring, is a Program. Its operands are all of the
/// forward's, then one cotangent `O_bar` for each result that holds floats, in the order of the results; its result
/// `Q_bar` is the gradient. Rules, ties and what has none (E19): docs/notation.md.
Expected<std::string> adjoint(std::string_view text, std::span<const TensorType> operands, size_t which,
                              const CompileOptions &options = {});

/// The gradients of several operands as the results of one Program, in that order; attention's backward pass is
/// adjoint(text, types, {0, 1, 2}), which runs as two passes that store no scores. Of more than one operand an einsum
/// string's adjoint is a Program of all operands and the cotangent, too.
Expected<std::string> adjoint(std::string_view text, std::span<const TensorType> operands,
                              const std::vector<size_t> &which, const CompileOptions &options = {});

} // namespace ein
