// Complex Programs in real numbers: a complex tensor is a real one with a last dimension of extent 2.
#pragma once

#include "compiler/IndexNotation/Program.h"

namespace ein {

/// The real tensor that lies where a complex one does: parts are the last dimension. Other types stay.
TensorType realView(const TensorType &type);

/// A flat Program (see FlatProgram) whose tensors are real: the value of a complex one at each point of its indices and
/// of one more, `part`, of extent 2. Inputs and outputs keep their places. A contraction of two complex operands stays
/// one: with W[..,q,part] made of one of them, [re, im; -im, re], it is sum[.., q](A[..,q] * W[..,q,part]).
/// Programs without complex tensors stay as they are.
Program inRealParts(Program flat);

} // namespace ein
