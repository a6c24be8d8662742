// What a kernel does and why: its steps, what it stores and what it never stores. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ein {

/// A tensor that a step makes.
struct TensorReport {
  std::string name; ///< as in the Program, or what the compiler called it
  std::string type; ///< "f32[64,32]"
  int64_t bytes = 0;
};

/// One step: what runs as one kernel.
struct StepReport {
  std::string kind;                      ///< "cascade", or "nest" for a contraction or pointwise nest by itself
  std::vector<TensorReport> stored;      ///< results and intermediates that it writes
  std::vector<TensorReport> neverStored; ///< what lies between, of which only tiles exist
  std::string key;                       ///< cascade: the index that it passes over once
  std::string rule;                      ///< why one pass is enough, or why what is never stored need not be
  std::string guard;                     ///< cascade: which keys count; empty: all
  std::string plan;                      ///< the planner's decisions, on one line
  double share = 1;                      ///< cascade: of the points, those within the bounds; 1 where those are data
  double flops = 0;                      ///< additions, multiplications, comparisons and divisions
  double functions = 0;                  ///< exponentials, logarithms, roots and the like
  int64_t bytes = 0;                     ///< of the tensors that it reads and of those that it writes, each once
  int32_t threads = 1;                   ///< that share the work
  double seconds = 0;                    ///< predicted, on a core of 3.5 GHz that wastes little
  std::string bound;                     ///< what that time is due to: "compute" or "memory"
};

/// A chain of reductions that stays several steps.
struct BoundaryReport {
  std::string result; ///< of the chain
  std::string code;   ///< stable: "SECOND_PASS"; docs/notation.md lists them
  std::string reason, hint;
};

struct Explanation {
  std::vector<StepReport> steps; ///< in the order in which they run
  std::vector<BoundaryReport> boundaries;
  std::vector<std::pair<std::string, int32_t>> passes; ///< reduced index: how often its range is walked
  int64_t workspaceBytes = 0;                          ///< intermediates and scratch, at the peak

  /// Several lines for people.
  std::string str() const;
};

} // namespace ein
