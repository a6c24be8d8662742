// The vector-Jacobian product of a Program: reverse mode over named indices.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <span>

namespace ein {

/// The Program of the gradients of the operands `which` of a bound Program, in that order: its operands are those of
/// `source`, then for each result of floats or complex numbers, in their order, a cotangent `O_bar` of its shape; a
/// gradient `Q_bar` has the shape of its operand (a grouped axis as its indices). `source` satisfies `verify`, and so
/// does what comes back. Errors: `operand-count`, `limit`, E19.
Expected<Program> adjointProgram(const Program &source, std::span<const size_t> which);

/// What is said of an adjoint that is no Program's size.
Error adjointTooLong();

} // namespace ein
