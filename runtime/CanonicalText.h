// One spelling for all einsum strings that differ in the names of their indices only.
#pragma once

#include <string>
#include <string_view>

namespace ein {

/// An einsum string of ASCII letters with its indices renamed a to z, A to Z in order of appearance, without white
/// space, and with its output written out: `ik, kj -> ij` and `ki,ij` become `ab,bc->ac` and `ab,bc->ca`. Any other
/// text (Programs, other letters, labels apart within one term, mistakes) comes back as it is.
std::string canonicalText(std::string_view text);

} // namespace ein
