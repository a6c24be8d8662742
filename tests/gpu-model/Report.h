// What the CPU model found wrong with a kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ein::gpumodel {

/// Kinds of faults. The printed names are stable (`faultName`).
enum class Fault : uint8_t {
  Race,          ///< two accesses, one of them a write, that nothing orders
  Uninitialised, ///< a read of memory that nothing has written
  OutOfBounds,   ///< an address outside of every buffer, or of shared memory
  Misaligned,    ///< an address that the instruction does not take
  EarlyRead,     ///< an accumulator used before the wait for its wgmma, or after another one took it over
  Protocol,      ///< a barrier, group or descriptor used against its rules
  Divergence,    ///< threads that must act together do not
  Deadlock,      ///< threads wait and nothing can wake them
};

const char *faultName(Fault kind);

/// One fault at one operation, however often it happened.
struct Finding {
  Fault kind;
  uint32_t site;     ///< of the operation, in the order of the module
  std::string text;  ///< of the first time: operation, block, thread, what and where
  int64_t count = 1; ///< how often
};

/// All findings of one launch.
class Report {
public:
  /// Where `kind` is already known at `site`, it is counted and `text` dropped.
  void add(Fault kind, uint32_t site, std::string text);
  /// Counts one more of a known finding; false where there is none yet.
  bool repeat(Fault kind, uint32_t site);

  /// Those of another launch behind these.
  void merge(const Report &other);

  bool clean() const { return findings.empty(); }
  bool has(Fault kind) const;
  const std::vector<Finding> &all() const { return findings; }
  /// One line for each finding, newline-terminated; empty if clean.
  std::string str() const;

private:
  std::vector<Finding> findings;
};

} // namespace ein::gpumodel
