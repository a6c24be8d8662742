// What is measured: a case is an einsum, the types of its operands and what it is compared with.
#pragma once

#include "ein/TensorType.h"

#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// What a case is timed against.
enum class Comparison {
  PermuteGemm,  ///< permutes into GEMM layout, GEMM, permute back; nothing is permuted where a GEMM can do without
  Copy,         ///< memcpy that moves as many bytes as operands and result hold
  Read,         ///< a sum over as many bytes as the operands hold
  Chain,        ///< ein itself, not fused
  ReadAndChain, ///< a sum over as many bytes as the operands hold, and the chain
  Larger,       ///< the same with other extents: `larger`
  RealWork,     ///< ein itself in f32 (f64 for c128), four times over for complex numbers: as many real products
  Pair,         ///< attention: the two products alone, a head at a time, scores stored; and ein itself, not fused
};

/// One line of a table.
struct Case {
  std::string suite;
  std::string name;
  std::string text; ///< einsum string or Program
  std::vector<ein::TensorType> operands;
  Comparison comparison = Comparison::PermuteGemm;
  /// Cases that follow each other and name one family do the same work in other spellings; they are interleaved.
  std::string family = {};
  /// Takes the operands of its family's first case in reverse order.
  bool reversed = false;
  /// Comparison::Larger: what it is timed against.
  std::string largerText = {};
  std::vector<ein::TensorType> larger = {};
};

/// Names of the suites that consist of cases, in order. "compile" is beside them.
inline constexpr std::string_view kSuites[] = {
    "gemm", "small", "batched", "tccg", "slow", "memory", "attention-scores", "attention", "programs", "dtypes"};

/// The cases of a suite; empty for an unknown name.
std::vector<Case> casesOf(std::string_view suite);

// One function per suite; Suites*.cpp.
std::vector<Case> gemmSuite();
std::vector<Case> smallSuite();
std::vector<Case> batchedSuite();
std::vector<Case> attentionScoresSuite();
std::vector<Case> attentionSuite();
std::vector<Case> programsSuite();
std::vector<Case> dtypesSuite();
std::vector<Case> memorySuite();
/// From data/tccg.json, scaled down, each in the layout as written and with every term reversed.
std::vector<Case> tccgSuite();
/// The contractions of data/tccg.json with a batch index that moves through the result.
std::vector<Case> tccgBatchCases();
/// From data/slow_einsums.json: a family per expression (as written, labels renamed, operands swapped).
std::vector<Case> slowSuite();

} // namespace bench
