// Random Programs: pointwise arithmetic, guards, reductions, softmax and einsum in chains.
#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Interpreter.h"
#include "tests/conformance/Generators.h"
#include "tests/conformance/Random.h"

#include <cmath>

namespace ein::test {
namespace {

/// Writes one Program. Values stay of order one and functions well conditioned, so that the rounding of a right kernel
/// is far below what a wrong index, mask or term would change.
class ProgramGenerator {
public:
  explicit ProgramGenerator(uint64_t seed) : random(seed) { c.seed = seed; }

  Case make() {
    for (int64_t &extent : extents) extent = random.of<int64_t>({1, 2, 3, 5, 7, 8, 9, 15, 16, 17});
    dtype = random.of<DType>({DType::F32, DType::F32, DType::F64, DType::F64, DType::F16, DType::BF16});
    if (random.oneIn(4)) dtype = static_cast<DType>(random.below(kDTypes.size() - 1)); // bool is in the guards
    if (isInteger(dtype)) c.data = Data::Integers;
    declareInputs();
    for (int64_t lets = 1 + random.below(4); lets > 0; --lets) writeLet();
    writeOutputs();
    c.options = randomOptions(random);
    return c;
  }

private:
  /// A tensor (its indices in stored order, for einsum goes by position) or an expression.
  struct Value {
    std::string text, indices;
  };

  Random random;
  Case c;
  DType dtype = DType::F32;
  int64_t extents[4] = {};
  std::vector<Value> tensors;
  size_t inputs = 0;
  char at = 'i', onto = 'i'; ///< N[at] holds positions along `onto`

  static std::string bracketed(const std::string &indices) {
    std::string text;
    for (char index : indices) text += (text.empty() ? "" : ", ") + std::string(1, index);
    return "[" + text + "]";
  }

  std::string shuffled(std::string indices) {
    std::vector<char> order(indices.begin(), indices.end());
    random.shuffle(order);
    return {order.begin(), order.end()};
  }

  static std::string united(const std::string &a, const std::string &b) {
    std::string result = a;
    for (char index : b)
      if (result.find(index) == std::string::npos) result += index;
    return result;
  }

  static std::string without(std::string indices, char index) {
    std::erase(indices, index);
    return indices;
  }

  void declareInputs() {
    c.text = "index s = 2\nin ";
    for (int64_t n = 2 + random.below(2); n > 0; --n) {
      std::string indices = shuffled("ijkl");
      indices.resize(tensors.empty() ? 3 : random.below(4));
      const std::string tensor(1, static_cast<char>('A' + tensors.size()));
      std::vector<int64_t> shape;
      for (char index : indices) shape.push_back(extents[index - 'i']);
      c.types.emplace_back(dtype, shape, randomStrides(random, shape, false));
      c.text += (tensors.empty() ? "" : ", ") + tensor + ": " + std::string(name(dtype)) +
                (indices.empty() ? "" : bracketed(indices));
      tensors.push_back({tensor, indices});
    }
    inputs = tensors.size();
    // Positions to gather at. What is drawn need not be below: then it is the nearest.
    at = static_cast<char>('i' + random.below(4)), onto = static_cast<char>('i' + random.below(4));
    c.types.emplace_back(DType::I32, std::vector<int64_t>{extents[at - 'i']});
    c.text += ", N: int32" + bracketed(std::string(1, at)) + " below(" + onto + ")";
    const auto has = [&](const Value &tensor) { return tensor.indices.find(onto) != std::string::npos; };
    if (onto != at && std::none_of(tensors.begin(), tensors.end(), has))
      c.text += std::string("\nindex ") + onto + " = " + std::to_string(extents[onto - 'i']);
  }

  void writeLet() {
    Value value = expression();
    const std::string tensor = "T" + std::to_string(tensors.size() - inputs);
    const std::string axes = shuffled(value.indices);
    c.text += "\n" + tensor + (axes.empty() ? "" : bracketed(axes)) + " = " + value.text;
    tensors.push_back({tensor, axes});
  }

  /// The last tensor, and perhaps one before it in an order of its own. What others read stays unrounded: a softmax
  /// makes much of what 16 bits lose.
  void writeOutputs() {
    c.text += "\nout " + tensors.back().text;
    const Value &other = tensors[inputs];
    if (tensors.size() > inputs + 1 && random.oneIn(2) && !(isFloat(dtype) && byteSize(dtype) == 2))
      c.text += ", " + other.text + (other.indices.empty() ? "" : bracketed(shuffled(other.indices)));
  }

  Value expression() {
    switch (random.below(isFloat(dtype) ? 9 : 3)) {
    case 0: return pointwise();
    case 1: return reduction(product());
    case 2: return contraction();
    case 3: return softmax();
    case 4: return normalised();
    case 5: return smooth();
    case 6: return gathered();
    case 7: return shifted();
    default: return statistics();
    }
  }

  Value product() {
    const Value &a = random.of(tensors), &b = random.of(tensors);
    return {a.text + " * " + b.text, united(a.indices, b.indices)};
  }

  Value pointwise() {
    const Value p = product(), &x = random.of(tensors);
    const std::string all = united(p.indices, x.indices);
    if (!isFloat(dtype)) return {arithmetic(p.text, x.text, all), all};
    switch (random.below(6)) {
    case 0: return {"exp(tanh(" + p.text + ")) - " + x.text, all};
    case 1: return {"sqrt(1 + " + x.text + " * " + x.text + ") + " + p.text, all};
    case 2: return {"max(" + p.text + ", -0.25) / (1 + " + x.text + " * " + x.text + ")", all};
    case 3: return {"min(" + p.text + ", " + x.text + ")", all};
    case 4: return {"log(1.5 + tanh(" + p.text + ")) - (-" + x.text + ")", all};
    default: return all.empty() ? p : Value{"if " + guard(all) + " then " + p.text + " else 2 - " + x.text, all};
    }
  }

  /// What is defined for integers, or for complex numbers.
  std::string arithmetic(const std::string &p, const std::string &x, const std::string &all) {
    const bool complex = isComplex(dtype);
    switch (random.below(4)) {
    case 0: return complex ? "conj(" + p + ") - " + x : "max(" + p + ", " + x + ") - min(" + x + ", 3)";
    case 1: return complex ? "conj(" + x + ") * " + x + " - " + p : "abs(" + p + ") + sign(" + x + ")";
    case 2: return "2 - " + p + " + " + x;
    default: return all.empty() ? p : "if " + guard(all) + " then " + p + " else 2 - " + x;
    }
  }

  /// A condition on indices; what it reads is among `indices`.
  std::string guard(const std::string &indices) {
    const std::string a(1, indices[random.below(std::ssize(indices))]),
        b(1, indices[random.below(std::ssize(indices))]);
    switch (random.below(5)) {
    case 0: return a + " <= " + b;
    case 1: return a + " - " + b + " < 3 and " + b + " <= " + a;
    case 2: return a + " != " + std::to_string(random.below(5));
    case 3: return "not (" + a + " > " + b + ") or " + b + " == 2";
    default: return a + " < " + std::to_string(1 + random.below(9));
    }
  }

  /// "k" or "k | guard", given what is free.
  std::string bound(char index, const std::string &indices) {
    return std::string(1, index) + (random.oneIn(2) ? " | " + guard(indices) : "");
  }

  Value reduction(const Value &x) {
    if (x.indices.empty()) return x;
    const char index = x.indices[random.below(std::ssize(x.indices))];
    const std::string rest = without(x.indices, index);
    switch (isComplex(dtype) ? 2 : random.below(4)) {
    case 0: return {"max(max[" + bound(index, x.indices) + "](" + x.text + "), -4)", rest};
    case 1: return {"min(4, min[" + bound(index, x.indices) + "](" + x.text + "))", rest};
    default:
      return {"sum[" + bound(index, x.indices) + "](" + x.text + ")" + (isInteger(dtype) ? "" : " * 0.125"), rest};
    }
  }

  Value softmax() {
    const Value x = product();
    if (x.indices.empty()) return pointwise();
    const char index = x.indices[random.below(std::ssize(x.indices))];
    const char *const sink = random.oneIn(3) ? ", sink = 0.5" : "";
    return {"softmax[" + bound(index, x.indices) + "](2 * " + x.text + sink + ")", x.indices};
  }

  Value smooth() {
    const Value p = product(), &x = random.of(tensors);
    const std::string all = united(p.indices, x.indices);
    switch (random.below(6)) {
    case 0: return {"gelu(" + p.text + ") + silu(" + x.text + ")", all};
    case 1: return {"sin(3 * " + x.text + ") * cos(" + p.text + ")", all};
    case 2: return {"erf(" + p.text + ") + exp2(tanh(" + x.text + "))", all};
    case 3: return {"(1 + tanh(" + p.text + ") / 2) ^ -3 - 2 ^ tanh(" + x.text + ")", all};
    case 4: // of 16 bits these are f32, which what is stored in 16 bits is too coarse for
      if (byteSize(dtype) == 2) return p;
      return {"cast(" + p.text + ", " + std::string(name(dtype)) + ") * rand(7" + (all.empty() ? "" : ", ") +
                  listed(all) + ")",
              all};
    default:
      if (p.indices.empty()) return p;
      return {p.text + " + " + p.indices[0] + " // 3 % 4 / 8", p.indices};
    }
  }

  static std::string listed(const std::string &indices) {
    std::string text;
    for (char index : indices) text += (text.empty() ? "" : ", ") + std::string(1, index);
    return text;
  }

  /// A tensor with the subscripts of one index replaced.
  static std::string accessOf(const Value &x, char index, const std::string &subscript) {
    std::string text;
    for (char i : x.indices) text += (text.empty() ? "" : ", ") + (i == index ? subscript : std::string(1, i));
    return x.text + "[" + text + "]";
  }

  /// X[i, N[j]], perhaps in a sum of products.
  Value gathered() {
    const Value &x = random.of(tensors), &y = random.of(tensors);
    if (x.indices.find(onto) == x.indices.npos) return pointwise();
    const std::string rest = united(without(x.indices, onto), std::string(1, at));
    const Value g{accessOf(x, onto, std::string("N[") + at + "]"), rest};
    if (random.oneIn(2)) return g;
    const std::string all = united(rest, y.indices);
    return reduction({g.text + " * " + y.text, all});
  }

  /// A neighbour, where there is one.
  Value shifted() {
    const Value &x = random.of(tensors);
    if (x.indices.empty() || x.indices[0] == 's') return pointwise();
    const char index = x.indices[0];
    const std::string name(1, index), extent = std::to_string(extents[index - 'i']);
    if (random.oneIn(2))
      return {"(if " + name + " >= 1 then " + accessOf(x, index, name + " - 1") + " else 0.5)", x.indices};
    return {"sum[" + name + " | " + name + " + 1 < " + extent + "](" + accessOf(x, index, name + " + 1") + ") / 8",
            without(x.indices, index)};
  }

  /// Means, variances, products and lists.
  Value statistics() {
    const Value x = product();
    if (x.indices.empty()) return x;
    const char index = x.indices[random.below(std::ssize(x.indices))];
    const std::string rest = without(x.indices, index), one(1, index);
    const bool listable = x.indices.find('s') == x.indices.npos;
    switch (random.below(5)) {
    case 0: return {"mean[" + one + "](" + x.text + ")", rest};
    case 1: return {"var[" + one + "](" + x.text + ")", rest};
    case 2: return {"prod[" + bound(index, x.indices) + "](1 + tanh(" + x.text + ") / 8)", rest};
    case 3:
      if (listable) return {"max(top[" + one + "->s](" + x.text + "), -4)", rest + "s"};
      [[fallthrough]];
    default: return {"einsum(\"" + x.indices + "->" + rest + "\", tanh(" + x.text + "), over = max_plus)", rest};
    }
  }

  Value contraction() {
    const Value &a = random.of(tensors), &b = random.of(tensors);
    std::string kept;
    for (char index : united(a.indices, b.indices))
      if (random.oneIn(2)) kept += index;
    kept = shuffled(kept);
    return {"einsum(\"" + a.indices + "," + b.indices + "->" + kept + "\", " + a.text + ", " + b.text + ")" +
                (isInteger(dtype) ? "" : " * 0.125"),
            kept};
  }

  /// The shape of layer normalisations: a reduction and its operand in one expression.
  Value normalised() {
    const Value &x = random.of(tensors);
    if (x.indices.empty()) return pointwise();
    const char index = x.indices[random.below(std::ssize(x.indices))];
    return {x.text + " / (1 + sum[" + std::string(1, index) + "](" + x.text + " * " + x.text + "))", x.indices};
  }
};

} // namespace

::testing::AssertionResult closeToInterpreter(const Execution &execution) {
  std::vector<ReferenceTensor> operands;
  for (const einc::HostTensor &operand : execution.operands) operands.push_back(readReference(operand.view));
  const std::vector<ReferenceTensor> references = interpret(execution.program, operands);
  for (size_t r = 0; r < references.size(); ++r) {
    const ReferenceTensor result = readReference(execution.results[r].view);
    const double unit = unitRoundoff(execution.results[r].view.type.dtype);
    const double tolerance = unit == 0x1p-53 ? 1e-12 : unit == 0x1p-24 ? 2e-4 : 2e-4 + 2 * unit;
    for (size_t i = 0; i < result.values.size(); ++i) {
      const double value = result.values[i], reference = references[r].values[i];
      if (value != reference && !(std::isnan(value) && std::isnan(reference)) &&
          !(std::fabs(value - reference) <= tolerance * (1 + std::fabs(reference))))
        return failure(execution.source, "element " + std::to_string(i) + " of result " + std::to_string(r) + " is " +
                                             std::to_string(value) + ", the reference " + std::to_string(reference));
    }
  }
  return ::testing::AssertionSuccess();
}

Case randomProgram(uint64_t seed) { return ProgramGenerator(seed).make(); }

::testing::AssertionResult programComputesAsInterpreted(const Case &c) {
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
  return c.data == Data::Integers ? agreesWithInterpreter(*execution) : closeToInterpreter(*execution);
}

} // namespace ein::test
