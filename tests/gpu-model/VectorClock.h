// Vector clocks: which moments of which agents happened before now.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace ein::gpumodel {

/// A moment in the life of an agent. Agents are threads and what works for them asynchronously: phases of an mbarrier,
/// groups of wgmma, groups of copies. Moments count from 1; 0 is never.
struct Epoch {
  uint32_t agent = 0;
  uint32_t time = 0;
};

/// What one thread, or a barrier that threads meet at, knows to have happened. Agents are those of one cluster;
/// `foreign` holds what is known of other clusters' agents.
class VectorClock {
public:
  uint32_t seen(uint32_t agent) const { return agent < known.size() ? known[agent] : 0; }
  bool covers(Epoch e) const { return seen(e.agent) >= e.time; }
  /// Whether all that `other` knows of this cluster is known here.
  bool covers(const VectorClock &other) const {
    for (uint32_t agent = 0; agent < other.known.size(); ++agent)
      if (other.known[agent] > seen(agent)) return false;
    return true;
  }
  /// Whether what `e` wrote may be read by the asynchronous proxy: a fence.proxy.async stands behind it.
  bool coversFenced(Epoch e) const { return e.agent < fenced.size() && fenced[e.agent] >= e.time; }
  bool coversForeign(uint32_t cluster, Epoch e) const {
    auto found = foreign.find(cluster);
    return found != foreign.end() && e.agent < found->second.size() && found->second[e.agent] >= e.time;
  }

  void raise(Epoch e) { raise(known, e.agent, e.time); }
  /// `agent`'s accesses so far are visible to the asynchronous proxy.
  void fence(uint32_t agent) {
    raise(fenced, agent, seen(agent));
    tick(agent);
  }
  /// The next accesses of `agent` are later than what has been handed on so far.
  void tick(uint32_t agent) { raise(known, agent, seen(agent) + 1); }

  void join(const VectorClock &other) {
    join(known, other.known);
    join(fenced, other.fenced);
    for (const auto &[cluster, clock] : other.foreign) join(foreign[cluster], clock);
  }
  /// What a thread of `cluster` knows reaches one of another cluster.
  void joinForeign(uint32_t cluster, const VectorClock &other) {
    join(foreign[cluster], other.known);
    for (const auto &[third, clock] : other.foreign) join(foreign[third], clock);
  }
  void clear() { *this = {}; }

private:
  using Times = std::vector<uint32_t>;
  static void raise(Times &times, uint32_t agent, uint32_t time) {
    if (agent >= times.size()) times.resize(agent + 1);
    times[agent] = std::max(times[agent], time);
  }
  static void join(Times &into, const Times &from) {
    if (into.size() < from.size()) into.resize(from.size());
    for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
  }

  Times known, fenced;
  std::map<uint32_t, Times> foreign;
};

} // namespace ein::gpumodel
