// The subcommands of einc, as functions from their arguments to an exit code.
#pragma once

#include "tools/einc/Report.h"
#include "tools/einc/Request.h"

#include <cstdint>
#include <string>
#include <vector>

namespace einc {

struct RunArguments : Arguments {
  uint64_t seed = 0;
  std::vector<std::string> outputs; ///< .npy to write, one per result; empty: print
  bool check = false;
  bool time = false;
  bool json = false;
};

struct DumpArguments : Arguments {
  std::vector<std::string> stages;  ///< empty: all
  std::string directory;            ///< empty: print
  std::vector<std::string> command; ///< argv, for command.txt
};

struct BenchArguments : Arguments {
  uint64_t seed = 0;
  bool json = false;
};

struct TuneArguments : Arguments {
  uint64_t seed = 0;
  double seconds = 10;
  int top = 24;         ///< candidates of each step
  std::string jsonFile; ///< empty: none
  bool dryRun = false;  ///< nothing is stored
};

struct CacheArguments {
  std::string command; ///< info, list, show, verify, prune or clear
  std::string entry;   ///< of show: how the name of an entry begins
  std::string size;    ///< of prune: what may remain; empty: EIN_CACHE_SIZE
  bool json = false;
};

/// `einc run`: compiles, runs, checks, times; prints or writes the results.
ExitCode run(const RunArguments &arguments);
/// `einc dump`: prints the stages of a compilation or writes them as numbered files.
ExitCode dump(const DumpArguments &arguments);
/// `einc path`: prints the contraction order and what it costs.
ExitCode path(const Arguments &arguments);
/// `einc bench`: times compilation, execution and the cache hit.
ExitCode bench(const BenchArguments &arguments);

/// `einc tune`: times other plans for the steps of a kernel and stores the best.
ExitCode tune(const TuneArguments &arguments);

/// `einc cache`: looks at the disk cache, and cleans it. kWrong where verify finds a damaged entry.
ExitCode cache(const CacheArguments &arguments);

/// The FLOPs of all contractions of a request, in the order chosen, by opt_einsum's count.
ein::Expected<double> countFlops(const Request &request);

} // namespace einc
