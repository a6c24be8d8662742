// Suites read from bench/data: tensor contractions (TCCG) and einsums that users of other libraries found slow.
#include "bench/Case.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

using namespace ein;

namespace bench {

using Json = nlohmann::json;
using Extents = std::map<char, int64_t>;

static Json readData(const std::string &file) {
  std::ifstream stream(std::string(EIN_BENCH_DATA) + "/" + file);
  Json data = Json::parse(stream, nullptr, /*allow_exceptions=*/false);
  return data.is_array() ? data : Json::array();
}

/// The terms of an einsum string without ellipses: operands, then the result.
static std::vector<std::string> termsOf(const std::string &text) {
  std::vector<std::string> terms(1);
  for (char c : text)
    if (c == ',' || c == '>')
      terms.emplace_back();
    else if (c != '-')
      terms.back() += c;
  return terms;
}

static std::vector<int64_t> shapeOf(const std::string &term, const Extents &extents) {
  std::vector<int64_t> shape;
  for (char index : term) shape.push_back(extents.at(index));
  return shape;
}

/// Shrinks all large extents by one factor until the case fits `bytes` (f32) and `flops`. Extents stay multiples
/// of 8 where they were of 24, else of 4, as in the original list; small ones (24 and less) are kept.
static Extents scaleDown(const Extents &original, const std::string &text, double bytes, double flops) {
  for (double factor = 1;; factor *= 0.98) {
    Extents extents = original;
    double points = 1, size = 0;
    for (auto &[index, extent] : extents) {
      const int64_t unit = extent % 24 == 0 ? 8 : 4;
      if (extent > 24) extent = std::max<int64_t>(24, std::llround(extent * factor / unit) * unit);
      points *= extent;
    }
    for (const std::string &term : termsOf(text)) {
      double elements = 4;
      for (int64_t extent : shapeOf(term, extents)) elements *= extent;
      size += elements;
    }
    if ((size <= bytes && 2 * points <= flops) || factor < 0.05) return extents;
  }
}

static Case contraction(std::string suite, const std::string &text, const Extents &extents) {
  const std::vector<std::string> terms = termsOf(text);
  Case c{std::move(suite), text, text, {}};
  for (size_t t = 0; t + 1 < terms.size(); ++t) c.operands.emplace_back(DType::F32, shapeOf(terms[t], extents));
  return c;
}

static std::vector<Case> tccgCases(const std::string &suite, const std::string &set, double bytes, double flops) {
  std::vector<Case> cases;
  for (const Json &entry : readData("tccg.json")) {
    if (entry["set"] != set) continue;
    Extents original;
    for (const auto &[index, extent] : entry["sizes"].items()) original[index[0]] = extent.get<int64_t>();
    for (const char *layout : {"expr", "expr_rowmajor"}) {
      const std::string text = entry[layout];
      cases.push_back(contraction(suite, text, scaleDown(original, text, bytes, flops)));
    }
  }
  return cases;
}

std::vector<Case> tccgSuite() { return tccgCases("tccg", "tccg48", 400e6, 30e9); }

std::vector<Case> tccgBatchCases() { return tccgCases("batched", "einsum_ir_batch", 200e6, 30e9); }

/// The same expression in other letters, their alphabetical order reversed.
static std::string renamed(const std::string &text) {
  std::string letters;
  for (char c : text)
    if (std::isalpha(static_cast<unsigned char>(c)) && letters.find(c) == std::string::npos) letters += c;
  std::sort(letters.begin(), letters.end());
  std::string other = text;
  for (char &c : other)
    if (size_t place = letters.find(c); place != std::string::npos) c = letters[letters.size() - 1 - place];
  return other;
}

/// The same expression with its operands in reverse order.
static std::string reversed(const std::string &text) {
  const size_t arrow = text.find("->");
  std::string operands, term;
  for (char c : text.substr(0, arrow) + ",")
    if (c == ',') {
      operands = operands.empty() ? term : term + "," + operands;
      term.clear();
    } else {
      term += c;
    }
  return operands + text.substr(arrow);
}

std::vector<Case> slowSuite() {
  std::vector<Case> cases;
  for (const Json &entry : readData("slow_einsums.json")) {
    const std::string id = entry["id"], text = entry["expr"];
    const DType dtype = parseDType(entry["dtype"].get<std::string>()).value_or(DType::F32);
    Case written{"slow", id + " " + text, text, {}, Comparison::PermuteGemm, id};
    for (const Json &shape : entry["shapes"]) written.operands.emplace_back(dtype, shape.get<std::vector<int64_t>>());
    Case other = written, swapped = written;
    other.text = renamed(text), other.name = id + " renamed";
    swapped.text = reversed(text), swapped.name = id + " swapped", swapped.reversed = true;
    std::reverse(swapped.operands.begin(), swapped.operands.end());
    const bool swaps = written.operands.size() > 1;
    cases.push_back(std::move(written));
    cases.push_back(std::move(other));
    if (swaps) cases.push_back(std::move(swapped));
  }
  return cases;
}

} // namespace bench
