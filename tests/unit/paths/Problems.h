// Contraction problems for tests: from text, random, chains, rings and cliques.
#pragma once

#include "compiler/Paths/ContractionPath.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>

namespace ein::test {

/// "ab,bc->ac" with extents by letter; `fallback` for letters not named.
inline ContractionProblem problemOf(std::string_view text, const std::map<char, int64_t> &extents,
                                    int64_t fallback = 2) {
  ContractionProblem p;
  std::map<char, uint32_t> ids;
  bool output = false;
  p.operands.emplace_back();
  for (char c : text) {
    if (c == ',') {
      p.operands.emplace_back();
    } else if (c == '>') {
      output = true;
    } else if (c != '-') {
      auto [place, isNew] = ids.try_emplace(c, static_cast<uint32_t>(ids.size()));
      if (isNew) {
        auto extent = extents.find(c);
        p.extents.push_back(extent == extents.end() ? fallback : extent->second);
        p.names.emplace_back(1, c);
      }
      (output ? p.output : p.operands.back()).push_back(place->second);
    }
  }
  return p;
}

inline uint32_t addIndex(ContractionProblem &p, int64_t extent) {
  p.extents.push_back(extent);
  p.names.push_back("i" + std::to_string(p.extents.size() - 1));
  return static_cast<uint32_t>(p.extents.size() - 1);
}

/// Matrices in a row; the two outer indices are the output.
inline ContractionProblem chain(size_t n, std::mt19937 &random) {
  ContractionProblem p;
  std::uniform_int_distribution<int64_t> extent(2, 9);
  uint32_t left = addIndex(p, extent(random));
  p.output = {left};
  for (size_t i = 0; i < n; ++i) {
    uint32_t right = addIndex(p, extent(random));
    p.operands.push_back({left, right});
    left = right;
  }
  p.output.push_back(left);
  return p;
}

/// Every pair of operands shares an index of its own; each operand has an index of the output, too.
inline ContractionProblem clique(size_t n, std::mt19937 &random) {
  ContractionProblem p;
  p.operands.resize(n);
  std::uniform_int_distribution<int64_t> extent(2, 5);
  for (size_t a = 0; a < n; ++a)
    for (size_t b = a + 1; b < n; ++b) {
      uint32_t i = addIndex(p, extent(random));
      p.operands[a].push_back(i);
      p.operands[b].push_back(i);
    }
  for (auto &operand : p.operands) {
    p.output.push_back(addIndex(p, extent(random)));
    operand.push_back(p.output.back());
  }
  return p;
}

/// Anything: hyperedges, one-sided and output indices, extents from 1, disconnected parts.
inline ContractionProblem randomProblem(size_t n, std::mt19937 &random) {
  ContractionProblem p;
  p.operands.resize(n);
  size_t indices = 1 + random() % (2 * n);
  for (size_t i = 0; i < indices; ++i) {
    std::set<size_t> users;
    for (size_t count = 1 + random() % 3; users.size() < std::min(count, n);) users.insert(random() % n);
    uint32_t index = addIndex(p, 1 + static_cast<int64_t>(random() % 6));
    for (size_t user : users) p.operands[user].push_back(index);
    if (random() % 3 == 0) p.output.push_back(index);
  }
  for (auto &operand : p.operands) std::shuffle(operand.begin(), operand.end(), random);
  std::shuffle(p.output.begin(), p.output.end(), random);
  return p;
}

} // namespace ein::test
