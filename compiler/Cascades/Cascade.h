// Cascades: chains of reductions over one index that run as one pass and never store what lies between.
#pragma once

#include "compiler/IndexNotation/Program.h"

#include <string>
#include <vector>

namespace ein {

/// What an assignment is in a cascade over a key index. All but the finish are computed for one tile of keys and rows
/// at a time.
enum class Role : uint8_t {
  Low,    ///< of a row: the first key that counts
  High,   ///< of a row: one past the last key that counts
  Tile,   ///< of a row and a key: an inner product, or a pointwise expression
  Guard,  ///< of a row and a key: whether it counts
  Max,    ///< of a row: the reference that scores are exponentiated against
  Weight, ///< of a row and a key: exp(score - max)
  Sum,    ///< of a row: a sum over the keys, rescaled whenever the reference moves
  Finish, ///< of a row: a result, made of sums in which the reference cancels
};

const char *name(Role role);

/// Assignments [first, last) of a Program, in an order in which each could be executed by itself: together they are one
/// pass over `key`. What they assign is never stored but by Role::Finish. Low, High and Guard mask the sums, the
/// weights and the maximum.
struct Cascade {
  size_t first = 0, last = 0;
  IndexId key = 0;
  std::vector<Role> roles; ///< by assignment
};

/// Why a chain of reductions is no cascade. The codes are stable: docs/notation.md.
enum class Obstacle : uint8_t { SecondPass, OtherIndex, NonlinearUse, NotLocal, Unprofitable, Unsupported };

const char *name(Obstacle obstacle);

/// A chain that stays a chain.
struct Boundary {
  std::string result; ///< tensor
  Obstacle obstacle;
  std::string reason, hint;
};

/// A Program with its cascades.
struct FusedProgram {
  Program program;
  std::vector<Cascade> cascades;
  std::vector<Boundary> boundaries;
};

/// The same as assignments that can be executed one after the other: what bounds and guards mask is masked in the sums
/// and maxima themselves.
Program withExplicitMasks(const FusedProgram &fused);

/// Bytes of a tensor between reductions that is worth more time not to store: beyond a core's cache, where passes
/// compute again what a chain stores; and where the rows of a pass have to be computed and stored before it.
inline constexpr double kBurdenBytes = 1 << 20, kRowsBurdenBytes = 32 << 20;

/// Finds the cascades of a bound Program and rewrites it. The merge theorem and its forms are in docs/rationale.md.
/// Where they would compute more than the chain does, and the chain's largest tensor between them is smaller than
/// `burden` bytes, the chain stays, unless the Program requires something.
FusedProgram fuse(const Program &source, double burden = kBurdenBytes);

} // namespace ein
