// What a caller may choose about a compilation.
#pragma once

#include "ein/DType.h"
#include "ein/Semiring.h"
#include "ein/Target.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ein {

/// How the contraction order is searched.
enum class PathStrategy : uint8_t {
  Auto,    ///< exact while that is cheap, else greedy; never beyond `pathBudgetMs`
  Optimal, ///< exact: dynamic programming over subsets of operands
  Greedy,  ///< n log n
  Fused,   ///< no order: one nest over all indices, without intermediates
};

/// How the labels of an einsum string are told apart. `{name}` is one label in both.
enum class LabelStyle : uint8_t {
  Letters, ///< every letter is a label; white space means nothing (numpy)
  Names,   ///< labels are names separated by white space (einops): "batch q d, batch k d -> batch q k"
};

/// A plain struct with defaults; part of the cache key, but for `background`.
struct CompileOptions {
  Target target;
  PathStrategy path = PathStrategy::Auto;
  /// Wall-clock cap of the order search, milliseconds.
  double pathBudgetMs = 100;
  /// An explicit order for a text with one contraction, as numpy and opt_einsum write it: each step takes the
  /// operands at these positions out of the list of what is left and puts its result at the end. A step of more
  /// than two is done in pairs. Empty: searched.
  std::vector<std::vector<int64_t>> order;
  /// Team size. 0: EIN_NUM_THREADS, else the cores this process may use.
  int threads = 0;
  /// Most bytes of workspace (intermediates and scratch) a kernel may need. Where the order found needs more, one
  /// nest without intermediates is taken if that is predicted to take at most ten times as long; else the error names
  /// the smallest limit that does. 0: no limit.
  int64_t memoryLimit = 0;
  /// Layout of each result; empty: row-major. Strides in elements, one list per result.
  std::vector<std::vector<int64_t>> resultStrides;
  /// Decisions about single steps in place of the planner's, as `einc tune` finds them; one that does not fit
  /// its step is left out, and the plan says why. Empty: what `einc tune` stored for this compilation, if
  /// anything. Only to be passed on as they are.
  std::vector<std::string> plans;
  /// How an einsum string is read. A Program says it itself.
  LabelStyle labels = LabelStyle::Letters;
  /// Let the output of an einsum string repeat an index: values go to the diagonal, zeros elsewhere ("i->ii").
  bool scatter = false;
  /// What an einsum string adds and multiplies with. A Program says it itself, and refuses another than the default.
  Semiring semiring = Semiring::PlusTimes;
  /// Results become alpha * value + beta * what they held before. With beta = 0 that is not read, NaN or not.
  double alpha = 1, beta = 0;

  /// The dtype in which the result of an einsum string is stored; nothing: what the operands promote to. i8 with i32
  /// here is summed and stored in i32. A Program says it itself.
  std::optional<DType> resultDType;
  /// The dtype that operands of an einsum string are rounded to before they are multiplied, where it is narrower than
  /// theirs; nothing: none are. f64 operands with f32 here are rounded first, and still summed in the f64 of their
  /// result unless `accumulateDType` or `resultDType` says f32. Kernels compute in f32, f64, c64, c128, integers of 32
  /// and 64 bits, and bool. A Program says it itself.
  std::optional<DType> computeDType;
  /// The dtype in which an einsum string multiplies and sums; nothing: f32 for f16 and bf16, i32 and u32 for integers
  /// of 8 and 16 bits, else that of the operands, or of the result where that is wider. f32 operands with f64 here are
  /// converted as they are read, and the sum is rounded once. A Program says it itself.
  std::optional<DType> accumulateDType;
  /// Operands of an einsum string, by number, of which the complex conjugate is taken; a real one is its own. A Program
  /// has `conj(X)`.
  std::vector<int64_t> conjugate;

  /// Let chains of reductions run as one pass that never stores what lies between, where that is legal and found to be
  /// faster (attention). False: a kernel for each named step.
  bool fuse = true;

  /// Names of indices whose extents are given with each call instead of compiled in: one kernel then serves all calls
  /// of a shape class (docs/architecture.md, "Dynamic shapes"). At most eight, and none whose extent the expression's
  /// value depends on other than as the length of a loop.
  std::vector<std::string> dynamic;

  /// Let `Engine::run` and `einsum` answer with a generic kernel at once while a thread of the engine compiles the
  /// one that later calls use; EIN_BACKGROUND=1 asks for it everywhere. A call waits for the compilation where there is
  /// no generic kernel that would be done sooner (docs/architecture.md, "Background compilation").
  bool background = false;

  friend bool operator==(const CompileOptions &, const CompileOptions &) = default;
};

} // namespace ein
