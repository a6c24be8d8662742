// Adjoints: their text, and their values against finite differences through the interpreter.
#include "compiler/Adjoints/Adjoint.h"
#include "tests/unit/notation/Helpers.h"

#include <cmath>

namespace ein {
namespace {

using test::noise;
using test::types;

std::vector<size_t> one(size_t which) { return {which}; }

std::string adjointOf(std::string_view text, std::string_view operands, size_t which) {
  auto adjoint = adjointText(text, types(operands), one(which), {});
  return adjoint ? *adjoint : adjoint.error().render();
}

TEST(AdjointTest, IsAnEinsumStringWhereOneCanSayIt) {
  EXPECT_EQ(adjointOf("ik,kj->ij", "f32[2,3] f32[3,4]", 0), "kj,ij->ik");
  EXPECT_EQ(adjointOf("ik,kj->ij", "f32[2,3] f32[3,4]", 1), "ik,ij->kj");
  EXPECT_EQ(adjointOf("ba", "f32[2,3]", 0), "ab->ba");
  EXPECT_EQ(adjointOf("...i,ij->...j", "f32[2,5,3] f32[3,4]", 0), "ij,{dots0}{dots1}j->{dots0}{dots1}i");
  EXPECT_EQ(adjointOf("{batch}i,{batch}i->{batch}", "f32[2,3] f32[2,3]", 1), "{batch}i,{batch}->{batch}i");
  EXPECT_EQ(adjointOf(",i->i", "f32[] f32[3]", 0), "i,i->");
}

TEST(AdjointTest, ConjugatesTheOtherFactors) {
  EXPECT_EQ(adjointOf("i,i->", "c64[2] c64[2]", 0), "index i = 2\n"
                                                    "in op1: c64[i], cotangent: c64\n"
                                                    "gradient[i]: c64 = conj(op1[i]) * cotangent\n"
                                                    "out gradient\n");
  EXPECT_EQ(adjointOf("i,i->i", "c64[2] f32[2]", 0), "i,i->i"); // a real factor is its own conjugate
  CompileOptions options;
  options.conjugate = {0};
  auto adjoint = adjointText("i,i->", types("c64[2] c64[2]"), one(0), options);
  ASSERT_TRUE(adjoint) << adjoint.error().render();
  EXPECT_NE(adjoint->find("gradient[i]: c64 = op1[i] * conj(cotangent)"), std::string::npos) << *adjoint;
}

TEST(AdjointTest, IsAProgramWhereTheGradientScattersOrStretches) {
  EXPECT_EQ(adjointOf("ii->i", "f32[2,2]", 0), "index i = 2, i0 = 2\n"
                                               "in cotangent: f32[i]\n"
                                               "gradient[i,i0]: f32 = where(i0 == i, cotangent[i], 0)\n"
                                               "out gradient\n");
  EXPECT_EQ(adjointOf("ij->i", "f32[2,3]", 0), "index i = 2, j = 3\n"
                                               "in cotangent: f32[i]\n"
                                               "gradient[i,j]: f32 = where(j >= 0, cotangent[i], 0)\n"
                                               "out gradient\n");
}

TEST(AdjointTest, Refusals) {
  auto operands = types("f32[2,3]");
  auto beyond = adjointText("ij->i", operands, one(1), {});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::OperandCount);
  EXPECT_EQ(beyond.error().message, "the expression has no operand 1");
  EXPECT_EQ(adjointText("ij->ik", operands, one(0), {}).error().code, ErrorCode::UnknownName);
}

/// sum(result * cotangent); of complex numbers, in parts, the real part with the cotangent conjugated.
double pairing(const Program &p, const std::vector<ReferenceTensor> &operands, const ReferenceTensor &cotangent) {
  std::vector<double> result = interpret(p, operands)[0].values;
  double total = 0;
  for (size_t i = 0; i < result.size(); ++i) total += result[i] * cotangent.values[i];
  return total;
}

/// The gradient of `pairing` by central differences, exact but for rounding: the expression is multilinear.
std::vector<double> differences(const Program &p, std::vector<ReferenceTensor> operands,
                                const ReferenceTensor &cotangent, size_t which) {
  std::vector<double> gradient;
  for (size_t i = 0; i < operands[which].values.size(); ++i) {
    double &x = operands[which].values[i];
    const double middle = x;
    x = middle + 0.5;
    const double above = pairing(p, operands, cotangent);
    x = middle - 0.5;
    gradient.push_back(above - pairing(p, operands, cotangent));
    x = middle;
  }
  return gradient;
}

void expectGradients(std::string_view text, std::string_view operandTypes, const CompileOptions &options) {
  const std::vector<TensorType> operands = types(operandTypes);
  auto forward = parseAndBind(text, operands, options);
  ASSERT_TRUE(forward) << forward.error().render();
  const TensorType result = forward->typeOf(forward->outputs[0]);
  const ReferenceTensor cotangent = noise(result, 77);
  std::vector<ReferenceTensor> values;
  for (size_t o = 0; o < operands.size(); ++o) values.push_back(noise(operands[o], static_cast<uint32_t>(o + 1)));
  for (size_t which = 0; which < operands.size(); ++which) {
    auto adjoint = adjointText(text, operands, one(which), options);
    ASSERT_TRUE(adjoint) << text << "\n" << adjoint.error().render();
    std::vector<TensorType> others = operands;
    std::vector<ReferenceTensor> otherValues = values;
    others.erase(others.begin() + which), others.push_back(result);
    otherValues.erase(otherValues.begin() + which), otherValues.push_back(cotangent);
    auto backward = parseAndBind(*adjoint, others);
    ASSERT_TRUE(backward) << text << "\n" << *adjoint << backward.error().render();
    ASSERT_TRUE(verify(*backward)) << *adjoint;
    const ReferenceTensor gradient = interpret(*backward, otherValues)[0];
    std::vector<int64_t> shape = operands[which].shape;
    if (isComplex(operands[which].dtype)) shape.push_back(2);
    EXPECT_EQ(gradient.shape, shape) << text << " operand " << which << "\n" << *adjoint;
    const std::vector<double> expected = differences(*forward, values, cotangent, which);
    ASSERT_EQ(gradient.values.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(gradient.values[i], expected[i], 1e-12) << text << " operand " << which << "\n" << *adjoint;
  }
}

TEST(AdjointTest, MatchesFiniteDifferences) {
  struct Row {
    const char *text, *operands;
  };
  const Row rows[] = {
      {"ik,kj->ij", "f64[2,3] f64[3,4]"},
      {"ij->ji", "f64[2,3]"},
      {"ij->", "f64[2,3]"},
      {"", "f64[]"},
      {",i->i", "f64[] f64[3]"},
      {"i,j,k->", "f64[2] f64[3] f64[2]"},
      {"ij,jk,kl->il", "f64[2,3] f64[3,2] f64[2,3]"},
      // Repeated indices.
      {"ii->i", "f64[3,3]"},
      {"iii", "f64[2,2,2]"},
      {"iij,jk->ik", "f64[2,2,3] f64[3,2]"},
      {"iji,ij->j", "f64[2,3,2] f64[2,3]"},
      {"i,i,i->i", "f64[3] f64[3] f64[3]"},
      // Summed on one side only.
      {"ij,k->i", "f64[2,3] f64[2]"},
      {"iij,k->k", "f64[2,2,3] f64[2]"},
      // Extent 1 stretched.
      {"i,i->i", "f64[1] f64[3]"},
      {"i,i->", "f64[1] f64[3]"},
      {"ij,jk->ik", "f64[2,1] f64[3,4]"},
      {"ii,ij->ij", "f64[1,1] f64[3,2]"},
      {"ij,ij,ij->j", "f64[1,3] f64[2,1] f64[1,1]"},
      {"i,i->i", "f64[1] f64[1]"},
      // Ellipses.
      {"...i,...i->...", "f64[2,1,4] f64[3,4]"},
      {"...i->i", "f64[2,3]"},
      {"a...a,...->a", "f64[2,3,2] f64[3]"},
      // Names, some of them words of Programs.
      {"{sum}{dots0},{sum}{op1}...->{op1}...", "f64[2,3] f64[2,4,2]"},
      {"{in}{gradient},{gradient}{cotangent}->{in}{cotangent}", "f64[2,3] f64[3,2]"},
      // Empty extents.
      {"ij,jk->ik", "f64[2,0] f64[0,3]"},
      {"ij->i", "f64[0,3]"},
  };
  for (const Row &row : rows) expectGradients(row.text, row.operands, {});
}

TEST(AdjointTest, OfComplexNumbersIsThatOfTheirParts) {
  for (const std::vector<int64_t> &conjugate : std::vector<std::vector<int64_t>>{{}, {0}, {1}, {0, 1}}) {
    CompileOptions options;
    options.conjugate = conjugate;
    expectGradients("ik,kj->ij", "c128[2,3] c128[3,2]", options);
    expectGradients("iij,jk->k", "c128[2,2,3] c128[1,2]", options);
    expectGradients("i,ij,j->", "c128[2] c128[2,3] c128[3]", options);
  }
}

TEST(AdjointTest, OfAScatterTakesTheDiagonal) {
  CompileOptions scatter;
  scatter.scatter = true;
  expectGradients("a->aa", "f64[3]", scatter);
  expectGradients("ij->iji", "f64[2,3]", scatter);
  expectGradients("ii,ij->jij", "f64[2,2] f64[2,3]", scatter);
  expectGradients("ij,i->ii", "f64[1,3] f64[2]", scatter);
}

TEST(AdjointTest, OfSpacedNames) {
  CompileOptions names;
  names.labels = LabelStyle::Names;
  expectGradients("row col, col out -> row out", "f64[2,3] f64[3,2]", names);
  expectGradients("row row -> row", "f64[2,2]", names);
}

} // namespace
} // namespace ein
