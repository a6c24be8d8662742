// Runs cases: ours, the peers and the GEMM of equal size, interleaved and compared with each other.
#pragma once

#include "bench/Blas.h"
#include "bench/Case.h"
#include "bench/Ceilings.h"
#include "bench/Timing.h"
#include "ein/Engine.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What came out of a case.
struct Record {
  std::string suite, name, text, family;
  std::vector<std::string> operands;
  Stats ours;
  std::vector<std::pair<std::string, Stats>> peers; ///< fastest median first
  std::optional<Stats> gemmAlone;                   ///< the fastest GEMM of equal size, where the peer permutes
  std::string gemmSize;                             ///< batch x M x N x K of a contraction
  double flops = 0;
  double bytes = 0;    ///< operands and results, each once
  double roofline = 0; ///< time the ceilings allow over the median; 0: no ceiling applies
  std::string error;   ///< why there are no times, or what is wrong with the result

  /// Fastest peer over ours, above 1 where ours is faster; 0 without a peer.
  double ratio() const { return peers.empty() ? 0 : peers.front().second.median / ours.median; }
  double bestRatio() const { return peers.empty() ? 0 : peers.front().second.best / ours.best; }
  double gemmRatio() const { return gemmAlone ? gemmAlone->median / ours.median : 0; }
};

struct RunOptions {
  int threads = 1;
  double seconds = 1; ///< per subject of a case
};

/// Times cases on one engine.
class Runner {
public:
  Runner(RunOptions options, const Ceilings &ceilings, std::vector<Blas> libraries)
      : options(options), ceilings(ceilings), libraries(std::move(libraries)) {}
  /// The cases of one family (or one case), interleaved. They share operands; results are compared with the peer's.
  std::vector<Record> run(std::span<const Case> family);

private:
  double roofline(const Record &record, ein::DType dtype, Comparison comparison) const;

  RunOptions options;
  const Ceilings &ceilings;
  std::vector<Blas> libraries;
  ein::Engine engine{{.disk = ein::DiskUse::Off}};
};

} // namespace bench
