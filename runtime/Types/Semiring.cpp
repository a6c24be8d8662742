// Names of semirings.
#include "ein/Semiring.h"

namespace ein {

static constexpr const char *kNames[] = {"plus-times", "min-plus", "max-plus", "max-times", "or-and", "logaddexp-plus"};

const char *name(Semiring semiring) { return kNames[static_cast<int>(semiring)]; }

std::optional<Semiring> parseSemiring(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Semiring::LogAddExpPlus); ++i)
    if (text == kNames[i]) return static_cast<Semiring>(i);
  return std::nullopt;
}

} // namespace ein
