// The list of kernels that `einc compile @FILE` reads.
#pragma once

#include "ein/TensorType.h"

#include <string>
#include <string_view>
#include <vector>

namespace einc {

/// One line of it.
struct ListedKernel {
  std::string name, text;
  std::vector<ein::TensorType> operands;
};

/// Reads lines of a name, an expression and the operands' types, between white space; what holds white space or # is
/// quoted by ' or ". From # on a line is a comment. Errors point into the list.
///
///     scores  'bqd,bkd->bqk'  f32[4,128,64] f32[4,128,64]   # of attention
ein::Expected<std::vector<ListedKernel>> parseKernelList(std::string_view text);

} // namespace einc
