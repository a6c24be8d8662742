// Random contractions around the edges of register tiles and cache blocks, in every order of indices, with integers.
#include "tests/conformance/Generators.h"
#include "tests/conformance/Random.h"

namespace ein::test {
namespace {

/// A product of this many is left to smaller cases.
constexpr double kMostProducts = 6e7;

/// One contraction; all its choices come from the seed.
class GemmGenerator {
public:
  explicit GemmGenerator(uint64_t seed) : random(seed) { c.seed = seed; }

  Case make() {
    do {
      extents.clear();
      batch = random.oneIn(3) ? group({2, 3, 5}, false) : "";
      rows = group(kSides, true);
      cols = group(kSides, true);
      depth = group(random.oneIn(4) ? kDeep : kSides, true);
    } while (products() > kMostProducts);
    c.options = randomOptions(random);
    c.data = Data::Integers;
    c.stages = {"plan"};
    const DType dtype = randomDType(random), other = random.oneIn(6) ? randomDType(random) : dtype;
    c.text = term(batch + rows + depth, dtype) + "," + term(batch + depth + cols, other) + "->" +
             shuffled(batch + rows + cols);
    return c;
  }

private:
  inline static const std::vector<int64_t> kSides = {1, 3, 5, 8, 15, 16, 17, 31, 32, 48, 97, 130, 300};
  inline static const std::vector<int64_t> kDeep = {700, 1100, 30000};
  Random random;
  Case c;
  std::string batch, rows, cols, depth;
  std::vector<int64_t> extents;

  /// The labels of a group: one, or a small one beside it so that the group is walked by two loops.
  std::string group(const std::vector<int64_t> &choices, bool maySplit) {
    std::string labels = label(random.of(choices));
    if (maySplit && random.oneIn(4)) labels += label(2 + random.below(3));
    return labels;
  }

  std::string label(int64_t extent) {
    extents.push_back(extent);
    return std::string(1, static_cast<char>('a' + extents.size() - 1));
  }

  double products() const {
    double product = 1;
    for (int64_t extent : extents) product *= static_cast<double>(extent);
    return product;
  }

  std::string shuffled(const std::string &labels) {
    std::vector<char> order(labels.begin(), labels.end());
    if (!random.oneIn(3)) random.shuffle(order);
    return {order.begin(), order.end()};
  }

  std::string term(const std::string &labels, DType dtype) {
    std::string text = shuffled(labels);
    std::vector<int64_t> shape;
    for (char label : text) shape.push_back(extents[label - 'a']);
    c.types.emplace_back(dtype, shape,
                         random.oneIn(4) ? randomStrides(random, shape, false) : TensorType(dtype, shape).strides);
    return text;
  }
};

} // namespace

Case randomContraction(uint64_t seed) { return GemmGenerator(seed).make(); }

} // namespace ein::test
