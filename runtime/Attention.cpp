// The Program of an attention.
#include "ein/Attention.h"

#include <cmath>
#include <cstdio>

namespace ein {

namespace {

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", x);
  return text;
}

/// Writes one Program; the operands' ranks and heads are checked.
class Writer {
public:
  Writer(std::span<const TensorType> operands, const AttentionOptions &o) : operands(operands), o(o) {
    const size_t heads = o.layout == HeadLayout::HeadsFirst ? 1 : 2;
    size = operands[0].shape[3];
    shared = operands[1].shape[heads] == 0 ? 1 : operands[0].shape[heads] / operands[1].shape[heads];
  }

  std::string text() {
    const std::string head = shared > 1 ? "(g r)" : "g";
    std::string text = shared > 1 ? "index r = " + std::to_string(shared) + "\n" : "";
    text += "in Q: " + next() + dims(head, "q", "d") + ", K: " + next() + dims("g", "k", "d") + ", V: " + next() +
            dims("g", "k", "e");
    if (o.offset) text += ", offset: " + next();
    if (o.slopes) text += ", slopes: " + next() + "[" + head + "]";
    if (o.bias) text += ", bias: " + next() + "[" + head + ",q,k]";
    if (o.sinks) text += ", sinks: " + next() + "[" + head + "]";
    if (o.lengths) text += ", lengths: " + next() + "[b]";
    const double scale = o.scale != 0 ? o.scale : 1 / std::sqrt(double(size > 0 ? size : 1));
    const std::string position = o.offset ? "q + offset" : "q + (extent(k) - extent(q))";
    text += "\nS = sum[d](Q * K) * " + number(scale);
    if (o.softcap != 0) text += "\nT = " + number(o.softcap) + " * tanh(S / " + number(o.softcap) + ")";
    std::string score = o.softcap != 0 ? "T" : "S";
    if (o.slopes) score += " - slopes * (" + position + " - k)";
    if (o.bias) score += " + bias";
    text += "\nC = " + score;
    std::string guard;
    auto also = [&](const std::string &condition) { guard += (guard.empty() ? " | " : " and ") + condition; };
    if (o.causal) also("k <= " + position);
    if (o.window > 0) also(position + " - k < " + std::to_string(o.window));
    if (o.lengths) also("k < lengths");
    text += "\nP = softmax[k" + guard + "](C" + (o.sinks ? ", sink = sinks" : "") + ")";
    if (o.logSumExp) text += "\nL = lse[k" + guard + "](C)";
    text += "\nO = sum[k](P * V)\nout O" + dims(shared > 1 ? "g,r" : "g", "q", "e") + ": " +
            std::string(name(operands[0].dtype));
    if (o.logSumExp) text += ", L[b," + std::string(shared > 1 ? "g,r" : "g") + ",q]";
    return text + "\n";
  }

private:
  std::string next() { return std::string(name(operands[operand++].dtype)); }
  std::string dims(const std::string &head, const std::string &sequence, const std::string &last) const {
    if (o.layout == HeadLayout::HeadsFirst) return "[b," + head + "," + sequence + "," + last + "]";
    return "[b," + sequence + "," + head + "," + last + "]";
  }

  std::span<const TensorType> operands;
  const AttentionOptions &o;
  int64_t size, shared;
  size_t operand = 0;
};

Expected<void> check(std::span<const TensorType> operands, const AttentionOptions &o) {
  const size_t expected = 3 + o.offset + o.slopes + o.bias + o.sinks + o.lengths;
  if (operands.size() != expected)
    return makeError(ErrorCode::OperandCount,
                     "this attention has " + std::to_string(expected) + " operands, got " +
                         std::to_string(operands.size()),
                     "queries, keys, values, then what the options name in their order");
  for (size_t i = 0; i < 3; ++i)
    if (operands[i].rank() != 4)
      return makeError(ErrorCode::Rank,
                       "operand " + std::to_string(i) + " of an attention is " + operands[i].str() +
                           ", which has rank " + std::to_string(operands[i].rank()),
                       o.layout == HeadLayout::HeadsFirst ? "it is [batch, heads, sequence, size]"
                                                          : "it is [batch, sequence, heads, size]");
  const size_t heads = o.layout == HeadLayout::HeadsFirst ? 1 : 2;
  const int64_t queries = operands[0].shape[heads], keys = operands[1].shape[heads];
  if (keys > 0 ? queries % keys != 0 : queries != 0)
    return makeError(ErrorCode::Extent,
                     std::to_string(queries) + " heads of queries cannot share " + std::to_string(keys) +
                         " heads of keys",
                     "make the number of query heads a multiple of the others");
  if (!std::isfinite(o.scale) || !std::isfinite(o.softcap) || o.softcap < 0)
    return makeError(ErrorCode::Unsupported, "the scale or softcap of an attention is no finite number",
                     "give a finite scale, and a softcap of 0 or more");
  return {};
}

} // namespace

Expected<std::string> attentionProgram(std::span<const TensorType> operands, const AttentionOptions &options) {
  if (auto fine = check(operands, options); !fine) return fine.error();
  return Writer(operands, options).text();
}

Expected<Buffer> attention(std::span<const TensorView> operands, const AttentionOptions &options,
                           const CompileOptions &compileOptions) {
  std::vector<TensorType> types;
  for (const TensorView &view : operands) types.push_back(view.type);
  auto text = attentionProgram(types, options);
  if (!text) return text.error();
  return einsum(*text, operands, compileOptions);
}

} // namespace ein
