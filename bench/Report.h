// Tables and JSON of what was measured.
#pragma once

#include "bench/Runner.h"

#include <map>
#include <string>
#include <vector>

namespace bench {

/// A run: what it ran on and what came out.
struct Report {
  RunOptions options;
  Ceilings ceilings;
  std::vector<Blas> libraries;
  std::vector<Record> records;
};

/// Geometric means of a suite; 0 where there is nothing to take one of.
struct Summary {
  int cases = 0; ///< with a ratio
  double ratio = 0, bestRatio = 0, gemmRatio = 0, roofline = 0;
  double worstRatio = 0, worstRoofline = 0;
};

/// By suite, "" for all.
std::map<std::string, Summary> summaries(const std::vector<Record> &records);
/// Slowest over fastest median of each family with more than one member.
std::map<std::string, double> familySpreads(const std::vector<Record> &records);

/// Machine, libraries, ceilings: what stands above a table.
std::string headerText(const Report &report);
std::string tableHead();
std::string tableRow(const Record &record);
/// Geometric means and spreads: what stands below.
std::string footerText(const Report &report);
std::string jsonText(const Report &report);
/// A bar per case: ratio to the fastest peer, 1 marked.
std::string svgText(const Report &report);

} // namespace bench
