// The subcommands of einc, as functions from their arguments to an exit code.
#pragma once

#include "tools/einc/Report.h"
#include "tools/einc/Request.h"

#include <cstdint>
#include <string>
#include <vector>

namespace einc {

struct RunArguments : Arguments {
  std::string bundle; ///< a file; instead of an expression and its types
  std::string kernel; ///< of the bundle; empty: the only one
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

struct CompileArguments : Arguments {
  std::string output; ///< .so or .ein
  std::string header; ///< empty: none
  std::string name;   ///< empty: from `output`
};

struct BenchArguments : Arguments {
  uint64_t seed = 0;
  bool json = false;
  bool compile = false; ///< times the stages of the compilation instead of the kernel
};

struct ExplainArguments : Arguments {
  bool json = false;
};

struct AdjointArguments : Arguments {
  std::vector<size_t> operands; ///< by number; empty: all that hold floats
};

struct DoctorArguments {
  std::string target = "host"; ///< what has to work: host or cuda
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
ExitCode run(RunArguments arguments);
/// `einc dump`: prints the stages of a compilation or writes them as numbered files.
ExitCode dump(const DumpArguments &arguments);
/// `einc compile`: writes a shared object with a C function and its header, or a bundle; and a JSON that describes it.
ExitCode compileAhead(const CompileArguments &arguments);
/// `einc path`: prints the contraction order and what it costs.
ExitCode path(const Arguments &arguments);
/// `einc explain`: prints the steps of a kernel, what they store and why they are not fewer.
ExitCode explain(const ExplainArguments &arguments);
/// `einc adjoint`: prints the text of the gradients of some operands.
ExitCode adjointOf(const AdjointArguments &arguments);
/// `einc hash`: prints what identifies a Program whatever its spelling (compiler/IndexNotation/ProgramHash.h), chains
/// of reductions in the form in which they are fused, and what has none as sums of products.
ExitCode hash(const Arguments &arguments);
/// `einc bench`: times compilation, execution and the cache hit.
ExitCode bench(const BenchArguments &arguments);

/// `einc bench --compile`: times the stages of a compilation.
ExitCode benchCompile(const BenchArguments &arguments);
/// `einc doctor`: prints what this machine has and whether each back end works.
ExitCode doctor(const DoctorArguments &arguments);
/// `einc tune`: times other plans for the steps of a kernel and stores the best.
ExitCode tune(const TuneArguments &arguments);

/// `einc cache`: looks at the disk cache, and cleans it. kWrong where verify finds a damaged entry.
ExitCode cache(const CacheArguments &arguments);

/// The FLOPs of all contractions of a request, in the order chosen, by opt_einsum's count.
ein::Expected<double> countFlops(const Request &request);

/// What is to be said about a request that compiles.
std::vector<ein::Error> warningsAbout(const Request &request);

} // namespace einc
