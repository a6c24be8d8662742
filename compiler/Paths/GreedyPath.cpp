// The greedy contraction order: the pair that shrinks memory most goes first.
#include "compiler/Paths/PathBuilder.h"

#include <algorithm>
#include <queue>
#include <set>
#include <tuple>

namespace ein {

namespace {

/// An index that many operands share would make all pairs of them candidates; each operand is paired
/// with this many of the others.
constexpr int kNeighboursPerIndex = 16;

/// Indices looked at between two looks at the clock; less than a millisecond.
constexpr size_t kWorkBetweenClocks = 1 << 16;

struct Candidate {
  double score;
  Merge pair;
  bool operator>(const Candidate &o) const { return std::tie(score, pair) > std::tie(o.score, o.pair); }
};
using Heap = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

class Greedy {
public:
  explicit Greedy(const ContractionProblem &problem);
  std::vector<Merge> run(Clock::time_point deadline);

private:
  void addNode(std::vector<uint32_t> indices);
  void addCandidates(int32_t node);
  void contract(Merge pair);
  /// What stays of two nodes' indices when they are contracted.
  std::vector<uint32_t> resultOf(Merge pair) const;

  const ContractionProblem &problem;
  std::vector<std::vector<uint32_t>> nodes; ///< sorted indices of each node
  std::vector<double> sizes;
  std::vector<char> live;
  std::vector<char> inOutput;
  std::vector<std::set<int32_t>> holders; ///< live nodes that have the index
  std::vector<int32_t> pairedWith;        ///< per node: the last node it was made a candidate with
  Heap heap;
  std::vector<Merge> merges;
  size_t work = 0; ///< indices looked at
};

Greedy::Greedy(const ContractionProblem &problem)
    : problem(problem), inOutput(problem.extents.size()), holders(problem.extents.size()) {
  for (uint32_t i : problem.output) inOutput[i] = true;
  for (auto indices : problem.operands) {
    std::sort(indices.begin(), indices.end());
    addNode(std::move(indices));
  }
}

void Greedy::addNode(std::vector<uint32_t> indices) {
  int32_t node = static_cast<int32_t>(nodes.size());
  for (uint32_t i : indices) holders[i].insert(node);
  sizes.push_back(sizeOf(problem, indices));
  nodes.push_back(std::move(indices));
  live.push_back(true);
  pairedWith.push_back(-1);
}

std::vector<uint32_t> Greedy::resultOf(Merge pair) const {
  const auto &a = nodes[pair.first], &b = nodes[pair.second];
  std::vector<uint32_t> result;
  result.reserve(a.size() + b.size());
  auto keep = [&](uint32_t i, size_t here) {
    if (inOutput[i] || holders[i].size() > here) result.push_back(i);
  };
  size_t x = 0, y = 0;
  while (x < a.size() || y < b.size()) {
    if (y == b.size() || (x < a.size() && a[x] < b[y]))
      keep(a[x++], 1);
    else if (x == a.size() || b[y] < a[x])
      keep(b[y++], 1);
    else
      keep(a[x++], 2), ++y;
  }
  return result;
}

void Greedy::addCandidates(int32_t node) {
  pairedWith[node] = node;
  for (uint32_t i : nodes[node]) {
    int left = kNeighboursPerIndex;
    for (auto other = holders[i].rbegin(); other != holders[i].rend() && left > 0; ++other, --left) {
      if (pairedWith[*other] == node) continue;
      pairedWith[*other] = node;
      Merge pair = std::minmax(node, *other);
      work += nodes[pair.first].size() + nodes[pair.second].size();
      // The result of a pair cannot change while both live, so a score never goes stale.
      double score = sizeOf(problem, resultOf(pair)) - sizes[pair.first] - sizes[pair.second];
      heap.push({score, pair});
    }
  }
}

void Greedy::contract(Merge pair) {
  std::vector<uint32_t> result = resultOf(pair);
  for (int32_t node : {pair.first, pair.second}) {
    for (uint32_t i : nodes[node]) holders[i].erase(node);
    nodes[node] = {};
    live[node] = false;
  }
  merges.push_back(pair);
  addNode(std::move(result));
}

std::vector<Merge> Greedy::run(Clock::time_point deadline) {
  // The clock is looked at after enough work to matter: small problems are searched to the end.
  bool late = false;
  auto timeIsUp = [&, next = kWorkBetweenClocks]() mutable {
    if (late || work < next) return late;
    next = work + kWorkBetweenClocks;
    return late = Clock::now() > deadline;
  };
  for (size_t node = 0; node < problem.operands.size() && !timeIsUp(); ++node)
    addCandidates(static_cast<int32_t>(node));
  while (!heap.empty() && !timeIsUp()) {
    Merge pair = heap.top().pair;
    heap.pop();
    if (!live[pair.first] || !live[pair.second]) continue;
    contract(pair);
    addCandidates(static_cast<int32_t>(nodes.size()) - 1);
  }

  // What shares nothing is multiplied out, smallest first.
  using Sized = std::pair<double, int32_t>;
  std::priority_queue<Sized, std::vector<Sized>, std::greater<>> rest;
  for (size_t node = 0; node < nodes.size(); ++node)
    if (live[node]) rest.push({sizes[node], static_cast<int32_t>(node)});
  auto next = [&] {
    int32_t node = rest.top().second;
    rest.pop();
    return node;
  };
  while (rest.size() > 1 && !timeIsUp()) {
    int32_t a = next(), b = next();
    work += nodes[a].size() + nodes[b].size();
    contract(std::minmax(a, b));
    rest.push({sizes.back(), static_cast<int32_t>(nodes.size()) - 1});
  }
  if (rest.empty()) return {};
  // When the time is up, one after the other without another look.
  for (int32_t all = next(); !rest.empty(); all = static_cast<int32_t>(problem.operands.size() + merges.size()) - 1)
    merges.push_back(std::minmax(all, next()));
  return std::move(merges);
}

} // namespace

std::vector<Merge> greedyMerges(const ContractionProblem &problem, Clock::time_point deadline) {
  return Greedy(problem).run(deadline);
}

ContractionPath greedyPath(const ContractionProblem &problem, double budgetMs) {
  auto start = Clock::now();
  ContractionPath path = buildPath(problem, greedyMerges(problem, deadlineAfter(start, budgetMs)), "greedy");
  path.searchMs = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return path;
}

} // namespace ein
