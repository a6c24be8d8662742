// Random einsums: every rule of the notation, layout, target, thread count and order.
#include "tests/conformance/Generators.h"
#include "tests/conformance/Random.h"

#include <map>
#include <numeric>

namespace ein::test {
namespace {

constexpr double kMostPoints = 100000;
/// Of one operand: a label that is repeated eight times makes few points of many elements.
constexpr double kMostElements = 1e6;

/// Makes one einsum; all its choices come from the seed. `dtypes` are those that operands may have.
class EinsumGenerator {
public:
  EinsumGenerator(uint64_t seed, std::vector<DType> dtypes) : random(seed), dtypes(std::move(dtypes)) { c.seed = seed; }

  Case make() {
    do makeTerms();
    while (pointsOfTerms() > kMostPoints || elementsOfLargest() > kMostElements);
    c.text = join(terms);
    if (!random.oneIn(4)) c.text += (random.oneIn(2) ? "->" : " -> ") + output();
    c.options = randomOptions(random);
    const DType dtype = randomDType();
    const bool mixed = random.oneIn(6);
    for (const std::vector<int64_t> &shape : shapes)
      c.types.emplace_back(mixed ? randomDType() : dtype, shape, randomStrides(random, shape, true));
    c.data = random.oneIn(3) && areExact() ? Data::Integers : Data::Fractions;
    for (size_t o = 0; o < shapes.size(); ++o)
      if (random.oneIn(4)) c.options.conjugate.push_back(static_cast<int64_t>(o));
    if (random.oneIn(6)) chooseDTypes();
    if (random.oneIn(5)) permuteResult();
    return c;
  }

private:
  Random random;
  Case c;
  std::vector<DType> dtypes;
  std::map<std::string, int64_t> extents;
  std::vector<int64_t> ellipsis; ///< extents the ellipsis stands for
  std::vector<std::string> terms;
  std::vector<std::vector<int64_t>> shapes;
  bool anyEllipsis = false;

  int64_t extent() {
    if (random.oneIn(10)) return random.below(18);
    return random.of<int64_t>({1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17});
  }

  /// f32 and f64 more often where they are allowed.
  DType randomDType() {
    const DType common = random.oneIn(2) ? DType::F32 : DType::F64, any = random.of(dtypes);
    return random.oneIn(2) && std::find(dtypes.begin(), dtypes.end(), common) != dtypes.end() ? common : any;
  }

  /// Whether f32 holds every sum of products of small integers.
  bool areExact() const {
    double largest = pointsOfTerms();
    for (const TensorType &type : c.types) largest *= isComplex(type.dtype) ? 3 : isUnsigned(type.dtype) ? 4 : 2;
    return largest < 0x1p24;
  }

  /// What to compute, sum and store in, where that is accepted.
  void chooseDTypes() {
    for (std::optional<DType> CompileOptions::*option :
         {&CompileOptions::computeDType, &CompileOptions::resultDType, &CompileOptions::accumulateDType}) {
      if (random.oneIn(2)) continue;
      c.options.*option = static_cast<DType>(random.below(kDTypes.size()));
      if (!parseAndBind(c.text, c.types, c.options)) (c.options.*option).reset();
    }
  }

  void makeTerms() {
    extents.clear(), ellipsis.clear(), terms.clear(), shapes.clear();
    anyEllipsis = false;
    for (const char *label : {"a", "b", "Z", "k", "j", "λ"}) extents[label] = extent();
    if (random.oneIn(3))
      for (int64_t d = random.below(3); d >= 0; --d) ellipsis.push_back(extent());
    for (int64_t operands = 1 + random.below(random.oneIn(4) ? 6 : 3); operands > 0; --operands) makeTerm();
  }

  /// A term of rank 0 to 4, now and then to 8: labels, repeated now and then, some broadcasting, and perhaps the
  /// ellipsis.
  void makeTerm() {
    std::vector<std::string> labels;
    for (const auto &[label, _] : extents) labels.push_back(label);
    std::string term;
    std::vector<int64_t> shape;
    std::map<std::string, int64_t> own;
    const int64_t rank = random.below(random.oneIn(8) ? 9 : 5);
    const int64_t ellipsisAt = !ellipsis.empty() && !random.oneIn(4) ? random.below(rank + 1) : -1;
    for (int64_t d = 0; d <= rank; ++d) {
      if (d == ellipsisAt) addEllipsis(term, shape);
      if (d == rank) break;
      const std::string label = random.of(labels);
      own.try_emplace(label, random.oneIn(10) ? 1 : extents[label]);
      term += label;
      shape.push_back(own[label]);
    }
    terms.push_back(term);
    shapes.push_back(shape);
  }

  /// The last few of the dimensions that it stands for.
  void addEllipsis(std::string &term, std::vector<int64_t> &shape) {
    term += "...";
    anyEllipsis = true;
    for (auto d = static_cast<size_t>(random.below(std::ssize(ellipsis) + 1)); d < ellipsis.size(); ++d)
      shape.push_back(random.oneIn(6) ? 1 : ellipsis[d]);
  }

  double pointsOfTerms() const {
    double product = 1;
    for (const auto &[label, extent] : extents)
      if (join(terms).find(label) != std::string::npos) product *= static_cast<double>(std::max<int64_t>(extent, 1));
    for (int64_t extent : ellipsis) product *= static_cast<double>(std::max<int64_t>(extent, 1));
    return product;
  }

  double elementsOfLargest() const {
    double largest = 0;
    for (const std::vector<int64_t> &shape : shapes)
      largest = std::max(largest, std::accumulate(shape.begin(), shape.end(), 1.0, std::multiplies<>()));
    return largest;
  }

  static std::string join(const std::vector<std::string> &terms) {
    std::string text = terms[0];
    for (size_t t = 1; t < terms.size(); ++t) text += "," + terms[t];
    return text;
  }

  std::string output() {
    std::vector<std::string> parts;
    for (const auto &[label, _] : extents)
      if (join(terms).find(label) != std::string::npos && !random.oneIn(2)) parts.push_back(label);
    if (anyEllipsis && !random.oneIn(5)) parts.push_back("...");
    random.shuffle(parts);
    std::string text;
    for (const std::string &part : parts) text += part;
    return text;
  }

  void permuteResult() {
    auto program = parseAndBind(c.text, c.types, c.options);
    if (!program) return;
    c.options.resultStrides = {randomStrides(random, program->typeOf(program->outputs[0]).shape, false)};
  }
};

} // namespace

/// The dtypes that pass a test.
template <class Test> static std::vector<DType> dtypesThat(Test test) {
  std::vector<DType> dtypes;
  for (size_t i = 0; i < kDTypes.size(); ++i)
    if (test(static_cast<DType>(i))) dtypes.push_back(static_cast<DType>(i));
  return dtypes;
}

static bool isReal(DType dtype) { return isInteger(dtype) || isFloat(dtype); }

Case randomEinsum(uint64_t seed) {
  return EinsumGenerator(seed, dtypesThat([](DType) { return true; })).make();
}

Case randomSemiringEinsum(uint64_t seed) {
  Random random(~seed);
  const auto semiring = static_cast<Semiring>(1 + random.below(5));
  const bool logical = semiring == Semiring::OrAnd && random.oneIn(4);
  Case c = EinsumGenerator(seed, dtypesThat([&](DType dtype) {
                             return logical                               ? dtype == DType::Bool
                                    : semiring == Semiring::LogAddExpPlus ? isFloat(dtype)
                                                                          : isReal(dtype);
                           }))
               .make();
  c.options.semiring = semiring;
  // Rounding is of no concern where all values are integers; lse has a bound.
  c.data = semiring == Semiring::LogAddExpPlus ? Data::Fractions : Data::Integers;
  if (!parseAndBind(c.text, c.types, c.options)) c.options.resultDType = c.options.accumulateDType = std::nullopt;
  return c;
}

Case randomScaledEinsum(uint64_t seed) {
  Random random(~seed);
  Case c = EinsumGenerator(seed, dtypesThat(isReal)).make();
  // What it is accumulated in was accepted beside that result.
  if (c.options.resultDType && isComplex(*c.options.resultDType))
    c.options.resultDType = c.options.accumulateDType = std::nullopt;
  c.options.alpha = random.of<double>({1, 1, -2, 3});
  c.options.beta = random.of<double>({0, 1, 1, -1, 2});
  return c;
}

} // namespace ein::test
