// What an einsum adds and multiplies with.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ein {

/// The two operations of an einsum string: the first replaces the sum, the second the product. Over nothing a
/// reduction gives its identity. docs/notation.md has the laws that operands must keep.
enum class Semiring : uint8_t {
  PlusTimes,     ///< the ordinary one; identity 0
  MinPlus,       ///< shortest paths; identity inf
  MaxPlus,       ///< longest paths, Viterbi; identity -inf
  MaxTimes,      ///< likeliest paths, where values are not negative; identity -inf
  OrAnd,         ///< reachability: what is not 0 is true, results are 0 and 1; identity 0
  LogAddExpPlus, ///< log of a sum of products of exponentials; identity -inf
};

/// "plus-times", "min-plus", "max-plus", "max-times", "or-and", "logaddexp-plus".
const char *name(Semiring semiring);
/// The semiring of a name.
std::optional<Semiring> parseSemiring(std::string_view name);

} // namespace ein
