// The sums over the key that a result is made of.
#pragma once

#include "compiler/Cascades/Cascade.h"
#include "compiler/Cascades/Terms.h"

namespace ein {

/// sum over the key of exp(score) * product of factors, where the guards are true. Without a score, a plain sum.
struct Statistic {
  std::optional<ExprId> score;
  std::set<ExprId> guards;
  std::map<ExprId, int> factors;
  TensorId state = 0; ///< what it is kept in, against the reference of the score

  bool operator==(const Statistic &o) const { return score == o.score && guards == o.guards && factors == o.factors; }
};

/// What is exponentiated, and the maximum of it that its sums are kept against.
struct ScoreOf {
  ExprId value;
  TensorId reference = 0;

  bool operator==(const ScoreOf &) const = default;
};

/// Why a value is not made of statistics.
struct Refusal {
  Obstacle obstacle;
  std::string reason, hint;
};

/// Rewrites values in terms of sums over one key index (docs/rationale.md, forms F1 and F2): what does not depend on
/// the key leaves a sum, and what depends on a reduction over the key must leave it, too.
class StatisticsFinder {
public:
  /// `key`: an index that nothing binds.
  StatisticsFinder(Arena &arena, TermForm &terms, IndexId key) : a(arena), terms(terms), key(key) {}

  /// Whether `e` is a sum or maximum over one index of a nonlinear function of reductions that depend on it.
  bool isKeyed(ExprId e);
  /// `value` with every keyed sum replaced by states, in normal form; nothing (see `refusal`) where that cannot be.
  std::optional<Terms> rewrite(ExprId value);
  /// The expression of what `rewrite` gave.
  ExprId finish(const Terms &result);

  /// Whether a reduction inside is common to this and an earlier state.
  bool shares(const StatisticsFinder &earlier) const;
  /// Goes back to what was found earlier.
  void restore(const StatisticsFinder &earlier);

  std::vector<Statistic> statistics;
  std::vector<ScoreOf> scores; ///< of the exponentials
  std::set<ExprId> guards;     ///< of the scores
  std::optional<Refusal> refusal;

private:
  /// A statistic and what it is multiplied by.
  struct Part {
    Statistic statistic;
    Summand outside;
  };
  std::optional<Part> partOf(const Summand &term);
  bool merge(Part &part, const Part &other);
  std::optional<ExprId> resolve(ExprId e, int depth);
  std::optional<ExprId> sumOf(ExprId reduction, int depth);
  std::optional<ExprId> statistic(Statistic s);
  std::optional<ExprId> refuse(Obstacle obstacle, std::string reason, std::string hint = {});
  bool findKeyed(ExprId e);
  bool hasKeyed(ExprId e);
  DType typeOf(const Statistic &s);

  Arena &a;
  TermForm &terms;
  IndexId key;
  std::map<ExprId, bool> keyed; ///< what is known
};

} // namespace ein
