// Statistics, the JSON that others read, the table and the chart.
#include "bench/Report.h"
#include "bench/Case.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

using namespace bench;

namespace {

Record record(std::string name, double ours, double peer, std::string family = {}) {
  Record r;
  r.suite = "gemm", r.name = std::move(name), r.family = std::move(family);
  r.ours = {ours, ours / 2, 3};
  if (peer > 0) r.peers = {{"OpenBLAS", {peer, peer / 4, 3}}};
  return r;
}

Report sample() {
  Report report;
  report.records = {record("a", 1, 2, "f"), record("b", 1, 8, "f"), record("c<d", 4, 0)};
  return report;
}

TEST(Timing, MedianAndBest) {
  EXPECT_EQ(statsOf({3, 1, 2}).median, 2);
  EXPECT_EQ(statsOf({4, 1, 2, 3}).median, 2.5);
  EXPECT_EQ(statsOf({3, 1, 2}).best, 1);
}

TEST(Timing, EveryoneTakesTurns) {
  int first = 0, second = 0;
  const std::function<void()> calls[] = {[&] { ++first; }, [&] { ++second; }};
  const auto stats = interleave(calls, 0.001, 1);
  ASSERT_EQ(stats.size(), 2u);
  EXPECT_GT(stats[0].samples, 2);
  EXPECT_GT(second, 100);
  EXPECT_GT(first, 100);
}

TEST(Report, RatioAboveOneMeansOursIsFaster) {
  EXPECT_EQ(record("a", 1, 2).ratio(), 2);
  EXPECT_EQ(record("a", 1, 2).bestRatio(), 1);
  EXPECT_EQ(record("a", 1, 0).ratio(), 0);
}

TEST(Report, GeometricMeanLeavesOutCasesWithoutPeerAndWrongOnes) {
  Report report = sample();
  report.records.push_back(record("wrong", 1, 1000));
  report.records.back().error = "WRONG";
  const Summary summary = summaries(report.records).at("gemm");
  EXPECT_EQ(summary.cases, 2);
  EXPECT_DOUBLE_EQ(summary.ratio, 4);
  EXPECT_EQ(summary.worstRatio, 2);
}

TEST(Report, FamilySpreadIsSlowestOverFastest) {
  std::vector<Record> records{record("a", 2, 0, "f"), record("b", 3, 0, "f"), record("c", 9, 0, "alone")};
  const auto spreads = familySpreads(records);
  EXPECT_EQ(spreads.size(), 1u);
  EXPECT_DOUBLE_EQ(spreads.at("f"), 1.5);
}

TEST(Report, JsonHasWhatItsReadersNeed) {
  const auto json = nlohmann::json::parse(jsonText(sample()));
  EXPECT_EQ(json["threads"], 1);
  EXPECT_TRUE(json["machine"].is_string());
  EXPECT_EQ(json["geomean_ratio"], 4);
  ASSERT_EQ(json["cases"].size(), 3u);
  const auto &first = json["cases"][0];
  EXPECT_EQ(first["name"], "a");
  EXPECT_EQ(first["median_s"], 1);
  EXPECT_EQ(first["best_s"], 0.5);
  EXPECT_EQ(first["peer"], "OpenBLAS");
  EXPECT_EQ(first["peer_median_s"], 2);
  EXPECT_EQ(first["peer_best_s"], 0.5);
  EXPECT_EQ(first["ratio"], 2);
  EXPECT_FALSE(json["cases"][2].contains("ratio"));
}

TEST(Report, ChartHasABarPerRatioAndEscapesNames) {
  Report report = sample();
  report.records[1].name = "i<j";
  const std::string svg = svgText(report);
  size_t bars = 0;
  for (size_t at = svg.find("fill=\"#2a7f62\""); at != std::string::npos; at = svg.find("fill=\"#2a7f62\"", at + 1))
    ++bars;
  EXPECT_EQ(bars, 2u);
  EXPECT_NE(svg.find("i&lt;j"), std::string::npos);
}

TEST(Suites, TccgHasBothLayoutsWithinBounds) {
  const std::vector<Case> cases = casesOf("tccg");
  ASSERT_EQ(cases.size(), 96u);
  for (const Case &c : cases) {
    int64_t bytes = 0;
    for (const ein::TensorType &type : c.operands) bytes += type.numElements() * 4;
    EXPECT_LT(bytes, 400'000'000) << c.name;
  }
}

TEST(Suites, NamesAreDistinctAndNoneIsEmpty) {
  for (std::string_view suite : kSuites) {
    const std::vector<Case> cases = casesOf(suite);
    EXPECT_FALSE(cases.empty()) << suite;
    std::set<std::string> names;
    for (const Case &c : cases) EXPECT_TRUE(names.insert(c.name).second) << suite << "/" << c.name;
  }
  EXPECT_TRUE(casesOf("nonsense").empty());
}

} // namespace
