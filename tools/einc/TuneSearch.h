// The search behind einc tune: candidates are compiled, checked, and timed in turns with the best so far.
#pragma once

#include "ein/Compile.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Timing.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace einc {

/// A candidate and what became of it.
struct Trial {
  ein::PlanCandidate candidate;
  bool isDefault = false;       ///< the planner's choice
  std::optional<Timing> timing; ///< of the whole kernel; nothing where it was not timed
  double ratio = 0;             ///< of the default kernel's median, where it was timed
  double bestRatio = 0;         ///< of its shortest time: tells more where others use the machine too
  std::string problem;          ///< why it was not timed, if not for lack of time
  bool wrong = false;           ///< its results are not the default kernel's
};

/// What a search found.
struct TuneReport {
  std::vector<Trial> trials;      ///< in the order in which they were tried
  Timing standard;                ///< of the kernel with the planner's choices
  std::vector<std::string> plans; ///< the best kernel's, for CompileOptions::plans; empty: the planner's choices
  double ratio = 1;               ///< of the default kernel's median, measured once more at the end
  double bestRatio = 1;           ///< of its shortest time
};

/// Changes one step at a time: a candidate that beats the best so far is kept while the next are tried. Half of the
/// time is for the planner's own candidates, the rest for those around the best, and some for the last comparison: what
/// the search ends with must be faster than the default kernel by more than noise, else the default stays. Takes at
/// most about `seconds`. `progress` hears the fraction of the time that is spent and the `bestRatio` of the best so
/// far.
ein::Expected<TuneReport> search(const TuneArguments &arguments, const Request &request,
                                 const std::function<void(double fraction, double ratio)> &progress);

} // namespace einc
