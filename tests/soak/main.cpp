// ein-soak N [FIRST]: any number of random cases from seed FIRST on against the interpreter; tools/soak.sh builds and
// runs it.
#include "tests/conformance/Generators.h"
#include "tests/conformance/Oracles.h"
#include "tools/einc/Progress.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

using namespace ein;
using namespace ein::test;

namespace {

::testing::AssertionResult contracts(Case c) {
  c.stages.clear();
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
  return agreesAtSamples(*execution, 1e8);
}

/// The kind of a case goes by its seed.
::testing::AssertionResult runCase(uint64_t seed) {
  switch (seed % 10) {
  case 0: return contracts(randomContraction(seed));
  case 1:
  case 2: return programComputesAsInterpreted(randomProgram(seed));
  case 3:
  case 4: return computesAsInterpreted(randomSemiringEinsum(seed));
  case 5: return computesAsInterpreted(randomScaledEinsum(seed));
  default: return computesAsInterpreted(randomEinsum(seed));
  }
}

std::optional<uint64_t> numberOf(const char *text) {
  uint64_t value = 0;
  const auto [end, status] = std::from_chars(text, text + std::strlen(text), value);
  return status == std::errc() && *end == 0 ? std::optional(value) : std::nullopt;
}

} // namespace

int main(int argc, char **argv) {
  const auto count = argc > 1 ? numberOf(argv[1]) : std::nullopt;
  const auto first = argc > 2 ? numberOf(argv[2]) : std::optional<uint64_t>(1);
  if (!count || *count == 0 || !first || argc > 3 || *first > UINT64_MAX - *count) {
    std::fprintf(stderr, "usage: %s N [FIRST_SEED]\n", argv[0]);
    return 2;
  }
  uint64_t failures = 0;
  const auto start = std::chrono::steady_clock::now();
  {
    einc::Progress progress;
    for (uint64_t n = 0; n < *count; ++n) {
      const uint64_t seed = *first + n;
      if (const auto verdict = runCase(seed); !verdict) {
        ++failures;
        std::printf("\nseed %llu: %s\n", static_cast<unsigned long long>(seed), verdict.message());
        std::fflush(stdout);
      }
      progress.show(double(n + 1) / double(*count), "seed " + std::to_string(seed) + ", " + std::to_string(failures) +
                                                        " failures; go on with seed " + std::to_string(seed + 1));
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::printf("%llu cases from seed %llu, %llu failures, %.1f s\n", static_cast<unsigned long long>(*count),
              static_cast<unsigned long long>(*first), static_cast<unsigned long long>(failures), seconds.count());
  return failures ? 1 : 0;
}
