// Attention by its usual parameters: writes the Program that says it.
#pragma once

#include "ein/Einsum.h"

#include <span>
#include <string>

namespace ein {

/// How the dimensions of queries, keys, values and the result lie.
enum class HeadLayout : uint8_t {
  HeadsFirst,    ///< [batch, heads, sequence, size]
  SequenceFirst, ///< [batch, sequence, heads, size]
};

/// Which attention. What is an operand of its own follows queries, keys and values in the order of these members.
struct AttentionOptions {
  HeadLayout layout = HeadLayout::HeadsFirst;
  double scale = 0;       ///< of the scores; 0: 1 / sqrt(size of a head)
  bool causal = false;    ///< query i sees keys up to i + offset
  int64_t window = 0;     ///< query i sees keys above i + offset - window only; 0: all
  double softcap = 0;     ///< scores become softcap * tanh(score / softcap); 0: they stay
  bool offset = false;    ///< i32[]: position of query 0 among the keys; else the last query meets the last key
  bool slopes = false;    ///< f32[heads]: ALiBi, minus slope times distance
  bool bias = false;      ///< f32[heads, queries, keys], added to the scores
  bool sinks = false;     ///< f32[heads]: a score that takes part in the sum and has no value
  bool lengths = false;   ///< i32[batch]: keys from there on do not count
  bool logSumExp = false; ///< a second result, f32[batch, heads, queries]: of the scores, without the sink
};

/// The Program of softmax(scale * Q K^T + ...) V for operands of these types: queries, keys, values, then what the
/// options name. Fewer heads of keys and values than of queries are shared (GQA) where their number divides. A row
/// that sees no key is 0, its lse -inf. The result has the queries' dtype. Offsets, slopes, lengths are data: other
/// values compile nothing. Nor do other extents of b, q and k where CompileOptions::dynamic names these. Errors:
/// operand-count, rank and extent, at the operand.
Expected<std::string> attentionProgram(std::span<const TensorType> operands, const AttentionOptions &options = {});

/// Compiles (or finds) and runs it on the global engine. One result: `logSumExp` is for attentionProgram. Thread-safe.
Expected<Buffer> attention(std::span<const TensorView> operands, const AttentionOptions &options = {},
                           const CompileOptions &compileOptions = {});
inline Expected<Buffer> attention(std::initializer_list<TensorView> operands, const AttentionOptions &options = {},
                                  const CompileOptions &compileOptions = {}) {
  return attention(std::span<const TensorView>(operands.begin(), operands.size()), options, compileOptions);
}

} // namespace ein
