// Tables and JSON of what was measured.
#include "bench/Report.h"

#include <cmath>
#include <cstdarg>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

namespace bench {

__attribute__((format(printf, 1, 2))) static std::string format(const char *pattern, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(line, sizeof line, pattern, arguments);
  va_end(arguments);
  return line;
}

static std::string machineName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return "unknown";
}

namespace {

/// A geometric mean and a minimum of what is above zero.
struct Mean {
  double logs = 0, least = 0;
  int count = 0;

  void add(double value) {
    if (!(value > 0)) return;
    logs += std::log(value);
    least = count++ ? std::min(least, value) : value;
  }
  double value() const { return count ? std::exp(logs / count) : 0; }
};

Summary summaryOf(const std::vector<Record> &records, const std::string &suite) {
  Mean ratio, best, gemm, roofline;
  for (const Record &r : records) {
    if (!suite.empty() && r.suite != suite) continue;
    if (!r.error.empty()) continue;
    ratio.add(r.ratio()), best.add(r.bestRatio()), gemm.add(r.gemmRatio()), roofline.add(r.roofline);
  }
  return {ratio.count, ratio.value(), best.value(), gemm.value(), roofline.value(), ratio.least, roofline.least};
}

} // namespace

std::map<std::string, Summary> summaries(const std::vector<Record> &records) {
  std::map<std::string, Summary> all{{"", summaryOf(records, "")}};
  for (const Record &r : records)
    if (!all.contains(r.suite)) all[r.suite] = summaryOf(records, r.suite);
  return all;
}

std::map<std::string, double> familySpreads(const std::vector<Record> &records) {
  std::map<std::string, std::pair<double, double>> extremes;
  std::map<std::string, int> members;
  for (const Record &r : records) {
    if (r.family.empty() || r.ours.samples == 0) continue;
    auto [entry, isNew] = extremes.try_emplace(r.family, r.ours.median, r.ours.median);
    entry->second = {std::min(entry->second.first, r.ours.median), std::max(entry->second.second, r.ours.median)};
    ++members[r.family];
  }
  std::map<std::string, double> spreads;
  for (const auto &[family, extreme] : extremes)
    if (members[family] > 1) spreads[family] = extreme.second / extreme.first;
  return spreads;
}

std::string headerText(const Report &report) {
  const Ceilings &c = report.ceilings;
  std::string text = machineName() + ", " + std::to_string(report.options.threads) + " thread(s)\n";
  for (const Blas &blas : report.libraries) text += "peer " + blas.name + ": " + blas.detail + "\n";
  if (report.libraries.empty()) text += "no BLAS library was found\n";
  return text + format("ceilings: FMA f32 %.1f, f64 %.1f GFLOP/s; copy %.1f (memcpy %.1f), read %.1f GB/s; "
                       "last-level cache %.0f MiB\n",
                       c.flopsF32 * 1e-9, c.flopsF64 * 1e-9, c.copyBytes * 1e-9, c.memcpyBytes * 1e-9,
                       c.readBytes * 1e-9, c.cacheBytes / (1 << 20));
}

std::string tableHead() {
  return format("%-46s %10s %10s %-9s %10s %6s %6s %6s %7s %6s %5s\n", "case", "median ms", "best ms", "peer",
                "median ms", "ratio", "best", "=GEMM", "GF/s", "GB/s", "roof");
}

/// A number, or nothing where there is none.
static std::string cell(const char *pattern, double value, int width) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return format("%*s", width, value > 0 ? text : "-");
}

std::string tableRow(const Record &r) {
  std::string row = format("%-46s ", (r.suite + "/" + r.name).c_str());
  if (r.ours.samples == 0) return row + r.error + "\n";
  row += format("%10.4g %10.4g ", r.ours.median * 1e3, r.ours.best * 1e3);
  if (r.peers.empty())
    row += format("%-9s %10s", "-", "-");
  else
    row += format("%-9s %10.4g", r.peers.front().first.c_str(), r.peers.front().second.median * 1e3);
  row += " " + cell("%.2f", r.ratio(), 6) + " " + cell("%.2f", r.bestRatio(), 6) + " " + cell("%.2f", r.gemmRatio(), 6);
  row += " " + cell("%.1f", r.flops / r.ours.median * 1e-9, 7) + " " + cell("%.1f", r.bytes / r.ours.median * 1e-9, 6);
  row += " " + cell("%.0f%%", r.roofline * 100, 5);
  return row + (r.error.empty() ? "" : "  " + r.error) + "\n";
}

std::string footerText(const Report &report) {
  std::string text;
  for (const auto &[suite, s] : summaries(report.records)) {
    if (suite.empty() || s.cases == 0) continue;
    text += format("%s: geomean ratio %.2f (best-of %.2f), worst %.2f, over %d cases", suite.c_str(), s.ratio,
                   s.bestRatio, s.worstRatio, s.cases);
    if (s.gemmRatio > 0) text += format("; of an equal GEMM %.2f", s.gemmRatio);
    if (s.roofline > 0) text += format("; roofline %.0f%%, worst %.0f%%", s.roofline * 100, s.worstRoofline * 100);
    text += "\n";
  }
  const auto spreads = familySpreads(report.records);
  for (const auto &[family, spread] : spreads)
    text += format("family %s: slowest over fastest %.3f\n", family.c_str(), spread);
  return text;
}

using Json = nlohmann::ordered_json;

static Json jsonOf(const Record &r) {
  Json j{{"suite", r.suite}, {"name", r.name}, {"expression", r.text}, {"operands", r.operands}};
  if (!r.family.empty()) j["family"] = r.family;
  if (!r.error.empty()) j["error"] = r.error;
  if (r.ours.samples == 0) return j;
  j["median_s"] = r.ours.median, j["best_s"] = r.ours.best, j["samples"] = r.ours.samples;
  if (!r.peers.empty()) {
    const auto &[name, stats] = r.peers.front();
    j["peer"] = name, j["peer_median_s"] = stats.median, j["peer_best_s"] = stats.best;
    j["ratio"] = r.ratio(), j["best_ratio"] = r.bestRatio();
    for (const auto &[peer, s] : r.peers) j["peers"][peer] = {{"median_s", s.median}, {"best_s", s.best}};
  }
  if (r.gemmAlone) {
    j["gemm_equivalent"] = {{"median_s", r.gemmAlone->median}, {"best_s", r.gemmAlone->best}};
    j["gemm_ratio"] = r.gemmRatio();
  }
  if (!r.gemmSize.empty()) j["gemm_batch_m_n_k"] = r.gemmSize;
  if (r.roofline > 0) j["roofline"] = r.roofline;
  if (r.flops > 0) j["gflops"] = r.flops / r.ours.median * 1e-9;
  if (r.bytes > 0) j["gbs"] = r.bytes / r.ours.median * 1e-9;
  return j;
}

std::string jsonText(const Report &report) {
  const Ceilings &c = report.ceilings;
  Json j;
  j["machine"] = machineName();
  j["threads"] = report.options.threads;
  for (const Blas &blas : report.libraries) j["libraries"][blas.name] = blas.detail;
  j["ceilings"] = {{"fma_f32_gflops", c.flopsF32 * 1e-9}, {"fma_f64_gflops", c.flopsF64 * 1e-9},
                   {"copy_gbs", c.copyBytes * 1e-9},      {"memcpy_gbs", c.memcpyBytes * 1e-9},
                   {"read_gbs", c.readBytes * 1e-9},      {"cache_bytes", c.cacheBytes}};
  j["cases"] = Json::array();
  for (const Record &record : report.records) j["cases"].push_back(jsonOf(record));
  for (const auto &[suite, s] : summaries(report.records)) {
    if (s.cases == 0) continue;
    if (suite.empty()) {
      j["geomean_ratio"] = s.ratio;
      continue;
    }
    j["suites"][suite] = {{"cases", s.cases},
                          {"geomean_ratio", s.ratio},
                          {"geomean_best_ratio", s.bestRatio},
                          {"worst_ratio", s.worstRatio},
                          {"geomean_gemm_ratio", s.gemmRatio},
                          {"geomean_roofline", s.roofline},
                          {"worst_roofline", s.worstRoofline}};
  }
  for (const auto &[family, spread] : familySpreads(report.records)) j["families"][family] = spread;
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace bench
