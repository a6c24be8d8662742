// A bar chart of ratios as SVG.
#include "bench/Report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

namespace {

constexpr int kLabel = 380, kPlot = 480, kRow = 16, kTop = 48;
/// Ratios from 1/4 to 8 on a logarithmic axis: faster and slower by one factor are equally long.
constexpr double kLeast = -2, kMost = 3;

double xOf(double ratio) {
  return kLabel + kPlot * (std::clamp(std::log2(ratio), kLeast, kMost) - kLeast) / (kMost - kLeast);
}

std::string escaped(const std::string &text) {
  std::string out;
  for (char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

std::string textAt(double x, double y, const char *anchor, const std::string &text) {
  char place[128];
  std::snprintf(place, sizeof place, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
  return place + escaped(text) + "</text>\n";
}

std::string bar(double y, double ratio) {
  const double one = xOf(1), end = xOf(ratio);
  char shape[256];
  std::snprintf(shape, sizeof shape, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
                std::min(one, end), y + 3, std::abs(end - one), kRow - 5, ratio >= 1 ? "#2a7f62" : "#b5523b");
  return shape;
}

std::string gridLine(double ratio, int height) {
  char line[256];
  std::snprintf(line, sizeof line, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"%s\"/>\n", xOf(ratio),
                xOf(ratio), kTop, height, ratio == 1 ? "#333" : "#ccc");
  char label[16];
  std::snprintf(label, sizeof label, "%g", ratio);
  return line + textAt(xOf(ratio), kTop - 6, "middle", label);
}

} // namespace

std::string svgText(const Report &report) {
  std::vector<const Record *> shown;
  for (const Record &record : report.records)
    if (record.ratio() > 0) shown.push_back(&record);
  const int height = kTop + kRow * static_cast<int>(shown.size()) + 8, width = kLabel + kPlot + 60;
  const std::string size = std::to_string(width) + "\" height=\"" + std::to_string(height);
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + size +
      "\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  svg += textAt(8, 18, "start",
                "time of the fastest peer / time of ein, " + std::to_string(report.options.threads) +
                    " thread(s); right of 1: ein is faster");
  for (double ratio : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0}) svg += gridLine(ratio, height - 4);
  double y = kTop;
  for (const Record *record : shown) {
    char number[32];
    std::snprintf(number, sizeof number, "%.2f", record->ratio());
    svg += textAt(kLabel - 8, y + kRow - 4, "end", record->suite + "/" + record->name) + bar(y, record->ratio()) +
           textAt(std::max(xOf(record->ratio()), xOf(1)) + 4, y + kRow - 4, "start", number);
    y += kRow;
  }
  return svg + "</svg>\n";
}

} // namespace bench
