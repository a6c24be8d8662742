// The exact contraction order: dynamic programming over the subsets of the operands.
#include "compiler/Paths/PathBuilder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <map>
#include <optional>

namespace ein {

namespace {

using Subset = uint32_t; ///< bit i: operand i

/// Beyond this many operands the tables alone are too large.
constexpr size_t kMostOperands = 20;

/// Indices that occur in the same operands behave as one, whose extent is their product.
struct IndexClass {
  Subset operands = 0;
  bool inOutput = false;
  double extent = 1;
};

std::vector<IndexClass> bundle(const ContractionProblem &problem) {
  std::vector<IndexClass> indices(problem.extents.size());
  for (size_t o = 0; o < problem.operands.size(); ++o)
    for (uint32_t i : problem.operands[o]) indices[i].operands |= Subset(1) << o;
  for (uint32_t i : problem.output) indices[i].inOutput = true;
  std::map<std::pair<Subset, bool>, double> extents;
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i].operands == 0) continue;
    double &product = extents.try_emplace({indices[i].operands, indices[i].inOutput}, 1.0).first->second;
    product = multiplyCost(product, static_cast<double>(problem.extents[i]));
  }
  std::vector<IndexClass> classes;
  for (const auto &[key, extent] : extents) classes.push_back({key.first, key.second, extent});
  return classes;
}

/// A set of index classes in `W` words.
template <size_t W> struct ClassSet {
  std::array<uint64_t, W> words{};
  void insert(size_t c) { words[c / 64] |= uint64_t(1) << c % 64; }
  void erase(size_t c) { words[c / 64] &= ~(uint64_t(1) << c % 64); }
  bool operator==(const ClassSet &) const = default;
  ClassSet operator|(const ClassSet &o) const {
    ClassSet result;
    for (size_t w = 0; w < W; ++w) result.words[w] = words[w] | o.words[w];
    return result;
  }
};

/// Finds the cheapest binary tree for every subset, from the small to the large. The indices that a subset
/// leaves open do not depend on its tree, so the cost of joining two subsets depends on nothing else.
template <size_t W> class SubsetSearch {
public:
  SubsetSearch(const ContractionProblem &problem, const std::vector<IndexClass> &classes);
  /// Looks for a tree cheaper than `bound`. False when the time is up.
  bool run(double bound, Clock::time_point deadline);
  /// Whether there is one.
  bool found() const { return table.back().split != 0; }
  std::vector<Merge> merges() const;

private:
  struct Entry {
    double cost = std::numeric_limits<double>::infinity(); ///< of the best tree, if any is within the bound
    double size = 1;                                       ///< of its result
    Subset split = 0;                                      ///< the left side of the root
  };
  void openIndices(Subset s);
  void bestSplit(Subset s, double bound);
  double product(const ClassSet<W> &set) const;

  size_t count;
  const std::vector<IndexClass> &classes;
  std::vector<Entry> table;
  std::vector<ClassSet<W>> open; ///< by subset
  ClassSet<W> oneSided;          ///< classes of a single operand
  std::array<std::array<double, 256>, W * 8> byteProducts;
};

template <size_t W>
SubsetSearch<W>::SubsetSearch(const ContractionProblem &problem, const std::vector<IndexClass> &classes)
    : count(problem.operands.size()), classes(classes), table(size_t(1) << count), open(size_t(1) << count) {
  for (size_t byte = 0; byte < W * 8; ++byte)
    for (size_t bits = 0; bits < 256; ++bits) {
      double &product = byteProducts[byte][bits];
      product = 1;
      for (size_t b = 0; b < 8; ++b)
        if (bits >> b & 1 && byte * 8 + b < classes.size())
          product = multiplyCost(product, classes[byte * 8 + b].extent);
    }
  for (size_t c = 0; c < classes.size(); ++c)
    if (std::has_single_bit(classes[c].operands)) oneSided.insert(c);
  for (size_t o = 0; o < count; ++o) {
    Subset s = Subset(1) << o;
    for (size_t c = 0; c < classes.size(); ++c)
      if (classes[c].operands & s) open[s].insert(c);
    table[s].cost = 0;
    table[s].size = product(open[s]);
  }
}

template <size_t W> double SubsetSearch<W>::product(const ClassSet<W> &set) const {
  double result = 1;
  for (size_t w = 0; w < W; ++w)
    for (uint64_t word = set.words[w], byte = w * 8; word; word >>= 8, ++byte) result *= byteProducts[byte][word & 255];
  return std::min(result, kLargestCost);
}

template <size_t W> void SubsetSearch<W>::openIndices(Subset s) {
  Subset low = s & -s;
  open[s] = open[s ^ low] | open[low];
  // Only an index of the operand that was added can close, or one that a single operand has.
  ClassSet<W> closable = open[low] | oneSided;
  for (size_t w = 0; w < W; ++w)
    for (uint64_t word = open[s].words[w] & closable.words[w]; word; word &= word - 1) {
      size_t c = w * 64 + static_cast<size_t>(std::countr_zero(word));
      if ((classes[c].operands & ~s) == 0 && !classes[c].inOutput) open[s].erase(c);
    }
  table[s].size = product(open[s]);
}

template <size_t W> void SubsetSearch<W>::bestSplit(Subset s, double bound) {
  Entry &entry = table[s];
  double best = bound;
  // The lowest operand stays on the left, so that each split is seen once.
  Subset low = s & -s, rest = s ^ low;
  for (Subset right = rest; right; right = (right - 1) & rest) {
    Subset left = s ^ right;
    const Entry &l = table[left], &r = table[right];
    double below = l.cost + r.cost;
    // The loops of the step range over at least what comes in and what goes out.
    if (below + std::max({l.size, r.size, entry.size}) >= best) continue;
    ClassSet<W> all = open[left] | open[right];
    double cost = below + product(all) * (all == open[s] ? 1 : 2);
    if (cost < best) {
      best = cost;
      entry.split = left;
    }
  }
  if (entry.split) entry.cost = best;
}

template <size_t W> bool SubsetSearch<W>::run(double bound, Clock::time_point deadline) {
  uint64_t sinceClock = 0;
  for (Subset s = 1; s < table.size(); ++s) {
    if (std::has_single_bit(s)) continue;
    openIndices(s);
    bestSplit(s, bound);
    sinceClock += uint64_t(1) << std::popcount(s);
    if (sinceClock > 1 << 16) {
      sinceClock = 0;
      if (Clock::now() > deadline) return false;
    }
  }
  return true;
}

template <size_t W> std::vector<Merge> SubsetSearch<W>::merges() const {
  // Splits from the root down, then emitted from the last one up: children before parents.
  std::vector<Subset> inner{static_cast<Subset>(table.size() - 1)};
  for (size_t i = 0; i < inner.size(); ++i)
    for (Subset side : {table[inner[i]].split, inner[i] ^ table[inner[i]].split})
      if (!std::has_single_bit(side)) inner.push_back(side);
  std::map<Subset, int32_t> ids;
  for (size_t o = 0; o < count; ++o) ids[Subset(1) << o] = static_cast<int32_t>(o);
  std::vector<Merge> merges;
  for (auto s = inner.rbegin(); s != inner.rend(); ++s) {
    merges.push_back(std::minmax(ids[table[*s].split], ids[*s ^ table[*s].split]));
    ids[*s] = static_cast<int32_t>(count + merges.size() - 1);
  }
  return merges;
}

/// The merges of a tree cheaper than `bound`, an empty list if there is none, nothing if time ran out.
template <size_t W>
std::optional<std::vector<Merge>> search(const ContractionProblem &problem, const std::vector<IndexClass> &classes,
                                         double bound, Clock::time_point deadline) {
  SubsetSearch<W> search(problem, classes);
  if (!search.run(bound, deadline)) return std::nullopt;
  return search.found() ? search.merges() : std::vector<Merge>{};
}

std::optional<std::vector<Merge>> searchAnyWidth(const ContractionProblem &problem, double bound,
                                                 Clock::time_point deadline) {
  if (problem.operands.size() > kMostOperands) return std::nullopt;
  std::vector<IndexClass> classes = bundle(problem);
  if (classes.size() <= 64) return search<1>(problem, classes, bound, deadline);
  if (classes.size() <= 128) return search<2>(problem, classes, bound, deadline);
  if (classes.size() <= 512) return search<8>(problem, classes, bound, deadline);
  return std::nullopt;
}

} // namespace

ContractionPath optimalPath(const ContractionProblem &problem, double budgetMs) {
  auto start = Clock::now();
  auto deadline = deadlineAfter(start, budgetMs);
  // With an empty index every order costs nothing; counted as 1 it still leaves a sensible one.
  ContractionProblem counted = problem;
  for (int64_t &extent : counted.extents) extent = std::max<int64_t>(1, extent);

  std::string strategy = "greedy";
  std::vector<Merge> merges = greedyMerges(counted, deadline);
  double bound = buildPath(counted, merges, strategy).optimisedFlops;
  bool trivial = problem.operands.size() <= 2, proved = trivial;
  if (trivial) {
    strategy = "trivial";
  } else if (bound < kLargestCost) {
    if (auto better = searchAnyWidth(counted, bound, deadline)) {
      strategy = "optimal";
      proved = true;
      if (!better->empty()) merges = std::move(*better);
    }
  }
  ContractionPath path = buildPath(problem, merges, strategy);
  path.provedOptimal = proved;
  path.searchMs = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return path;
}

} // namespace ein
