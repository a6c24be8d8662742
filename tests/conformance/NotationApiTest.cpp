// Notation through the public API: integer sublists, names, scatter, orders, adjoints and the memory limit.
#include "compiler/IndexNotation/Interpreter.h"
#include "ein/Adjoint.h"
#include "ein/Engine.h"
#include "ein/Sublists.h"
#include "tests/conformance/Generators.h"
#include "tests/conformance/Support.h"

#include <cmath>
#include <limits>

using namespace ein;
using namespace ein::test;

namespace {

std::vector<double> valuesOf(const Buffer &buffer) {
  const double *data = buffer.data<double>();
  return {data, data + buffer.type().numElements()};
}

TEST(NotationApi, Sublists) {
  double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  auto product = einsum({{TensorView(a, {2, 2}), {0, 99}}, {TensorView(b, {2, 2}), {99, 1}}}, Sublist{0, 1});
  ASSERT_TRUE(product) << product.error().render();
  EXPECT_EQ(valuesOf(*product), (std::vector<double>{19, 22, 43, 50}));
  auto transposed = einsum({{TensorView(a, {2, 2}), {27, 0}}});
  ASSERT_TRUE(transposed);
  EXPECT_EQ(valuesOf(*transposed), (std::vector<double>{1, 3, 2, 4}));
  auto wrong = einsum({{TensorView(a, {2, 2}), {0}}}, Sublist{0});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::Rank);
}

TEST(NotationApi, ScatterIsPartOfTheKey) {
  double a[] = {1, std::numeric_limits<double>::infinity()};
  CompileOptions scatter;
  scatter.scatter = true;
  auto refused = einsum("i->ii", {TensorView(a, {2})});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::DuplicateName);
  auto diagonal = einsum("i->ii", {TensorView(a, {2})}, scatter);
  ASSERT_TRUE(diagonal) << diagonal.error().render();
  EXPECT_EQ(valuesOf(*diagonal), (std::vector<double>{1, 0, 0, a[1]}));
  EXPECT_FALSE(einsum("i->ii", {TensorView(a, {2})}));
}

TEST(NotationApi, FunctionsOfPrograms) {
  for (const char *expression : {"abs(X)", "floor(X * 3)", "sign(X)", "relu(X)", "sigmoid(X)", "rsqrt(abs(X))",
                                 "clamp(X, -0.25, 0.5)", "sign(X - X)", "X * floor(i * 0.3)"})
    for (const char *dtype : {"f32", "f64"}) {
      Case c;
      c.text = std::string("in X: ") + dtype + "[i]\nY[i] = " + expression + "\nout Y";
      c.types = types(std::string(dtype) + "[37]");
      EXPECT_TRUE(computesAsInterpreted(c)) << c.text;
    }
}

TEST(NotationApi, Adjoints) {
  struct Row {
    const char *text, *operands;
  };
  const Row rows[] = {
      {"ik,kj->ij", "f64[5,7] f64[7,3]"},
      {"bij,bjk->bik", "f32[2,5,7] f32[2,7,3]"},
      {"ii->i", "f64[9,9]"},
      {"iij,j->i", "f32[4,4,5] f32[5]"},
      {"ij->i", "f64[3,40]"},
      {"ij,jk->ik", "f64[6,1] f64[9,4]"},
      {"...i,ij->...j", "f32[2,1,3] f32[3,4]"},
      {"ij,k->i", "f64[3,4] f64[5]"},
      {"ij,jk,kl->il", "f32[3,4] f32[4,5] f32[5,6]"},
  };
  for (const Row &row : rows) {
    const std::vector<TensorType> operands = types(row.operands);
    for (size_t which = 0; which < operands.size(); ++which) {
      auto text = adjoint(row.text, operands, which);
      ASSERT_TRUE(text) << row.text << "\n" << text.error().render();
      Case c;
      c.text = *text;
      c.types = operands;
      c.types.erase(c.types.begin() + which);
      auto forward = parseAndBind(row.text, operands);
      c.types.push_back(forward->typeOf(forward->outputs[0]));
      auto execution = Execution::prepare(c);
      ASSERT_TRUE(execution) << execution.error().render();
      auto ran = execution->run();
      ASSERT_TRUE(ran) << ran.error().render();
      EXPECT_EQ(execution->results[0].view.type.shape, operands[which].shape) << *text;
      EXPECT_TRUE(agreesWithInterpreter(*execution)) << *text;
    }
  }
  auto refused = adjoint("ij->ik", types("f64[2,3]"), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::UnknownName);
}

TEST(NotationApi, Conjugates) {
  struct Row {
    const char *text, *operands;
  };
  const Row rows[] = {{"ij,jk->ik", "c64[3,4] c64[4,5]"},   {"ij,jk->ik", "c128[70,40] c128[40,33]"},
                      {"ij,jk->ki", "c64[17,9] f32[9,33]"}, {"ij,jk,kl->il", "c64[8,9] c64[9,20] c128[20,3]"},
                      {"ij,i->ij", "c64[3,4] c64[3]"},      {"ij->ji", "c64[5,4]"},
                      {"iij,k->j", "c128[3,3,4] c128[5]"}};
  for (const Row &row : rows)
    for (int64_t which = 0; which < 8; ++which)
      for (PathStrategy path : {PathStrategy::Auto, PathStrategy::Fused})
        for (Data data : {Data::Fractions, Data::Integers}) {
          Case c;
          c.text = row.text, c.types = types(row.operands), c.data = data;
          for (int64_t o = 0; o < std::ssize(c.types); ++o)
            if (which >> o & 1) c.options.conjugate.push_back(o);
          if (which >> c.types.size()) continue;
          c.options.path = path;
          EXPECT_TRUE(computesAsInterpreted(c));
        }
  Case c;
  c.text = "in A: c64[i,k], B: c64[k,j]\nC[i,j] = sum[k](conj(A) * B)\nD[i,j] = conj(C * conj(2 * C)) + conj(conj(C))\n"
           "out C, D";
  c.types = types("c64[20,6] c64[6,17]");
  EXPECT_TRUE(computesAsInterpreted(c));
}

TEST(NotationApi, AccumulatesInAWiderType) {
  Case c;
  c.text = "ij,jk->ik";
  c.types = types("f32[40,1000] f32[1000,40]");
  for (auto [compute, accumulate] : {std::pair<std::optional<DType>, std::optional<DType>>{{}, DType::F64},
                                     {DType::F64, DType::F64},
                                     {DType::F32, DType::F64},
                                     {DType::F32, DType::F32}}) {
    c.options.computeDType = compute, c.options.accumulateDType = accumulate;
    auto execution = Execution::prepare(c);
    ASSERT_TRUE(execution) << execution.error().render();
    auto ran = execution->run();
    ASSERT_TRUE(ran) << ran.error().render();
    EXPECT_TRUE(agreesWithInterpreter(*execution));
    // One rounding where the sum is wider.
    std::vector<ReferenceTensor> operands;
    for (const einc::HostTensor &operand : execution->operands) operands.push_back(readReference(operand.view));
    const ReferenceTensor exact = interpret(execution->program, operands)[0];
    const ReferenceTensor found = readReference(execution->results[0].view);
    size_t rounded = 0;
    for (size_t i = 0; i < exact.values.size(); ++i) rounded += found.values[i] != double(float(exact.values[i]));
    if (accumulate == DType::F64)
      EXPECT_EQ(rounded, 0u);
    else
      EXPECT_GT(rounded, 100u);
  }
  c.types = types("f64[40,10] f64[10,40]");
  c.options.computeDType = DType::F32, c.options.accumulateDType = DType::F64;
  EXPECT_TRUE(computesAsInterpreted(c));
  c.types = types("c64[5,300] c64[300,7]");
  c.options.computeDType.reset(), c.options.accumulateDType = DType::C128;
  EXPECT_TRUE(computesAsInterpreted(c));
  c.types = types("i8[5,300] i8[300,7]");
  c.options.accumulateDType = DType::I64, c.options.resultDType = DType::I64;
  EXPECT_TRUE(computesAsInterpreted(c));
}

TEST(NotationApi, SumsOverNothingAreZeroWhateverTheRestIs) {
  for (const char *text : {"k,i->i", "kj,j,i->i", "ik,kj,i->ij"})
    for (PathStrategy path : {PathStrategy::Auto, PathStrategy::Greedy, PathStrategy::Fused}) {
      const auto operands = types(text[0] == 'i'   ? "f32[3,0] f32[0,2] f32[3]"
                                  : text[1] == ',' ? "f32[0] f32[3]"
                                                   : "f32[0,2] f32[2] f32[3]");
      CompileOptions options;
      options.path = path;
      float nan[3] = {NAN, INFINITY, -INFINITY};
      std::vector<TensorView> views;
      for (const TensorType &type : operands) views.emplace_back(nan, type);
      auto result = einsum(text, std::span<const TensorView>(views), options);
      ASSERT_TRUE(result) << result.error().render();
      for (int64_t i = 0; i < result->type().numElements(); ++i) EXPECT_EQ(result->data<float>()[i], 0) << text;
    }
  float zero = 0;
  auto quotient = einsum("in A: f32[k], B: f32\nY = sum[k](A / B)\nout Y",
                         {TensorView(&zero, {0}), TensorView(&zero, TensorType(DType::F32, {}))});
  ASSERT_TRUE(quotient) << quotient.error().render();
  EXPECT_EQ(*quotient->data<float>(), 0);
}

TEST(NotationApi, GivenOrders) {
  for (const std::vector<std::vector<int64_t>> &order : std::vector<std::vector<std::vector<int64_t>>>{
           {{0, 1}, {0, 1}, {0, 1}}, {{2, 3}, {1, 2}, {0, 1}}, {{0, 1, 2, 3}}, {{1, 2, 3}, {0, 1}}}) {
    Case c;
    c.text = "ab,bc,cd,da->ac";
    c.types = types("f64[3,4] f64[4,5] f64[5,6] f64[6,3]");
    c.options.order = order;
    EXPECT_TRUE(computesAsInterpreted(c));
  }
}

/// The workspace of a kernel, or what the error says is the smallest limit.
int64_t workspaceOf(const char *text, const std::vector<TensorType> &operands, int64_t limit) {
  CompileOptions options;
  options.memoryLimit = limit;
  auto kernel = Engine::global().compile(text, std::span<const TensorType>(operands), options);
  if (kernel) return kernel->module().workspaceBytes;
  EXPECT_EQ(kernel.error().code, ErrorCode::Limit) << kernel.error().render();
  const std::string &help = kernel.error().help;
  EXPECT_TRUE(help.starts_with("raise the limit to at least ")) << help;
  return -std::stoll(help.substr(help.rfind(' ')));
}

TEST(NotationApi, MemoryLimitNamesTheSmallestThatWorks) {
  const auto chain = types("f64[64,64] f64[64,64] f64[64,64]");
  const char *text = "ij,jk,kl->il";
  const int64_t needed = workspaceOf(text, chain, 0);
  ASSERT_GE(needed, 64 * 64 * 8);
  EXPECT_EQ(workspaceOf(text, chain, needed), needed);
  // One nest would be 64 times the work: it is not taken.
  const int64_t smallest = -workspaceOf(text, chain, 1);
  EXPECT_EQ(smallest, needed);
  EXPECT_EQ(workspaceOf(text, chain, smallest), smallest);
  EXPECT_LT(workspaceOf(text, chain, smallest - 1), 0);
}

/// The smallest limit that an error names is one: it works, and one byte less does not.
TEST(NotationApi, MemoryLimitsOfRandomEinsums) {
  size_t refused = 0;
  for (uint64_t seed = 1; refused < 25 && seed < 400; ++seed) {
    Case c = randomEinsum(seed);
    if (c.types.size() < 3) continue;
    auto workspace = [&](int64_t limit) -> Expected<int64_t> {
      c.options.memoryLimit = limit;
      auto kernel = Engine::global().compile(c.text, std::span<const TensorType>(c.types), c.options);
      if (!kernel) return kernel.error();
      return kernel->module().workspaceBytes;
    };
    const auto least = workspace(1);
    if (least) continue;
    ASSERT_EQ(least.error().code, ErrorCode::Limit) << reproducer(c);
    const std::string &help = least.error().help;
    const int64_t named = std::stoll(help.substr(help.rfind(' ')));
    const auto works = workspace(named), less = workspace(named - 1);
    ASSERT_TRUE(works) << works.error().render() << reproducer(c);
    EXPECT_LE(*works, named) << reproducer(c);
    EXPECT_FALSE(less) << reproducer(c);
    ++refused;
  }
  EXPECT_EQ(refused, 25u);
}

TEST(NotationApi, MemoryLimitTakesOneNestWhereThatIsCheap) {
  // Pairwise it needs the outer product of two operands.
  const auto operands = types("f64[300,16] f64[16,16,64] f64[300,16]");
  Case c;
  c.text = "ab,bec,ae->ac";
  c.types = operands;
  c.options.memoryLimit = 4096;
  const int64_t unlimited = workspaceOf("ab,bec,ae->ac", operands, 0);
  const int64_t limited = workspaceOf("ab,bec,ae->ac", operands, 4096);
  EXPECT_GT(unlimited, 4096);
  EXPECT_GE(limited, 0);
  EXPECT_LE(limited, 4096);
  EXPECT_TRUE(computesAsInterpreted(c));
}

TEST(NotationApi, LimitsBeforeAnyIr) {
  const TensorType broadcast(DType::F32, {int64_t(1) << 21, int64_t(1) << 21}, {0, 0});
  CompileOptions fused;
  fused.path = PathStrategy::Fused;
  auto kernel = Engine::global().compile(
      "ij,jk,ki->", std::span<const TensorType>(std::vector{broadcast, broadcast, broadcast}), fused);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error().code, ErrorCode::Limit) << kernel.error().render();
  CompileOptions negative;
  negative.memoryLimit = -1;
  auto refused = Engine::global().compile("i->i", std::span<const TensorType>(types("f32[2]")), negative);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Limit);
}

} // namespace
