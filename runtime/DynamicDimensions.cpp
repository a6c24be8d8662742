// The dimensions with dynamic indices, by thread and text.
#include "runtime/DynamicDimensions.h"
#include "runtime/MemoryCache.h"
#include "runtime/OperandLabels.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace ein {
namespace {

std::vector<uint8_t> readDimensions(std::string_view text, const CompileOptions &options,
                                    std::span<const size_t> ranks) {
  const auto begin = options.dynamic.begin(),
             end = begin + static_cast<long>(std::min(options.dynamic.size(), kMaxDynamic));
  std::vector<uint8_t> numbers;
  for (const std::vector<std::string_view> &labels : operandLabels(text, options.labels, ranks))
    for (std::string_view label : labels) {
      const auto found = std::find(begin, end, label);
      numbers.push_back(found == end ? kStaticDimension : static_cast<uint8_t>(found - begin));
    }
  return numbers;
}

/// What was asked, and the answer.
struct Reading {
  std::string text;
  LabelStyle style = LabelStyle::Letters;
  std::vector<std::string> dynamic;
  std::vector<size_t> ranks;
  std::vector<uint8_t> numbers;

  bool answers(std::string_view other, const CompileOptions &options, std::span<const size_t> otherRanks) const {
    return text == other && style == options.labels && dynamic == options.dynamic &&
           std::ranges::equal(ranks, otherRanks);
  }
};

/// Texts that meet in a place take turns.
using Readings = std::array<Reading, 64>;

// Trivially destructible: calls may come after the thread-local destructors of the main thread.
constinit thread_local Readings *readings = nullptr;

Readings &makeReadings() {
  static thread_local struct Owner {
    ~Owner() { delete std::exchange(readings, nullptr); }
  } owner;
  return *(readings = new Readings);
}

} // namespace

std::span<const uint8_t> dynamicDimensions(std::string_view text, const CompileOptions &options,
                                           std::span<const size_t> ranks) {
  Readings &all = readings ? *readings : makeReadings();
  Reading &reading = all[hashKey(text) % all.size()];
  if (!reading.answers(text, options, ranks))
    reading = {std::string(text),
               options.labels,
               options.dynamic,
               {ranks.begin(), ranks.end()},
               readDimensions(text, options, ranks)};
  return reading.numbers;
}

} // namespace ein
